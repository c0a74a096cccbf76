"""Everything that is held about one person, for the person: all but what must not be told to it.

Events of suspected money laundering, and whatever follows from them, are left out before anything is counted, so that
the answer is the same, to the byte, whether there are any or not. Scores and classes are told when they are known to
follow from nothing of the kind; a new one has to be named here first.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from classification.grade import RANKED
from classification.scheme import Scheme, load_scheme
from features.catalogue import NAMES
from features.catalogue.confidential import CONFIDENTIAL
from features.population import POPULATION
from features.tables.consents import read_objections
from features.tables.events import CONFIDENTIAL_KINDS
from features.tables.holds import hold_of, restricted_entries, rows_of
from features.tables.merges import read_merges
from features.tables.person import Person, pieces, unknown_customer
from features.tables.privacy import BLANKS
from features.tables.sources import EventTable, ItemTable, Source, Table
from features.workspace import read_json
from serving.desk import Desk
from serving.store import Store
from training.recipes import CHURN, DEMAND, INTENT, POTENTIAL, SEGMENTS, VALUE

TOLD = tuple(o for recipe in (CHURN, VALUE, DEMAND, INTENT, POTENTIAL, SEGMENTS) for o in recipe.outputs)
"""Answers that follow from nothing confidential: `training.models.inputs` hides it from them."""

FACTS = (frozenset(NAMES) - CONFIDENTIAL) | {*TOLD, *(each.name for each in POPULATION)}
"""What may be told, and what may stand behind a class that is told."""

Rows = list[dict[str, Any]]


def document(desk: Desk, raw_id: str) -> dict[str, Any]:
    """What is held about the person behind one of the company's ids, ready for JSON.

    Amounts are minor currency units. Raises InputError for a person of whom nothing is held that may be told.
    """
    person = desk.person(raw_id)
    held = _held(desk, person)
    if not any(held.values()):
        raise unknown_customer(desk.workspace.home)
    hold = hold_of(desk.vault, person)
    under = read_merges(desk.workspace.tables)
    ids = {desk.pseudonyms.of(raw): raw for raw in person.raw_ids}
    return {
        "source": desk.source.title,
        "currency": f"{desk.source.currency}, amounts in units of 1/{10**desk.source.decimals}",
        "ids": [{"id": ids.get(id_), "pseudonym": id_, "merged_into": under.get(id_)} for id_ in sorted(person.ids)],
        "hold": {"until": hold.until.isoformat(), "reason": hold.reason} if hold else None,
        **held,
        **_made_of_it(desk, person),
    }


def _held(desk: Desk, person: Person) -> dict[str, Rows]:
    """What came from the company: from the tables, or from the vault."""
    tables, vault = desk.workspace.tables, desk.vault
    found: dict[str, Rows] = {}
    for name in ("events", "customers"):
        entries = (f"{entry}{name}" for entry in restricted_entries(person))
        sealed = [vault.read(entry) for entry in entries if vault.path(entry).exists()]
        open_ = rows_of(tables / f"{name}.parquet", person)
        found[name] = [row for table in (open_, *sealed) if table is not None for row in _rows(table)]
    people = [row for _, table in vault.tables("people") for row in _rows(_of(table, person))]
    objections = _rows(_of(read_objections(tables), person))
    return {
        "events": [row for row in found["events"] if row["kind"] not in CONFIDENTIAL_KINDS],
        "attributes": [row for row in found["customers"] if row["family"] != "consent"],
        "consents": [row for row in found["customers"] if row["family"] == "consent"] + objections,
        "identity": [row for row in people if row["role"] == "identity"],
        "private": [row for row in people if row["role"] != "identity"],
        "refused_lines": _refused_lines(desk, person),
    }


def _refused_lines(desk: Desk, person: Person) -> Rows:
    """The person's own lines in quarantine, not those of others who name it."""
    silent, tables = _confidential_tables(desk.source), {table.name: table for table in desk.source.tables}
    found = []
    for _, lines in desk.vault.tables("quarantine"):
        for row in lines.to_pylist():
            table, row["row"] = tables.get(row["table"]), json.loads(row["row"])
            if table is not None and table.name not in silent and _is_own(row["row"], person, table):
                found.append(row)
    return found


def _is_own(cells: dict[str, str | None] | str, person: Person, table: Table) -> bool:
    """cells: or the text of a line that is no row; it is the person's when it can be nobody else's."""
    if isinstance(table, ItemTable):
        return False
    if isinstance(cells, str):
        alone = not (isinstance(table, EventTable) and table.counterparty)
        return alone and not person.words.isdisjoint(pieces(cells))
    return (cells.get(table.customer) or "").strip(BLANKS) in person.raw_ids


def _made_of_it(desk: Desk, person: Person) -> dict[str, Any]:
    """What was computed: the newest feature row, and the grades of every snapshot."""
    workspace = desk.workspace
    features: dict[str, Any] | None = None
    rows = rows_of(workspace.features / "features.parquet", person)
    if rows is not None and rows.num_rows:
        newest = rows.filter(pc.equal(rows["as_of"], pc.max(rows["as_of"])))
        features = {name: value for name, value in _rows(newest)[0].items() if name not in CONFIDENTIAL}
    snapshots = sorted(path.parent for path in workspace.grades.glob("*/snapshot.json"))
    return {"features": features, "grades": [row for each in snapshots for row in _grades(desk, person, each)]}


def _grades(desk: Desk, person: Person, folder: Path) -> Rows:
    """A snapshot's grade of the person, and what the online store says of it, without what may not be told."""
    about = read_json(folder / "snapshot.json")
    scheme = load_scheme(about["scheme"])
    told = {name for name, dimension in scheme.dimensions.items() if dimension.rule.facts <= FACTS}
    graded = rows_of(folder / "grades.parquet", person)
    path = desk.workspace.store / f"{about['id']}.sqlite"
    store = Store(path) if path.exists() else None
    found = []
    for row in _rows(graded) if graded is not None else []:
        record = store.get(row["customer_id"]) if store else None
        columns = {name: value for name, value in row.items() if _is_told(name, told, scheme)}
        found.append({"snapshot": folder.name} | columns | {"online": _record(record, told, scheme)})
    if store:
        store.close()
    return found


def _is_told(column: str, told: set[str], scheme: Scheme) -> bool:
    """Whether a column of the grades may be told."""
    prefix, _, name = column.partition("_")
    if prefix == "score":
        return name in TOLD
    if prefix == "percentile":
        return name in RANKED and name in FACTS
    if prefix == "class":
        return name in told
    if column == "code":
        return told == set(scheme.dimensions)
    return column in ("customer_id", "as_of", "no_marketing") or column in FACTS


def _record(record: dict[str, Any] | None, told: set[str], scheme: Scheme) -> dict[str, Any] | None:
    if record is None:
        return None
    return record | {
        "scores": {name: score for name, score in record["scores"].items() if name in TOLD},
        "classes": {name: found for name, found in record["classes"].items() if name in told},
        "code": record["code"] if told == set(scheme.dimensions) else None,
    }


def _confidential_tables(source: Source) -> set[str]:
    """Raw tables of which a refused line may have been of a confidential kind."""
    events = (table for table in source.tables if isinstance(table, EventTable))
    return {table.name for table in events if {rule.is_ for rule in table.kind_rules} & set(CONFIDENTIAL_KINDS)}


def _of(table: pa.Table, person: Person) -> pa.Table:
    return table.filter(pc.is_in(table["customer_id"], pa.array(sorted(person.ids))))


def _rows(table: pa.Table) -> Rows:
    """Rows as JSON has them, without what is null."""
    return [
        {name: _plain(value) for name, value in row.items() if value is not None and value == value}
        for row in table.to_pylist()
    ]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value
