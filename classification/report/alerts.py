"""What the early warning found of key customers, from `alerts.parquet` in the month's folder."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from classification.months import ALERTS
from classification.report.base import Base, Naming
from features.workspace import read_parquet

TOLD = ("kind", "observed", "expected", "p", "q", "sentence")
"""The columns that a report tells, beside who it is."""


@dataclass(frozen=True)
class Alerts:
    """watched: customers whose trend was looked at; judged: those of them of whom enough was known to judge it; table:
    of those with an alert `customer` and TOLD, the surest first."""

    watched: int
    judged: int
    table: pa.Table


def read_alerts(base: Base, naming: Naming) -> Alerts | None:
    """The alerts about the customers of a base; None where early warning did not run for the month."""
    path = base.month.folder / ALERTS
    if not path.exists():
        return None
    table = read_parquet(path, columns=["customer_id", "alert", *TOLD])
    mine = table.filter(pc.is_in(table["customer_id"], base.ids))
    watched = len(pc.unique(mine["customer_id"]))
    judged = pc.sum(mine["p"].is_valid()).as_py() or 0
    raised = mine.filter(pc.fill_null(mine["alert"], False))
    raised = raised.sort_by([("q", "ascending"), ("p", "ascending"), ("customer_id", "ascending")])
    named = naming(raised["customer_id"].combine_chunks())
    return Alerts(watched, judged, raised.select(TOLD).add_column(0, "customer", named))
