"""How good a ranking is for people who can look at a share of the accounts. Equal scores share evenly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.bootstrap import interval
from training.resampling import draw

Array = NDArray[np.float64]
Metrics = dict[str, float]
AT_ONCE = 50
"""Resamples that are drawn together."""


@dataclass(frozen=True)
class Estimate:
    """A metric and its 95 % interval over accounts."""

    value: float
    low: float
    high: float


def measure(actual: Array, score: Array, budgets: Sequence[float]) -> Callable[[Array], Metrics]:
    """Weights of the accounts, (n,) → average precision, and recall and precision at each budget.

    actual (n,): 1 for an account that is to be found; score (n,): high is first. Average precision is the sum over the
    ranks of precision times what recall gains there. Undefined, NaN, where no account is to be found.
    """
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.inf))

    def of(weight: Array) -> Metrics:
        ranked = weight[order]
        seen = np.cumsum(np.add.reduceat(ranked, starts))
        held = np.cumsum(np.add.reduceat(ranked * actual[order], starts))
        with np.errstate(all="ignore"):
            gained = np.diff(held, prepend=0.0) / held[-1]
            found = {"average_precision": float((gained * np.where(seen > 0, held / seen, 0)).sum())}
        for budget in budgets:
            top = float(np.interp(budget * seen[-1], np.append(0.0, seen), np.append(0.0, held)))
            found[f"recall_{named(budget)}"] = top / float(held[-1]) if held[-1] else np.nan
            found[f"precision_{named(budget)}"] = top / (budget * float(seen[-1]))
        return found

    return of


def named(budget: float) -> str:
    """A budget as part of a metric's name: 0.005 is `0.5_percent`."""
    return f"{100 * budget:g}_percent"


def estimates(
    actual: Array, score: Array, budgets: Sequence[float], resamples: int, seed: int
) -> tuple[dict[str, Estimate], dict[str, Array]]:
    """Every metric with its interval, and its value in every resample of accounts (the same for every score)."""
    of, many = measure(actual, score, budgets), len(actual)
    point = of(np.ones(many))
    drawn: dict[str, list[float]] = {name: [] for name in point}
    for first in range(0, resamples, AT_ONCE):
        for weight in draw(first, min(first + AT_ONCE, resamples), many, seed):
            for name, value in of(weight.astype(float)).items():
                drawn[name].append(value)
    draws = {name: np.array(values) for name, values in drawn.items()}
    return {name: Estimate(value, *interval(draws[name])) for name, value in point.items()}, draws
