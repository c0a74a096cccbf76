"""What became of a grading once its outcomes have closed: its predictions, what happened, what the test promised."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from features.company import Company
from features.errors import InputError
from features.tables.ingest import data_end
from features.workspace import Workspace, finite, read_json, read_parquet, write_json
from training.labels import closes
from training.metrics import METRICS, Metric, tenths
from training.outcomes import labels_at, usual_rates
from training.plots import GREY, INK, STYLE
from training.recipes import RECIPES, Recipe

Array = NDArray[np.float64]

LOWER_IS_BETTER = ("log_loss", "ece", "rmse")
TOLD = ("auc", "log_loss", "ece", "ngini", "bias")
"""The metrics that are compared."""


@dataclass(frozen=True)
class Measure:
    """A metric of predictions that were given, with its 95 % interval over customers; promised: the same on the test
    date, None when it is not known."""

    name: str
    value: float
    low: float
    high: float
    promised: float | None

    @property
    def broken(self) -> bool:
        """Whether it is worse than promised by more than chance: the test was a sample, too, about as large as this
        one, so that the interval of their difference is √2 as wide."""
        if self.promised is None or not np.isfinite([self.value, self.low, self.high, self.promised]).all():
            return False
        low = self.value - np.sqrt(2) * (self.value - self.low)
        high = self.value + np.sqrt(2) * (self.high - self.value)
        if self.name == "bias":  # one is right, on either side
            return bool(abs(self.value - 1) > abs(self.promised - 1) and not low <= self.promised <= high)
        return bool(low > self.promised if self.name in LOWER_IS_BETTER else high < self.promised)


@dataclass(frozen=True)
class Outcome:
    """One task of a grading. rate: the mean label of the customers asked, with its interval; usual: the smallest and
    the largest mean label of the dates that training knew, None when there are none; actual, predicted: means of ten
    groups by predicted rank."""

    task: str
    customers: int
    measures: tuple[Measure, ...]
    rate: tuple[float, float, float]
    usual: tuple[float, float] | None
    actual: tuple[float, ...]
    predicted: tuple[float, ...]

    @property
    def rate_moved(self) -> bool:
        """Whether the label's level lies outside all that training knew, by more than chance."""
        return self.usual is not None and (self.rate[2] < self.usual[0] or self.rate[1] > self.usual[1])


@dataclass(frozen=True)
class Realised:
    """The outcomes of the grading at `as_of`, closed on `closed`, by a version of the release."""

    as_of: date
    closed: date
    version: int
    outcomes: tuple[Outcome, ...]

    @property
    def sentences(self) -> list[str]:
        """What a reviewer reads, a line per task and finding."""
        lines = []
        for each in self.outcomes:
            for m in each.measures:
                if m.broken:
                    lines.append(
                        f"{each.task}: {m.name} {m.value:.3f} [{m.low:.3f}, {m.high:.3f}], promised {m.promised:.3f}."
                    )
            if each.rate_moved and each.usual:
                span = f"{each.usual[0]:,.3g} to {each.usual[1]:,.3g}"
                lines.append(f"{each.task}: the mean outcome is {each.rate[0]:,.3g}, in training it was {span}.")
        return lines or [f"The predictions of {self.as_of} did as the test promised."]

    def to_json(self) -> dict[str, Any]:
        """Plain values; null where a metric is undefined for these customers."""
        outcomes = [
            {**asdict(each), "measures": [{**asdict(m), "broken": m.broken} for m in each.measures]}
            for each in self.outcomes
        ]
        head = {"as_of": self.as_of.isoformat(), "closed": self.closed.isoformat(), "release": self.version}
        found: dict[str, Any] = finite({**head, "sentences": self.sentences, "tasks": outcomes})
        return found


def realised(
    workspace: Workspace,
    folder: Path,
    about: Mapping[str, Any],
    promised: Mapping[str, float] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Realised:
    """The predictions of a grading against what happened in its horizon.

    folder: `grades/<date>-v<version>`; about: what its release says of itself (horizon_days, active_days); promised:
    metrics of the release's test under their names in MLflow (`test_churn_auc`). Customers without a score, and
    who are no longer known, are left out. Raises InputError before the outcomes have closed.
    """
    found = read_json(folder / "snapshot.json")
    as_of, company = date.fromisoformat(found["as_of"]), Company.from_json(found["company"])
    closed = closes(as_of, about["horizon_days"])
    end = data_end(read_json(workspace.needs(workspace.tables / "report.json", "scoring ingest")))
    if closed > end:
        raise InputError(folder, f"outcomes that close on {closed}", f"a date up to {end}, the end of the data")
    grades = read_parquet(folder / "grades.parquet")
    ids = grades["customer_id"].to_pylist()
    known, labels = labels_at(workspace, company, closed, about["horizon_days"], ids)
    usual = usual_rates(workspace, about)
    outcomes = []
    for recipe in RECIPES:
        if recipe.name not in labels or f"score_{recipe.name}" not in grades.column_names:
            continue
        score = grades[f"score_{recipe.name}"].to_numpy(zero_copy_only=False).astype(float)
        asked = known & np.isfinite(score) & np.isfinite(labels[recipe.name])
        if asked.any():
            y, predicted = labels[recipe.name][asked], score[asked]
            outcomes.append(_outcome(recipe, y, predicted, promised or {}, usual.get(recipe.name), resamples, seed))
    return Realised(as_of, closed, int(found["release"]), tuple(outcomes))


def write_realised(report: Realised, folder: Path) -> None:
    """realised.json and realised.png, into the folder of the grading."""
    write_json(folder / "realised.json", report.to_json())
    (folder / "realised.png").write_bytes(picture(report))


def picture(report: Realised) -> bytes:
    """PNG: mean outcome against mean prediction in ten groups of customers per task; on the dashed line is right."""
    shown = report.outcomes
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6 * max(len(shown), 1), 4.2), layout="constrained")
        for axes, each in zip(np.atleast_1d(figure.subplots(1, max(len(shown), 1))), shown, strict=False):
            axes.plot(each.predicted, each.actual, "o-", color=INK, markersize=4, linewidth=1)
            top = max(*axes.get_xlim(), *axes.get_ylim())
            axes.plot([0, top], [0, top], color=GREY, linewidth=0.8, linestyle="--", zorder=0)
            axes.set_xlabel("mean predicted")
            axes.set_ylabel("mean of what happened")
            axes.set_title(f"{each.task}, {each.customers:,} customers")
        figure.suptitle(f"Predictions of {report.as_of}, closed on {report.closed}")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _outcome(
    recipe: Recipe,
    y: Array,
    predicted: Array,
    promised: Mapping[str, float],
    usual: tuple[float, float] | None,
    resamples: int,
    seed: int,
) -> Outcome:
    metrics = {name: metric for name, metric in METRICS[recipe.predicts].items() if name in TOLD}
    found = intervals({**metrics, "rate": _mean}, y, predicted, resamples, seed)
    measures = tuple(Measure(name, *found[name], promised.get(f"test_{recipe.name}_{name}")) for name in metrics)
    actual, expected = tenths(y, predicted)
    return Outcome(recipe.name, y.size, measures, found["rate"], usual, tuple(actual), tuple(expected))


def _mean(y: Array, predicted: Array, weight: Array) -> float:
    return float(np.average(y, weights=weight))


def intervals(
    metrics: Mapping[str, Metric], y: Array, predicted: Array, resamples: int, seed: int
) -> dict[str, tuple[float, float, float]]:
    """Metric → its value and 95 % percentile interval over resampled customers (Efron & Tibshirani 1993, ch. 13);
    NaN where it is undefined."""
    rng, one = np.random.default_rng(seed), np.ones(y.size)
    drawn: dict[str, list[float]] = {name: [] for name in metrics}
    with np.errstate(all="ignore"):
        for _ in range(resamples):
            weight = np.bincount(rng.integers(0, y.size, y.size), minlength=y.size).astype(float)
            for name, metric in metrics.items():
                drawn[name].append(metric(y, predicted, weight))
        found = {}
        for name, metric in metrics.items():
            values = np.array(drawn[name])
            values = values[np.isfinite(values)]
            low, high = np.percentile(values, [2.5, 97.5]) if values.size else (np.nan, np.nan)
            found[name] = (metric(y, predicted, one), float(low), float(high))
    return found
