"""A person's no to being scored, or to being canvassed: from today on, in the tables and in what was made of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.tables.consents import read_consents, write_consent
from features.tables.erasure import erase_rows
from features.tables.events import CUSTOMERS
from features.tables.person import Person, merged_ids
from features.tables.rewrite import Rewritten, rewrite
from features.workspace import staged
from serving.desk import Desk, check_reason, revise_stores, unknown_customer

PROFILING, MARKETING = "no_profiling", "no_marketing"


def opt_out(desk: Desk, raw_id: str, objections: list[str], withdraw: bool, reason: str, today: date) -> None:
    """Note from `today` on that a person objects to `objections`, or withdraws that.

    An objection to profiling takes the person out of features, predictions, grades and the store at once. After it is
    withdrawn the person is graded with the next run. Raises InputError for an unknown customer.
    """
    person = desk.person(raw_id)
    check_reason(reason, person)
    if not desk.known(person):
        raise unknown_customer(desk.workspace.home)
    value = "no" if withdraw else "yes"
    rows = _rows(desk.workspace.tables, person, objections, value, today)
    desk.audit.append("opt-out", person, reason, objections=objections, value=value)
    with staged(desk.workspace.tables, keep=True) as folder:
        desk.log("revise", person, reason, desk.workspace.tables.name, [write_consent(folder, person, rows)])
    consents = read_consents(desk.workspace.tables)
    gone = person.ids & consents.no_profiling

    def change(folder: Path) -> list[Rewritten]:
        files = erase_rows(folder, person) if gone else _mark(folder, person, bool(person.ids & consents.no_marketing))
        return files + revise_stores(folder, gone, consents)

    desk.revise(person, reason, change)


def _rows(tables: Path, person: Person, objections: list[str], value: str, today: date) -> pa.Table:
    """A row for each objection and each id of the person: what one id says must hold when a merge is undone."""
    under = merged_ids(tables)
    said = [
        (under.get(id_, id_), name, value, today, "consent", id_ if id_ in under else None)
        for id_ in sorted(person.ids)
        for name in objections
    ]
    return pa.Table.from_pylist([dict(zip(CUSTOMERS.names, row, strict=True)) for row in said], CUSTOMERS)


def _mark(folder: Path, person: Person, no_marketing: bool) -> list[Rewritten]:
    """Write into the person's grades whether it objects to marketing."""
    done = []
    for path in sorted(path for path in folder.rglob("*.parquet") if path.is_file()):
        schema = pq.read_schema(path)
        if "no_marketing" in schema.names:
            position, field = schema.get_field_index("no_marketing"), schema.field("no_marketing")
            ids = pa.array(sorted(person.ids))

            def change(table: pa.Table, at: int = position, field: pa.Field = field, ids: pa.Array = ids) -> pa.Table:
                mine = pc.is_in(table["customer_id"], ids)
                return table.set_column(at, field, pc.if_else(mine, no_marketing, table["no_marketing"]))

            found = rewrite(path, ["customer_id"], person.ids, change)
            done += [Rewritten(f"{path.relative_to(folder)}", *list(vars(each).values())[1:]) for each in found]
    return done
