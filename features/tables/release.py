"""What a person decides about lines in quarantine: back in by the ordinary way, or out for good."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.errors import InputError
from features.progress import Progress, silent
from features.tables.chunks import Chunk, chunk_of
from features.tables.counts import Counts
from features.tables.ingest import scratch_folder
from features.tables.privacy import Pseudonyms
from features.tables.quarantine import refused_lines, take_out
from features.tables.received import load_received
from features.tables.rules import BY_HAND, RULES
from features.tables.run import Ingested, Run
from features.tables.sources import Source
from features.tables.vault import open_vault
from features.workspace import Workspace, read_json, staged, write_json


@dataclass(frozen=True)
class Choice:
    """Which lines in quarantine are meant: all that fit what is given."""

    rule: str | None = None
    table: str | None = None
    file: str | None = None
    line: int | None = None

    def of(self, lines: pa.Table) -> pa.Table:
        """The chosen ones of `refused_lines`. Raises InputError where there is none."""
        for name, wanted in vars(self).items():
            if wanted is not None:
                lines = lines.filter(pc.equal(lines[name], wanted))
        if not lines.num_rows:
            said = ", ".join(f"{name} {wanted}" for name, wanted in vars(self).items() if wanted is not None)
            raise InputError("the quarantine", f"no line of {said or 'any rule'}", "", "See `scoring quarantine list`.")
        return lines


def release(
    source: Source,
    workspace: Workspace,
    pseudonyms: Pseudonyms,
    choice: Choice,
    changes: Mapping[str, str],
    progress: Progress = silent,
    now: datetime | None = None,
) -> Ingested:
    """Take the chosen lines in, with the cells in `changes` (column → text) put right, or else without their rule.

    They meet every other rule again, and count as known from now on. Raises InputError for a rule that nobody
    can waive.
    """
    now = now or datetime.now(UTC)
    with staged(workspace.tables, keep=True) as tables, scratch_folder(tables) as scratch:
        vault = open_vault(tables, pseudonyms)
        chosen = choice.of(refused_lines(vault))
        batches = [
            (table, rule, _chunk(part, changes), part["file"].to_pylist())
            for (table, rule), part in _by_table_and_rule(chosen)
        ]
        for _, rule, _, _ in batches:
            if not changes and not (rule not in RULES or RULES[rule].waivable):
                raise InputError(
                    f"rule {rule}",
                    "lines that no table can take as they are",
                    "a rule that a person may waive",
                    "Put the cell right with --set column=value, or mend the file and give it again.",
                )
        take_out(vault, chosen)
        _uncount(tables, chosen)
        received = load_received(tables, source)
        run = Run(source, tables, scratch, pseudonyms, 1, now, progress, released=True)
        by_name = {table.name: table for table in source.tables}
        for name, rule, chunk, files in batches:
            run.take(by_name[name], chunk, files, None if changes else rule)
        done = run.finish()
        write_json(tables / "received.json", received.plus(now, []).to_json())
    return done


def discard(workspace: Workspace, pseudonyms: Pseudonyms, choice: Choice) -> int:
    """Remove the chosen lines for good, and count them as dropped by hand; returns how many."""
    with staged(workspace.tables, keep=True) as tables:
        vault = open_vault(tables, pseudonyms)
        chosen = choice.of(refused_lines(vault))
        take_out(vault, chosen)
        report = _uncount(tables, chosen)
        counts = [Counts.from_json(each) for each in report["tables"]]
        for (table, _), part in _by_table_and_rule(chosen):
            (mine,) = (each for each in counts if each.table == table)
            mine.read += part.num_rows
            mine.dropped[BY_HAND] += part.num_rows
        write_json(tables / "report.json", report | {"tables": [each.to_json() for each in counts]})
    return len(chosen)


def _by_table_and_rule(chosen: pa.Table) -> list[tuple[tuple[str, str], pa.Table]]:
    keys = sorted(set(zip(chosen["table"].to_pylist(), chosen["rule"].to_pylist(), strict=True)))
    return [
        ((table, rule), chosen.filter(pc.and_(pc.equal(chosen["table"], table), pc.equal(chosen["rule"], rule))))
        for table, rule in keys
    ]


def _chunk(lines: pa.Table, changes: Mapping[str, str]) -> Chunk:
    rows = [json.loads(row) for row in lines["row"].to_pylist()]
    if any(isinstance(row, str) for row in rows):
        raise InputError(
            f"rule {lines['rule'][0]}", "lines that are no rows of the table", "", "Mend the file and give it again."
        )
    unknown = sorted(set(changes) - set(rows[0]))
    if unknown:
        raise InputError("--set", f"the column '{unknown[0]}'", f"one of {', '.join(rows[0])}")
    columns = {name: pa.array([changes.get(name, row[name]) for row in rows], pa.string()) for name in rows[0]}
    return chunk_of(pa.table(columns), lines["line"].combine_chunks())


def _uncount(tables: Path, chosen: pa.Table) -> dict[str, Any]:
    """Take lines out of the report, as if they had not been read; returns the report."""
    report: dict[str, Any] = read_json(tables / "report.json")
    counts = {each["table"]: Counts.from_json(each) for each in report["tables"]}
    for (table, rule), part in _by_table_and_rule(chosen):
        counts[table].read -= part.num_rows
        counts[table].quarantined[rule] -= part.num_rows
    report["tables"] = [each.to_json() for each in counts.values()]
    write_json(tables / "report.json", report)
    return report
