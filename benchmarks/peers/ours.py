"""The 40 features by this project: the same kernel and batch driver that `scoring features` uses."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.peers import WINDOWS
from features.batch import write_features
from features.company import Company
from features.spec import AnyFeature, Feature, kinds
from features.tables.events import CUSTOMERS, EVENTS

PURCHASES = kinds("purchase")


def _of(name: str, op: str, **rest: object) -> Feature:
    return Feature(name, op, **{"kinds": PURCHASES, "family": "value", "unit": "", "doc": "", **rest})  # type: ignore[arg-type]


FEATURES: tuple[AnyFeature, ...] = (
    _of("recency_days", "days_since_last"),
    _of("tenure_days", "days_since_first"),
    _of("lines", "count"),
    _of("spend", "sum", column="amount", empty=0),
    _of("line_max", "max", column="amount"),
    _of("line_mean", "mean", column="amount"),
    _of("line_std", "std", column="amount"),
    *(
        feature
        for days in WINDOWS
        for feature in (
            _of(f"lines_{days}d", "count", days=days),
            _of(f"spend_{days}d", "sum", column="amount", days=days, empty=0),
            _of(f"line_max_{days}d", "max", column="amount", days=days),
            _of(f"order_days_{days}d", "active_days", days=days),
        )
    ),
    _of("order_days", "active_days"),
    _of("order_months", "active_months"),
    _of("gap_mean", "gap_mean"),
    _of("gap_std", "gap_std"),
    _of("gap_cv", "gap_cv"),
    _of("gap_median", "gap_median"),
    _of("spend_prev_90d", "sum", column="amount", days=90, skip=90, empty=0),
    _of("top_quarter_share", "top_share", by="quarter", column="amount"),
    _of("month_entropy", "entropy", by="month"),
    _of("items", "nunique", by="item"),
    _of("top_item_share", "top_share", by="item"),
    _of("item_entropy", "entropy", by="item"),
    _of("returns", "count", kinds=kinds("return")),
)


def features(events: Path, as_ofs: Sequence[date], out: Path, threads: int) -> None:
    """Write the rows of all dates into the directory `out`."""
    with tempfile.TemporaryDirectory() as tables:
        Path(tables, "events.parquet").symlink_to(Path(events).resolve())
        pq.write_table(CUSTOMERS.empty_table(), Path(tables, "customers.parquet"))
        write_features(Path(tables), Company(), FEATURES, as_ofs, out, threads=threads)


def warm() -> None:
    """Load what is compiled: the features of a single event."""
    at = datetime(2024, 1, 1, 9, tzinfo=UTC)
    event = {"event_id": "1", "customer_id": "0" * 32, "ts": at, "day": at.date(), "known_at": at, "kind": "purchase"}
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(pa.Table.from_pylist([event], EVENTS), Path(folder, "events.parquet"))
        features(Path(folder, "events.parquet"), [date(2024, 2, 1)], Path(folder, "out"), 1)
