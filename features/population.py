"""Where a customer stands among all: percentiles against the base of a grading snapshot, in batch and online alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ranks:
    """The values of a base, to rank others by. values (u,): the distinct ones, ascending; below (u + 1,): how many
    customers have less than each, and last how many there are."""

    values: Array
    below: Array

    @staticmethod
    def of(values: Array) -> Ranks:
        """The ranks of a base; NaN is nobody."""
        distinct, counts = np.unique(values[~np.isnan(values)], return_counts=True)
        return Ranks(distinct, np.concatenate([[0.0], np.cumsum(counts)]))

    def percentile(self, values: Array) -> Array:
        """Mid-rank percentile, 0 to 100: share of the base with less, plus half of those with the same; NaN for NaN
        and for an empty base."""
        total = self.below[-1]
        if total == 0:
            return np.full(len(values), np.nan)
        left = np.searchsorted(self.values, values, side="left")
        right = np.searchsorted(self.values, values, side="right")
        rank = 100 * (self.below[left] + self.below[right]) / (2 * total)
        return np.asarray(np.where(np.isnan(values), np.nan, rank))
