"""How the candidate fared beside the baselines, from the predictions that training left on the test date."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.workspace import Workspace, read_json, read_parquet, write_json
from training.candidate import CANDIDATE
from training.metrics import METRICS, Comparison, compare, evaluate
from training.recipes import RECIPES, Recipe

Array = NDArray[np.float64]

TOLERANCE = 0.002
"""A difference smaller than this is none, however many customers prove it."""


@dataclass(frozen=True)
class Verdict:
    """One task on the test date: metrics by model, the best baseline by the deciding metric, and the difference."""

    task: str
    metric: str
    customers: int
    metrics: dict[str, dict[str, float]]
    best_baseline: str
    comparison: Comparison

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
        return {**own, **best, **others, **interval}


def predictions(workspace: Workspace, recipe: Recipe) -> dict[str, Array]:
    """Column (actual, candidate or a baseline) → (customers,); empty when the task was skipped."""
    path = workspace.training / f"{recipe.name}.parquet"
    if not path.exists():
        return {}
    table = read_parquet(path)
    return {name: table[name].to_numpy() for name in table.column_names if name != "customer_id"}


def judge(workspace: Workspace) -> list[Verdict]:
    """The verdict on every task that was fitted and has a right answer; also written to evaluation.json."""
    workspace.needs(workspace.training / "run.json", "scoring train")
    verdicts = [
        _verdict(recipe, found) for recipe in RECIPES if (found := predictions(workspace, recipe)) and recipe.label
    ]
    write_json(workspace.training / "evaluation.json", [_as_json(verdict) for verdict in verdicts])
    return verdicts


def run_facts(workspace: Workspace) -> dict[str, Any]:
    """What training noted of itself: dates, settings, customers, stability."""
    found: dict[str, Any] = read_json(workspace.needs(workspace.training / "run.json", "scoring train"))
    return found


def _verdict(recipe: Recipe, found: dict[str, Array]) -> Verdict:
    metrics = METRICS[recipe.predicts]
    deciding = next(iter(metrics))
    actual = found["actual"]
    judged = {name: evaluate(metrics, actual, predicted) for name, predicted in found.items() if name != "actual"}
    best = max((name for name in judged if name != CANDIDATE), key=lambda name: judged[name][deciding])
    comparison = compare(metrics[deciding], actual, found[CANDIDATE], found[best])
    return Verdict(recipe.name, deciding, len(actual), judged, best, comparison)


def _as_json(verdict: Verdict) -> dict[str, Any]:
    found: dict[str, Any] = _finite({**asdict(verdict), "holds": verdict.holds})
    return found


def _finite(value: Any) -> Any:
    """JSON has no NaN: a metric that is undefined for these customers is null."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return None if isinstance(value, float) and not np.isfinite(value) else value
