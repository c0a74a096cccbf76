"""How sure a difference between two predictions is: one paired bootstrap for all metrics, models and test cuts.

Customers are resampled, not rows: a customer who is drawn twice counts twice at every cut. A metric of several cuts is
the mean over the cuts. All columns meet the same resamples, which is what makes the comparison paired (Efron &
Tibshirani 1993, ch. 13). Which customer is drawn depends on the seed, the resample and the draw alone, so that blocks
and threads change nothing. Metrics are those of `training.resampling`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.batch import usable_cores
from training.metrics import Comparison
from training.resampling import VECTORISED, Numbers, Weights, draw

Array = NDArray[np.float64]
RESAMPLES = 2_000
BLOCK_BYTES = 32 << 20
"""Room for the weights of one block of resamples; one block a thread is in memory."""
KEPT_BYTES = 256 << 20
"""Weights of up to this size are drawn once and kept."""


@dataclass(frozen=True)
class Cut:
    """What was answered at one test date. customer (n,): a customer's number, the same at every cut; actual (n,);
    columns: name → (n,)."""

    customer: Numbers
    actual: Array
    columns: Mapping[str, Array]


@dataclass(frozen=True)
class Resampled:
    """Some cuts' predictions under the same resamples of their `customers` customers."""

    cuts: tuple[Cut, ...]
    customers: int
    resamples: int = RESAMPLES
    seed: int = 0
    _kept: dict[int, Weights] = field(default_factory=dict, repr=False)
    _found: dict[tuple[str, str], Array] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        test: NDArray[np.generic],
        customer: NDArray[np.integer],
        actual: Array,
        columns: Mapping[str, Array],
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> Resampled:
        """From rows of several cuts: test (n,) dates, customer (n,) any whole numbers, actual (n,), name → (n,)."""
        known, number = np.unique(customer, return_inverse=True)
        masks = [test == day for day in np.unique(test)]
        cuts = tuple(
            Cut(number[mask].astype(np.int32), actual[mask], {name: each[mask] for name, each in columns.items()})
            for mask in masks
        )
        return cls(cuts, len(known), resamples, seed)

    def point(self, metric: str, column: str) -> float:
        """The metric on the customers as they are; NaN where it is undefined."""
        once = np.ones((1, self.customers), np.uint8)
        with np.errstate(all="ignore"):
            found = [VECTORISED[metric](cut.customer, cut.actual, cut.columns[column])(once)[0] for cut in self.cuts]
        return float(np.mean(found))

    def draws(self, metric: str, column: str) -> Array:
        """The metric in every resample, shape (resamples,); NaN where it is undefined, such as AUC of one class."""
        key = (metric, column)
        if key not in self._found:
            self._found[key] = np.mean([self._of_cut(metric, cut, cut.columns[column]) for cut in self.cuts], axis=0)
        return self._found[key]

    def differences(self, metric: str, one: str, other: str) -> tuple[float, Array]:
        """`one` minus `other`: on the customers as they are, and in every resample."""
        difference = self.point(metric, one) - self.point(metric, other)
        return difference, self.draws(metric, one) - self.draws(metric, other)

    def compare(self, metric: str, one: str, other: str) -> Comparison:
        """`one` minus `other` with its 95 % percentile interval."""
        point, draws = self.differences(metric, one, other)
        return Comparison(point, *interval(draws))

    def weights(self, first: int, last: int) -> Weights:
        """How often each customer is drawn in the resamples `first` up to `last`."""
        return np.asarray(draw(first, last, self.customers, self.seed))

    def _of_cut(self, metric: str, cut: Cut, predicted: Array) -> Array:
        return self._over_blocks(VECTORISED[metric](cut.customer, cut.actual, np.asarray(predicted, float)))

    def _over_blocks(self, per_block: Callable[[Weights], Array]) -> Array:
        def told(block: tuple[int, int]) -> Array:
            with np.errstate(all="ignore"):
                return per_block(self._block(*block))

        with ThreadPoolExecutor(usable_cores()) as pool:
            return np.concatenate(list(pool.map(told, self._blocks())))

    def _blocks(self) -> Iterator[tuple[int, int]]:
        size = max(1, min(BLOCK_BYTES // max(self.customers, 1), 100))
        for first in range(0, self.resamples, size):
            yield first, min(first + size, self.resamples)

    def _block(self, first: int, last: int) -> Weights:
        if self.customers * self.resamples > KEPT_BYTES:
            return self.weights(first, last)
        if first not in self._kept:
            self._kept[first] = self.weights(first, last)
        return self._kept[first]


def interval(draws: Array, level: float = 0.95) -> tuple[float, float]:
    """The percentile interval of a bootstrap; undefined resamples are left out; NaN where all are."""
    known = draws[~np.isnan(draws)]
    if not known.size:
        return np.nan, np.nan
    low, high = np.percentile(known, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)
