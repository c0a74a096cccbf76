"""Raw tables → events, customers, items; every line read is accepted, quarantined or dropped, and counted."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from features.errors import InputError
from features.progress import Progress, silent
from features.tables.events import CUSTOMERS, EVENTS, ITEMS, broken_rules
from features.tables.intake import Counts, Intake
from features.tables.privacy import Pseudonyms
from features.tables.rules import RULE_IDS
from features.tables.sources import EventTable, Source
from features.tables.sql import ident, text
from features.workspace import Workspace, staged, write_json

MEMORY_LIMIT = "2GB"


def ingest(
    source: Source, raw: Path, workspace: Workspace, pseudonyms: Pseudonyms, progress: Progress = silent
) -> list[Counts]:
    """Read all tables of `source` in the folder `raw` into `workspace.tables`, all or nothing.

    Raises InputError for a file, column, cell or rule that a person must mend; then nothing has changed.
    """
    for table in source.tables:
        for own in table.drop if isinstance(table, EventTable) else ():
            if own.rule in RULE_IDS:
                raise InputError(f"{source.name}: {table.name}.drop", f"the rule '{own.rule}'", "a name not yet in use")
    unknown = sorted(set(source.rules) - RULE_IDS)
    if unknown:
        raise InputError(f"{source.name}: rules", f"'{unknown[0]}'", f"one of {', '.join(sorted(RULE_IDS))}")
    with staged(workspace.tables) as folder, duckdb.connect() as db:
        db.execute(f"SET TimeZone = 'UTC'; SET memory_limit = '{MEMORY_LIMIT}'; SET enable_progress_bar = false")
        db.execute(f"SET temp_directory = {text(folder / 'spill')}")
        intake = Intake(db, source, raw, pseudonyms)
        for done, table in enumerate(source.tables):
            progress("read tables", done, len(source.tables) + 1)
            intake.read(table)
        progress("read tables", len(source.tables), len(source.tables) + 1)
        counts = _write(intake, folder)
        db.close()
        shutil.rmtree(folder / "spill", ignore_errors=True)
        broken = broken_rules(folder / "events.parquet")
        if broken:
            raise RuntimeError(f"the event table breaks its own contract: {broken}")
        lost = [count for count in counts if count.missing]
        if lost:
            raise RuntimeError(f"lines lost: {lost}")
        progress("read tables", len(source.tables) + 1, len(source.tables) + 1)
    return counts


def _write(intake: Intake, folder: Path) -> list[Counts]:
    """Events that repeat an id are dropped; the tables and the report are written to `folder`."""
    db = intake.db
    repeated = dict(
        db.sql(
            """
            CREATE TABLE again AS SELECT rowid AS id, from_table FROM (
                SELECT rowid, from_table,
                    row_number() OVER (PARTITION BY event_id ORDER BY known_at, from_table, nr) AS repetition
                FROM events WHERE event_id IN (SELECT event_id FROM events GROUP BY event_id HAVING count(*) > 1))
            WHERE repetition > 1;
            DELETE FROM events WHERE rowid IN (SELECT id FROM again);
            SELECT from_table, count(*) FROM again GROUP BY from_table
            """
        ).fetchall()
    )
    counts = [count.with_repeated(repeated.get(count.table, 0)) for count in intake.counts]
    _require_events(intake)
    _copy(db, "events", EVENTS, "customer_id, day, event_id", folder)
    _copy(db, "customers", CUSTOMERS, "customer_id, attribute, valid_from, value", folder)
    _copy(db, "items", ITEMS, "item", folder)
    ordered = 'SELECT * FROM quarantine ORDER BY "table", file, line, rule'
    target = text(folder / "quarantine.parquet")
    db.execute(f"COPY ({ordered}) TO {target} (FORMAT parquet, COMPRESSION zstd)")
    (folder / "quarantine.parquet").chmod(0o600)  # refused lines are kept as they came, with the company's ids
    write_json(folder / "report.json", _report(intake, counts))
    return counts


def _copy(db: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema, order: str, folder: Path) -> None:
    columns = ", ".join(ident(column) for column in schema.names)
    db.execute(
        f"COPY (SELECT {columns} FROM {name} ORDER BY {order}) TO {text(folder / f'{name}.parquet')} "
        "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 100000)"
    )


def _report(intake: Intake, counts: list[Counts]) -> dict[str, Any]:
    first, last, events, customers = intake.db.sql(
        "SELECT min(day), max(day), count(*), count(DISTINCT customer_id) FROM events"
    ).fetchall()[0]
    return {
        "source": intake.source.name,
        "company": intake.source.company().model_dump(),
        "key": intake.pseudonyms.fingerprint,
        "first_day": first.isoformat(),
        "last_day": last.isoformat(),
        "events": events,
        "customers": customers,
        "tables": [vars(count) for count in counts],
    }


def _require_events(intake: Intake) -> None:
    if not intake.db.sql("SELECT 1 FROM events LIMIT 1").fetchall():
        raise InputError(
            intake.raw,
            "no line that is an event of a customer",
            "at least one",
            f"Look at the mapping of {intake.source.name}: every line was quarantined or dropped.",
        )


def data_end(report: dict[str, Any]) -> date:
    """The day after the last day of data: everything is known up to there."""
    return date.fromordinal(date.fromisoformat(report["last_day"]).toordinal() + 1)
