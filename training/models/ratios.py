"""Inputs made of other features: the customer's silence and pace against its own past, whatever its age."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.catalogue import POSITION

Array = NDArray[np.float64]

DOCS = {
    "silence_of_tenure": "Days since the last purchase over days since the first: 1 is nothing after the first.",
    "silence_of_longest": "Days since the last purchase over the longest silence so far (the whole time without one).",
    "silence_of_median": "Days since the last purchase over the customer's own median gap; null below one gap.",
    "silence_beyond": "Days of silence beyond the mean gap, in standard deviations of the gaps (and one day).",
    "pace": "Days with a purchase per day since the first.",
    "spend_pace": "Net spend per day since the first purchase, in minor currency units.",
    "pace_90d": "Pace of orders in the last 90 days over that of all time: below 1 it slows down.",
    "spend_pace_90d": "Pace of spend in the last 90 days over that of all time: below 1 it slows down.",
}
"""Every ratio and what it is, in the order of `ratios`."""


def ratios(rows: Array) -> Array:
    """Shape (n, DOCS); NaN where a divisor is 0 or null."""
    column = {name: rows[:, POSITION[name]] for name in _NAMES}
    T, silence = column["tenure_days"], column["recency_days"]
    longest = np.where(np.isnan(column["gap_max"]), T, column["gap_max"])
    with np.errstate(all="ignore"):
        recent = np.minimum(T, 90.0)
        found = (
            silence / T,
            silence / longest,
            silence / np.maximum(column["gap_median"], 1.0),
            (silence - column["gap_mean"]) / (column["gap_std"] + 1.0),
            column["order_days"] / T,
            column["spend"] / T,
            column["orders_90d"] / recent / (column["order_days"] / T),
            column["spend_90d"] / recent / (column["spend"] / T),
        )
    table = np.column_stack(found)
    return np.where(np.isfinite(table), table, np.nan)


_NAMES = (
    "tenure_days", "recency_days", "gap_max", "gap_median", "gap_mean", "gap_std", "order_days", "orders_90d",
    "spend", "spend_90d",
)  # fmt: skip
