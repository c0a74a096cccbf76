"""The credit grade as an attribute of the customer, so that the scheme, the history and every engine see it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.tables.events import CUSTOMERS
from features.tables.person import Person
from features.tables.rewrite import Rewritten, rewrite, write_part
from features.tables.sources import CustomerTable, Source
from features.workspace import Workspace, part_files, staged

ATTRIBUTE = "credit_grade"
"""What the dimension of credit of the scheme looks at."""

PART = "part-credit-"
"""How the part files of the customer table begin that have noted grades."""


def note_grades(workspace: Workspace, source: Source, advice: pa.Table, on: date) -> bool:
    """Keep the grades of `advice` (`credit.advice.SCHEMA`) beside the customers' other attributes, valid for gradings
    of `on` and later; those noted for the same date before are replaced. Whether they were: a company that has grades
    of its own keeps its own.

    Who had a grade and is given none now has a null from that date on. They stay until every file is read afresh; then
    grade again.
    """
    if any(ATTRIBUTE in table.attributes for table in source.tables if isinstance(table, CustomerTable)):
        return False
    with staged(workspace.tables, keep=True) as folder:
        path = folder / "customers.parquet" / f"{PART}{on.isoformat()}.parquet"
        path.unlink(missing_ok=True)
        rows = _rows(advice, _graded_before(folder / "customers.parquet"), on)
        if len(rows):
            write_part(rows, path)
    return True


def drop_grades(folder: Path, person: Person) -> list[Rewritten]:
    """Take a person's noted grades out of the customer table in `folder`, which is staged."""

    def without(rows: pa.Table) -> pa.Table:
        mine = pc.is_in(rows["customer_id"], pa.array(sorted(person.ids), pa.string()))
        return rows.filter(pc.invert(pc.and_(mine, pc.equal(rows["attribute"], ATTRIBUTE))))

    found = [part for part in part_files(folder / "customers.parquet") if part.name.startswith(PART)]
    return [done for part in found for done in rewrite(part, ["customer_id"], person.ids, without)]


def _graded_before(table: Path) -> set[str]:
    """Who was given a grade in any of the parts that were noted."""
    parts = [pq.read_table(part) for part in part_files(table) if part.name.startswith(PART)]
    return {id_ for part in parts for id_ in part.filter(pc.is_valid(part["value"]))["customer_id"].to_pylist()}


def _rows(advice: pa.Table, before: set[str], on: date) -> pa.Table:
    """The attribute's rows, by pseudonym: who is graded, and with a null who was and is not."""
    graded = advice.filter(pc.is_valid(advice["grade"]))
    said: dict[str, str | None] = dict.fromkeys(before)
    said |= dict(zip(graded["customer_id"].to_pylist(), graded["grade"].to_pylist(), strict=True))
    ids, many = sorted(said), len(said)
    columns = {
        "customer_id": pa.array(ids, pa.string()),
        "attribute": pa.array([ATTRIBUTE] * many, pa.string()),
        "value": pa.array([said[id_] for id_ in ids], pa.string()),
        "valid_from": pa.array([on - timedelta(days=1)] * many, pa.date32()),
        "family": pa.array(["discipline"] * many, pa.string()),
        "merged_from": pa.nulls(many, pa.string()),
    }
    return pa.table(columns, schema=CUSTOMERS)
