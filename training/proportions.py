"""Shares of a count, and differences of two, with 95 % intervals that hold for few cases, too."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, nan, sqrt

from training.metrics import Comparison

Z = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Share:
    """`hits` of `of` cases; value, low and high are NaN where there is no case."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        """hits / of."""
        return self.hits / self.of if self.of else nan

    @property
    def low(self) -> float:
        """The lower end of Wilson's score interval (Wilson 1927; Newcombe 1998a, method 3)."""
        return self._end(-1)

    @property
    def high(self) -> float:
        """The upper end."""
        return self._end(1)

    def _end(self, side: int) -> float:
        if not self.of:
            return nan
        n, p = self.of, self.value
        if p == max(side, 0):
            return p  # exactly, where rounding would miss it
        return (2 * n * p + Z * Z + side * Z * sqrt(Z * Z + 4 * n * p * (1 - p))) / (2 * (n + Z * Z))


def difference(one: Share, other: Share) -> Comparison:
    """`one` minus `other`, two independent shares (Newcombe 1998b, method 10, from both score intervals)."""
    between = one.value - other.value
    low = between - hypot(one.value - one.low, other.high - other.value)
    high = between + hypot(one.high - one.value, other.value - other.low)
    return Comparison(between, low, high)
