"""What customers told the company's people: why they did not buy, and when they expect to.

The reasons are summed up for those who make the products; the expected dates are a list to act on.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from features.tables.sql import parquet, visible
from features.workspace import damaged

EVENTS = "events.parquet"
YEAR = 365

REASONS = pa.schema(
    [
        pa.field("class", pa.string()),  # null: all customers
        pa.field("reason", pa.string()),  # the code of the refusals; null: none was given
        pa.field("refusals", pa.int64(), nullable=False),
        pa.field("customers", pa.int64(), nullable=False),  # who gave this reason
        pa.field("share", pa.float64()),  # of the refusals of the class; null: it has none
        pa.field("refusals_before", pa.int64()),  # of the year before; null: the events do not reach back so far
        pa.field("trend", pa.float64()),  # refusals over refusals_before; null without the latter
    ]
)

EXPECTED = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("expected", pa.date32(), nullable=False),  # the day on which the customer expects to buy
        pa.field("told_on", pa.date32(), nullable=False),
        pa.field("channel", pa.string()),  # to whom: representative, supervisor, phone; null: it is not known
        pa.field("days_left", pa.int64(), nullable=False),  # from as_of; negative: the day has passed
        pa.field("overdue", pa.bool_(), nullable=False),
    ]
)


def refusal_reasons(tables: Path, as_of: date, timezone: str = "UTC", classes: pa.Table | None = None) -> pa.Table:
    """The refusals of the 365 days before `as_of` by reason, beside those of the 365 days before: REASONS.

    classes: customer_id and class (text), such as the value classes of a grading; each is then summed up, too. A reason
    of only one of the two years has a row as well. All customers first, then by class; in it the most frequent reason
    first. Counts, and nobody's id. Raises InputError for a damaged table.
    """
    lately, before = (as_of - timedelta(days=YEAR * k) for k in (1, 2))
    nobody = pa.table({"customer_id": pa.array([], pa.string()), "class": pa.array([], pa.string())})
    query = f"""
        WITH seen AS (
            SELECT * FROM {parquet(tables / EVENTS)} WHERE {visible(as_of, timezone)}),
        told AS (
            SELECT customer_id, code, day >= DATE '{lately}' AS lately FROM seen
            WHERE kind = 'refusal' AND day >= DATE '{before}'),
        grouped AS (
            SELECT NULL::VARCHAR AS class, * FROM told
            UNION ALL SELECT class, told.* FROM told JOIN classes USING (customer_id)),
        counted AS (
            SELECT class, code AS reason, count(*) FILTER (lately) AS refusals,
                count(DISTINCT customer_id) FILTER (lately) AS customers,
                CASE WHEN (SELECT min(day) FROM seen) <= DATE '{before}' THEN count(*) FILTER (NOT lately) END AS before
            FROM grouped GROUP BY class, code)
        SELECT class, reason, refusals, customers,
            refusals / nullif(sum(refusals) OVER (PARTITION BY class), 0) AS share,
            before AS refusals_before, refusals / nullif(before, 0) AS trend
        FROM counted
        ORDER BY class NULLS FIRST, refusals DESC, before DESC, reason NULLS LAST"""
    return _found(tables, query, nobody if classes is None else classes).cast(REASONS)


def expected_purchases(tables: Path, as_of: date, timezone: str = "UTC") -> pa.Table:
    """The days on which customers said they would buy, and have not bought since, as known at `as_of`: EXPECTED.

    Of each customer its last contact with such a day counts, until a purchase after it. Where one of the two says no
    time of day, a purchase of the same day is taken for the later. The earliest day first. Raises InputError for a
    damaged table.
    """
    query = f"""
        WITH seen AS (
            SELECT * FROM {parquet(tables / EVENTS)}
            WHERE kind IN ('contact', 'purchase') AND {visible(as_of, timezone)}),
        said AS (
            SELECT * FROM seen WHERE kind = 'contact' AND due_day IS NOT NULL
            QUALIFY 1 = row_number() OVER (PARTITION BY customer_id ORDER BY ts DESC, known_at DESC, event_id)),
        bought AS (
            SELECT customer_id, day, hour, ts FROM seen WHERE kind = 'purchase')
        SELECT customer_id, due_day AS expected, day AS told_on, channel,
            due_day - DATE '{as_of}' AS days_left, due_day < DATE '{as_of}' AS overdue
        FROM said
        WHERE NOT EXISTS (
            FROM bought WHERE bought.customer_id = said.customer_id AND (bought.day > said.day OR bought.day = said.day
                AND (bought.hour IS NULL OR said.hour IS NULL OR bought.ts > said.ts)))
        ORDER BY expected, customer_id"""
    return _found(tables, query).cast(EXPECTED)


def _found(tables: Path, query: str, classes: pa.Table | None = None) -> pa.Table:
    with duckdb.connect() as db:
        if classes is not None:
            db.register("classes", classes)
        try:
            return db.sql(query).to_arrow_table()
        except duckdb.Error as error:
            raise damaged(tables / EVENTS, error) from None
