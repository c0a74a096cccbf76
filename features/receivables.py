"""Invoices as they stand at a date: what was billed, what of it is paid, and since when the rest is due.

An invoice is the `invoice_due` events of one ref of a customer that name a due day: their amounts added, their last
due day. It is settled when the payments of its ref reach its amount, on the day of the last of them. So counts the
kernel too, whose features of discipline are made of the same invoices.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from features.tables.sql import parquet, visible
from features.workspace import damaged

INVOICES = pa.schema(
    [
        pa.field("customer_id", pa.string()),
        pa.field("ref", pa.string()),
        pa.field("invoiced", pa.date32()),  # the day of its first event
        pa.field("due", pa.date32()),
        pa.field("amount", pa.int64()),  # minor currency units, as the others
        pa.field("paid", pa.int64()),
        pa.field("open", pa.int64()),  # what is not paid; 0 once it is settled
        pa.field("settled", pa.date32()),  # the day of the payment that settled it; null while it is open
    ]
)


def invoices(tables: Path, timezone: str, as_of: date) -> pa.Table:
    """Every invoice that was to be seen at `as_of`, columns as in INVOICES, by customer, day and ref.

    Raises InputError for a damaged event table.
    """
    events = tables / "events.parquet"
    query = f"""
        WITH seen AS (
            SELECT customer_id, kind, ref, day, due_day, amount FROM {parquet(events)}
            WHERE kind IN ('invoice_due', 'payment') AND ref IS NOT NULL AND {visible(as_of, timezone)}
        ), billed AS (
            SELECT customer_id, ref, min(day) AS invoiced, max(due_day) AS due, coalesce(sum(amount), 0) AS amount
            FROM seen WHERE kind = 'invoice_due' AND due_day IS NOT NULL GROUP BY ALL
        ), payments AS (
            SELECT customer_id, ref, coalesce(sum(amount), 0) AS paid, max(day) AS last
            FROM seen WHERE kind = 'payment' GROUP BY ALL
        )
        SELECT customer_id, ref, invoiced, due, amount, coalesce(paid, 0) AS paid,
            greatest(amount - coalesce(paid, 0), 0) AS open,
            CASE WHEN paid >= amount THEN last END AS settled
        FROM billed LEFT JOIN payments USING (customer_id, ref) ORDER BY customer_id, invoiced, ref
        """
    try:
        with duckdb.connect() as db:
            return db.sql(query).to_arrow_table().cast(INVOICES)
    except duckdb.Error as error:
        raise damaged(events, error) from None
