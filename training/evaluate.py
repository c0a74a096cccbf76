"""How the candidate fared beside the baselines, from the predictions that training left on the test dates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.workspace import Workspace, finite, read_json, read_parquet, write_json
from training.bootstrap import Resampled
from training.candidate import CANDIDATE
from training.metrics import METRICS, Comparison, Metric, evaluate
from training.recipes import RECIPES, Recipe

TOLERANCE = 0.002
"""A difference smaller than this is none, however many customers prove it."""


@dataclass(frozen=True)
class Verdict:
    """One task on its test dates: metrics by model, each the mean over the dates, the best baseline by the deciding
    metric, and the difference under one bootstrap of customers. customers: rows of all dates together; dates, by_date:
    the same metrics date by date."""

    task: str
    metric: str
    customers: int
    metrics: dict[str, dict[str, float]]
    best_baseline: str
    comparison: Comparison
    dates: tuple[str, ...]
    by_date: tuple[dict[str, dict[str, float]], ...]

    @property
    def candidate(self) -> float:
        """The candidate's deciding metric."""
        return self.metrics[CANDIDATE][self.metric]

    @property
    def baseline(self) -> float:
        """The best baseline's deciding metric."""
        return self.metrics[self.best_baseline][self.metric]

    @property
    def holds(self) -> bool:
        """Whether the candidate is no worse than the best baseline, as far as these customers can tell."""
        return self.comparison.difference >= -TOLERANCE or self.comparison.high >= 0

    def named(self) -> dict[str, float]:
        """The metrics under the names they have in MLflow."""
        rival, task = self.metrics[self.best_baseline], self.task
        own = {f"test_{task}_{name}": number for name, number in self.metrics[CANDIDATE].items()}
        best = {f"test_{task}_{name}_best_baseline": number for name, number in rival.items()}
        others = {
            f"test_{task}_{self.metric}_{model}": metrics[self.metric]
            for model, metrics in self.metrics.items()
            if model != CANDIDATE
        }
        interval = {f"test_{task}_{self.metric}_vs_baseline_{k}": v for k, v in asdict(self.comparison).items()}
        dated = {
            f"test_{task}_{self.metric}_{day}": found[CANDIDATE][self.metric]
            for day, found in zip(self.dates, self.by_date, strict=True)
        }
        return {**own, **best, **others, **interval, **dated}


def predictions(workspace: Workspace, recipe: Recipe) -> pa.Table | None:
    """test, customer_id, actual, candidate, and a column per baseline and rival; None when nothing was predicted."""
    path = workspace.training / "predictions" / f"{recipe.name}.parquet"
    return read_parquet(path) if path.exists() else None


def resampled(table: pa.Table) -> Resampled:
    """The predictions of a task under one bootstrap of its customers."""
    models = {name: table[name].to_numpy() for name in models_of(table)}
    customer = table["customer_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    return Resampled.of(table["test"].to_numpy(), customer, table["actual"].to_numpy(), models)


def models_of(table: pa.Table) -> tuple[str, ...]:
    """The columns of a table of predictions that are answers of models."""
    return tuple(name for name in table.column_names if name not in ("test", "customer_id", "actual"))


def judge(workspace: Workspace) -> list[Verdict]:
    """The verdict on every task that predicted its test dates; also written to evaluation.json."""
    workspace.needs(workspace.training / "run.json", "scoring train")
    verdicts = [_verdict(recipe, found) for recipe in RECIPES if (found := predictions(workspace, recipe)) is not None]
    write_json(workspace.training / "evaluation.json", [_as_json(verdict) for verdict in verdicts])
    return verdicts


def run_facts(workspace: Workspace) -> dict[str, Any]:
    """What training noted of itself: dates, settings, stability."""
    found: dict[str, Any] = read_json(workspace.needs(workspace.training / "run.json", "scoring train"))
    return found


def _verdict(recipe: Recipe, table: pa.Table) -> Verdict:
    metrics = METRICS[recipe.predicts]
    deciding = next(iter(metrics))
    tests = sorted(set(table["test"].to_pylist()))
    by_test = [_metrics(metrics, table.filter(pc.equal(table["test"], pa.scalar(day, pa.date32())))) for day in tests]
    judged = {
        model: {name: float(np.mean([found[model][name] for found in by_test])) for name in metrics}
        for model in models_of(table)
    }
    best = max((name for name in judged if name != CANDIDATE and not is_rival(name)), key=lambda m: judged[m][deciding])
    comparison = resampled(table).compare(deciding, CANDIDATE, best)
    days = tuple(day.isoformat() for day in tests)
    return Verdict(recipe.name, deciding, table.num_rows, judged, best, comparison, days, tuple(by_test))


def is_rival(column: str) -> bool:
    """Whether a column is another release's recipe, as v7 is, not a baseline."""
    return column[0] == "v" and column[1:].isdigit()


def _metrics(metrics: Mapping[str, Metric], table: pa.Table) -> dict[str, dict[str, float]]:
    actual = table["actual"].to_numpy()
    return {name: evaluate(metrics, actual, table[name].to_numpy()) for name in models_of(table)}


def _as_json(verdict: Verdict) -> dict[str, Any]:
    found: dict[str, Any] = finite({**asdict(verdict), "holds": verdict.holds})
    return found
