"""What happened next: the labels, computed by the same kernel as the features, at the end of each horizon."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from features.spec import Feature, kinds
from training.recipes import DEMAND, VALUE, Recipe

Array = NDArray[np.float64]


def label_features(horizons: Iterable[int]) -> tuple[Feature, ...]:
    """What happened in [as_of, as_of + days) for each of `horizons`, as features at `as_of + days`."""
    return tuple(
        feature
        for days in horizons
        for feature in (
            Feature(
                orders_name(days), op="nunique", by="ref", kinds=kinds("purchase"), days=days, family="behavioural",
                unit="orders", doc=f"Orders in the next {days} days.",
            ),
            Feature(
                spend_name(days), op="sum", column="amount", kinds=kinds("purchase", "return"), days=days,
                family="value", unit="minor currency units", empty=0, doc=f"Net spend in the next {days} days.",
            ),
        )
    )  # fmt: skip


def orders_name(days: int) -> str:
    """The label feature of orders in the next `days` days."""
    return f"orders_next_{days}d"


def spend_name(days: int) -> str:
    """The label feature of net spend in the next `days` days."""
    return f"spend_next_{days}d"


def closes(as_of: date, horizon_days: int) -> date:
    """The first day on which the label of `as_of` is known: all days before it count."""
    return as_of + timedelta(days=horizon_days)


def answer(recipe: Recipe, labels: Mapping[str, Array], days: int) -> Array:
    """The right answers of `churn`, `value`, `demand`, or of `intent` turned round, from label features (n,) of the
    next `days` days; shape (n,)."""
    if recipe is VALUE:
        return spend(labels[spend_name(days)])
    orders = labels[orders_name(days)]
    return orders if recipe is DEMAND else silent(orders)


def silent(orders_next: Array) -> Array:
    """1 where the customer bought nothing in the horizon, else 0."""
    return np.asarray(orders_next == 0, float)


def spend(spend_next: Array) -> Array:
    """Net spend in the horizon, in minor units; 0 for a customer who only returned, and where no amount is known."""
    return np.maximum(np.nan_to_num(spend_next), 0.0)
