"""`scoring arrears`: which invoices are likely to stay open, what is owed and for how long. Advice, never a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.errors import InputError
from serving.options import HomeOption, SourceOption, as_day, open_job, out

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from features.company import Company
    from serving.steps import Job
    from training.arrears.fit import ArrearsModel
    from training.arrears.settings import ArrearsSettings

app = typer.Typer(no_args_is_help=True, help=__doc__)

TRAIN = "Run `scoring arrears train`."

LateOption = Annotated[
    int | None, typer.Option("--late-days", min=0, help="days after the due day; by default as in configs/arrears.yaml")
]
OnOption = Annotated[
    datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="what is known before this day counts")
]
CsvOption = Annotated[Path | None, typer.Option("--csv", help="write the whole list to this file, for you alone")]
IdsOption = Annotated[
    bool, typer.Option("--ids", help="the company's own ids instead of pseudonyms; the audit log notes it")
]
NumberOption = Annotated[int, typer.Option("--version", min=1, help="of <source>.arrears")]
ApproveOption = Annotated[str, typer.Option("--approve", metavar="REASON", help="why, though it failed its check")]


@app.command()
def train(source: SourceOption = "sample", home: HomeOption = None, late_days: LateOption = None) -> None:
    """Invoices and payments → a model of arrears, judged on the last invoices; live when it passes its check."""
    from features.company import Company
    from features.tables.ingest import data_end
    from serving.cases import tell
    from training import registry
    from training.arrears import fit
    from training.arrears.invoice_cases import TASK
    from training.arrears.settings import load_arrears
    from training.cases.publish import publish
    from training.cases.settings import load_case_settings

    settings, cases = load_arrears(late_days=late_days), load_case_settings()
    with open_job(source, home) as job:
        _check(job)
        report = job.report()
        own = job.source
        asked = fit.question(own.name, own.title, settings.late_days, own.simulated)
        end, company = data_end(report), Company.from_json(report["company"])
        learnt = fit.train(job.workspace, asked, company, end, settings, cases, job.progress)
        if isinstance(learnt, str):
            out.print(f"\narrears is skipped: {learnt}.", markup=False, soft_wrap=True)
            return
        version = publish(job.workspace.arrears, learnt, cases, job.progress)
        against = fit.refused(learnt.judgement, settings)
        if not against:
            registry.promote(job.source.name, version, TASK)
    tell(learnt, None, version, job.workspace.arrears)
    for why in against:
        out.print(f"It does not go live: {why}.", markup=False, soft_wrap=True)
    if not against:
        out.print(f"Version {version} is live. Next: scoring arrears list, scoring arrears report.", markup=False)


@app.command()
def promote(
    version: NumberOption, approve: ApproveOption, source: SourceOption = "sample", home: HomeOption = None
) -> None:
    """Let a registered model of arrears answer, or an earlier one again; the reason goes to the audit log."""
    from features.tables.audit import open_audit
    from training import registry
    from training.arrears.invoice_cases import TASK

    if not approve.strip():
        raise InputError("--approve", "nothing", "why this version shall answer")
    with open_job(source, home) as job:
        before = registry.champion_version(job.source.name, TASK)
        registry.promote(job.source.name, version, TASK)
        open_audit(job.workspace.home, None).append("promote arrears", None, approve, before=before, version=version)
    out.print(
        f"Version {version} of {registry.model_name(source, TASK)} is live; before it was {before}.", markup=False
    )


@app.command("list")
def list_open(
    source: SourceOption = "sample",
    home: HomeOption = None,
    on: OnOption = None,
    to: CsvOption = None,
    ids: IdsOption = False,
) -> None:
    """Open invoices, the largest expected loss first: whom to talk to."""
    from classification.arrears.receivables import worklist
    from serving.worklist_commands import give

    with _opened(source, home, on) as found:
        rows = worklist(found.billed, found.chances, found.curves, found.on, found.settings.loss_days)
        give(found.job, f"open invoices on {found.on}", rows, to, ids)
        _say_model(found)


@app.command()
def report(source: SourceOption = "sample", home: HomeOption = None, on: OnOption = None) -> None:
    """Ageing, days sales outstanding, and overdue amounts to expect, by class of value."""
    from classification.arrears.receivables import ageing, days_sales_outstanding, expected_overdue
    from serving.worklist_commands import table

    with _opened(source, home, on) as found:
        job, settings = found.job, found.settings
        aged = ageing(found.billed, found.on, settings.ageing).to_pylist()
        out.print(table(f"Open by days overdue on {found.on}", aged, job))
        dso = days_sales_outstanding(found.billed, found.on, settings.sales_days).to_pylist()
        out.print(table(f"Days sales outstanding, over {settings.sales_days} days of billing", dso, job))
        expected = expected_overdue(found.billed, found.chances, found.curves, found.on, settings.horizons)
        if found.model is not None:
            title = "Of what is open now, overdue after so many days"
            out.print(table(title, expected.to_pylist(), job))
        _say_model(found)


@app.command()
def grade(source: SourceOption = "sample", home: HomeOption = None, on: OnOption = None) -> None:
    """Credit advice on every customer with invoices: probability, score, grade, reasons, reference limit."""
    from classification.credit.advice import write_advice
    from classification.credit.attribute import note_grades
    from classification.credit.grade import grade_credit
    from features.company import Company
    from features.tables.ingest import data_end
    from serving.worklist_commands import table
    from training.arrears import fit
    from training.arrears.settings import load_arrears
    from training.cases.settings import load_case_settings

    with open_job(source, home) as job:
        _check(job)
        told, model = job.report(), fit.fetch(job.source.name)
        if model is None:
            raise InputError(job.workspace.arrears.home, "no model of arrears that is live", "one", TRAIN)
        day, company = as_day(on) or data_end(told), Company.from_json(told["company"])
        settings, cases = load_arrears(late_days=model.late_days), load_case_settings()
        found = grade_credit(job.workspace, company, model, day, settings, cases, job.progress)
        about = {"model": model.name, "version": model.version, "late_days": model.late_days}
        folder = write_advice(job.workspace, day, found, about)
        noted = note_grades(job.workspace, job.source, found, day)
        counted = found.group_by("grade").aggregate([([], "count_all"), ("probability", "mean"), ("open", "sum")])
        rows = counted.rename_columns(["grade", "customers", "probability", "open"]).sort_by("grade").to_pylist()
        advised = [{**row, "advice": settings.advice.get(row["grade"], "")} for row in rows]
        out.print(table(f"Credit advice on {day}", advised, job))
    out.print(f"Written to {folder}. Advice: a person decides (`scoring decide credit`).", markup=False, soft_wrap=True)
    said = (
        f"counts in gradings of {day} and later"
        if noted
        else "is not the class: the source has credit grades of its own"
    )
    out.print(f"The grade {said}.", markup=False, soft_wrap=True)


@dataclass(frozen=True)
class _Opened:
    """Invoices of a source as they stand on a day. model: None where none is live; chances (n,): of arrears."""

    job: Job
    on: date
    settings: ArrearsSettings
    company: Company
    billed: pa.Table
    model: ArrearsModel | None
    chances: NDArray[np.float64]

    @property
    def curves(self) -> Any:
        """The payment curves of the model; without one, all stays open."""
        import numpy as np

        from training.arrears.curve import Curves

        return self.model.curves if self.model else Curves(np.empty(0), 0, np.ones((1, 1)))


@contextmanager
def _opened(source: str, home: Path | None, on: datetime | None) -> Iterator[_Opened]:
    from classification.arrears.chances import chances
    from classification.arrears.receivables import with_class
    from features.company import Company
    from features.receivables import invoices
    from features.tables.ingest import data_end
    from training.arrears import fit
    from training.arrears.settings import load_arrears

    with open_job(source, home) as job:
        _check(job)
        told = job.report()
        company, day = Company.from_json(told["company"]), as_day(on) or data_end(told)
        model = fit.fetch(job.source.name)
        billed = with_class(invoices(job.workspace.tables, company.timezone, day), _classes(job))
        chance = chances(job.workspace.tables, company, model, billed, day, job.progress)
        yield _Opened(job, day, load_arrears(), company, billed, model, chance)


def _check(job: Job) -> None:
    """Refuse a source that bills nobody."""
    lacks = job.lacking()["arrears"]
    if lacks:
        raise InputError(job.workspace.tables, lacks, "invoices with a due day, and payments")


def _classes(job: Job) -> pa.Table | None:
    """customer_id, class of value of the last graded month; None where none was graded."""
    from classification.months import CLASS, months
    from classification.past import VALUE_DIMENSION
    from features.workspace import read_parquet

    graded = months(job.workspace)
    if not graded:
        return None
    columns = ["customer_id", f"{CLASS}{VALUE_DIMENSION}"]
    return read_parquet(graded[-1].folder / "grades.parquet", columns=columns).rename_columns(["customer_id", "class"])


def _say_model(found: _Opened) -> None:
    if found.model is None:
        out.print(f"No model of arrears is live: no probabilities. {TRAIN}", markup=False)
        return
    said = (
        f"Probabilities: {found.model.name} version {found.model.version}, open more than {found.model.late_days} days"
    )
    out.print(f"{said} after the due day. Advice: a person decides what follows from it.", markup=False, soft_wrap=True)
