"""Where a customer stands among all: a second stage over the feature rows of one date.

What it needs of the base are `Ranks`: batch takes them from the whole base at a date, the service has them from the
grading snapshot, and both ask the same functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numba as nb
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NULL_MEANS = {
    "percentile": "the feature is null, or the base is empty",
    "cumulative_share": "the feature is null, or nobody in the base is above 0",
}
"""What it means that an op gives null."""


@dataclass(frozen=True)
class Standing:
    """A population feature: op of the feature `of` against its base; `op` is a method of `Ranks`."""

    name: str
    op: str
    of: str
    family: str
    unit: str
    doc: str


POPULATION = (
    Standing("spend_percentile", "percentile", "spend_365d", "value", "%",
             "Mid-rank percentile of the net spend of the last 365 days: 100 spends most."),
    Standing("spend_cumulative_share", "cumulative_share", "spend_365d", "value", "1",
             "Share of the base's net spend of the last 365 days held by customers who spend as much or more."),
    Standing("orders_percentile", "percentile", "orders_365d", "behavioural", "%",
             "Mid-rank percentile of the orders of the last 365 days: 100 orders most often."),
    Standing("recency_percentile", "percentile", "recency_days", "behavioural", "%",
             "Mid-rank percentile of the days since the last purchase: 0 bought last, 100 is longest silent."),
)  # fmt: skip


@dataclass(frozen=True)
class Ranks:
    """The values of a base, to rank others by.

    values (u,): the distinct ones, ascending; below (u + 1,): how many customers have less than each, and last how many
    there are; sums (u + 1,): what they have together, those above 0 counted.
    """

    values: Array
    below: Array
    sums: Array

    @staticmethod
    def of(values: Array) -> Ranks:
        """The ranks of a base; NaN is nobody."""
        return Ranks.counted(*np.unique(values[~np.isnan(values)], return_counts=True))

    @staticmethod
    def counted(distinct: Array, counts: NDArray[np.int64]) -> Ranks:
        """The ranks of a base of which `counts` customers (u,) have each of the ascending values (u,)."""
        values = distinct + 0.0  # 0 is 0, whatever its sign
        sums = np.cumsum(np.maximum(values, 0.0) * counts)
        return Ranks(values, np.concatenate([[0.0], np.cumsum(counts)]), np.concatenate([[0.0], sums]))

    def percentile(self, values: Array) -> Array:
        """Mid-rank percentile, 0 to 100: share of the base with less, plus half of those with the same; NaN for NaN
        and for an empty base."""
        place = self.values.searchsorted(values) + self.values.searchsorted(values, "right")
        return np.asarray(np.where(np.isnan(values), np.nan, self._percentiles[place]))

    def cumulative_share(self, values: Array) -> Array:
        """The share, 0 to 1, of the base's total that is held by customers with at least each value: a point of the
        Lorenz curve from above. NaN for NaN and where nobody is above 0."""
        return np.asarray(np.where(np.isnan(values), np.nan, self._shares[self.values.searchsorted(values)]))

    def answers(self, op: str) -> Array:
        """(2u + 1,): what `op` says of a value with i of `values` below it and j not above it, at place i + j."""
        return self._percentiles if op == "percentile" else self._shares[np.arange(2 * len(self.values) + 1) // 2]

    @cached_property
    def _percentiles(self) -> Array:
        """(2u + 1,): that of a value with i of `values` below it and j not above it, at place i + j."""
        place, total = np.arange(2 * len(self.values) + 1), self.below[-1]
        if total == 0:
            return np.full(len(place), np.nan)
        return np.asarray(100 * (self.below[place // 2] + self.below[(place + 1) // 2]) / (2 * total))

    @cached_property
    def _shares(self) -> Array:
        """(u + 1,): the cumulative share of a value with i of `values` below it, at place i."""
        total = self.sums[-1]
        return (total - self.sums) / total if total > 0 else np.full(len(self.sums), np.nan)


def population_ranks(ranks: Mapping[str, Ranks]) -> dict[str, Ranks]:
    """Name → the ranks of every population feature, from those of the features they are made of."""
    found = {}
    for each in POPULATION:
        base = ranks[each.of]
        values, counts = getattr(base, each.op)(base.values), np.diff(base.below)
        known = ~np.isnan(values)
        distinct, place = np.unique(values[known], return_inverse=True)
        found[each.name] = Ranks.counted(distinct, np.bincount(place, counts[known], len(distinct)).astype(np.int64))
    return found


def population_features(columns: Mapping[str, Array], ranks: Mapping[str, Ranks]) -> dict[str, Array]:
    """Name → (n,) of every population feature whose base is ranked, from feature columns (n,) and those ranks."""
    return {each.name: getattr(ranks[each.of], each.op)(columns[each.of]) for each in POPULATION if each.of in ranks}


class Places:
    """Where one customer stands in several respects, by one compiled call: what `Ranks` say of many."""

    def __init__(self, asked: Sequence[tuple[Ranks, str]]) -> None:
        """asked: ranks, and an op of them."""
        self._begins = np.cumsum([0, *(len(ranks.values) for ranks, _ in asked)])
        self._values = np.concatenate([np.empty(0), *(ranks.values for ranks, _ in asked)])
        self._answers = np.concatenate([np.empty(0), *(ranks.answers(op) for ranks, op in asked)])

    def of(self, numbers: Sequence[float]) -> list[float]:
        """The answers for a value of each; NaN for NaN and where the base is empty."""
        out = np.array(numbers)
        _stand(self._begins, self._values, self._answers, out)
        found: list[float] = out.tolist()
        return found


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _stand(begins: NDArray[np.int64], values: Array, answers: Array, out: Array) -> None:
    """Each number of `out` becomes its answer."""
    for i in range(len(out)):
        own = values[begins[i] : begins[i + 1]]
        if out[i] == out[i]:
            below = np.searchsorted(own, out[i])
            not_above = below + (below < len(own) and own[below] == out[i])
            out[i] = answers[2 * begins[i] + i + below + not_above]
