"""Raw tables → events, customers, items, all or nothing; every line read is accounted for.

A run reads the files that no run before it has read, and adds to the tables what is new in them: the history is not
computed again. What a later run learns of days that were complete carries the instant of that run as `known_at`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

from features.errors import InputError
from features.progress import Progress, silent
from features.tables.counts import Counts
from features.tables.hand import Line, kept_lines, known_at, source_by_hand, take_lines
from features.tables.postgres import dump_table
from features.tables.privacy import Pseudonyms
from features.tables.readers import table_files
from features.tables.received import File, Received, load_received, mapping_digest
from features.tables.rewrite import digest
from features.tables.rules import RESERVED, RULES
from features.tables.run import Ingested, Run
from features.tables.sources import CustomerTable, EventTable, ItemTable, Source, Table
from features.tables.staging import bins_for
from features.tables.vault import open_vault
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

    now: the instant of the run. afresh: read every file again, each as known when it was first read; who was forgotten
    or merged stays so, what people wrote by hand is taken in again, what was released from quarantine waits there
    again. Raises InputError for a file, column, cell or rule that a person must mend; then nothing has changed.
    """
    _check_rules(source)
    now = now or datetime.now(UTC)
    with staged(workspace.tables, keep=True) as folder:
        before = load_received(folder, source)
        if afresh:
            _start_afresh(folder)
        elif before.mapping != mapping_digest(source):
            raise InputError(
                f"{source.name}.yaml",
                "another reading of the tables than before",
                "the one that the data at hand were read with",
                "Read every file again with `scoring ingest --afresh`.",
            )
        with scratch_folder(folder) as scratch:
            found = list(_files(source, raw, scratch, frozenset() if afresh else before.files))
            lines = kept_lines(open_vault(folder, pseudonyms)) if afresh else []
            bins = bins_for([each.path for each in found if isinstance(each.table, EventTable)])
            done = Ingested([Counts(table.name) for table in source.tables])
            for turn in _turns(before, found, lines, now):
                with scratch_folder(scratch) as own:
                    mine = source_by_hand(source, turn.lines, again=True) if turn.lines else source
                    run = Run(mine, folder, own, pseudonyms, bins, turn.moment, progress, bool(turn.lines))
                    for each in sorted(turn.files, key=lambda each: _order(each.table)):
                        run.read(each.table, each.path)
                    if turn.lines:
                        take_lines(run, turn.lines)
                    done = done.plus(run.finish())
                received = load_received(folder, source).plus(turn.moment, [each.file for each in turn.files])
                write_json(folder / "received.json", received.to_json())
    return done


@dataclass(frozen=True)
class _Found:
    """A file of a table that is to be read."""

    table: Table
    path: Path
    file: File


@dataclass(frozen=True)
class _Turn:
    """What one run reads at its moment: files, or lines that people wrote."""

    moment: datetime
    files: list[_Found]
    lines: Sequence[Line] = ()


def _turns(before: Received, found: list[_Found], lines: list[Line], now: datetime) -> Iterator[_Turn]:
    """The files by the instant at which they were first read; those that never were, now. The lines that were written
    before the next run come after each."""
    turns = list(_file_turns(before, found, now))
    for turn, later in zip_longest(turns, turns[1:]):
        yield turn
        mine = [line for line in lines if later is None or known_at(line) < later.moment]
        if mine:
            yield _Turn(known_at(mine[-1]), [], mine)
        lines = lines[len(mine) :]


def _file_turns(before: Received, found: list[_Found], now: datetime) -> Iterator[_Turn]:
    left = list(found)
    for at, files in before.runs:
        seen = {(file.table, file.sha256) for file in files}
        mine = [each for each in left if (each.file.table, each.file.sha256) in seen]
        left = [each for each in left if each not in mine]
        if mine:
            yield _Turn(datetime.fromisoformat(at), mine)
    if left:
        yield _Turn(now, left)


@contextmanager
def scratch_folder(tables: Path) -> Iterator[Path]:
    """A folder inside the staged `tables` for what a run needs only while it runs."""
    scratch = tables / "scratch"
    scratch.mkdir(mode=0o700)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _files(source: Source, raw: Path, scratch: Path, known: frozenset[tuple[str, str]]) -> Iterator[_Found]:
    """The files of all tables, each content once, but for the `known` ones (table and SHA-256)."""
    seen = set(known)
    for table in source.tables:
        if table.database is not None:
            paths = [scratch / f"{table.name}.csv"]
            dump_table(table.database, paths[0])
        else:
            paths = table_files(table, raw)
        for path in paths:
            file = File(table.name, path.name, digest(path))
            if (file.table, file.sha256) not in seen:
                seen.add((file.table, file.sha256))
                yield _Found(table, path, file)


def _order(table: Table) -> int:
    """Customers first, so that it is known since when they are; then items, then events."""
    return (CustomerTable, ItemTable, EventTable).index(type(table))


def _start_afresh(folder: Path) -> None:
    """Remove what is read from files; what people decided (who was forgotten, merged, restricted) or wrote stays."""
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
