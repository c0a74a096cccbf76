"""What was known of customers beside their events: attributes that change slowly, as they were at a date."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from features.tables.sql import parquet
from features.workspace import damaged

KEPT_OUT = ("private", "consent")
"""Families that are nobody's input."""


def attribute_table(tables: Path, as_ofs: Sequence[date]) -> pa.Table:
    """The attributes valid at each date: customer_id, as_of, attribute, value, family; in this order.

    Valid at `as_of` is the row with the last `valid_from` before it; null means since ever. Of rows of one day the
    last in order of value counts. A null value is known to be unknown. Private attributes and consents are left out.
    Raises InputError for a damaged table.
    """
    dates = sorted({day.isoformat() for day in as_ofs})
    spine = ", ".join(f"(DATE '{day}')" for day in dates) or "(NULL::DATE)"
    try:
        with duckdb.connect() as db:
            found = db.sql(
                f"""SELECT customer_id, as_of, attribute, value, family
                FROM {parquet(tables / "customers.parquet")}, (VALUES {spine}) AS spine(as_of)
                WHERE family NOT IN {KEPT_OUT} AND coalesce(valid_from, DATE '0001-01-01') < as_of
                QUALIFY 1 = row_number() OVER (
                    PARTITION BY customer_id, as_of, attribute
                    ORDER BY valid_from DESC NULLS LAST, value DESC NULLS LAST)
                ORDER BY customer_id, as_of, attribute"""
            )
            return found.to_arrow_table()
    except duckdb.Error as error:
        raise damaged(tables / "customers.parquet", error) from None
