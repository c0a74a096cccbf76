"""`scoring quarantine`: look at refused lines, take them in after all, or drop them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Annotated

import typer

from features.errors import InputError
from serving.options import HomeOption, SourceOption, open_job, out

app = typer.Typer(no_args_is_help=True, help=__doc__)

RuleOption = Annotated[str | None, typer.Option("--rule", help="only lines that broke this rule")]
TableOption = Annotated[str | None, typer.Option("--table", help="only lines of this table")]
FileOption = Annotated[str | None, typer.Option("--file", help="only lines of this file")]
LineOption = Annotated[int | None, typer.Option("--line", help="only the line of this number")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="at most so many lines")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="column=value: put a cell right in every chosen line")
]


@app.command("list")
def list_lines(source: SourceOption = "sample", home: HomeOption = None) -> None:
    """How many lines are in quarantine, by table and rule."""
    from features.tables.quarantine import refused_lines
    from features.tables.rules import RULES
    from serving import show

    with open_job(source, home) as job:
        lines = refused_lines(job.vault())
    found = Counter(zip(lines["table"].to_pylist(), lines["rule"].to_pylist(), strict=True))
    out.print(show.quarantine(found, {id_: rule.wanted for id_, rule in RULES.items()}))


@app.command("show")
def show_lines(
    source: SourceOption = "sample",
    home: HomeOption = None,
    rule: RuleOption = None,
    table: TableOption = None,
    file: FileOption = None,
    line: LineOption = None,
    limit: LimitOption = 20,
) -> None:
    """Lines in quarantine as they came, with what is wrong. They may name customers: the key opens them."""
    from features.tables.quarantine import refused_lines
    from features.tables.release import Choice

    with open_job(source, home) as job:
        lines = Choice(rule, table, file, line).of(refused_lines(job.vault()))
    for each in lines.slice(0, limit).to_pylist():
        out.print(f"{each['file']}: line {each['line']}  {each['rule']}: {each['found'] or ''}", markup=False)
        row = json.loads(each["row"])
        out.print(f"  {row if isinstance(row, str) else '  '.join(f'{k}={v}' for k, v in row.items())}", markup=False)
    if lines.num_rows > limit:
        out.print(f"and {lines.num_rows - limit:,} more: --limit {lines.num_rows} shows all.", markup=False)


@app.command()
def release(
    source: SourceOption = "sample",
    home: HomeOption = None,
    rule: RuleOption = None,
    table: TableOption = None,
    file: FileOption = None,
    line: LineOption = None,
    changes: SetOption = None,
) -> None:
    """Take lines in after all: without the rule they broke, or with cells put right. Every other rule holds."""
    from features.tables.release import Choice
    from serving import show

    pairs = [change.partition("=") for change in changes or []]
    if any(not sign for _, sign, _ in pairs):
        raise InputError("--set", "no equals sign", "column=value")
    with open_job(source, home) as job:
        done = job.release(Choice(rule, table, file, line), {column: value for column, _, value in pairs})
    out.print(show.rows(done.counts))


@app.command()
def drop(
    source: SourceOption = "sample",
    home: HomeOption = None,
    rule: RuleOption = None,
    table: TableOption = None,
    file: FileOption = None,
    line: LineOption = None,
) -> None:
    """Remove lines for good; they stay counted."""
    from features.tables.release import Choice

    with open_job(source, home) as job:
        many = job.discard(Choice(rule, table, file, line))
    out.print(f"{many:,} lines are dropped.", markup=False)
