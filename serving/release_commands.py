"""Which release is live: promote one, go back, look at the ledger, compare two."""

from __future__ import annotations

import webbrowser
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from features.tables.sources import load_source
from serving.options import HomeOption, SourceOption, err, open_job, out

ApproveOption = Annotated[str, typer.Option("--approve", metavar="NAME", help="who lets it go live all the same")]
ByOption = Annotated[str, typer.Option("--by", help="who does it; by default the user of this machine")]
VersionOption = Annotated[int | None, typer.Option("--version", min=1, help="by default the newest")]
ToOption = Annotated[int | None, typer.Option("--to", min=1, help="by default the release that was live before")]
AtOption = Annotated[
    datetime | None,
    typer.Option(
        "--at", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="which was live then (UTC; a day: at its end)"
    ),
]
OneArgument = Annotated[int, typer.Argument(min=1, help="a version of the release")]
OtherArgument = Annotated[int, typer.Argument(min=1, help="another")]
OpenOption = Annotated[bool, typer.Option("--open", help="open the page in a browser; `scoring ui` must run")]
UiOption = Annotated[str, typer.Option("--ui", help="where the MLflow UI answers")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (promote, rollback, releases, compare):
        app.command()(command)


def promote(
    source: SourceOption = "sample",
    home: HomeOption = None,
    version: VersionOption = None,
    approve: ApproveOption = "",
    by: ByOption = "",
) -> None:
    """Make a registered release the champion, when it passed the gate or somebody approves it."""
    from serving import show

    with open_job(source, home) as job:
        promotion = job.promote(version, approve, by)
    out.print(show.promotion(promotion, job.source.name), markup=False)
    if not promotion.promoted:
        raise typer.Exit(1)


def rollback(
    source: SourceOption = "sample",
    home: HomeOption = None,
    to: ToOption = None,
    approve: ApproveOption = "",
    by: ByOption = "",
) -> None:
    """Make an earlier release the champion again."""
    from serving import show

    with open_job(source, home) as job:
        promotion = job.rollback(to, approve, by)
    out.print(show.promotion(promotion, job.source.name), markup=False)


def releases(source: SourceOption = "sample", at: AtOption = None) -> None:
    """The ledger: which release was live when, who decided it, and why; checks that no line was changed."""
    from serving import release_tables
    from training.ledger import read_ledger

    ledger = read_ledger(load_source(source).name)
    out.print(release_tables.lines(ledger))
    if at is not None:
        whole_day = at == at.replace(hour=0, minute=0, second=0)
        version = ledger.live_at(at.replace(tzinfo=UTC) + (timedelta(days=1) if whole_day else timedelta(0)))
        out.print(f"\nLive on {at:%Y-%m-%d}: {f'version {version}' if version else 'nothing'}.", markup=False)
    if findings := ledger.findings():
        for finding in findings:
            err.print(f"The ledger does not hold: {finding}.", markup=False)
        raise typer.Exit(1)
    out.print(f"\n{len(ledger.lines)} lines hold; the digest of all is {ledger.digest(ledger.last)}.", markup=False)


def compare(
    one: OneArgument,
    other: OtherArgument,
    source: SourceOption = "sample",
    open_page: OpenOption = False,
    ui: UiOption = "http://127.0.0.1:5000",
) -> None:
    """Two versions side by side: test metrics, verdicts, and the page of the MLflow UI that compares them."""
    from serving import release_tables
    from training import registry

    name = load_source(source).name
    tags = [registry.tags_of(name, version) for version in (one, other)]
    metrics = [registry.metrics_of(name, version) for version in (one, other)]
    out.print(release_tables.comparison((one, other), metrics, tags))
    page = ui.rstrip("/") + registry.comparison_page(name, one, other)
    out.print(f"\nSide by side in the MLflow UI (scoring ui):\n{page}", markup=False, soft_wrap=True)
    if open_page:
        webbrowser.open(page)
