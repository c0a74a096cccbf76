"""`scoring ingest` and `scoring run` of a table source: its cases, and what they can answer."""

from __future__ import annotations

from pathlib import Path

from features.errors import InputError
from features.tables.cases import ingest_cases
from features.tables.privacy import load_pseudonyms
from features.tables.sources import source_kind
from features.tables.table_source import load_table_source
from features.workspace import Workspace, read_json
from serving import show
from serving.options import out, progress_bars
from serving.steps import check_source


def describes(source: str) -> bool:
    """Whether a source has one row per case, and no events."""
    return source_kind(source) == "table"


def read(name: str, raw: Path | None, home: Path | None) -> None:
    """Read the cases of a table source into its workspace; print what became of its lines, and what they are for."""
    source = load_table_source(name)
    workspace = Workspace(home or Path("data") / source.name)
    report = workspace.tables / "report.json"
    if report.exists():
        check_source(read_json(report)["source"], source.name, workspace.tables)
    if raw is None and source.database is None:
        raise InputError("--raw", "nothing", f"the folder of the files of {source.name}")
    with progress_bars() as progress:
        counts = ingest_cases(source, raw or Path(), workspace, load_pseudonyms(), progress)
    out.print(show.rows([counts]))
    out.print(show.questions(read_json(report)))
