"""Bins of a column, fitted on a reference, and the population stability index of two samples counted into them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

TENTHS = np.arange(1, 10) / 10

FEWEST = 20
"""A category that fewer customers share has no bin of its own: it might name one of them."""

MOST_CATEGORIES = 20

SMOOTHING = 0.5
"""Added to the count of each bin that either sample has reached, so that an empty one has a logarithm."""


@dataclass(frozen=True)
class NumberBins:
    """Bins of numbers: a number belongs to the first edge that is not below it, beyond the last edge to one more bin;
    the last place is that of null."""

    edges: tuple[float, ...]

    @property
    def places(self) -> int:
        """How many bins there are, that of null among them."""
        return len(self.edges) + 2

    def count(self, column: Array) -> Counts:
        """How many of a column's values (n,) each bin has, shape (places,)."""
        null = np.isnan(column)
        found = np.bincount(np.searchsorted(self.edges, column[~null]), minlength=self.places)
        found[-1] = null.sum()
        return np.asarray(found, np.int64)

    def to_json(self) -> dict[str, Any]:
        """The edges."""
        return {"edges": list(self.edges)}


@dataclass(frozen=True)
class CategoryBins:
    """Bins of texts: one per value, one for every other text, one for null."""

    values: tuple[str, ...]

    @property
    def places(self) -> int:
        """How many bins there are, those of other texts and of null among them."""
        return len(self.values) + 2

    def place(self, value: str | None) -> int:
        """The bin of one text; None is null."""
        if value is None:
            return len(self.values) + 1
        return self.values.index(value) if value in self.values else len(self.values)

    def count(self, column: Sequence[str | None]) -> Counts:
        """How many of a column's values each bin has, shape (places,)."""
        found = np.zeros(self.places, np.int64)
        for value, many in Counter(column).items():
            found[self.place(value)] += many
        return found

    def to_json(self) -> dict[str, Any]:
        """The values."""
        return {"values": list(self.values)}


Bins = NumberBins | CategoryBins


def number_bins(column: Array) -> NumberBins:
    """Tenths of the values of a column (n,) that are not null, in which equal values stay together.

    Few distinct values make fewer bins. Where a tenth or more of the values are the largest one, that has a bin of its
    own; so has the only value of a constant column, with a bin on each side for whatever else may come.
    """
    ordered = np.sort(column[~np.isnan(column)])
    if not ordered.size:
        return NumberBins(())
    edges = np.unique(ordered[np.ceil(TENTHS * ordered.size).astype(int) - 1])
    if edges[-1] == ordered[-1]:
        below = ordered[: np.searchsorted(ordered, ordered[-1])]
        top = [below[-1]] if below.size else [np.nextafter(ordered[-1], -np.inf), ordered[-1]]
        edges = np.unique(np.append(edges[:-1], top))
    return NumberBins(tuple(edges[np.isfinite(edges)].tolist()))


def category_bins(column: Sequence[str | None]) -> CategoryBins:
    """The values that at least FEWEST share, the most frequent MOST_CATEGORIES of them."""
    found = sorted((-many, value) for value, many in Counter(column).items() if value is not None and many >= FEWEST)
    return CategoryBins(tuple(sorted(value for _, value in found[:MOST_CATEGORIES])))


def read_bins(found: dict[str, Any]) -> Bins:
    """What `to_json` wrote."""
    return NumberBins(tuple(found["edges"])) if "edges" in found else CategoryBins(tuple(found["values"]))


def psi(reference: Counts, live: Counts) -> float:
    """Population stability index Σ (q − p) ln(q / p) of two samples counted into the same bins; never below 0.

    p, q: the shares of the reference and of the live sample, each count raised by SMOOTHING; bins that neither sample
    has reached are left out. NaN where a sample is empty. (Siddiqi 2006, Credit Risk Scorecards, p. 137; it is the
    symmetric divergence J of Kullback & Leibler 1951.)
    """
    if not reference.sum() or not live.sum():
        return float("nan")
    reached = (reference + live) > 0
    p, q = reference[reached] + SMOOTHING, live[reached] + SMOOTHING
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())


def occupied(reference: Counts, live: Counts) -> int:
    """How many bins at least one of the samples has reached."""
    return int(((reference + live) > 0).sum())
