"""Inputs made of other features: the customer's silence and pace against its own past, whatever its age."""

from __future__ import annotations

import numba as nb
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


@nb.njit(cache=True, nogil=True, error_model="numpy")
def fill_ratios(rows: Array, out: Array) -> None:
    """rows (n, features) → out (n, DOCS); NaN where a divisor is 0 or null."""
    for i in range(rows.shape[0]):
        T, silence = rows[i, TENURE], rows[i, RECENCY]
        longest = T if np.isnan(rows[i, GAP_MAX]) else rows[i, GAP_MAX]
        median = rows[i, GAP_MEDIAN]
        recent = T if T < 90.0 or np.isnan(T) else 90.0
        pace, spend_pace = rows[i, ORDER_DAYS] / T, rows[i, SPEND] / T
        out[i, 0] = silence / T
        out[i, 1] = silence / longest
        out[i, 2] = silence / (median if median > 1.0 or np.isnan(median) else 1.0)
        out[i, 3] = (silence - rows[i, GAP_MEAN]) / (rows[i, GAP_STD] + 1.0)
        out[i, 4] = pace
        out[i, 5] = spend_pace
        out[i, 6] = rows[i, ORDERS_90D] / recent / pace
        out[i, 7] = rows[i, SPEND_90D] / recent / spend_pace
        for j in range(out.shape[1]):
            if not np.isfinite(out[i, j]):
                out[i, j] = np.nan


TENURE, RECENCY, GAP_MAX, GAP_MEDIAN, GAP_MEAN, GAP_STD, ORDER_DAYS, SPEND, ORDERS_90D, SPEND_90D = (
    POSITION[name] for name in (
        "tenure_days", "recency_days", "gap_max", "gap_median", "gap_mean", "gap_std", "order_days", "spend",
        "orders_90d", "spend_90d",
    )
)  # fmt: skip
