"""The lines of item tables: which category an item is of."""

from __future__ import annotations

import duckdb

from features.tables.findings import Findings, Portion
from features.tables.rules import ITEM_DEFINED_TWICE, REPEATED_LINE


def prepare_items(db: duckdb.DuckDBPyConnection) -> None:
    """Table `items`."""
    db.execute("CREATE TABLE items (item VARCHAR, category VARCHAR)")


def accept_items(db: duckdb.DuckDBPyConnection, portion: Portion, findings: Findings) -> None:
    """An item's first definition counts; the same again is a repeat, another one breaks a rule."""
    counts = findings.counts[portion.plan.table.name]
    db.execute(
        """
        CREATE OR REPLACE TEMP TABLE judged AS
        WITH first AS (
            SELECT item, category, nr, row_number() OVER w AS n, first_value(category) OVER w AS said
            FROM lines WHERE rule IS NULL WINDOW w AS (PARTITION BY item ORDER BY nr))
        SELECT f.nr, f.item, f.category, i.item IS NULL AND f.n = 1 AS new,
            coalesce(i.category, CASE WHEN i.item IS NULL THEN f.said END) IS NOT DISTINCT FROM f.category AS same
        FROM first f LEFT JOIN items i USING (item);
        INSERT INTO items SELECT item, category FROM judged WHERE new ORDER BY nr
        """
    )
    new, again = db.sql("SELECT count(*) FILTER (new), count(*) FILTER (NOT new AND same) FROM judged").fetchall()[0]
    counts.accepted += new
    if again:
        counts.dropped[REPEATED_LINE] += again
    other = db.sql("SELECT nr FROM judged WHERE NOT new AND NOT same ORDER BY nr").to_arrow_table()
    findings.refuse(portion, ITEM_DEFINED_TWICE, other["nr"].to_numpy())
