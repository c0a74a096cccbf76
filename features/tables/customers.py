"""The lines of customer tables: attributes for all to see, and what stays in the vault."""

from __future__ import annotations

from pathlib import Path

import duckdb

from features.calendar import zone
from features.tables.batch import Batch
from features.tables.counts import Counts
from features.tables.events import CUSTOMERS
from features.tables.rules import REPEATED_LINE
from features.tables.sources import Consent, CustomerTable
from features.tables.sql import ident, parquet, text
from features.workspace import part_files

SIGNED_UP = "signed_up"
"""The attribute that says since when a customer is one."""


def prepare_customers(db: duckdb.DuckDBPyConnection) -> None:
    """Tables `customers` (attributes), `people` (for the vault) and `customer_lines` (what was read already)."""
    said = "customer_id VARCHAR, attribute VARCHAR, value VARCHAR, valid_from DATE"
    db.execute(f"CREATE TABLE customers ({said}, family VARCHAR, merged_from VARCHAR)")
    db.execute(f"CREATE TABLE people ({said}, role VARCHAR)")
    db.execute("CREATE TABLE customer_lines (name VARCHAR, h1 UBIGINT, h2 UBIGINT)")


def accept_customers(db: duckdb.DuckDBPyConnection, table: CustomerTable, counts: Counts) -> None:
    """Put the sound lines of `lines` into the tables; a line that was read before is dropped."""
    db.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE fresh AS
        SELECT l.*, n.name, n.survivor FROM lines l JOIN names n ON n.id = l.customer
        WHERE rule IS NULL AND (h1, h2) NOT IN (SELECT (h1, h2) FROM customer_lines WHERE name = {text(table.name)})
        QUALIFY 1 = row_number() OVER (PARTITION BY h1, h2 ORDER BY nr);
        INSERT INTO customer_lines SELECT {text(table.name)}, h1, h2 FROM fresh
        """
    )
    sound, new = db.sql("SELECT (SELECT count(*) FROM lines WHERE rule IS NULL), count(*) FROM fresh").fetchall()[0]
    counts.accepted += new
    if sound > new:
        counts.dropped[REPEATED_LINE] += sound - new
    for name, value, family in _attributes(table):
        valid_from = SIGNED_UP if name == SIGNED_UP else "valid_from"
        db.execute(
            f"INSERT INTO customers SELECT survivor, {text(name)}, {value}, {valid_from}, {text(family)}, "
            f"CASE WHEN survivor <> name THEN name END FROM fresh"
        )
    for name, value, role in _private(table):
        db.execute(f"INSERT INTO people SELECT name, {text(name)}, {value}, valid_from, {text(role)} FROM fresh")


def settle_customers(db: duckdb.DuckDBPyConnection, folder: Path, batch: Batch, timezone: str) -> None:
    """Table `new_customers`: the attributes that the part files in `folder` do not have; view `all_customers`: both.

    What a later run says of days that were complete is valid from the day of that run.
    """
    db.register("no_customers", CUSTOMERS.empty_table())
    history = parquet(folder) if part_files(folder) else "no_customers"
    valid = "valid_from"
    if batch.data_end is not None:
        today, complete = (moment.astimezone(zone(timezone)).date() for moment in (batch.now, batch.data_end))
        late = f"valid_from IS NULL OR valid_from < DATE '{complete}'"
        valid = f"CASE WHEN {late} THEN DATE '{today}' ELSE valid_from END"
    db.execute(
        f"""
        CREATE TEMP TABLE newest AS
        SELECT customer_id, attribute,
            arg_max(coalesce(value, ''), coalesce(valid_from, DATE '0001-01-01')) AS value
        FROM {history} GROUP BY customer_id, attribute;
        CREATE TEMP TABLE new_customers AS
        SELECT DISTINCT c.* REPLACE ({valid} AS valid_from) FROM customers c
        WHERE NOT EXISTS (
                SELECT 1 FROM {history} h WHERE h.customer_id = c.customer_id AND h.attribute = c.attribute
                AND h.value IS NOT DISTINCT FROM c.value AND h.valid_from >= c.valid_from)
            AND NOT (c.valid_from IS NULL AND EXISTS (
                SELECT 1 FROM newest n WHERE n.customer_id = c.customer_id AND n.attribute = c.attribute
                AND n.value = coalesce(c.value, '')));
        CREATE TEMP VIEW all_customers AS FROM {history} UNION ALL FROM new_customers
        """
    )


def cells_needed(table: CustomerTable) -> list[str]:
    """The raw columns whose cells become values."""
    consents = (consent.column for consent in (table.no_profiling, table.no_marketing) if consent)
    attributes = (attribute.column for attribute in table.attributes.values())
    return list(dict.fromkeys([*attributes, *table.identity.values(), *consents]))


def value_of(column: str) -> str:
    """The name under which `lines` keeps a raw column's cells."""
    return f"value of {column}"


def _attributes(table: CustomerTable) -> list[tuple[str, str, str]]:
    """Name, SQL and family of every attribute that is for all to see."""
    own = [(name, ident(value_of(a.column)), a.family) for name, a in table.attributes.items() if a.family != "private"]
    consents = {"no_profiling": table.no_profiling, "no_marketing": table.no_marketing}
    said = [(name, _said_no(consent), "consent") for name, consent in consents.items() if consent]
    since = [(SIGNED_UP, f"CAST({SIGNED_UP} AS VARCHAR)", "social")] if table.signed_up else []
    return [*own, *said, *since]


def _private(table: CustomerTable) -> list[tuple[str, str, str]]:
    """Name, SQL and role of what only the vault keeps."""
    private = [
        (name, ident(value_of(a.column)), "private") for name, a in table.attributes.items() if a.family == "private"
    ]
    return [*private, *((role, ident(value_of(column)), "identity") for role, column in table.identity.items())]


def _said_no(consent: Consent) -> str:
    noes = ", ".join(text(word.lower()) for word in consent.any_of)
    return f"CASE WHEN coalesce(lower({ident(value_of(consent.column))}) IN ({noes}), false) THEN 'yes' ELSE 'no' END"
