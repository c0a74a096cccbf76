"""A bank of a few customers, written by hand: what its register should say can be counted on fingers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from classification.laundering.records import Records
from classification.laundering.register import NOTHING, Inputs, grade_register
from classification.laundering.scheme import LaunderingScheme, laundering_text, read_laundering
from features.company import Company
from features.tables.events import CUSTOMERS, EVENTS
from features.workspace import Workspace

DAY = date(2026, 12, 1)
KEY = bytes(range(32))
COMPANY = Company(timezone="Europe/Berlin")
SCHEME = read_laundering(laundering_text(), "test")
SAFE = {
    "type": "business", "industry": "public sector", "assets": "1000", "onboarding": "in person", "cash_share": "none",
    "country": "DE", "pep": "no", "ownership_layers": "0", "id_document": "register extract", "signed_up": "2026-11-20",
}  # fmt: skip
"""The attributes of a customer without any risk."""


def customer(number: int) -> str:
    """A pseudonym."""
    return f"{number:032x}"[::-1]


def happened(who: str, kind: str, day: date, **said: Any) -> dict[str, Any]:
    """A row of the event table, known as it happened."""
    at = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
    number = f"{who}{kind}{day}{said}"
    return {"event_id": number, "customer_id": who, "ts": at, "day": day, "known_at": at, "kind": kind} | said


def write_tables(
    home: Path, events: Sequence[Mapping[str, Any]], people: Mapping[str, Mapping[str, str | None]]
) -> Workspace:
    """The tables of a bank, in place of those that were there; people: pseudonym → attributes, valid since ever."""
    workspace = Workspace(home)
    rows = [
        {"customer_id": who, "attribute": name, "value": value, "family": "consent" if name[:3] == "no_" else "social"}
        for who, said in people.items()
        for name, value in said.items()
    ]
    for name, table in (("events", pa.Table.from_pylist(list(events), EVENTS)), ("customers", _table(rows))):
        folder = workspace.tables / f"{name}.parquet"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / "part-00000.parquet")
    return workspace


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, CUSTOMERS)


def records_of(workspace: Workspace, by: str = "eva") -> Records:
    return Records(workspace.laundering, KEY, by)


def run(workspace: Workspace, on: date = DAY, inputs: Inputs = NOTHING, text: str = "") -> dict[str, dict[str, Any]]:
    """The register of a day: customer → its row."""
    found = grade_register(records_of(workspace), workspace, COMPANY, text or laundering_text(), on, inputs)
    return {row["customer_id"]: row for row in found.to_pylist()}


def scheme_with(**changes: Any) -> str:
    """The text of the scheme with other values at paths, as in bands__H=70; None takes a key away."""
    said = yaml.safe_load(laundering_text())
    for path, value in changes.items():
        *steps, last = path.split("__")
        at = said
        for step in steps:
            at = at[step]
        if value is None:
            del at[last]
        else:
            at[last] = value
    return yaml.safe_dump(said, sort_keys=False)


def scheme(**changes: Any) -> LaunderingScheme:
    """The scheme with other values."""
    return read_laundering(scheme_with(**changes), "test")


def days_later(days: int, day: date = DAY) -> date:
    return day + timedelta(days=days)
