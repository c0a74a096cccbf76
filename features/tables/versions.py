"""Which staged events are repeats, which restate another, and which contradict one another, in SQL.

An event is known by its id. A row that says what its event said before is a repeat; one that says something else
restates it: the old row is replaced from the moment the new one was known, and stays, for what was computed before.
Of two rows of one run that nothing puts in order, the later one is for a person to look at.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from features.tables.rules import CONFLICT, REPEATED_EVENT, REPEATED_LINE

CONTENT = (
    "customer_id",
    "counterparty",
    "ts",
    "kind",
    "ref",
    "amount",
    "cost",
    "quantity",
    "item",
    "channel",
    "country",
    "due_day",
    "code",
    "score",
)
"""What an event says."""

PLACE = "source, file, line, side"
"""Where a staged event comes from."""


def judge_versions(db: duckdb.DuckDBPyConnection, now: str) -> None:
    """Fill `gone` (PLACE, rule) with repeats and conflicts, `redated` (PLACE, known_at, known_until) with restatements.

    Views `staged` and `history` hold the new events and the old ones. now: SQL of the instant from which a new row
    counts that restates an old one and does not say when it was known. `chain` has the versions of every event that
    has several.
    """
    said = f"hash({', '.join(CONTENT)}) AS said"
    order = "ORDER BY known_at, is_new, source, file, line"
    db.execute(
        f"""
        CREATE TEMP TABLE before AS SELECT h.* FROM history h SEMI JOIN staged USING (event_id);
        CREATE TEMP TABLE twice AS SELECT id_hash FROM staged GROUP BY id_hash HAVING count(*) > 1;
        CREATE TEMP TABLE several AS
        SELECT event_id, {said}, h1, h2, {PLACE}, dated, 1 AS is_new, known_at, NULL::TIMESTAMPTZ AS known_until
            FROM staged WHERE id_hash IN (FROM twice) OR event_id IN (SELECT event_id FROM before);
        UPDATE several SET known_at = {now} WHERE NOT dated AND event_id IN (SELECT event_id FROM before);
        INSERT INTO several BY NAME
        SELECT event_id, {said}, true AS dated, 0 AS is_new, known_at, known_until FROM before;

        CREATE TEMP TABLE marked AS
        SELECT *, row_number() OVER (PARTITION BY event_id, source, h1, h2 ORDER BY file, line) > 1 AS same_line,
            is_new = 1 AND CASE
                WHEN dated THEN lag(said) OVER (PARTITION BY event_id {order}) IS NOT DISTINCT FROM said
                ELSE row_number() OVER (PARTITION BY event_id, said ORDER BY is_new, source, file, line) > 1
                END AS again
        FROM several;
        INSERT INTO gone SELECT {PLACE}, CASE WHEN same_line THEN '{REPEATED_LINE}' ELSE '{REPEATED_EVENT}' END
            FROM marked WHERE again;

        CREATE TEMP TABLE versions AS
        SELECT *, is_new = 1 AND coalesce(known_at = lag(known_at) OVER w OR NOT dated AND NOT lag(dated) OVER w, false)
            AS clashes FROM marked WHERE NOT again WINDOW w AS (PARTITION BY event_id {order});
        INSERT INTO gone SELECT {PLACE}, '{CONFLICT.id}' FROM versions WHERE clashes;

        CREATE TEMP TABLE chain AS
        SELECT *, lead(known_at) OVER (PARTITION BY event_id {order}) AS until,
            count(*) OVER (PARTITION BY event_id) > 1 AS restated
        FROM versions WHERE NOT clashes;
        INSERT INTO redated SELECT {PLACE}, known_at, until FROM chain WHERE is_new = 1 AND restated
        """
    )


def replaced(db: duckdb.DuckDBPyConnection) -> pa.Table:
    """The rows of the history that were replaced, or replaced by another: event_id, known_at, until."""
    changed = "is_new = 0 AND until IS DISTINCT FROM known_until"
    return db.sql(f"SELECT event_id, known_at, until FROM chain WHERE {changed} ORDER BY ALL").to_arrow_table()
