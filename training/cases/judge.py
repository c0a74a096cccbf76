"""All candidates on the same cases: chosen on some cuts, judged on others, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from features.progress import Progress, silent
from features.tables.table_source import Trend
from features.workspace import finite
from training.bootstrap import Resampled, interval
from training.cases.choice import choose
from training.cases.encoder import NONE, fit_encoder
from training.cases.history import OWN_HISTORY, own_history
from training.cases.model import CANDIDATES, FIT, RULES, fit_parts
from training.cases.plan import Cut, Plan
from training.cases.question import Kind
from training.cases.settings import CaseSettings
from training.cases.table import Array, Cases, Rows
from training.metrics import METRICS, Comparison

DECIDES = "auc"
MEASURED = METRICS["probability"]


@dataclass(frozen=True)
class Interval:
    """A metric and its 95 % interval over the cases; NaN where it is undefined. Resampling adds noise of its own to
    ECE, so that its interval leans upwards, and may lie above a small value."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Answers:
    """What every candidate answered: rows (n,) numbers of the cases, actual (n,), candidate → P(yes) (n,)."""

    rows: Rows
    actual: Array
    predicted: Mapping[str, Array]


@dataclass(frozen=True)
class Judgement:
    """earlier: candidate → AUC on each choosing cut; chosen: by `choice.choose`. abstains: why the model
    does not answer; empty when it does. metrics: candidate → metric → its interval on the judging cases;
    best_other: of the candidates not chosen the best there; differences: metric → chosen minus best_other."""

    plan: str
    prefix: str
    cases: int
    positive: int
    earlier: dict[str, tuple[float, ...]]
    chosen: str
    abstains: str
    metrics: dict[str, dict[str, Interval]]
    best_other: str
    differences: dict[str, Comparison]

    @property
    def rung(self) -> str:
        """What answers: a candidate, or rules."""
        return RULES if self.abstains else self.chosen

    def named(self) -> dict[str, float]:
        """The metrics under the names they have in MLflow."""
        own, where = self.metrics[self.chosen], self.prefix
        found = {f"{where}_{name}": each.value for name, each in own.items()}
        found |= {f"{where}_{name}_low": each.low for name, each in own.items()}
        found |= {f"{where}_{name}_high": each.high for name, each in own.items()}
        for candidate, metrics in self.metrics.items():
            found |= {f"{where}_{name}_{candidate}": each.value for name, each in metrics.items()}
            found[f"earlier_{DECIDES}_{candidate}"] = float(np.mean(self.earlier[candidate]))
        for name, each in self.differences.items():
            found |= {f"{where}_{name}_vs_best_other_{side}": number for side, number in asdict(each).items()}
        return {name: number for name, number in found.items() if np.isfinite(number)}

    def to_json(self) -> dict[str, Any]:
        """Plain values; null where a metric is undefined."""
        found: dict[str, Any] = finite(asdict(self) | {"rung": self.rung})
        return found


def judge(
    cases: Cases,
    kinds: Mapping[str, Kind],
    plan: Plan,
    settings: CaseSettings,
    progress: Progress = silent,
    trends: Mapping[str, Trend] = NONE,
    history: str | None = None,
) -> tuple[Judgement, Answers]:
    """Fit all candidates on the training cases of every cut, let them answer its test cases, and compare.

    history: the column with the customer's own share of yes so far, for the baseline that goes by it alone.

    Nothing of a cut's test cases is looked at before they are answered. Raises nothing of its own; the cases must
    allow the plan (`plan.what_is_missing`).
    """
    cuts = (*plan.choose, *plan.judge)
    found = []
    for done, cut in enumerate(cuts):
        progress("fit and judge", done, len(cuts))
        found.append(_answers(cases, kinds, cut, settings, trends, history))
    progress("fit and judge", len(cuts), len(cuts))
    earlier = {name: tuple(_auc(each, name) for each in found[: len(plan.choose)]) for name in found[0].predicted}
    chosen = choose(earlier, plan, cases.label, settings.few)
    answers = _together(found[len(plan.choose) :])
    return _judged(answers, plan, earlier, chosen, settings), answers


def _answers(
    cases: Cases,
    kinds: Mapping[str, Kind],
    cut: Cut,
    settings: CaseSettings,
    trends: Mapping[str, Trend],
    history: str | None,
) -> Answers:
    train, label = cases.table.take(cut.train), cases.label[cut.train]
    encoder = fit_encoder(train, kinds, settings.rare, trends)
    parts = fit_parts(FIT, encoder, encoder.matrix(train), label, settings)
    asked = encoder.matrix(cases.table.take(cut.test))
    log_odds = {name: part.log_odds(asked) for name, part in parts.items()}
    predicted = {
        name: np.asarray(expit(sum(log_odds[part] for part in parts) / len(parts)))
        for name, parts in CANDIDATES.items()
    }
    if history is not None:
        share = cases.table[history].to_numpy().astype(float)
        predicted[OWN_HISTORY] = own_history(share[cut.train], label, share[cut.test])
    return Answers(cut.test, cases.label[cut.test], predicted)


def _together(found: Sequence[Answers]) -> Answers:
    """The answers of several cuts, in the order of the cases."""
    rows = np.concatenate([each.rows for each in found])
    order = np.argsort(rows, kind="stable")
    predicted = {name: np.concatenate([each.predicted[name] for each in found])[order] for name in found[0].predicted}
    return Answers(rows[order], np.concatenate([each.actual for each in found])[order], predicted)


def _auc(answers: Answers, name: str) -> float:
    return MEASURED[DECIDES](answers.actual, answers.predicted[name], np.ones(len(answers.rows)))


def _judged(
    answers: Answers, plan: Plan, earlier: dict[str, tuple[float, ...]], chosen: str, settings: CaseSettings
) -> Judgement:
    many, names = len(answers.rows), list(answers.predicted)
    numbers = np.arange(many, dtype=np.int32)
    once = np.zeros(many, np.int8)
    resampled = Resampled.of(once, numbers, answers.actual, answers.predicted, settings.resamples, settings.seed)
    points = {name: _points(answers, name) for name in names}
    draws = {(name, metric): resampled.draws(metric, name) for name in names for metric in MEASURED}
    metrics = {
        name: {metric: Interval(points[name][metric], *interval(draws[name, metric])) for metric in MEASURED}
        for name in names
    }
    best_other = max((name for name in names if name != chosen), key=lambda name: points[name][DECIDES])
    differences = {
        metric: Comparison(
            points[chosen][metric] - points[best_other][metric],
            *interval(draws[chosen, metric] - draws[best_other, metric]),
        )
        for metric in MEASURED
    }
    reason = _abstains(chosen, float(np.mean(earlier[chosen])), settings.abstain_below)
    positive = int(answers.actual.sum())
    return Judgement(plan.text, plan.prefix, many, positive, earlier, chosen, reason, metrics, best_other, differences)


def _points(answers: Answers, name: str) -> dict[str, float]:
    once = np.ones(len(answers.rows))
    return {metric: each(answers.actual, answers.predicted[name], once) for metric, each in MEASURED.items()}


def _abstains(best: str, reached: float, below: float) -> str:
    if reached >= below:
        return ""
    return f"no candidate reaches an AUC of {below:.2f} on the cuts that choose; the best, {best}, has {reached:.3f}"
