"""Everything that is held about one person, for the person: all but what must not be told to it.

Events of suspected money laundering, and whatever follows from them, are left out before anything is counted, so that
the answer is the same, to the byte, whether there are any or not.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.tables.consents import read_objections
from features.tables.events import CONFIDENTIAL_KINDS
from features.tables.holds import hold_of, restricted_entries, rows_of
from features.tables.merges import read_merges
from features.tables.person import Person, pieces, unknown_customer
from features.tables.privacy import BLANKS
from features.tables.sources import EventTable, ItemTable, Source, Table
from serving.desk import Desk
from serving.made import Rows, as_rows, made_of


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
        **made_of(desk.workspace, person),
    }


def _held(desk: Desk, person: Person) -> dict[str, Rows]:
    """What came from the company: from the tables, or from the vault."""
    tables, vault = desk.workspace.tables, desk.vault
    found: dict[str, Rows] = {}
    for name in ("events", "customers"):
        entries = (f"{entry}{name}" for entry in restricted_entries(person))
        sealed = [vault.read(entry) for entry in entries if vault.path(entry).exists()]
        open_ = rows_of(tables / f"{name}.parquet", person)
        found[name] = [row for table in (open_, *sealed) if table is not None for row in as_rows(table)]
    people = [row for _, table in vault.tables("people") for row in as_rows(_of(table, person))]
    objections = as_rows(_of(read_objections(tables), person))
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


def _confidential_tables(source: Source) -> set[str]:
    """Raw tables of which a refused line may have been of a confidential kind."""
    events = (table for table in source.tables if isinstance(table, EventTable))
    return {table.name for table in events if {rule.is_ for rule in table.kind_rules} & set(CONFIDENTIAL_KINDS)}


def _of(table: pa.Table, person: Person) -> pa.Table:
    return table.filter(pc.is_in(table["customer_id"], pa.array(sorted(person.ids))))
