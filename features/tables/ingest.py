"""Raw tables → events, customers, items, all or nothing; every line read is accounted for.

A run reads the files that no run before it has read, and adds to the tables what is new in them: the history is not
computed again. What a later run learns of days that were complete carries the instant of that run as `known_at`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from features.errors import InputError
from features.progress import Progress, silent
from features.tables.postgres import dump_table
from features.tables.privacy import Pseudonyms
from features.tables.readers import table_files
from features.tables.received import File, Received, load_received, mapping_digest
from features.tables.rewrite import digest
from features.tables.rules import RESERVED, RULES
from features.tables.run import Ingested, Run
from features.tables.sources import CustomerTable, EventTable, ItemTable, Source, Table
from features.tables.staging import bins_for
from features.workspace import Workspace, staged, write_json


def ingest(
    source: Source,
    raw: Path,
    workspace: Workspace,
    pseudonyms: Pseudonyms,
    progress: Progress = silent,
    now: datetime | None = None,
    afresh: bool = False,
) -> Ingested:
    """Read what is new of the tables of `source` in the folder `raw` into `workspace.tables`.

    now: the instant of the run. afresh: forget what was read before (not who was forgotten or merged), and read every
    file again. Raises InputError for a file, column, cell or rule that a person must mend; then nothing has changed.
    """
    _check_rules(source)
    now = now or datetime.now(UTC)
    with staged(workspace.tables, keep=True) as folder:
        if afresh:
            _start_afresh(folder)
        received = load_received(folder, source)
        if received.mapping != mapping_digest(source):
            raise InputError(
                f"{source.name}.yaml",
                "another reading of the tables than before",
                "the one that the data at hand were read with",
                "Read every file again with `scoring ingest --afresh`.",
            )
        with scratch_folder(folder) as scratch:
            found = [each for table in source.tables for each in _files(table, raw, scratch, received)]
            events = [path for table, path, _ in found if isinstance(table, EventTable)]
            run = Run(source, folder, scratch, pseudonyms, bins_for(events), now, progress)
            for table, path, _ in sorted(found, key=lambda each: _order(each[0])):
                run.read(table, path)
            done = run.finish() if found else Ingested(list(run.findings.counts.values()))
        if found:
            write_json(folder / "received.json", received.plus(now, [file for _, _, file in found]).to_json())
    return done


@contextmanager
def scratch_folder(tables: Path) -> Iterator[Path]:
    """A folder inside the staged `tables` for what a run needs only while it runs."""
    scratch = tables / "scratch"
    scratch.mkdir(mode=0o700)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _files(table: Table, raw: Path, scratch: Path, received: Received) -> Iterator[tuple[Table, Path, File]]:
    """The files of a table that no run has read."""
    if table.database is not None:
        path = scratch / f"{table.name}.csv"
        dump_table(table.database, path)
        paths = [path]
    else:
        paths = table_files(table, raw)
    seen = set(received.files)
    for path in paths:
        file = File(table.name, path.name, digest(path))
        if (file.table, file.sha256) not in seen:
            seen.add((file.table, file.sha256))
            yield table, path, file


def _order(table: Table) -> int:
    """Customers first, so that it is known since when they are; then items, then events."""
    return (CustomerTable, ItemTable, EventTable).index(type(table))


def _start_afresh(folder: Path) -> None:
    """Remove what is read from files; what people decided (who was forgotten, merged, restricted) stays."""
    for name in ("events.parquet", "customers.parquet", "vault/names", "vault/people", "vault/quarantine"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("items.parquet", "received.json", "report.json"):
        (folder / name).unlink(missing_ok=True)


def _check_rules(source: Source) -> None:
    for table in source.tables:
        own = [(f"{table.name}.require", rule.rule) for rule in table.require]
        if isinstance(table, EventTable):
            own += [(f"{table.name}.drop", rule.rule) for rule in table.drop]
        for place, rule in own:
            if rule in RESERVED:
                raise InputError(f"{source.name}: {place}", f"the rule '{rule}'", "a name not yet in use")
    unknown = sorted(set(source.rules) - set(RULES))
    if unknown:
        raise InputError(f"{source.name}: rules", f"'{unknown[0]}'", f"one of {', '.join(sorted(RULES))}")


def data_end(report: dict[str, Any]) -> date:
    """The day after the last day of data: everything is known up to there."""
    return date.fromordinal(date.fromisoformat(report["last_day"]).toordinal() + 1)
