"""The same 40 features by other tools, each as its users would write it by hand for speed.

Every module has `features(events, as_ofs, out, threads)`: Parquet files in the directory `out`. For a date
`as_of` an event is visible when its day is before, it was known before midnight UTC of that date, and it had not been
replaced by then. Every customer with a visible event gets a row.
"""

from __future__ import annotations

WINDOWS = (7, 30, 90, 180, 365)

NAMES: tuple[str, ...] = (
    "recency_days",
    "tenure_days",
    "lines",
    "spend",
    "line_max",
    "line_mean",
    "line_std",
    *(f"{name}_{w}d" for w in WINDOWS for name in ("lines", "spend", "line_max", "order_days")),
    "order_days",
    "order_months",
    "gap_mean",
    "gap_std",
    "gap_cv",
    "gap_median",
    "spend_prev_90d",
    "top_quarter_share",
    "month_entropy",
    "items",
    "top_item_share",
    "item_entropy",
    "returns",
)
"""The features, in the order of the columns after `customer_id` and `as_of`."""
