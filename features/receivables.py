"""Invoices as they stand at a date: what was billed, what of it is paid, and since when the rest is due.

An invoice is the `invoice_due` events of one ref of a customer that name a due day: their amounts added, their last
due day. It is settled on the day on which the payments of its ref reach its amount; of one of 0 or less, a credit note,
nothing is owed, and it is no invoice here. So counts the kernel too, whose features of discipline are made of the same
events. A return does not settle an invoice: book a credit note.

*As written*, an invoice is what its first day said: its amount and due day then. What was billed or credited later of
the same ref is then taken for part of the payments, and a due day that was moved is not looked at.
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
        pa.field("settled", pa.date32()),  # the day on which it was paid in full; null while it is open
    ]
)


def invoices(tables: Path, timezone: str, as_of: date, as_written: bool = False) -> pa.Table:
    """Every invoice that was to be seen at `as_of`, columns as in INVOICES, by customer, day and ref.

    as_written: with the amount and the due day of its first day. Raises InputError for a damaged event table.
    """
    events = tables / "events.parquet"
    first = "day = first_day" if as_written else "true"
    query = f"""
        WITH seen AS (
            SELECT customer_id, kind, ref, day, due_day, coalesce(amount, 0) AS amount FROM {parquet(events)}
            WHERE kind IN ('invoice_due', 'payment') AND ref IS NOT NULL AND {visible(as_of, timezone)}
                AND (kind = 'payment' OR due_day IS NOT NULL)
        ), marked AS (
            SELECT *, min(day) FILTER (kind = 'invoice_due') OVER (PARTITION BY customer_id, ref) AS first_day FROM seen
        ), parted AS (
            SELECT *, kind = 'invoice_due' AND {first} AS bills FROM marked WHERE first_day IS NOT NULL
        ), billed AS (
            SELECT customer_id, ref, min(first_day) AS invoiced, max(due_day) AS due, sum(amount) AS amount
            FROM parted WHERE bills GROUP BY ALL HAVING sum(amount) > 0
        ), moved AS (
            SELECT customer_id, ref, day, sum(CASE WHEN kind = 'payment' THEN amount ELSE -amount END) AS amount
            FROM parted WHERE NOT bills GROUP BY ALL
        ), running AS (
            SELECT customer_id, ref, day, sum(amount) OVER (
                PARTITION BY customer_id, ref ORDER BY day ROWS UNBOUNDED PRECEDING) AS paid
            FROM moved
        ), short AS ( -- the last day on which it was not paid in full, null where that was never so
            SELECT customer_id, ref, arg_max(paid, day) AS paid, max(day) FILTER (paid < billed.amount) AS short
            FROM billed JOIN running USING (customer_id, ref) GROUP BY ALL
        ), settling AS (
            SELECT customer_id, ref, any_value(short.paid) AS paid,
                min(day) FILTER (short IS NULL OR day > short) AS settled
            FROM short JOIN running USING (customer_id, ref) GROUP BY ALL
        )
        SELECT customer_id, ref, invoiced, due, amount, coalesce(paid, 0) AS paid,
            greatest(amount - coalesce(paid, 0), 0) AS open, settled
        FROM billed LEFT JOIN settling USING (customer_id, ref) ORDER BY customer_id, invoiced, ref
        """
    try:
        with duckdb.connect() as db:
            return db.sql(query).to_arrow_table().cast(INVOICES)
    except duckdb.Error as error:
        raise damaged(events, error) from None
