"""Arrears: invoices judged in time on the accounts-receivable set and on the sample company, and the overdue amounts
that were expected beside those that came; a part of `benchmarks.risk`."""

from __future__ import annotations

import secrets
import tempfile
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from benchmarks.cases_part import DATA, Run, table
from benchmarks.credit_part import sql_difference
from benchmarks.report import Part, Target, say
from classification.arrears.chances import chances
from classification.arrears.receivables import days_overdue
from features.company import Company
from features.receivables import invoices
from features.tables.ingest import data_end, ingest
from features.tables.privacy import Pseudonyms
from features.tables.simulate import simulate
from features.tables.sources import load_source
from features.workspace import Workspace, read_json
from training.arrears.curve import Curves
from training.arrears.fit import CURVES, ArrearsModel, question, train
from training.arrears.settings import ArrearsSettings, load_arrears
from training.cases.history import OWN_HISTORY
from training.cases.learn import MODEL, Learnt
from training.cases.settings import load_case_settings

BACK = timedelta(days=280)
"""How long before the end of the data the model that expects overdue amounts is trained."""


def receivable() -> Part:
    """Late or not: of the last quarter in time, beside the customer's own history."""
    with tempfile.TemporaryDirectory() as home:
        learnt, _ = learn(Workspace(Path(home)), "accounts-receivable", DATA / "accounts_receivable", 0)
    judged = learnt.judgement
    own, other = (judged.metrics[name]["auc"] for name in (judged.chosen, OWN_HISTORY))
    better = judged.differences["auc"]
    targets = [
        Target("accounts-receivable: AUC of the chosen, last 25 %", "≥0.86", own.value, ""),
        Target("accounts-receivable: beside own history", "≥-0.02", own.value - other.value, "AUC"),
        Target("accounts-receivable: upper end beside the best other", "≥0", better.high, "AUC"),
        Target("accounts-receivable: SQL beside the model", "≤1e-9", sql_difference(learnt), "points"),
    ]
    return targets, table([Run("accounts-receivable", judged)])


def sample() -> Part:
    """More than 30 days late, and the amounts overdue 30, 60 and 90 days later, on each first of a month."""
    with tempfile.TemporaryDirectory() as folder:
        home, raw = Workspace(Path(folder) / "home"), Path(folder) / "raw"
        simulate(raw)
        learnt, end = learn(home, "sample", raw, None, BACK)
        found = expected_beside_actual(home, learnt, end)
    chosen = learnt.judgement.metrics[learnt.judgement.chosen]["auc"].value
    targets = [
        Target("sample: AUC of the chosen, more than 30 days late", "≥0.8", chosen, ""),
        *(Target(f"sample: overdue in {days} days, expected / actual", "≥0.8", ratio, "") for days, ratio in found),
        *(Target(f"sample: overdue in {days} days, no more than", "≤1.25", ratio, "") for days, ratio in found),
    ]
    return targets, table([Run("sample", learnt.judgement)])


def learn(
    home: Workspace, name: str, raw: Path, late_days: int | None, back: timedelta = timedelta()
) -> tuple[Learnt, date]:
    """A source read and learnt from, as known so long before the end of its data; and that end."""
    say(f"learn from {name}")
    source, settings = load_source(name), load_arrears(late_days=late_days)
    ingest(source, raw, home, Pseudonyms(secrets.token_bytes(32)))
    report = read_json(home.tables / "report.json")
    end, company = data_end(report), Company.from_json(report["company"])
    asked = question(source.name, source.title, settings.late_days)
    learnt = train(home, asked, company, end - back, settings, load_case_settings())
    if isinstance(learnt, str):
        raise RuntimeError(f"{name}: {learnt}")
    return learnt, end


def expected_beside_actual(home: Workspace, learnt: Learnt, end: date) -> list[tuple[int, float]]:
    """days → what was expected to be overdue over what then was, of the invoices open on each day asked, all added."""
    settings = load_arrears()
    company = Company.from_json(read_json(home.tables / "report.json")["company"])
    model = _model(home, learnt, settings)
    last = {row["ref"]: row["settled"] for row in invoices(home.tables, company.timezone, end).to_pylist()}
    sums = {days: [0.0, 0.0] for days in settings.horizons}
    day = (end - BACK).replace(day=1)
    while day + timedelta(days=max(settings.horizons)) <= end:
        billed = invoices(home.tables, company.timezone, day)
        billed = billed.filter(np.asarray(billed["open"].to_numpy() > 0))
        chance, since = chances(home.tables, company, model, billed, day), days_overdue(billed, day)
        open_, settled = billed["open"].to_numpy(), [last[ref] for ref in billed["ref"].to_pylist()]
        for days, (expected, actual) in sums.items():
            due = (since + days > 0) & ~np.isnan(chance)  # of who objects to profiling nothing is expected
            then = day + timedelta(days=days)
            still = np.array([each is None or each >= then for each in settled])
            stays = model.curves.still_open(chance, since, since + days)
            sums[days] = [expected + float((open_ * stays)[due].sum()), actual + float(open_[due & still].sum())]
        day = (day + timedelta(days=32)).replace(day=1)
    return [(days, expected / actual) for days, (expected, actual) in sums.items()]


def _model(home: Workspace, learnt: Learnt, settings: ArrearsSettings) -> ArrearsModel:
    curves = Curves.from_json(read_json(home.arrears.training / MODEL / CURVES))
    return ArrearsModel("sample.arrears", 0, learnt.model, learnt.scorecard, curves, settings.late_days)
