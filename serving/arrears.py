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
    version = publish(job.workspace.arrears, learnt, cases, job.progress)
    against = fit.refused(learnt.judgement, settings)
    if not against:
        registry.promote(source.name, version, TASK)
    return Trained(learnt, version, against)


def grade(job: Job, on: date) -> Advised:
    """Advise on every customer with invoices before `on`, and keep the grade for the scheme. Raises InputError where
    no model is live."""
    model, told = fit.fetch(job.source.name), job.report()
    if model is None:
        raise InputError(job.workspace.arrears.home, "no model of arrears that is live", "one", TRAIN)
    company, settings = Company.from_json(told["company"]), load_arrears(late_days=model.late_days)
    found = grade_credit(job.workspace, company, model, on, settings, load_case_settings(), job.progress)
    about = {"model": model.name, "version": model.version, "late_days": model.late_days}
    folder = write_advice(job.workspace, on, found, about)
    return Advised(on, found, folder, note_grades(job.workspace, job.source, found, on))
