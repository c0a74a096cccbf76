"""`scoring drift`: whether the last grading's customers are still those of before, and how the last predictions did."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from features.workspace import read_json
from serving.options import HomeOption, SourceOption, open_job, out

if TYPE_CHECKING:
    from serving.steps import Job
    from training.drift.alarm import Movement
    from training.drift.report import DriftReport
    from training.realised import Realised

AllOption = Annotated[bool, typer.Option("--all", help="every column that was judged, not only the furthest")]
SHOWN = 5


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(drift)


def drift(source: SourceOption = "sample", home: HomeOption = None, everything: AllOption = False) -> None:
    """The last grading beside the month before and its own past; the last predictions beside what happened."""
    from classification.snapshots import newest_snapshot
    from training import registry
    from training.drift.report import drift_report

    with open_job(source, home) as job:
        job.report()
        release = registry.fetch(job.source.name)
        folder = newest_snapshot(job.workspace, release.version)
        as_of = date.fromisoformat(read_json(folder / "snapshot.json")["as_of"])
        report = drift_report(job.workspace, release, as_of, folder, job.progress)
        became = _realised(job)
    out.print(_table(report, everything))
    for line in report.sentences:
        out.print(line, markup=False)
    if became is None:
        closes = as_of + timedelta(days=release.about["horizon_days"])
        out.print(f"\nNo grading's outcomes have closed; those of {as_of} will on {closes}.", markup=False)
        return
    out.print(_outcomes(became))
    for line in became.sentences:
        out.print(line, markup=False)


def _realised(job: Job) -> Realised | None:
    """The newest grading whose outcomes have closed, judged and written beside its grades; None when there is none."""
    from features.tables.ingest import data_end
    from training import registry
    from training.realised import realised, write_realised

    end = data_end(job.report())
    for folder in sorted(job.workspace.grades.glob("????-??-??-v*"), reverse=True):
        if date.fromisoformat(folder.name[:10]) >= end:
            continue
        version = int(folder.name.rpartition("-v")[2])
        about = registry.fetch(job.source.name, version).about
        if date.fromisoformat(folder.name[:10]) + timedelta(days=about["horizon_days"]) <= end:
            found = realised(job.workspace, folder, about, registry.metrics_of(job.source.name, version))
            write_realised(found, folder)
            return found
    return None


def _table(report: DriftReport, everything: bool) -> Table:
    against = f"{report.against}, as it was graded" if report.recorded else f"{report.against}"
    table = Table(title=f"Drift on {report.as_of} against {against}", title_justify="left", box=None, pad_edge=False)
    for name in ("column", "PSI", "usually", "q", ""):
        table.add_column(name, justify="left" if name in ("column", "") else "right")
    judged = sorted((each for each in report.movements if each.p is not None), key=_furthest)
    for each in judged if everything else judged[: len(report.alarms) + SHOWN]:
        usual = f"{each.usual[0]:.3f} to {each.usual[1]:.3f}" if each.usual else ""
        table.add_row(each.name, f"{each.psi:.3f}", usual, f"{each.q:.2g}", "moved" if each.alarm else each.why_not)
    return table


def _furthest(each: Movement) -> tuple[bool, float, str]:
    return not each.alarm, -(each.psi or 0.0), each.name


def _outcomes(report: Realised) -> Table:
    title = f"\nPredictions of {report.as_of} (version {report.version}), whose outcomes closed on {report.closed}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("task", "metric", "realised [95 %]", "promised", ""):
        table.add_column(name, justify="left" if name in ("task", "metric", "") else "right", no_wrap=True)
    for each in report.outcomes:
        for m in each.measures:
            promised = "" if m.promised is None else f"{m.promised:.3f}"
            interval = f"{m.value:.3f} [{m.low:.3f}, {m.high:.3f}]"
            table.add_row(each.task, m.name, interval, promised, "worse" if m.broken else "")
        usual = f"{_short(each.usual[0])} to {_short(each.usual[1])}" if each.usual else ""
        rate = f"{_short(each.rate[0])} [{_short(each.rate[1])}, {_short(each.rate[2])}]"
        table.add_row(each.task, "mean outcome", rate, usual, "moved" if each.rate_moved else "")
        table.add_row(each.task, "customers", f"{each.customers:,}", "", "")
    return table


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"
