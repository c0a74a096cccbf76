"""How long invoices stay open: payment curves, one per band of the probability of arrears.

A curve is the Kaplan-Meier estimate (Kaplan & Meier 1958) of the share of invoices still open so many days after their
due day. An invoice is under observation from the day it was written until it is settled, or until the data end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Days = NDArray[np.int64]

FEW = 10
"""Invoices written by a day, below which the day says nothing: that the only one of long terms was paid early is no
share of all."""


@dataclass(frozen=True)
class Curves:
    """edges (bands − 1,): the probabilities at which a band begins; first: days after the due day (negative: before)
    at which the curves begin; open (bands, days): the share open at the end of each day, never rising."""

    edges: Array
    first: int
    open: Array

    def still_open(self, probability: Array, since_due: Days, later: Days) -> Array:
        """P(open `later` days after the due day | open `since_due` days after it), shape (n,); later ≥ since_due.

        1 where nothing was seen beyond; NaN for a probability that is NaN.
        """
        band = np.searchsorted(self.edges, np.nan_to_num(probability), side="right")
        now, then = self._at(band, since_due), self._at(band, later)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.where(now > 0, then / now, 1.0)
        return np.where(np.isnan(probability), np.nan, found)

    def _at(self, band: NDArray[np.intp], days: Days) -> Array:
        place = np.clip(days - self.first, -1, self.open.shape[1] - 1)
        return np.where(place < 0, 1.0, self.open[band, np.maximum(place, 0)])

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"edges": self.edges.tolist(), "first": self.first, "open": self.open.tolist()}

    @staticmethod
    def from_json(found: dict[str, Any]) -> Curves:
        """What `to_json` gave."""
        return Curves(np.array(found["edges"], float), int(found["first"]), np.array(found["open"], float))


def fit_curves(
    probability: Array, entered: Days, left: Days, paid: NDArray[np.bool_], bands: int, fewest: int, longest: int
) -> Curves:
    """Curves of invoices, (n,) each. entered, left: days after the due day at which it was written, and at which it
    was settled (`paid`) or last seen open. fewest: invoices of a band, below which there are fewer bands; longest: days
    after the due day where curves end."""
    left = np.maximum(left, entered)  # paid before it was written: on the day it was
    edges = _edges(probability, bands, fewest)
    band = np.searchsorted(edges, probability, side="right")
    first = int(min(entered.min(initial=0), 0))
    curves = [
        _kaplan_meier(entered[band == k], left[band == k], paid[band == k], first, longest)
        for k in range(len(edges) + 1)
    ]
    return Curves(edges, first, np.array(curves))


def _edges(probability: Array, bands: int, fewest: int) -> Array:
    """Quantiles between the bands, as far as each band then has its `fewest`: equal probabilities are of one band."""
    many = max(1, min(bands, len(probability) // fewest))
    kept: list[float] = []
    order = np.sort(probability)
    begun = 0
    for edge in np.unique(np.quantile(probability, np.arange(1, many) / many)) if many > 1 else ():
        at = int(np.searchsorted(order, edge, side="left"))
        if at - begun >= fewest and len(order) - at >= fewest:
            kept.append(float(edge))
            begun = at
    return np.array(kept)


def _kaplan_meier(entered: Days, left: Days, paid: NDArray[np.bool_], first: int, longest: int) -> Array:
    """The share open at the end of each day from `first` to `longest` after the due day."""
    days = np.arange(first, longest + 1)
    written = np.searchsorted(np.sort(entered), days, side="right")
    under = written - np.searchsorted(np.sort(left), days, side="left")
    events = np.bincount(np.clip(left[paid] - first, 0, days.size), minlength=days.size + 1)[: days.size]
    tells = (written >= FEW) & (under > 0)
    return np.asarray(np.cumprod(1 - np.where(tells, events / np.maximum(under, 1), 0.0)))
