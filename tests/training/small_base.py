"""A small base whose customers buy at their own pace, some of them no more: feature rows and labels at four dates."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from features.catalogue import NAMES, POSITION
from training.models.inputs import Examples
from training.models.rungs import Lesson, Question
from training.recipes import Boosting
from training.rhythm import fit_rhythm

Array = NDArray[np.float64]

HORIZON = 60
BOOSTING = Boosting(
    rounds=40, learning_rate=0.1, num_leaves=7, min_data_in_leaf=40, feature_fraction=0.6, lambda_l2=5.0
)
DATES = (200, 230, 260, 360)


@cache
def small_base(customers: int = 500) -> dict[int, tuple[Array, dict[Question, Array]]]:
    """Day → rows (customers who have bought, features; NaN where a feature is not simulated) and labels."""
    rng = np.random.default_rng(3)
    gap, size = rng.gamma(2.0, 20.0, customers) + 3, rng.lognormal(8, 1, customers)
    leaves = rng.exponential(250, customers) + 1
    first = rng.uniform(0, 150, customers)
    buys = [start + np.cumsum(np.append(0.0, rng.exponential(g, 80))) for start, g in zip(first, gap, strict=True)]
    days = [np.unique(np.floor(t[t < start + end])) for t, start, end in zip(buys, first, leaves, strict=True)]
    spends = [rng.lognormal(np.log(s), 0.4, len(d)).round() for s, d in zip(size, days, strict=True)]
    return {now: _at(now, days, spends) for now in DATES}


def _at(now: int, days: list[Array], spends: list[Array]) -> tuple[Array, dict[Question, Array]]:
    rows, labels = [], []
    for day, spend in zip(days, spends, strict=True):
        past, future = day < now, (day >= now) & (day < now + HORIZON)
        if past.any():
            rows.append(_row(now, day[past], spend[past]))
            labels.append((float(future.sum() == 0), spend[future].sum(), float(future.sum())))
    silent, spent, orders = np.array(labels).T
    return np.array(rows), {"silence": silent, "spend": spent, "orders": orders, "event": 1 - silent}


def _row(now: int, days: Array, spend: Array) -> Array:
    row, gaps = np.full(len(NAMES), np.nan), np.diff(days)
    said = {
        "orders": len(days), "order_days": len(days), "recency_days": now - days[-1], "tenure_days": now - days[0],
        "spend": spend.sum(), "spend_per_order_day": spend.mean(), "orders_90d": (days >= now - 90).sum(),
        "spend_90d": spend[days >= now - 90].sum(), "spend_365d": spend.sum(), "orders_365d": len(days),
    }  # fmt: skip
    said |= {"gap_mean": gaps.mean(), "gap_max": gaps.max(), "gap_median": np.median(gaps)} if len(gaps) else {}
    for name, value in said.items():
        row[POSITION[name]] = value
    return row


@cache
def lesson(question: Question) -> Lesson:
    """What to learn at the last date from the three before it."""
    base = small_base()
    examples = [Examples(base[day][0], fit_rhythm(base[day][0]), base[day][1][question]) for day in DATES[:-1]]
    rows = base[DATES[-1]][0]
    return Lesson(examples, None, fit_rhythm(rows), HORIZON, rows)


def asked(question: Question) -> tuple[Array, Array]:
    """The rows of the last date and their labels."""
    rows, labels = small_base()[DATES[-1]]
    return rows, labels[question]
