"""`scoring scorecard`: the points table of a source of cases, as CSV, as SQL, and what it advises on each case."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from features.tables.table_source import load_table_source
from features.workspace import Workspace
from serving.options import HomeOption, SourceOption, out

if TYPE_CHECKING:
    from training.cases.points import Line

CsvOption = Annotated[Path | None, typer.Option("--csv", help="write the points table to this file")]
SqlOption = Annotated[Path | None, typer.Option("--sql", help="write the scorecard as a query to this file")]
DialectOption = Annotated[Literal["duckdb", "postgres"], typer.Option("--dialect", help="of the query")]
TableOption = Annotated[str, typer.Option("--table", help="the table that the query reads, or schema.table")]
AdviceOption = Annotated[
    Path | None, typer.Option("--advice", help="write score, grade, reasons and reference limit of every case, Parquet")
]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(scorecard)


def scorecard(
    source: SourceOption,
    home: HomeOption = None,
    csv: CsvOption = None,
    sql: SqlOption = None,
    dialect: DialectOption = "postgres",
    table: TableOption = "cases",
    advice: AdviceOption = None,
) -> None:
    """The scorecard of a source of cases, fitted by `scoring run`: points per bin; as CSV, as SQL, as advice."""
    from training.cases.points import to_csv
    from training.cases.portable import read_portable

    name = load_table_source(source).name
    workspace = Workspace(home or Path("data") / name)
    found = read_portable(workspace, name)
    out.print(_points(found.lines))
    scale = found.model.about["scale"]
    out.print(
        f"{scale['score']:g} points: {scale['odds']:g} no to one yes; {scale['points_to_double']:g} more double that."
        " It supports a person's decision.",
        markup=False,
        soft_wrap=True,
    )
    if csv:
        _write(csv, to_csv(found.lines))
    if sql:
        _write(sql, found.sql(dialect, table))
    if advice:
        _advise(source, workspace, advice)


def _points(lines: tuple[Line, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    for head in ("column", "bin", "cases", "yes", "WOE", "points"):
        table.add_column(head, justify="left" if head in ("column", "bin") else "right")
    before = ""
    for line in lines:
        rate = f"{line.yes / line.cases:.1%}" if line.cases else ""
        column = "" if line.column == before else line.column
        table.add_row(column, escape(line.words), f"{line.cases:,}", rate, f"{line.woe:+.3f}", f"{line.points:.1f}")
        before = line.column
    return table


def _advise(source: str, workspace: Workspace, to: Path) -> None:
    """Of all cases that were taken in, also those whose outcome is not known yet."""
    import pyarrow.parquet as pq

    from features.tables.cases import CASES
    from features.workspace import read_parquet
    from training.cases.advice import advise
    from training.cases.learn import MODEL
    from training.cases.model import CaseModel
    from training.cases.portable import read_portable
    from training.cases.settings import load_case_settings

    cases = read_parquet(workspace.tables / CASES)
    model, exposure = CaseModel.load(workspace.training / MODEL), load_table_source(source).exposure
    found = advise(model, read_portable(workspace, source), cases, load_case_settings(), exposure)
    pq.write_table(found.add_column(0, "case_id", cases["case_id"]), to, compression="zstd")
    out.print(f"Wrote {to}: advice on {len(found):,} cases.", markup=False, soft_wrap=True)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    out.print(f"Wrote {path}.", markup=False, soft_wrap=True)
