"""Churn and value beside their baselines on public data: `make bench-models`, or `python -m benchmarks.models`.

Each run trains on dates whose labels close before its test date, with the settings of `configs/training.yaml`, which
were chosen on earlier dates. All models answer for the same customers, and one paired bootstrap of customers gives the
intervals; the baseline is the one that is best on the test, and stays it in every resample. `--quick` is one small
run. Segments and tables of cases are measured by `benchmarks.segments` and `benchmarks.cases_part`, and printed too.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from benchmarks import cases_part, segments
from benchmarks.measure import measure
from benchmarks.report import RESULTS, Target, machine, markdown, print_targets, say
from features.tables.sources import load_source
from features.workspace import Workspace
from serving.steps import Job
from training.bootstrap import Resampled
from training.candidate import CANDIDATE, judged
from training.evaluate import models_of, resampled
from training.examples import read_base
from training.ladder import rung_of
from training.recipes import CHURN, VALUE, Recipe
from training.snapshots import read_cuts, read_origin

DATA = Path("../shared/data")
KEY = "benchmarks only: thirty-two characters or more"
BTYD = ("bg_nbd", "mbg_nbd", "pareto_nbd")
NO_FIRST_LOOK = (
    "The models and blends, and so AUC and nGini, were fixed on earlier dates. The rule that sets the level was "
    "changed after these test dates had been seen: ECE, log-loss, bias and RMSE are no first look."
)


@dataclass(frozen=True)
class Run:
    """A source, the folder of its raw files, how far it looks ahead, and the date that tests."""

    source: str
    raw: str
    horizon_days: int
    test: date

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.source} {self.horizon_days} d"


RUNS = (
    Run("cdnow", "cdnow", 90, date(1998, 4, 1)),
    Run("cdnow", "cdnow", 180, date(1998, 1, 1)),
    Run("online-retail", "online_retail", 90, date(2011, 9, 10)),
    Run("online-retail", "online_retail", 180, date(2011, 6, 12)),
    Run("essec", "essec_purchases", 364, date(2015, 1, 1)),
)
QUICK = RUNS[:1]


@dataclass(frozen=True)
class Result:
    """One task of a run: the best baseline, the difference of the deciding metric with its interval, and what else is
    promised. log_loss: difference from the best baseline's, with its interval; rmse: over the least of the BTYDs'."""

    run: Run
    task: str
    customers: int
    metrics: dict[str, float]
    best: str
    difference: tuple[float, float, float]
    log_loss: tuple[float, float, float] | None
    calibration: float
    rmse: float | None


def results(run: Run, home: Path) -> list[Result]:
    """Churn and value of one run."""
    say(f"{run.name}, tested on {run.test}")
    job = Job(load_source(run.source), Workspace(home / run.source), DATA / run.raw, horizon_days=run.horizon_days)
    if not job.workspace.tables.exists():
        job.ingest()
    job.features(run.test)
    cuts, origin = read_cuts(job.workspace), read_origin(job.workspace)
    base = read_base(job.workspace, cuts, job.settings(), origin.active_days, {})
    found = []
    for recipe in (CHURN, VALUE):
        table = judged(recipe, rung_of(recipe, base), base, run.test, {})
        found.append(_result(run, recipe, resampled(table), table.num_rows, models_of(table)))
    return found


def _result(run: Run, recipe: Recipe, drawn: Resampled, customers: int, models: tuple[str, ...]) -> Result:
    metric, level = ("auc", "ece") if recipe is CHURN else ("ngini", "bias")
    metrics = {name: drawn.point(metric, name) for name in models}
    best = max((name for name in models if name != CANDIDATE), key=lambda name: metrics[name])
    losses = rmse = None
    if recipe is CHURN:
        kept = {name: drawn.point("log_loss", name) for name in models if name != CANDIDATE}
        losses = _difference(drawn, "log_loss", min(kept, key=lambda name: kept[name]))
    else:
        rmse = drawn.point("rmse", CANDIDATE) / min(drawn.point("rmse", name) for name in BTYD)
    difference = _difference(drawn, metric, best)
    return Result(run, recipe.name, customers, metrics, best, difference, losses, drawn.point(level, CANDIDATE), rmse)


def _difference(drawn: Resampled, metric: str, rival: str) -> tuple[float, float, float]:
    found = drawn.compare(metric, CANDIDATE, rival)
    return found.difference, found.low, found.high


def targets(found: list[Result]) -> list[Target]:
    """What is promised of all runs together."""
    churn, value = ([each for each in found if each.task == task] for task in ("churn", "value"))
    most = max(1, round(0.6 * len(churn)))
    eces = sorted(each.calibration for each in churn)
    losses = [each.log_loss for each in churn if each.log_loss]
    ratios = [each.rmse for each in value if each.rmse]
    biases = [each.calibration for each in value]
    return [
        Target("churn: runs whose AUC is better, interval above 0", f"≥{most}", float(_above(churn)), "runs"),
        Target("churn: runs whose AUC is worse, interval below 0", "≤0", float(_below(churn)), "runs"),
        Target("churn: mean difference of AUC", "≥0.004", float(np.mean([r.difference[0] for r in churn])), ""),
        Target("churn: ECE, all runs but one", "≤0.03", eces[max(len(eces) - 2, 0)], ""),
        Target("churn: largest ECE", "≤0.05", eces[-1], ""),
        Target("churn: runs whose log-loss is worse", "≤0", float(sum(low > 0 for _, low, _ in losses)), "runs"),
        Target("value: runs whose nGini is better, interval above 0", f"≥{len(value)}", float(_above(value)), "runs"),
        Target("value: mean difference of nGini", "≥0.015", float(np.mean([r.difference[0] for r in value])), ""),
        Target("value: total predicted over actual, smallest", "≥0.85", min(biases), ""),
        Target("value: total predicted over actual, largest", "≤1.15", max(biases), ""),
        Target("value: RMSE over the best BTYD's, largest", "≤1.02", max(ratios), ""),
    ]


def _above(found: list[Result]) -> int:
    return sum(each.difference[1] > 0 for each in found)


def _below(found: list[Result]) -> int:
    return sum(each.difference[2] < 0 for each in found)


def table(found: list[Result]) -> str:
    """Markdown: a line per run and task."""
    rows: list[dict[str, object]] = []
    for each in found:
        rows.append(
            {
                "run": f"{each.run.name}, {each.run.test}",
                "task": each.task,
                "customers": f"{each.customers:,}",
                "this": f"{each.metrics[CANDIDATE]:.4f}",
                "best baseline": f"{each.metrics[each.best]:.4f} ({each.best})",
                "difference [95 %]": _signed(each.difference),
                "log-loss against the best [95 %]": _signed(each.log_loss) if each.log_loss else "",
                "ECE or bias": f"{each.calibration:.3f}",
                "RMSE over BTYD's": f"{each.rmse:.3f}" if each.rmse else "",
            }
        )
    return markdown(rows)


def baselines(found: list[Result]) -> str:
    """Markdown: every model of every run."""
    rows: list[dict[str, object]] = [
        {"run": each.run.name, "task": each.task, "model": name, "AUC or nGini": f"{number:.4f}"}
        for each in found
        for name, number in sorted(each.metrics.items(), key=lambda pair: -pair[1])
    ]
    return markdown(rows)


def _signed(interval: tuple[float, float, float]) -> str:
    return "{:+.4f} [{:+.4f}, {:+.4f}]".format(*interval)


def cost(home: Path) -> list[Target]:
    """All tasks on Online Retail: 12 training dates, 2 test dates."""
    say("all tasks on Online Retail, two test dates")
    job = Job(load_source("online-retail"), Workspace(home / "online-retail"), DATA / "online_retail")
    job.features(date(2011, 9, 10))
    used = measure("benchmarks.models:train_all", {"home": job.workspace.home}, threads=2)
    return [
        Target("all tasks on Online Retail: minutes", "≤10", used.wall / 60, "min"),
        Target("all tasks on Online Retail: memory", "≤4", used.peak_mib / 1024, "GiB"),
    ]


def train_all(home: Path) -> None:
    """Every task, from the feature rows of a workspace of Online Retail."""
    Job(load_source("online-retail"), Workspace(home)).train()


def main() -> None:
    """Print the tables on standard error and the targets on standard output; write benchmarks/results/models.md."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    os.environ["CUSTOMER_SCORING_KEY"] = KEY
    with tempfile.TemporaryDirectory() as home:
        found = [each for run in (QUICK if asked.quick else RUNS) for each in results(run, Path(home))]
        promised = targets(found)
        if not asked.quick:
            promised += cost(Path(home))
    if not asked.quick:
        cases = cases_part.runs()
        promised += [*segments.measured(quick=False), *cases_part.targets(cases)]
        _write(found, promised, cases)
    say(table(found))
    print_targets(promised, asked.json)


def _write(found: list[Result], promised: list[Target], cases: list[cases_part.Run]) -> None:
    verdicts: list[dict[str, object]] = [
        {"target": t.name, "wanted": t.target, "measured": t.measured, "unit": t.unit, "holds": t.holds}
        for t in promised
    ]
    parts = [
        "# Models",
        "Made by `make bench-models`. " + machine(("lightgbm", "scikit-learn", "scipy", "numpy")),
        markdown(verdicts),
        "## Churn and value",
        NO_FIRST_LOOK,
        table(found),
        "## Every model",
        baselines(found),
        "## Tables of cases",
        cases_part.table(cases),
        "Segments: [segments.md](segments.md).",
    ]
    (RESULTS / "models.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
