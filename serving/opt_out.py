"""A person's no to being scored, or to being canvassed: from today on, in the tables and in what was made of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from classification.credit.attribute import drop_grades
from classification.credit.decisions import FILE as CREDIT_DECISIONS
from features.tables.consents import OBJECTIONS, write_objections
from features.tables.erasure import erase_rows
from features.tables.person import Person, unknown_customer
from features.tables.rewrite import Rewritten, rewrite
from features.workspace import staged
from serving.desk import Desk, check_reason, revise_stores
from serving.store.publish import standing

PROFILING, MARKETING = "no_profiling", "no_marketing"


def opt_out(desk: Desk, raw_id: str, objections: list[str], withdraw: bool, reason: str, today: date) -> None:
    """Note from `today` on that a person objects to `objections`, or withdraws that.

    An objection to profiling takes the person out of features, predictions, grades, overrides and the store at once;
    what persons decided about its credit stays, so that it can be contested and shown.
    After it is withdrawn the person is graded with the next run. Raises InputError for an unknown customer.
    """
    person = desk.person(raw_id)
    check_reason(reason, person)
    if not desk.known(person):
        raise unknown_customer(desk.workspace.home)
    value = "no" if withdraw else "yes"
    rows = [  # for each of its ids: what one says must hold when a merge is undone
        {"customer_id": id_, "attribute": name, "value": value, "valid_from": today}
        for id_ in sorted(person.ids)
        for name in objections
    ]
    desk.audit.append("opt-out", person, reason, objections=objections, value=value)
    with staged(desk.workspace.tables, keep=True) as folder:
        done = [write_objections(folder, pa.Table.from_pylist(rows, OBJECTIONS))]
        if PROFILING in objections and not withdraw:
            done += [replace(each, file=f"customers.parquet/{each.file}") for each in drop_grades(folder, person)]
        desk.log("revise", person, reason, desk.workspace.tables.name, done)
    desk.discard_reports()
    held = standing(desk.workspace)
    gone = person.ids & held.consents.no_profiling

    def change(folder: Path) -> list[Rewritten]:
        files = (
            erase_rows(folder, person, (CREDIT_DECISIONS,))
            if gone
            else _mark(folder, person, bool(person.ids & held.consents.no_marketing))
        )
        return files + revise_stores(folder, gone, held)

    desk.revise(person, reason, change)
    desk.place.revise(gone)


def _mark(folder: Path, person: Person, no_marketing: bool) -> list[Rewritten]:
    """Write into the person's grades whether it objects to marketing."""
    done = []
    for path in sorted(folder.rglob("grades.parquet")):
        found = rewrite(path, ["customer_id"], person.ids, partial(_marked, person=person, no_marketing=no_marketing))
        done += [replace(each, file=path.relative_to(folder).as_posix()) for each in found]
    return done


def _marked(grades: pa.Table, person: Person, no_marketing: bool) -> pa.Table:
    position = grades.schema.get_field_index("no_marketing")
    mine = pc.is_in(grades["customer_id"], pa.array(sorted(person.ids)))
    return grades.set_column(position, grades.field(position), pc.if_else(mine, no_marketing, grades[position]))
