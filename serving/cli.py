"""The command line: `scoring`."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from features.errors import InputError
from features.progress import Progress
from features.tables.sources import load_source
from features.workspace import Workspace

if TYPE_CHECKING:
    from serving.steps import Job

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False, soft_wrap=True)

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
SchemeOption = Annotated[str, typer.Option("--scheme", help="version of the classification scheme")]
CustomersOption = Annotated[int, typer.Option("--customers", min=100, help="size of the sample company")]
PortOption = Annotated[int, typer.Option("--port", min=1, max=65535)]
HostOption = Annotated[str, typer.Option("--host", help="the address to listen on")]


def main() -> None:
    """Run a command; a user's mistake is a short letter on stderr and exit code 2."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is half made is cleared away
    try:
        app()
    except InputError as error:
        err.print(error.letter(), markup=False)
        sys.exit(2)
    except OSError as error:
        err.print(InputError(error.filename or "the file system", error.strerror or str(error)).letter(), markup=False)
        sys.exit(2)


@app.command()
def run(
    source: SourceOption = "sample",
    raw: RawOption = None,
    home: HomeOption = None,
    as_of: AsOfOption = None,
    grade_as_of: GradeOption = None,
    scheme: SchemeOption = "2026-01",
    customers: CustomersOption = 2_000,
) -> None:
    """The whole job: ingest, features, train, evaluate, promote, classify."""
    from serving import show

    with _job(source, home, raw, scheme) as job:
        job.check()
        counts = job.ingest(customers)
        job.features(_day(as_of), _day(grade_as_of))
        trained = job.train()
        version, verdicts = job.evaluate()
        promotion = job.promote(version)
        live, folder = job.classify()
    out.print(show.rows(counts))
    out.print(show.verdicts(verdicts, trained.about))
    out.print(show.promotion(promotion, live.release.about["source"]), markup=False)
    out.print(show.classes(folder, live.scheme))
    out.print(show.next_steps(live.release.about["source"], folder, version), markup=False)


@app.command()
def ingest(
    source: SourceOption = "sample",
    raw: RawOption = None,
    home: HomeOption = None,
    customers: CustomersOption = 2_000,
) -> None:
    """Raw tables → events, customers, items; lines that cannot be accepted → quarantine."""
    from serving import show

    with _job(source, home, raw) as job:
        counts = job.ingest(customers)
    out.print(show.rows(counts))


features_app = typer.Typer(invoke_without_command=True)
app.add_typer(features_app, name="features")


@features_app.callback()
def features(
    context: typer.Context,
    source: SourceOption = "sample",
    home: HomeOption = None,
    as_of: AsOfOption = None,
    grade_as_of: GradeOption = None,
) -> None:
    """Events → feature rows and labels at every date of the run; `scoring features list` prints what they are."""
    if context.invoked_subcommand is not None:
        return
    with _job(source, home) as job:
        job.features(_day(as_of), _day(grade_as_of))
    out.print(f"Feature rows are in {job.workspace.features}.", markup=False)


@features_app.command("list")
def list_features(markdown: Annotated[bool, typer.Option("--markdown", help="as the reference page")] = False) -> None:
    """Print the catalogue: every feature with its family, unit, window and meaning."""
    from features.catalogue import page
    from serving import show

    if markdown:
        sys.stdout.write(page.markdown())
    else:  # in a file or a pipe nothing bounds the width
        (out if out.is_terminal else Console(highlight=False, width=200)).print(show.catalogue())


@app.command()
def train(source: SourceOption = "sample", home: HomeOption = None, scheme: SchemeOption = "2026-01") -> None:
    """Feature rows → a candidate release, judged on the test date and refitted on all closed targets."""
    with _job(source, home, scheme=scheme) as job:
        release = job.train()
    out.print(f"Fitted: {', '.join(release.about['tasks']) or 'nothing'}. Next: scoring evaluate.", markup=False)


@app.command()
def evaluate(source: SourceOption = "sample", home: HomeOption = None, scheme: SchemeOption = "2026-01") -> None:
    """The candidate beside the baselines; logged and registered in MLflow."""
    from features.workspace import read_json
    from serving import show

    with _job(source, home, scheme=scheme) as job:
        version, verdicts = job.evaluate()
    about = read_json(job.workspace.training / "release" / "release.json")
    out.print(show.verdicts(verdicts, about))
    out.print(f"Registered as version {version}. Next: scoring promote.", markup=False)


@app.command()
def promote(
    source: SourceOption = "sample",
    home: HomeOption = None,
    version: Annotated[int | None, typer.Option("--version", help="by default the newest")] = None,
    approve: Annotated[bool, typer.Option("--approve", help="promote although the gate says no")] = False,
) -> None:
    """Make a registered release the champion, when it passes the gate."""
    from serving import show

    with _job(source, home) as job:
        promotion = job.promote(version, approve)
    out.print(show.promotion(promotion, job.source.name), markup=False)
    if not promotion.promoted:
        raise typer.Exit(1)


@app.command()
def classify(source: SourceOption = "sample", home: HomeOption = None) -> None:
    """The champion grades the whole base; the online store gets the result."""
    from serving import show

    with _job(source, home) as job:
        live, folder = job.classify()
    out.print(show.classes(folder, live.scheme))


@app.command()
def serve(
    source: SourceOption = "sample", home: HomeOption = None, host: HostOption = "127.0.0.1", port: PortOption = 8000
) -> None:
    """Answer over HTTP with the champion and its last grading."""
    import uvicorn

    from serving.app import Service, create_app
    from serving.scorer import Scorer
    from serving.store import Store

    with _job(source, home) as job:
        live, pseudonyms, path = job.live()
    service = Service(Scorer(live, pseudonyms), Store(path))
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise InputError(f"{host}:{port}", error.strerror or str(error), "a free address", "Choose another.") from None
    out.print(f"{live.release.about['title']}\nService on http://{host}:{port}/docs", markup=False)
    # No access log: its lines would carry customers' ids.
    config = uvicorn.Config(create_app(service), access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])


@app.command()
def ui(host: HostOption = "127.0.0.1", port: PortOption = 5000) -> None:
    """The MLflow UI of the registry."""
    from training import registry

    registry.connect()
    out.print(f"MLflow on http://{host}:{port}", markup=False)
    done = subprocess.run(registry.ui_command(host, port), env=registry.ui_environment(), check=False)  # noqa: S603 our own words
    raise typer.Exit(done.returncode)


@app.command()
def up(
    source: SourceOption = "sample",
    home: HomeOption = None,
    port: PortOption = 8000,
    ui_port: Annotated[int, typer.Option("--ui-port", min=1, max=65535)] = 5000,
) -> None:
    """The service and the MLflow UI together, until Ctrl-C."""
    where = ["--source", source, *(["--home", str(home)] if home else [])]
    command = [sys.executable, "-m", "serving.cli"]
    calls = ([*command, "serve", *where, "--port", str(port)], [*command, "ui", "--port", str(ui_port)])
    children = [subprocess.Popen(call, start_new_session=True) for call in calls]  # noqa: S603 our own words
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    out.print("The service and the MLflow UI start; Ctrl-C ends both.", markup=False)
    while not stop.wait(0.5) and all(child.poll() is None for child in children):
        pass
    failed = max((child.returncode or 0 for child in children), default=0)
    for child in children:  # each with the processes it started
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        child.wait(timeout=20)
    raise typer.Exit(failed)


def _day(value: datetime | None) -> date | None:
    return value.date() if value else None


@contextmanager
def _job(source: str, home: Path | None, raw: Path | None = None, scheme: str = "2026-01") -> Iterator[Job]:
    """The steps of one source, with a progress bar while they run."""
    described = load_source(source)
    from serving.steps import Job

    workspace = Workspace(home or Path("data") / described.name)
    columns = (TextColumn("{task.description:<28}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=err) as bars:
        yield Job(described, workspace, raw, scheme, _bars(bars))


def _bars(bars: Bars) -> Progress:
    tasks: dict[str, TaskID] = {}

    def tell(doing: str, done: int, total: int) -> None:
        if doing not in tasks:
            tasks[doing] = bars.add_task(doing, total=total)
        bars.update(tasks[doing], completed=done, total=total)

    return tell


if __name__ == "__main__":
    main()
