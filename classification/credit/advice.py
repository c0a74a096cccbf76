"""The credit advice of a date on disk: a row per customer, and what it was made with."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.workspace import Workspace, read_json, read_parquet, staged, write_json

ADVICE, ABOUT = "credit.parquet", "credit.json"

SCHEMA = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("probability", pa.float64()),  # of arrears with a usual invoice; null where no model answers
        pa.field("score", pa.float64()),  # points, more is better
        pa.field("grade", pa.string()),
        pa.field("percentile", pa.float64()),  # 0 to 100 among the customers with invoices; 100 has the best score
        pa.field("limit", pa.int64()),  # reference limit, minor currency units
        pa.field("open", pa.int64()),  # what is open now, minor currency units
        pa.field("reasons", pa.list_(pa.string())),  # what costs most points, the largest first
        pa.field("advice", pa.string(), nullable=False),  # a sentence for the person who decides
    ]
)


def write_advice(workspace: Workspace, on: date, table: pa.Table, about: dict[str, Any]) -> Path:
    """Keep the advice of a date, columns as in SCHEMA, in place of what was there for it; about: what made it."""
    folder = workspace.arrears.grades / on.isoformat()
    with staged(folder) as new:
        pq.write_table(table.cast(SCHEMA), new / ADVICE, compression="zstd")
        write_json(new / ABOUT, {"as_of": on.isoformat(), **about})
    return folder


def newest_advice(workspace: Workspace) -> Path | None:
    """The folder of the latest advice; None before the first."""
    return max((path.parent for path in workspace.arrears.grades.glob(f"????-??-??/{ADVICE}")), default=None)


def advice_of(workspace: Workspace, customer: str) -> dict[str, Any] | None:
    """The latest advice about a customer, by its pseudonym, with the version it was made with; None where there is
    none."""
    folder = newest_advice(workspace)
    if folder is None:
        return None
    rows = read_parquet(folder / ADVICE, filters=[("customer_id", "=", customer)]).to_pylist()
    if not rows:
        return None
    said = {name: value for name, value in rows[0].items() if name != "customer_id"}
    about = read_json(folder / ABOUT)
    return said | {name: about[name] for name in ("as_of", "model", "version")}
