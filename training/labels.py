"""What happened next: the labels, computed by the same kernel as the features, at the end of the horizon."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from features.spec import Feature, kinds

Array = NDArray[np.float64]


def label_features(horizon_days: int) -> tuple[Feature, ...]:
    """What happened in [as_of, as_of + horizon), as features at `as_of + horizon`."""
    return (
        Feature(
            "orders_next", op="nunique", by="ref", kinds=kinds("purchase"), days=horizon_days, family="behavioural",
            unit="orders", doc="Orders in the horizon.",
        ),
        Feature(
            "spend_next", op="sum", column="amount", kinds=kinds("purchase", "return"), days=horizon_days,
            family="value", unit="minor currency units", empty=0, doc="Net spend in the horizon.",
        ),
    )  # fmt: skip


def closes(as_of: date, horizon_days: int) -> date:
    """The first day on which the label of `as_of` is known: all days before it count."""
    return as_of + timedelta(days=horizon_days)


def churn(orders_next: Array) -> Array:
    """1 where the customer bought nothing in the horizon, else 0."""
    return np.asarray(orders_next == 0, float)


def value(spend_next: Array) -> Array:
    """Net spend in the horizon, in minor units; 0 for a customer who only returned, and where no amount is known."""
    return np.maximum(np.nan_to_num(spend_next), 0.0)
