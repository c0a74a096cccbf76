"""Pareto tiers: the few customers from whom most of what is to come is expected, and the many from whom little is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Of = Literal["value", "customers"]

BY_VALUE = (0.50, 0.80, 0.95)
"""Tier 1 brings the first half of what is predicted, tier 2 what lacks to 80 %, tier 3 to 95 %, tier 4 the rest."""

PYRAMID = (0.01, 0.05, 0.20, 0.60)
"""The customer pyramid by heads: the best 1 %, the next 4 %, 15 %, 40 %, and the other 40 % (Curry & Curry 2000)."""


@dataclass(frozen=True)
class Tier:
    """A tier of the table. at_least: the lowest prediction that belongs to it; share: of the customers; predicted,
    past: of the total that is predicted and that was spent (null: nothing was)."""

    number: int
    customers: int
    at_least: float
    share: float
    predicted: float
    past: float | None


def cut_offs(predicted: Array, bounds: Sequence[float] = BY_VALUE, of: Of = "value") -> tuple[float, ...]:
    """The lowest prediction of each tier but the last, falling; one without customers begins where the tier above does.

    predicted (n,): what each customer is expected to spend; NaN: not asked, less than nothing counts as 0. bounds:
    rising shares in (0, 1) of what is predicted, or of the customers. A customer is in a tier when those predicted
    more hold less than its bound, so that customers with the same prediction are in the same tier; with nothing
    predicted all are in the last. ValueError where bounds do not rise.
    """
    if any(low >= high for low, high in zip((0.0, *bounds), (*bounds, 1.0), strict=True)):
        raise ValueError(f"bounds {tuple(bounds)}, wanted rising numbers between 0 and 1")
    known = np.maximum(predicted[~np.isnan(predicted)], 0.0)
    values, customers = np.unique(known, return_counts=True)
    values, weights = values[::-1], customers[::-1] * (values[::-1] if of == "value" else 1.0)
    if not weights.any():
        return (np.inf,) * len(bounds)
    above = np.concatenate([[0.0], np.cumsum(weights)[:-1]]) / weights.sum()
    return tuple(float(values[above < bound][-1]) for bound in bounds)


def tier_of(predicted: Array, cuts: Sequence[float]) -> Array:
    """Number of the tier, 1 the best, shape (n,); NaN where there is no prediction. One customer and many give the
    same."""
    found = np.full(len(predicted), float(len(cuts) + 1))
    for number in range(len(cuts), 0, -1):
        found = np.where(np.maximum(predicted, 0.0) >= cuts[number - 1], float(number), found)
    return np.where(np.isnan(predicted), np.nan, found)


def tier_table(predicted: Array, past: Array, cuts: Sequence[float]) -> tuple[Tier, ...]:
    """A row per tier, best first. predicted, past (n,): expected spend, and spend of the past year as a measure of how
    much the tiers will change; null counts as 0 in the sums."""
    number, past = tier_of(predicted, cuts), np.maximum(np.nan_to_num(past), 0.0)
    amount, known = np.maximum(np.nan_to_num(predicted), 0.0), ~np.isnan(predicted)
    rows = []
    for k, lowest in enumerate((*cuts, 0.0), 1):
        own = number == k
        rows.append(
            Tier(
                k,
                int(own.sum()),
                float(lowest),
                float(own.sum() / max(known.sum(), 1)),
                float(amount[own].sum() / amount[known].sum()) if amount[known].any() else 0.0,
                float(past[own].sum() / past[known].sum()) if past[known].any() else None,
            )
        )
    return tuple(rows)
