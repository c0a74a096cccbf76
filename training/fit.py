"""The models of churn and value: LightGBM over features and BTYD outputs, blended with simpler models.

Both keep their own parameters in plain JSON and LightGBM's text format; nothing needs unpickling. Every formula works
element by element, without matrix products, so that one row and a million give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from features.catalogue import NAMES, POSITION
from features.catalogue.confidential import CONFIDENTIAL
from features.workspace import read_json, write_json
from training.recipes import CHURN, VALUE, Boosting, Recipe
from training.rhythm import COLUMNS as RHYTHM_COLUMNS
from training.rhythm import Rhythm

Array = NDArray[np.float64]

RFMT = ("recency_days", "orders", "spend", "tenure_days")

_HIDDEN = sorted(POSITION[name] for name in CONFIDENTIAL)


@dataclass(frozen=True)
class Examples:
    """Eligible customers of one date with their label: rows (n, features), rhythm (fitted at that date), label (n,)."""

    rows: Array
    rhythm: Rhythm
    label: Array


class Model(Protocol):
    """What a task's model can do, whatever it is made of."""

    def predict(self, rows: Array, horizon_days: int) -> Array:
        """One number per row, shape (n,)."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model into an existing folder."""
        ...


@dataclass(frozen=True)
class LogisticRFMT:
    """Logistic regression on log(1 + recency, orders, spend, tenure); weights of the standardised columns."""

    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float

    def log_odds(self, rows: Array) -> Array:
        """Shape (n,)."""
        total = np.full(len(rows), self.intercept)
        for column, centre, scale, weight in zip(_rfmt(rows), self.centre, self.scale, self.weights, strict=True):
            total = total + weight * ((column - centre) / scale)
        return total


def fit_logistic(rows: Array, label: Array) -> LogisticRFMT:
    """Fit by maximum likelihood with scikit-learn's default ridge."""
    columns = np.column_stack(_rfmt(rows))
    centre, scale = columns.mean(axis=0), np.maximum(columns.std(axis=0), 1e-12)
    model = LogisticRegression(max_iter=1000).fit((columns - centre) / scale, label)
    return LogisticRFMT(
        centre=tuple(map(float, centre)),
        scale=tuple(map(float, scale)),
        weights=tuple(map(float, model.coef_[0])),
        intercept=float(model.intercept_[0]),
    )


def _rfmt(rows: Array) -> list[Array]:
    return [np.log1p(np.maximum(np.nan_to_num(rows[:, POSITION[name]]), 0.0)) for name in RFMT]


@dataclass(frozen=True)
class Platt:
    """Log-odds of churn from the log-odds of BTYD's P(inactive); Platt (1999)."""

    slope: float
    intercept: float

    def log_odds(self, p_active: Array) -> Array:
        """Shape (n,)."""
        return self.slope * -_log_odds(p_active) + self.intercept


def fit_platt(p_active: Array, label: Array) -> Platt:
    """Fit to churn labels."""
    model = LogisticRegression(C=1e6).fit(-_log_odds(p_active)[:, None], label)
    return Platt(float(model.coef_[0, 0]), float(model.intercept_[0]))


@dataclass(frozen=True)
class ChurnModel:
    """P(no purchase in the horizon): mean log-odds of LightGBM, Platt-scaled BTYD and a logistic on R, F, M, T,
    moved by `level`, the season's correction of the log-odds."""

    booster: lgb.Booster
    rhythm: Rhythm
    platt: Platt
    logistic: LogisticRFMT
    level: float = 0.0

    def predict(self, rows: Array, horizon_days: int) -> Array:
        """Probabilities in (0, 1), shape (n,)."""
        return np.asarray(expit(self._log_odds(rows, horizon_days) + self.level))

    def _log_odds(self, rows: Array, horizon_days: int) -> Array:
        rhythm = self.rhythm.columns(rows, horizon_days)
        boosted = _predict(self.booster, _inputs(rows, rhythm), raw_score=True)
        return np.asarray((boosted + self.platt.log_odds(rhythm[:, 0]) + self.logistic.log_odds(rows)) / 3)

    def at_level(self, season: Examples, horizon_days: int) -> ChurnModel:
        """The same model moved so that, in the same season a year ago, it would have been right on average."""
        then = ChurnModel(self.booster, season.rhythm, self.platt, self.logistic)._log_odds(season.rows, horizon_days)
        rate = float(np.clip(season.label.mean(), 1e-3, 1 - 1e-3))
        level = brentq(lambda move: float(expit(then + move).mean()) - rate, -20, 20)
        return ChurnModel(self.booster, self.rhythm, self.platt, self.logistic, float(level))

    def save(self, folder: Path) -> None:
        """booster.txt and model.json."""
        _save(folder, self.booster, {
            "rhythm": self.rhythm.to_json(), "platt": vars(self.platt), "logistic": vars(self.logistic),
            "level": self.level,
        })  # fmt: skip

    @staticmethod
    def load(folder: Path) -> ChurnModel:
        """What `save` wrote."""
        booster, found = _load(folder)
        weights = found["logistic"]
        centre, scale, slopes = (tuple(weights[name]) for name in ("centre", "scale", "weights"))
        logistic = LogisticRFMT(centre, scale, slopes, weights["intercept"])
        rhythm = Rhythm.from_json(found["rhythm"])
        return ChurnModel(booster, rhythm, Platt(**found["platt"]), logistic, found["level"])


@dataclass(frozen=True)
class ValueModel:
    """Spend in the horizon, in minor units: mean of LightGBM (Tweedie) and BTYD with gamma-gamma, times `level`, which
    makes the total right where it was last known.

    The arithmetic mean, because BTYD gives a silent seasonal customer up for dead (near 0), which a geometric mean
    would take for the last word.
    """

    booster: lgb.Booster
    rhythm: Rhythm
    unit: float
    level: float = 1.0

    def predict(self, rows: Array, horizon_days: int) -> Array:
        """Amounts ≥ 0, shape (n,)."""
        return self._blend(rows, horizon_days) * self.level

    def _blend(self, rows: Array, horizon_days: int) -> Array:
        rhythm = self.rhythm.columns(rows, horizon_days)
        boosted = _predict(self.booster, _inputs(rows, rhythm)) * self.unit
        return np.asarray((boosted + np.maximum(rhythm[:, 2], 0.0)) / 2)

    def at_level(self, season: Sequence[Examples], horizon_days: int) -> ValueModel:
        """The same model at the level that would have made the total of `season` right."""
        total = sum(
            float(ValueModel(self.booster, each.rhythm, self.unit)._blend(each.rows, horizon_days).sum())
            for each in season
        )
        actual = sum(float(each.label.sum()) for each in season)
        return ValueModel(self.booster, self.rhythm, self.unit, actual / total if total > 0 else 1.0)

    def save(self, folder: Path) -> None:
        """booster.txt and model.json."""
        _save(folder, self.booster, {"rhythm": self.rhythm.to_json(), "unit": self.unit, "level": self.level})

    @staticmethod
    def load(folder: Path) -> ValueModel:
        """What `save` wrote."""
        booster, found = _load(folder)
        return ValueModel(booster, Rhythm.from_json(found["rhythm"]), found["unit"], found["level"])


LOADERS: dict[str, Callable[[Path], Model]] = {CHURN.name: ChurnModel.load, VALUE.name: ValueModel.load}


def fit(
    recipe: Recipe,
    examples: Sequence[Examples],
    season: Examples | None,
    rhythm: Rhythm,
    horizon_days: int,
    boosting: Boosting,
    seed: int,
) -> ChurnModel | ValueModel:
    """Fit a recipe's model on the examples of its training dates.

    season: the examples of one year before the date the model is for, if there are any; rhythm: fitted at that date.
    """
    rows = np.vstack([each.rows for each in examples])
    columns = np.vstack([each.rhythm.columns(each.rows, horizon_days) for each in examples])
    label = np.concatenate([each.label for each in examples])
    if recipe is CHURN:
        booster = _boost("binary", _inputs(rows, columns), label, boosting, seed)
        churn = ChurnModel(booster, rhythm, fit_platt(columns[:, 0], label), fit_logistic(rows, label))
        return churn.at_level(season, horizon_days) if season else churn
    unit = float(label.mean())
    booster = _boost("tweedie", _inputs(rows, columns), label / unit, boosting, seed)
    return ValueModel(booster, rhythm, unit).at_level([season] if season else examples, horizon_days)


def _inputs(rows: Array, rhythm: Array) -> Array:
    """What LightGBM sees: features and BTYD outputs, without those that a customer must not learn of."""
    table = np.column_stack([rows, rhythm])
    table[:, _HIDDEN] = np.nan
    return table


def _boost(objective: str, table: Array, label: Array, boosting: Boosting, seed: int) -> lgb.Booster:
    settings: dict[str, Any] = boosting.model_dump()
    rounds = settings.pop("rounds")
    settings |= {
        "objective": objective,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
        "num_threads": 2,
    }
    data = lgb.Dataset(table, label, feature_name=[*NAMES, *RHYTHM_COLUMNS])
    return lgb.train(settings, data, rounds)


def _predict(booster: lgb.Booster, table: Array, raw_score: bool = False) -> Array:
    """LightGBM's answer per row, shape (n,); few rows are not worth waking other threads for."""
    return np.asarray(booster.predict(table, raw_score=raw_score, num_threads=1 if len(table) < 1_000 else 0))


def _log_odds(p: Array) -> Array:
    return np.asarray(logit(p))


def _save(folder: Path, booster: lgb.Booster, model: dict[str, Any]) -> None:
    booster.save_model(str(folder / "booster.txt"))
    write_json(folder / "model.json", model)


def _load(folder: Path) -> tuple[lgb.Booster, dict[str, Any]]:
    return lgb.Booster(model_file=str(folder / "booster.txt")), read_json(folder / "model.json")
