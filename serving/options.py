"""What the commands share: where they print, the options they take, and the job of one source."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from features.engine import Engine
from features.errors import InputError
from features.progress import Progress
from features.tables.sources import load_source
from features.workspace import Workspace

if TYPE_CHECKING:
    from classification.scheme import Scheme
    from serving.steps import Job

WIDTH = 200
"""Columns of what goes to a file or a pipe, which nothing bounds; COLUMNS says otherwise."""

out = Console(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDTH)
err = Console(stderr=True, highlight=False, soft_wrap=True)

MANY = 1_000
"""Of so many things it is worth telling how many are done in a second."""

SourceOption = Annotated[str, typer.Option("--source", help="a name in configs/sources, or a YAML file")]
HomeOption = Annotated[Path | None, typer.Option("--home", help="the workspace; by default data/<source>")]
RawOption = Annotated[Path | None, typer.Option("--raw", help="the folder of the company's own files")]
AsOfOption = Annotated[
    datetime | None, typer.Option("--as-of", formats=["%Y-%m-%d"], help="the date that tests the models")
]
GradeOption = Annotated[
    datetime | None,
    typer.Option("--grade-as-of", formats=["%Y-%m-%d"], help="the date that is graded; by default the end of the data"),
]
HorizonOption = Annotated[
    int | None,
    typer.Option(
        "--horizon", min=1, max=1000, help="days that churn, value and demand look ahead, instead of the settings'"
    ),
]
SchemeOption = Annotated[
    str | None,
    typer.Option("--scheme", help="version of the classification scheme, by default that of the release that is live"),
]
MonthOption = Annotated[str | None, typer.Option("--month", help="as in 2026-10; by default the last whole one")]
EngineOption = Annotated[
    Engine, typer.Option("--engine", help="what computes and scores the base: this machine, or Spark; the same result")
]
RestateOption = Annotated[
    str, typer.Option("--restate", metavar="REASON", help="grade the last month again, though it was graded already")
]
WithinOption = Annotated[
    list[str] | None, typer.Option("--within", help="only customers of this class, as in value=A; as often as needed")
]
PlaybookOption = Annotated[
    str | None, typer.Option("--playbook", help="a version in configs/playbooks; by default the one in use")
]
VersionOption = Annotated[int | None, typer.Option("--version", min=1, help="of the release; by default the champion")]
CustomersOption = Annotated[int, typer.Option("--customers", min=100, help="size of the sample company")]
PortOption = Annotated[int, typer.Option("--port", min=1, max=65535)]
HostOption = Annotated[str, typer.Option("--host", help="the address to listen on")]


def as_day(value: datetime | None) -> date | None:
    """The day of an option."""
    return value.date() if value else None


def as_classes(given: list[str] | None, scheme: Scheme, option: str) -> dict[str, str]:
    """dimension → class of an option's texts, as in value=A; InputError for what the scheme does not have."""
    found = {}
    for each in given or []:
        name, _, class_ = each.partition("=")
        if name not in scheme.dimensions:
            raise InputError(
                option, f"'{each}'", f"dimension=class, the dimension one of {', '.join(scheme.dimensions)}"
            )
        if class_ not in scheme.dimensions[name].all:
            raise InputError(option, f"'{each}'", f"{name}= one of {', '.join(scheme.dimensions[name].all)}")
        found[name] = class_
    return found


def workspace_of(source: str, home: Path | None) -> Workspace:
    """The workspace of a source, by its name."""
    return Workspace(home or Path("data") / source)


@contextmanager
def open_job(
    source: str, home: Path | None, raw: Path | None = None, scheme: str | None = None, horizon: int | None = None
) -> Iterator[Job]:
    """The steps of one source, with a progress bar while they run."""
    described = load_source(source)
    from serving.steps import Job

    workspace = workspace_of(described.name, home)
    with progress_bars() as progress:
        yield Job(described, workspace, raw, scheme, progress, horizon)


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """A bar on stderr for each thing that is being done."""
    left = TimeRemainingColumn(compact=True, elapsed_when_finished=True)
    columns = (TextColumn("{task.description:<28}"), BarColumn(30), MofNCompleteColumn(), left, _Speed())
    with Bars(*columns, console=err) as bars:
        yield _bars(bars)


class _Speed(ProgressColumn):
    """How many a second, where there are many."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed and (task.total or 0) > MANY else "")


def _bars(bars: Bars) -> Progress:
    tasks: dict[str, TaskID] = {}

    def tell(doing: str, done: int, total: int) -> None:
        if doing not in tasks:
            tasks[doing] = bars.add_task(doing, total=total)
        bars.update(tasks[doing], completed=done, total=total)

    return tell


def write_for_owner(to: Path, page: str) -> None:
    """A file for its owner only, whole or not at all, in place of the file that is there.

    Raises InputError where something else is there, as a link or a device, and where the folder is not.
    """
    if to.is_symlink() or (to.exists() and not to.is_file()) or not to.parent.is_dir():
        found = "no folder to put it into" if not to.parent.is_dir() else "something else than a file"
        raise InputError(to, found, "the name of a new file, or of a file to replace")
    new = to.with_name(f".{to.name}.{os.getpid()}.new")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(page)
        new.replace(to)
    finally:
        new.unlink(missing_ok=True)
