"""Arrears of one source: the model that is learnt from its invoices, and the advice that follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from classification.credit.advice import write_advice
from classification.credit.attribute import note_grades
from classification.credit.grade import grade_credit
from features.company import Company
from features.errors import InputError
from features.tables.audit import open_audit
from features.tables.ingest import data_end
from serving.steps import Job
from training import registry
from training.arrears import fit
from training.arrears.invoice_cases import TASK
from training.arrears.settings import load_arrears
from training.cases.learn import Learnt
from training.cases.publish import publish
from training.cases.settings import load_case_settings

TRAIN = "Run `scoring arrears train`."


@dataclass(frozen=True)
class Trained:
    """A judged model and its version; against: why it does not go live by itself, empty where it is live."""

    learnt: Learnt
    version: int
    against: list[str]


@dataclass(frozen=True)
class Advised:
    """The advice of a day (`credit.advice.SCHEMA`) and its folder; noted: whether its grade is the class of credit."""

    on: date
    table: pa.Table
    folder: Path
    noted: bool


def check(job: Job) -> None:
    """Refuse a source that bills nobody."""
    if lacks := job.lacking()[TASK]:
        raise InputError(job.workspace.tables, lacks, "invoices with a due day, and payments")


def train(job: Job, on: date, late_days: int | None = None) -> Trained | str:
    """Learn from the invoices decided before `on`, register the model, and let it answer when it passes its check; or
    why there is none. late_days: instead of those of the settings."""
    settings, cases, source = load_arrears(late_days=late_days), load_case_settings(), job.source
    asked = fit.question(source.name, source.title, settings.late_days, source.simulated)
    company = Company.from_json(job.report()["company"])
    learnt = fit.train(job.workspace, asked, company, on, settings, cases, job.progress)
    if isinstance(learnt, str):
        return learnt
    said = cases.model_copy(update={"last": settings.last})
    more = {f"arrears.{name}": value for name, value in settings.model_dump(exclude={"advice"}).items()}
    version = publish(job.workspace.arrears, learnt, said, job.progress, more=more)
    against = fit.refused(learnt.judgement, settings) + _another_question(source.name, settings.late_days)
    if not against:
        before = registry.champion_version(source.name, TASK)
        registry.promote(source.name, version, TASK)
        why = "passed its check"
        open_audit(job.workspace.home, None).append("promote arrears", None, why, earlier=before, version=version)
    return Trained(learnt, version, against)


def _another_question(source: str, late_days: int) -> list[str]:
    """Why a model that asks something else than the live one does not take its place by itself."""
    live = fit.fetch(source)
    if live is None or live.late_days == late_days:
        return []
    return [f"version {live.version}, which is live, asks for {live.late_days} days late and this one for {late_days}"]


def grade(job: Job, on: date) -> Advised:
    """Advise on every customer with invoices before `on`, and keep the grade for the scheme. Raises InputError where
    no model is live, and for a day after the end of the data."""
    model, told = fit.fetch(job.source.name), job.report()
    if model is None:
        raise InputError(job.workspace.arrears.home, "no model of arrears that is live", "one", TRAIN)
    if on > data_end(told):
        raise InputError("--on", str(on), f"a day up to {data_end(told)}, the end of the data")
    company, settings = Company.from_json(told["company"]), load_arrears(late_days=model.late_days)
    found = grade_credit(job.workspace, company, model, on, settings, load_case_settings(), job.progress)
    about = {"model": model.name, "version": model.version, "late_days": model.late_days}
    folder = write_advice(job.workspace, on, found, about)
    return Advised(on, found, folder, note_grades(job.workspace, job.source, found, on))
