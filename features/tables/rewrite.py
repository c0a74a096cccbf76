"""Changing some customers' rows in a table of part files, and leaving every other file as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from features.tables.sql import file_text, ident
from features.workspace import part_files

ROW_GROUP = 100_000
SMALL, MOST_SMALL = 100_000, 32
"""A part file of fewer rows is small; more small ones than these become one."""

CUSTOMER_ORDER = "customer_id, attribute, valid_from, value"
EVENT_ORDER = "customer_id, day, event_id, known_at"
"""How the rows of a part file of the customer and of the event table are sorted."""


@dataclass(frozen=True)
class Rewritten:
    """A part file before and after, by its SHA-256; null: there was none, or it is gone because no row was left."""

    file: str
    before: str | None
    after: str | None
    rows_before: int
    rows_after: int


def write_part(table: pa.Table, path: Path) -> None:
    """Write a part file of the event or customer table, the same bytes for the same rows."""
    new = path.with_name(f".{path.name}.new")
    pq.write_table(table, new, compression="zstd", row_group_size=ROW_GROUP)
    new.replace(path)


def rewrite(
    table: Path, columns: Collection[str], ids: Collection[str], change: Callable[[pa.Table], pa.Table]
) -> list[Rewritten]:
    """Give each part file of `table` that has one of `ids` in one of `columns` the rows that `change` makes of it.

    Files without them are not touched. A file that is left without rows is removed, but for the last one.
    """
    done = []
    for path in part_files(table):
        if not _has(path, columns, ids):
            continue
        old = pq.read_table(path)
        new, before = change(old), digest(path)
        if new.num_rows or len(part_files(table)) == 1:
            write_part(new, path)
        else:
            path.unlink()
        after = digest(path) if path.exists() else None
        done.append(Rewritten(path.name, before, after, old.num_rows, new.num_rows))
    return done


def compact(table: Path, order: str) -> None:
    """Put many small part files into one, so that daily runs do not leave a file a day."""
    small = [path for path in part_files(table) if pq.read_metadata(path).num_rows < SMALL]
    if len(small) > MOST_SMALL:
        with duckdb.connect() as db:
            db.execute("SET TimeZone = 'UTC'")
            listed = ", ".join(map(file_text, small))
            rows = db.sql(f"SELECT * FROM read_parquet([{listed}]) ORDER BY {order}").to_arrow_table()
        write_part(rows.cast(pq.read_schema(small[0])), small[-1])
        for path in small[:-1]:
            path.unlink()


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _has(path: Path, columns: Collection[str], ids: Collection[str]) -> bool:
    with duckdb.connect() as db:
        wanted = pa.table({"id": pa.array(sorted(ids), pa.string())})
        db.register("wanted", wanted)
        there = " OR ".join(f"{ident(column)} IN (SELECT id FROM wanted)" for column in columns)
        return bool(db.sql(f"SELECT 1 FROM read_parquet({file_text(path)}) WHERE {there} LIMIT 1").fetchall())
