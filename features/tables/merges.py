"""Ids that are one customer, as the tables say it: rows of an id that is merged stand under its survivor.

Every row keeps the id it came under in `merged_from`, so that the tables are a function of their original rows and of
`merges.parquet` alone: what was merged can be given back as it was.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.tables.groups import Groups
from features.tables.rewrite import CUSTOMER_ORDER, EVENT_ORDER, rewrite
from features.tables.sql import parquet
from features.workspace import read_parquet

MERGES = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),  # pseudonym of an id that is no customer of its own
        pa.field("survivor", pa.string(), nullable=False),  # the pseudonym of the customer it belongs to
    ]
)

FILE = "merges.parquet"
ORDER = {
    "events.parquet": tuple(EVENT_ORDER.split(", ")),
    "customers.parquet": tuple(CUSTOMER_ORDER.split(", ")),
}
"""Table → the columns that its part files are sorted by."""

NEVER = 2**63
"""Later than the first event of any customer that has one."""


def survivors(groups: Groups, first: dict[str, int]) -> dict[str, str]:
    """Every id that is merged → its survivor: the id of its group with the earliest first event, ties by pseudonym."""
    found: dict[str, str] = {}
    for group in groups.members():
        survivor = min(group, key=lambda name: (first.get(name, NEVER), name))
        found |= {name: survivor for name in group if name != survivor}
    return found


def first_events(tables: Path, ids: Collection[str]) -> dict[str, int]:
    """Id → its first event in microseconds since 1970, by the id that it came under; nothing for one without events."""
    with duckdb.connect() as db:
        db.register("wanted", pa.table({"id": pa.array(sorted(ids), pa.string())}))
        original = "coalesce(merged_from, customer_id)"
        return dict(
            db.sql(
                f"SELECT {original} AS id, epoch_us(min(ts)) FROM {parquet(tables / 'events.parquet')} "
                f"WHERE {original} IN (SELECT id FROM wanted) GROUP BY 1"
            ).fetchall()
        )


def is_customer(tables: Path, name: str) -> bool:
    """Whether the tables have rows that came under the pseudonym `name`, or stand under it."""
    sides = (f"FROM {parquet(tables / table)}" for table in ORDER)
    found = " UNION ALL ".join(f"SELECT 1 {side} WHERE $name IN (customer_id, merged_from)" for side in sides)
    with duckdb.connect() as db:
        return bool(db.execute(f"{found} LIMIT 1", {"name": name}).fetchall())


def read_merges(tables: Path) -> dict[str, str]:
    """Every id that is merged → its survivor, as the tables stand."""
    if not (tables / FILE).exists():
        return {}
    found = read_parquet(tables / FILE)
    return dict(zip(found["customer_id"].to_pylist(), found["survivor"].to_pylist(), strict=True))


def write_merges(tables: Path, merges: dict[str, str]) -> None:
    """Put every row below `tables`, a staged folder, under the customer it belongs to; only files concerned change."""
    before = read_merges(tables)
    changed = {name for name in {*before, *merges} if before.get(name) != merges.get(name)}
    if not changed:
        return
    names = pa.array(sorted(merges), pa.string())
    targets = pa.array([merges[name] for name in sorted(merges)], pa.string())

    def change(order: tuple[str, ...], table: pa.Table) -> pa.Table:
        came_as = pc.coalesce(table["merged_from"], table["customer_id"])
        target = targets.take(pc.index_in(came_as, names).combine_chunks())
        origin = pc.if_else(target.is_valid(), came_as, pa.scalar(None, pa.string()))
        for name, column in (("customer_id", pc.coalesce(target, came_as)), ("merged_from", origin)):
            table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
        return table.sort_by([(column, "ascending") for column in order])

    for name, order in ORDER.items():
        rewrite(tables / name, ("customer_id", "merged_from"), changed, partial(change, order))
    (tables / FILE).unlink(missing_ok=True)
    if merges:
        pq.write_table(pa.table([names, targets], schema=MERGES), tables / FILE, compression="zstd")
