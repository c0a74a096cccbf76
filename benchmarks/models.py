"""The models beside their baselines: `make bench-models`, or `python -m benchmarks.models [--quick] [--json]`.

Five runs over the data in ../shared/data: each is trained on dates 30 days apart whose labels close before the test
date, and compared with the best baseline on the same customers, everybody who ever bought. The baseline is picked on
the test and kept in the resamples. `--quick` is CDNOW, 90 days; `--only RUN` any one of them.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmarks.report import RESULTS, Target, machine, markdown, print_targets, say
from benchmarks.resample import Interval, auc_many, differences, log_loss_many, ngini_many
from features.batch import feature_table, matrix
from features.catalogue import CATALOGUE, NAMES, POSITION
from features.tables.sources import load_source
from features.workspace import Workspace
from serving.steps import Job
from training.baselines import base_rhythms, rivals
from training.labels import churn, closes, label_features, value
from training.metrics import auc, bias, ece, log_loss, ngini, rmse
from training.models.inputs import Examples
from training.models.ladder import Lesson, Question, fit_rung
from training.recipes import Boosting, load_settings
from training.rhythm import Rhythm, fit_rhythm

Array = NDArray[np.float64]

SHARED = Path("../shared/data")
DATA = Path("data/benchmarks/models")
STEP_DAYS, DATES, HISTORY_DAYS, SEASON_DAYS = 30, 12, 90, 20
SEED = 1
PACKAGES = ("lightgbm", "scikit-learn", "scipy", "numpy")


@dataclass(frozen=True)
class Run:
    """A source, where its raw files are, its first day, the test date and the horizon."""

    name: str
    source: str
    raw: str
    first: date
    test: date
    horizon_days: int

    @property
    def dates(self) -> list[date]:
        """Training dates, in order, then the test date."""
        last = self.test - timedelta(days=self.horizon_days)
        found = [last - timedelta(days=STEP_DAYS * k) for k in range(DATES)]
        return [*sorted(day for day in found if day >= self.first + timedelta(days=HISTORY_DAYS)), self.test]


RUNS = (
    Run("CDNOW 90 d", "cdnow", "cdnow", date(1997, 1, 1), date(1998, 4, 1), 90),
    Run("CDNOW 180 d", "cdnow", "cdnow", date(1997, 1, 1), date(1998, 1, 1), 180),
    Run("Online Retail 90 d", "online-retail", "online_retail", date(2009, 12, 1), date(2011, 9, 10), 90),
    Run("Online Retail 180 d", "online-retail", "online_retail", date(2009, 12, 1), date(2011, 6, 12), 180),
    Run("ESSEC 364 d", "essec", "essec_purchases", date(2005, 1, 2), date(2015, 1, 1), 364),
)


@dataclass(frozen=True)
class Day:
    """Everybody who had bought by a date: rows (n, features), the BTYD model of that date, labels by question."""

    day: date
    rows: Array
    rhythm: Rhythm
    labels: dict[Question, Array]

    def examples(self, question: Question) -> Examples:
        """As the models take them."""
        return Examples(self.rows, self.rhythm, self.labels[question])


@dataclass(frozen=True)
class Result:
    """One question of one run: how the model and the best baseline did."""

    run: str
    question: Question
    customers: int
    ours: float
    rival: str
    theirs: float
    better: Interval
    details: dict[str, float]
    loss: Interval
    seconds: float


def days(run: Run) -> list[Day]:
    """Feature rows and labels of all dates of a run; what was ingested is kept under data/benchmarks."""
    home = Workspace(DATA / run.source)
    source = load_source(run.source)
    job = Job(source, home, SHARED / run.raw)
    if not (home.tables / "report.json").exists():
        say(f"ingest {run.source}")
        job.ingest()
    found = feature_table(home.tables, source.company(), CATALOGUE, run.dates)
    ends = [closes(day, run.horizon_days) for day in run.dates]
    next_ = feature_table(home.tables, source.company(), label_features(run.horizon_days), ends)
    return [_day(run, day, found, next_) for day in run.dates]


def _day(run: Run, day: date, found: pa.Table, next_: pa.Table) -> Day:
    table, later = _at(found, day), _at(next_, closes(day, run.horizon_days))
    rows = matrix(table, NAMES)
    position = {id_: i for i, id_ in enumerate(later["customer_id"].to_pylist())}
    order = np.array([position[id_] for id_ in table["customer_id"].to_pylist()])
    orders, spend = (matrix(later, (name,))[order, 0] for name in ("orders_next", "spend_next"))
    bought = rows[:, POSITION["order_days"]] > 0
    labels: dict[Question, Array] = {"silence": churn(orders)[bought], "spend": value(spend)[bought]}
    return Day(day, rows[bought], fit_rhythm(rows), labels)


def _at(table: pa.Table, day: date) -> pa.Table:
    return table.filter(pc.equal(table["as_of"], pa.scalar(day, pa.date32())))


def judge(run: Run, question: Question, known: list[Day], boosting: Boosting, resamples: int) -> Result:
    """Fit on all days but the last, which is asked about."""
    *train, test = known
    learnt = [each.examples(question) for each in train]
    year_ago = test.day - timedelta(days=365)
    near = min(range(len(train)), key=lambda i: abs((train[i].day - year_ago).days))
    season = learnt[near] if abs((train[near].day - year_ago).days) <= SEASON_DAYS else None
    lesson = Lesson(learnt, season, test.rhythm, run.horizon_days, test.rows)
    start = time.perf_counter()
    found = fit_rung("lightgbm", question, lesson, boosting, SEED).predict(test.rows, run.horizon_days)
    seconds = time.perf_counter() - start
    others = rivals(question, learnt, base_rhythms(test.rows), test.rows, run.horizon_days)
    y, one = test.labels[question], np.ones(len(test.rows))
    metric, many = (auc, auc_many) if question == "silence" else (ngini, ngini_many)
    scores = {name: metric(y, predicted, one) for name, predicted in others.items()}
    best = max(scores, key=lambda name: scores[name])
    better = differences(many, y, found, others[best], resamples, SEED)
    if question == "silence":
        losses = {name: log_loss(y, p, one) for name, p in others.items()}
        calm = min(losses, key=lambda name: losses[name])
        loss = differences(log_loss_many, y, found, others[calm], resamples, SEED)
        details = {"ece": ece(y, found, one), "log_loss": log_loss(y, found, one), "best log_loss": losses[calm]}
    else:
        btyd, loss = rmse(y, others["mbg_nbd"], one), Interval(0.0, 0.0, 0.0)
        details = {"bias": bias(y, found, one), "btyd bias": bias(y, others["mbg_nbd"], one)}
        details["rmse / btyd"] = rmse(y, found, one) / btyd
    ours = metric(y, found, one)
    return Result(run.name, question, len(y), ours, best, scores[best], better, details, loss, seconds)


def targets(results: list[Result]) -> list[Target]:
    """The promises that these runs can keep."""
    churns, values = ([each for each in results if each.question == asked] for asked in ("silence", "spend"))
    every = len(churns)
    bias_off = max(abs(each.details["bias"] - 1) for each in values)
    return [
        Target("churn: runs with ΔAUC above 0", f"≥{min(3, every)}", sum(r.better.low > 0 for r in churns), "runs"),
        Target("churn: runs significantly below", "≤0", sum(r.better.high < 0 for r in churns), "runs"),
        Target("churn: mean ΔAUC", "≥0.004", float(np.mean([r.better.difference for r in churns])), "AUC"),
        Target(
            "churn: runs with ECE ≤ .03", f"≥{min(4, every)}", sum(r.details["ece"] <= 0.03 for r in churns), "runs"
        ),
        Target("churn: largest ECE", "≤0.05", max(r.details["ece"] for r in churns), "ECE"),
        Target("churn: runs with log-loss worse", "≤0", sum(r.loss.low > 0 for r in churns), "runs"),
        Target("value: runs with ΔnGini above 0", f"≥{every}", sum(r.better.low > 0 for r in values), "runs"),
        Target("value: mean ΔnGini", "≥0.015", float(np.mean([r.better.difference for r in values])), "nGini"),
        Target("value: distance of predicted / actual from 1", "≤0.15", bias_off, "ratio"),
        Target("value: largest RMSE / BTYD", "≤1.02", max(r.details["rmse / btyd"] for r in values), "ratio"),
    ]


def rows_of(results: list[Result]) -> str:
    """The table of results as Markdown."""
    said: list[dict[str, object]] = [
        {
            "run": r.run, "asked": "churn" if r.question == "silence" else "value", "customers": r.customers,
            "ours": f"{r.ours:.4f}", "best baseline": f"{r.rival} {r.theirs:.4f}", "Δ [95 %]": r.better.said(4),
            "details": ", ".join(f"{name} {number:.3f}" for name, number in r.details.items()),
            "Δ log-loss [95 %]": r.loss.said(4) if r.question == "silence" else None, "fit s": f"{r.seconds:.1f}",
        }
        for r in results
    ]  # fmt: skip
    return markdown(said)


def main() -> None:
    """Run, print the targets, and, unless `--quick` or `--only`, write benchmarks/results/models.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="CDNOW, 90 days, fewer resamples")
    parser.add_argument("--only", help="the name of one run")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    os.environ.setdefault("CUSTOMER_SCORING_KEY", "benchmarks only: thirty-two characters or more")
    runs = [run for run in RUNS if run.name == given.only] if given.only else RUNS[:1] if given.quick else RUNS
    boosting, results = load_settings().boosting, []
    for run in runs:
        known = days(run)
        for question in ("silence", "spend"):
            results.append(judge(run, question, known, boosting, 200 if given.quick else 2_000))
            say(rows_of(results[-1:]).splitlines()[-1])
    found = targets(results)  # segments and cases: their targets are added here, their tables to `parts`
    print_targets(found, given.json)
    if not given.quick and not given.only:
        said = [{**vars(each), "holds": "yes" if each.holds else "no"} for each in found]
        parts = [
            "# Models beside their baselines", "Made by `make bench-models` on " + machine(PACKAGES),
            __doc__.split("\n\n")[1].replace("\n", " "), markdown(said), rows_of(results),
        ]  # fmt: skip
        (RESULTS / "models.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
