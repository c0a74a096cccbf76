"""Whether every customer is graded: the tables counted by another way than the one that grades them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from features.tables.sql import parquet, visible
from features.workspace import damaged


@dataclass(frozen=True)
class Coverage:
    """customers: those of the tables at a date; graded: rows of the register; ungraded: customers without a row; twice:
    rows beyond the first of a customer; gone: customers of the register whom the tables do not have any more."""

    customers: int
    graded: int
    ungraded: int
    twice: int
    gone: int

    @property
    def whole(self) -> bool:
        """Whether each customer has one grade."""
        return self.ungraded == 0 and self.twice == 0


def coverage(tables: Path, timezone: str, as_of: date, graded: pa.ChunkedArray) -> Coverage:
    """Everybody with an event visible at a date, or an attribute valid before, beside the pseudonyms of a register."""
    ids = graded.to_pylist()
    there, known = customers_at(tables, timezone, as_of), set(ids)
    return Coverage(len(there), len(ids), len(there - known), len(ids) - len(known), len(known - there))


def customers_at(tables: Path, timezone: str, as_of: date) -> frozenset[str]:
    """The pseudonyms of everybody known at a date; a consent makes nobody a customer."""
    events, attributes = tables / "events.parquet", tables / "customers.parquet"
    try:
        with duckdb.connect() as db:
            found = db.sql(
                f"""SELECT customer_id FROM {parquet(events)} WHERE {visible(as_of, timezone)} UNION
                SELECT customer_id FROM {parquet(attributes)} WHERE family <> 'consent'
                AND coalesce(valid_from, DATE '0001-01-01') < DATE '{as_of}'"""
            ).fetchall()
    except duckdb.Error as error:
        raise damaged(tables, error) from None
    return frozenset(id_ for (id_,) in found)
