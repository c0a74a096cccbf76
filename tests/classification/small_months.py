"""Months of a few customers, written by hand: what a report should say of them can be counted on fingers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from classification.monthly import month_end
from classification.report.setting import Setting
from classification.scheme import CURRENT, load_scheme
from classification.why import SCHEMA
from features.workspace import Workspace, write_json

SCHEME = load_scheme(CURRENT)
SETTING = Setting("Small company", "EUR", 2, SCHEME, 180)
EMPTY = {"spend_365d": 0.0, "margin_365d": None, "service_cost_365d": 0.0, "score_potential": None}

Rows = Mapping[str, Mapping[str, Any]]
"""Customer → what is said of it: a class of each dimension (`U` where none is given), and numbers."""


def customer(number: int) -> str:
    """A pseudonym."""
    return f"{number:032x}"[::-1]


def write_month(home: Path, name: str, rows: Rows, changes: Sequence[Mapping[str, Any]] = ()) -> Workspace:
    """A graded month as the monthly run leaves it, as far as a report looks at it."""
    workspace = Workspace(home)
    folder = workspace.months / name
    folder.mkdir(parents=True)
    table = [
        {"customer_id": id_, "no_marketing": False, "notes": None, **EMPTY}
        | {f"class_{dimension}": "U" for dimension in SCHEME.dimensions}
        | {f"raw_{dimension}": "U" for dimension in SCHEME.dimensions}
        | {(f"class_{key}" if key in SCHEME.dimensions else key): value for key, value in said.items()}
        for id_, said in sorted(rows.items())
    ]
    numbers = pa.schema([(key, pa.float64()) for key in EMPTY] + [("notes", pa.string())])
    found = pa.Table.from_pylist(table)
    for field in numbers:
        found = found.set_column(found.column_names.index(field.name), field, found[field.name].cast(field.type))
    pq.write_table(found, folder / "grades.parquet")
    pq.write_table(pa.Table.from_pylist(list(changes), SCHEMA), folder / "changes.parquet")
    write_json(folder / "snapshot.json", {"customers": len(rows), "cautions": []})
    as_of: date = month_end(name)
    about = {"id": name, "as_of": as_of.isoformat(), "release": 1, "scheme": CURRENT, "before": None}
    write_json(folder / "month.json", about)
    return workspace


def change(id_: str, dimension: str, before: str, after: str, **said: Any) -> dict[str, Any]:
    """A row of changes.parquet: a raw class that moved by the customer's own facts, unless `said` says otherwise."""
    row = {"customer_id": id_, "dimension": dimension, "before": before, "after": after, "kind": "moved"}
    row |= {"raw_before": before, "raw_after": after, "reason": f"{dimension}: {before} to {after}"}
    shares = {"share_facts": 1.0, "share_model": 0.0, "share_cutoff": 0.0, "share_scheme": 0.0}
    return row | shares | said
