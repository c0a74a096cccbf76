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
    from serving.arrears import Advised, Trained
    from serving.steps import Job
    from training.arrears.fit import ArrearsModel
    from training.arrears.settings import ArrearsSettings

app = typer.Typer(no_args_is_help=True, help=__doc__)

LateOption = Annotated[
    int | None,
    typer.Option("--late-days", min=0, max=3650, help="days after the due day; by default as in configs/arrears.yaml"),
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
    from features.tables.ingest import data_end
    from serving import arrears

    with open_job(source, home) as job:
        arrears.check(job)
        found = arrears.train(job, data_end(job.report()), late_days)
    tell_trained(found, job)
    if not isinstance(found, str) and not found.against:
        out.print("Next: scoring arrears grade, scoring arrears list, scoring arrears report.", markup=False)


def tell_trained(found: Trained | str, job: Job) -> None:
    """How the candidates fared, and whether the model answers."""
    from serving.cases import tell

    if isinstance(found, str):
        out.print(f"\narrears is skipped: {found}.", markup=False, soft_wrap=True)
        return
    tell(found.learnt, None, found.version, job.workspace.arrears)
    for why in found.against:
        out.print(f"It does not go live: {why}.", markup=False, soft_wrap=True)
    if not found.against:
        out.print(f"Version {found.version} is live.", markup=False)


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
        open_audit(job.workspace.home, None).append("promote arrears", None, approve, earlier=before, version=version)
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
        if found.answers:
            title = "Of what is open now, overdue after so many days"
            out.print(table(title, expected.to_pylist(), job))
        _say_model(found)


@app.command()
def grade(source: SourceOption = "sample", home: HomeOption = None, on: OnOption = None) -> None:
    """Credit advice on every customer with invoices: probability, score, grade, reasons, reference limit."""
    from features.tables.ingest import data_end
    from serving import arrears

    with open_job(source, home) as job:
        arrears.check(job)
        found = arrears.grade(job, as_day(on) or data_end(job.report()))
        tell_advised(found, job)


def tell_advised(found: Advised, job: Job) -> None:
    """How many customers of each grade, and what is advised about them."""
    from serving.worklist_commands import table
    from training.arrears.settings import load_arrears

    advice = load_arrears().advice
    counted = found.table.group_by("grade").aggregate([([], "count_all"), ("probability", "mean"), ("open", "sum")])
    rows = counted.rename_columns(["grade", "customers", "probability", "open"]).sort_by("grade").to_pylist()
    out.print(table(f"Credit advice on {found.on}", [r | {"advice": advice.get(r["grade"], "")} for r in rows], job))
    said = f"Written to {found.folder}. Advice: a person decides (`scoring decide credit`)."
    own = "is not the class: the source has credit grades of its own"
    counts = f"counts in gradings of {found.on} and later" if found.noted else own
    out.print(f"{said} The grade {counts}.", markup=False, soft_wrap=True)


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
    def answers(self) -> bool:
        """Whether a model is live and does not abstain."""
        return self.model is not None and bool(self.model.model.parts)

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
    from serving import arrears
    from training.arrears import fit
    from training.arrears.settings import load_arrears

    with open_job(source, home) as job:
        arrears.check(job)
        told = job.report()
        company, day = Company.from_json(told["company"]), as_day(on) or data_end(told)
        model = fit.fetch(job.source.name)
        billed = with_class(invoices(job.workspace.tables, company.timezone, day), _classes(job, day))
        chance = chances(job.workspace.tables, company, model, billed, day, job.progress)
        yield _Opened(job, day, load_arrears(), company, billed, model, chance)


def _classes(job: Job, on: date) -> pa.Table | None:
    """customer_id, class of value of the last month that was graded by a day; None where none was."""
    from classification.months import CLASS, months
    from classification.past import VALUE_DIMENSION
    from features.workspace import read_parquet

    graded = [month for month in months(job.workspace) if month.as_of <= on]
    if not graded:
        return None
    columns = ["customer_id", f"{CLASS}{VALUE_DIMENSION}"]
    return read_parquet(graded[-1].folder / "grades.parquet", columns=columns).rename_columns(["customer_id", "class"])


def _say_model(found: _Opened) -> None:
    from serving import arrears

    if found.model is None or not found.answers:
        out.print(f"No model of arrears is live: no probabilities. {arrears.TRAIN}", markup=False)
        return
    said = (
        f"Probabilities: {found.model.name} version {found.model.version}, open more than {found.model.late_days} days"
    )
    out.print(f"{said} after the due day. Advice: a person decides what follows from it.", markup=False, soft_wrap=True)
