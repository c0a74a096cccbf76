"""Months to hand over, made by hand, and a CRM that imports what is handed over."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Mapping
from datetime import date, timedelta
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineWorkbook

from classification.export.base import Order, Plays
from classification.export.handoff import HandedOver, hand_over
from classification.export.target import Target, load_target
from classification.months import Month, find_month
from classification.scheme import CURRENT, load_scheme
from features.company import Company
from features.config import read_config
from features.tables.audit import Audit
from features.tables.consents import OBJECTIONS
from features.tables.merges import MERGES
from features.tables.privacy import Pseudonyms
from features.tables.vault import open_vault
from features.workspace import Workspace, write_json

SCHEME = load_scheme(CURRENT)
UNKNOWN = {name: dimension.unknown for name, dimension in SCHEME.dimensions.items()}
Classes = Mapping[str, str]
"""Dimension → class of one customer; unknown where nothing is said."""


def know(workspace: Workspace, pseudonyms: Pseudonyms, ids: Collection[str]) -> None:
    """Put the way back from the pseudonyms of some customers into the vault."""
    names = pa.table({"customer_id": pseudonyms.of_all(ids), "id": list(ids)})
    open_vault(workspace.tables, pseudonyms).write("names/00001-00000", names)


def grade(workspace: Workspace, pseudonyms: Pseudonyms, name: str, customers: Mapping[str, Classes]) -> Month:
    """Leave a month in the workspace: the company's own id → classes."""
    as_of = (date.fromisoformat(f"{name}-01") + timedelta(days=32)).replace(day=1)
    rows = []
    for own, said in customers.items():
        classes = {dimension: said.get(dimension, unknown) for dimension, unknown in UNKNOWN.items()}
        row = {"customer_id": pseudonyms.of(own), "as_of": as_of, "code": SCHEME.coding.encode(classes)}
        row |= {f"class_{dimension}": class_ for dimension, class_ in classes.items()}
        scores = {"score_churn": said.get("churn_is", 0.25), "score_value": 123_456.4, "percentile_churn": 37.5}
        rows.append(row | scores | {"service_cost_365d": 0.0, "notes": None, "no_marketing": False})
    empty = {"customer_id": "", "as_of": as_of, "code": "", "score_churn": 0.0, "score_value": 0.0}
    like = empty | {"percentile_churn": 0.0, "service_cost_365d": 0.0, "notes": "", "no_marketing": False}
    like |= {f"class_{dimension}": "" for dimension in SCHEME.dimensions}
    schema = pa.Table.from_pylist([like]).schema
    folder = workspace.months / name
    folder.mkdir(parents=True, exist_ok=True)
    grades = pa.Table.from_pylist(sorted(rows, key=lambda row: row["customer_id"]), schema)
    pq.write_table(grades, folder / "grades.parquet")
    said = {"id": name, "as_of": as_of.isoformat(), "release": 3, "scheme": CURRENT, "before": None}
    write_json(folder / "month.json", said)
    write_json(folder / "snapshot.json", {"company": Company().model_dump()})
    return find_month(workspace, name)


def object_to(
    workspace: Workspace, pseudonyms: Pseudonyms, profiling: Collection[str], marketing: Collection[str]
) -> None:
    """Say who objects to what, in the place of what was said before."""
    said = [("no_profiling", own) for own in profiling] + [("no_marketing", own) for own in marketing]
    rows = [
        {"customer_id": pseudonyms.of(own), "attribute": name, "value": "yes", "valid_from": date(2026, 1, 1)}
        for name, own in said
    ]
    workspace.tables.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, OBJECTIONS), workspace.tables / "objections.parquet")


def merge(workspace: Workspace, pseudonyms: Pseudonyms, merges: Mapping[str, str]) -> None:
    """Say which ids are merged into which."""
    rows = [{"customer_id": pseudonyms.of(a), "survivor": pseudonyms.of(b)} for a, b in merges.items()]
    pq.write_table(pa.Table.from_pylist(rows, MERGES), workspace.tables / "merges.parquet")


def target(text: str) -> Target:
    """A target from its YAML."""
    return read_config(Target, text, "crm.yaml")


def export(
    workspace: Workspace,
    pseudonyms: Pseudonyms,
    month: str,
    folder: Path,
    name: str = "zoho",
    described: Target | None = None,
    within: Classes | None = None,
    full: bool = False,
    plays: Plays | None = None,
) -> HandedOver:
    """Hand a month over; the scheme is read once for all."""
    order = Order(name, described or load_target(name), find_month(workspace, month), folder, 2, within or {}, full)
    with patch("classification.export.base.load_scheme", return_value=SCHEME):
        return hand_over(workspace, order, pseudonyms, Audit(workspace.home / "audit.jsonl", "tester"), plays)


Rows = list[dict[str, object]]


def read(folder: Path) -> dict[str, Rows]:
    """File → its rows, of all its parts; header → cell, which is a text where the format has no other."""
    found: dict[str, Rows] = {}
    for path in sorted(folder.iterdir()) if folder.exists() else []:
        match path.suffix:
            case ".csv":
                with path.open(encoding="utf-8-sig", newline="") as file:
                    rows: Rows = list(csv.DictReader(file))
            case ".jsonl":
                rows = [json.loads(line) for line in path.read_bytes().splitlines()]
            case _:
                header, *lines = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
                rows = [dict(zip(map(str, header), line, strict=True)) for line in lines]
        found.setdefault(path.stem.partition("-")[0], []).extend(rows)
    return found


Crm = dict[str, dict[str, dict[str, object]]]


def imported(crm: Crm, folder: Path, described: Target) -> Crm:
    """A CRM after it took an export's files: those who are gone are taken out, the others put in by their id."""
    files = read(folder)
    after = {name: dict(crm.get(name, {})) for name in described.files}
    for row in files.pop("gone", []):
        for name in [row["file"]] if row["file"] else after:
            after[str(name)].pop(str(row["customer"]), None)
    for name, rows in files.items():
        after[name] |= {str(row[described.files[name].id.header]): row for row in rows}
    return after
