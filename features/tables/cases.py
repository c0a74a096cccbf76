"""A table source → cases: every row read is accepted, quarantined or dropped, and counted; private columns apart.

A row without a key is a case of its own, also when it equals another in every cell: two calls, two sessions of a web
shop can be alike. Such rows are counted and kept. With a key, a row that is there twice is one case.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from features.progress import Progress, silent
from features.tables.case_intake import CaseIntake
from features.tables.chunks import Chunk, read_chunks
from features.tables.counts import Counts
from features.tables.ingest import scratch_folder
from features.tables.joins import Joined
from features.tables.person import forgotten, names_forgotten
from features.tables.postgres import dump_table
from features.tables.privacy import Pseudonyms
from features.tables.quarantine import Refused
from features.tables.readers import table_files
from features.tables.reading import Files, Format
from features.tables.sql import text
from features.tables.table_source import TableSource
from features.tables.vault import Vault, open_vault
from features.workspace import Workspace, staged, write_json

CASES = "cases.parquet"
PRIVATE = "private/cases"
NAMES = "names/00000-00000"

MEMORY_LIMIT = "1200MB"


def ingest_cases(
    source: TableSource, raw: Path, workspace: Workspace, pseudonyms: Pseudonyms, progress: Progress = silent
) -> Counts:
    """Read the table of `source` and those that complete it, in the folder `raw`, into `workspace.tables`, all or
    nothing; returns what became of its own lines (the report has those of the others, too).

    Leaves cases.parquet (`case_schema`, in the order of the rows), the private columns, the keys and the refused lines
    in the vault, and report.json. Raises InputError for what a person must mend; then nothing has changed.
    """
    with staged(workspace.tables, keep=True) as folder, scratch_folder(folder) as scratch, duckdb.connect() as db:
        db.execute(f"SET TimeZone = 'UTC'; SET memory_limit = '{MEMORY_LIMIT}'; SET enable_progress_bar = false")
        db.execute(f"SET temp_directory = {text(scratch / 'spill')}")
        _start_afresh(folder)
        vault = open_vault(folder, pseudonyms)
        gone = frozenset(forgotten(folder))
        refused = Refused(vault, 0, lambda line: names_forgotten(line, pseudonyms, gone))
        intake = CaseIntake(db, source, pseudonyms, gone, refused, folder / CASES)
        joined = _joined(source, raw, scratch, db, refused, progress)
        for file, chunk in _chunks(source, raw, scratch, db):
            for each in joined:
                chunk = each.complete(chunk)
            intake.take(chunk, file)
            progress(f"read {file}", chunk.done, chunk.total)
        alike = intake.finish()
        for each in joined:
            each.check_met()
        refused.flush()
        _write_vault(intake, vault)
        write_json(folder / "report.json", _report(intake, alike, joined))
        if any(counts.missing for counts in (intake.counts, *(each.counts for each in joined))):
            raise RuntimeError(f"lines lost: {intake.counts}")
    return intake.counts


def _start_afresh(folder: Path) -> None:
    """Remove what is read from files; what people decided (who was forgotten, merged, restricted) stays."""
    for name in ("vault/names", "vault/private", "vault/quarantine"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (CASES, "report.json"):
        (folder / name).unlink(missing_ok=True)


def _joined(
    source: TableSource, raw: Path, scratch: Path, db: duckdb.DuckDBPyConnection, refused: Refused, progress: Progress
) -> list[Joined]:
    """The tables that complete the rows, read."""
    found = []
    for join in source.join:
        table = Joined(db, source, join, refused)
        for file, chunk in _chunks(join, raw, scratch, db):
            table.take(chunk, file)
            progress(f"read {file}", chunk.done, chunk.total)
        table.check_keys()
        found.append(table)
    return found


def _chunks(table: Files, raw: Path, scratch: Path, db: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, Chunk]]:
    """All lines of a table, each chunk with the name of its file."""
    files, written = [], table.format
    if table.database is None:
        files = table_files(table, raw)
    else:
        files, written = [scratch / f"{table.name}.csv"], Format()
        dump_table(table.database, files[0])
    for path in files:
        for chunk in read_chunks(db, path, written):
            yield path.name, chunk


def _write_vault(intake: CaseIntake, vault: Vault) -> None:
    for name, parts in ((PRIVATE, intake.private), (NAMES, intake.names)):
        if parts:
            vault.write(name, pa.concat_tables(parts))


def _report(intake: CaseIntake, alike: int, joined: list[Joined]) -> dict[str, Any]:
    """What a model must know of the cases. alike: cases that equal an earlier one in every cell but the key."""
    source, label = intake.source, intake.source.label
    answers = {"positive": 1, "negative": 0, "unknown": None}
    asked = label and {"name": label.name, "question": label.question}
    said = {"family", "type", "leak", "unit", "doc"}
    columns = {name: column.model_dump(include=said) for name, column in source.shown.items()}
    return {
        "source": source.name,
        "kind": source.kind,
        "key": intake.pseudonyms.fingerprint,
        "cases": intake.counts.accepted + intake.counts.fixed.total(),
        "alike": alike,
        "label": asked and asked | {answer: intake.labels[value] for answer, value in answers.items()},
        "order": source.order,
        "columns": {name: column | {"unknown": intake.unknown[name]} for name, column in columns.items()},
        "joins": [each.to_json() for each in joined],
        "tables": [counts.to_json() for counts in (intake.counts, *(each.counts for each in joined))],
    }
