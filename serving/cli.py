"""The command line: `scoring`."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from features.engine import Engine
from features.errors import InputError
from serving import (
    arrears_commands,
    decide_commands,
    doctor_commands,
    drift_commands,
    event_commands,
    export_commands,
    history_commands,
    identity_commands,
    key_commands,
    laundering_commands,
    laundering_model_commands,
    override_commands,
    playbook_commands,
    privacy_commands,
    publish_commands,
    quarantine_commands,
    release_commands,
    report_commands,
    scheme_commands,
    scorecard_commands,
    serve_commands,
    worklist_commands,
)
from serving.options import (
    AsOfOption,
    CustomersOption,
    EngineOption,
    GradeOption,
    HomeOption,
    HorizonOption,
    HostOption,
    MonthOption,
    PortOption,
    RawOption,
    RestateOption,
    SchemeOption,
    SourceOption,
    VersionOption,
    as_day,
    err,
    open_job,
    out,
)
from serving.source_commands import source_app

if TYPE_CHECKING:
    from serving.arrears import Advised, Trained
    from serving.steps import Job

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(source_app, name="source")
privacy_commands.register(app)
release_commands.register(app)
report_commands.register(app)
drift_commands.register(app)
scheme_commands.register(app)
scorecard_commands.register(app)
app.add_typer(playbook_commands.app, name="playbook")
app.add_typer(worklist_commands.app, name="worklist")
app.add_typer(laundering_commands.app, name="laundering")
laundering_model_commands.register(laundering_commands.app)
history_commands.register(app)
export_commands.register(app)
publish_commands.register(app)
serve_commands.register(app)
doctor_commands.register(app)


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
    scheme: SchemeOption = None,
    customers: CustomersOption = 2_000,
    horizon: HorizonOption = None,
) -> None:
    """The whole job: ingest, features, train, evaluate, promote, classify."""
    from serving import cases, release_tables, show
    from training.needs import CLASSES

    if cases.describes(source):
        cases.run(source, raw, home)
        return
    with open_job(source, home, raw, scheme, horizon) as job:
        job.check()
        done = job.ingest(customers)
        lacking = job.lacking()
        credit = _credit(job, as_day(grade_as_of)) if not lacking["arrears"] else None
        job.features(as_day(as_of), as_day(grade_as_of))
        if not lacking[CLASSES]:
            trained = job.train()
            version, found = job.evaluate()
            promotion = job.promote(version)
            live, folder = job.classify()
    out.print(show.rows(done.counts))
    out.print(show.run_note(done), markup=False)
    if credit:
        arrears_commands.tell_trained(credit[0], job)
        if credit[1]:
            arrears_commands.tell_advised(credit[1], job)
    if lacking[CLASSES]:
        out.print(show.allowed(lacking))
        out.print(f"\nFeature rows are in {job.workspace.features}; nothing can be graded.", markup=False)
        return
    out.print(show.verdicts(found.verdicts, trained.about))
    out.print(show.ladder(trained.about), markup=False)
    out.print(release_tables.report(found.report))
    out.print(show.promotion(promotion, live.release.about["source"]), markup=False)
    out.print(show.classes(folder, live))
    out.print(show.drift(folder), markup=False)
    out.print(show.next_steps(live.release.about["source"], folder, version), markup=False)


def _credit(job: Job, grade_as_of: date | None) -> tuple[Trained | str, Advised | None]:
    """The model of arrears, and the advice of the one that is live: before the features, of which the grade is one."""
    from features.tables.ingest import data_end
    from serving import arrears
    from training.arrears import fit

    day = grade_as_of or data_end(job.report())
    trained = arrears.train(job, day)
    return trained, arrears.grade(job, day) if fit.fetch(job.source.name) else None


@app.command()
def ingest(
    source: SourceOption = "sample",
    raw: RawOption = None,
    home: HomeOption = None,
    customers: CustomersOption = 2_000,
    afresh: Annotated[bool, typer.Option("--afresh", help="read every file again, also those read before")] = False,
) -> None:
    """What is new in the raw tables → events, customers, items; lines that cannot be accepted → quarantine."""
    from serving import cases, show

    if cases.describes(source):
        cases.read(source, raw, home)
        return
    with open_job(source, home, raw) as job:
        done = job.ingest(customers, afresh)
    out.print(show.rows(done.counts))
    out.print(show.run_note(done), markup=False)


features_app = typer.Typer(invoke_without_command=True)
app.add_typer(features_app, name="features")


@features_app.callback()
def features(
    context: typer.Context,
    source: SourceOption = "sample",
    home: HomeOption = None,
    as_of: AsOfOption = None,
    grade_as_of: GradeOption = None,
    horizon: HorizonOption = None,
) -> None:
    """Events → feature rows and labels at every date of the run; `scoring features list` prints what they are."""
    if context.invoked_subcommand is not None:
        return
    with open_job(source, home, horizon=horizon) as job:
        job.features(as_day(as_of), as_day(grade_as_of))
    out.print(f"Feature rows are in {job.workspace.features}.", markup=False)


@features_app.command("list")
def list_features(markdown: Annotated[bool, typer.Option("--markdown", help="as the reference page")] = False) -> None:
    """Print the catalogue: every feature with its family, unit, window and meaning."""
    from features.catalogue import page
    from serving import show

    if markdown:
        sys.stdout.write(page.markdown())
    else:
        out.print(show.catalogue())


app.add_typer(quarantine_commands.app, name="quarantine")
app.add_typer(identity_commands.app, name="identity")
app.add_typer(event_commands.app, name="event")
app.add_typer(override_commands.app, name="override")
app.add_typer(key_commands.app, name="key")
app.add_typer(decide_commands.app, name="decide")
app.add_typer(arrears_commands.app, name="arrears")


@app.command()
def train(
    source: SourceOption = "sample",
    home: HomeOption = None,
    scheme: SchemeOption = None,
    horizon: HorizonOption = None,
) -> None:
    """Feature rows → a candidate release, judged on the test dates and refitted on all closed targets."""
    with open_job(source, home, scheme=scheme, horizon=horizon) as job:
        release = job.train()
    out.print(f"Fitted: {', '.join(release.about['tasks']) or 'nothing'}. Next: scoring evaluate.", markup=False)


@app.command()
def evaluate(source: SourceOption = "sample", home: HomeOption = None, scheme: SchemeOption = None) -> None:
    """The candidate beside the baselines; logged and registered in MLflow."""
    from features.workspace import read_json
    from serving import release_tables, show

    with open_job(source, home, scheme=scheme) as job:
        version, found = job.evaluate()
    about = read_json(job.workspace.training / "release" / "release.json")
    out.print(show.verdicts(found.verdicts, about))
    out.print(show.ladder(about), markup=False)
    out.print(release_tables.report(found.report))
    out.print(f"Registered as version {version}. Next: scoring promote.", markup=False)


@app.command()
def classify(source: SourceOption = "sample", home: HomeOption = None) -> None:
    """The champion grades the whole base; the online store gets the result."""
    from serving import show

    with open_job(source, home) as job:
        live, folder = job.classify()
    out.print(show.classes(folder, live))
    out.print(show.drift(folder), markup=False)


@app.command()
def reclassify(
    source: SourceOption = "sample",
    home: HomeOption = None,
    month: MonthOption = None,
    version: VersionOption = None,
    restate: RestateOption = "",
    engine: EngineOption = Engine.LOCAL,
) -> None:
    """A month graded beside the month before: who changed class and why; the online store gets the result."""
    from serving import show

    with open_job(source, home) as job:
        done = job.reclassify(month, version, restate, engine)
    out.print(show.classes(done.month.folder, done.live))
    out.print(show.monthly(done), markup=False)


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


if __name__ == "__main__":
    main()
