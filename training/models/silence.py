"""Will a customer be silent? P(no purchase in the horizon): the model of churn and, turned round, of intent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit

from features.workspace import read_json, write_json
from training.explain import Contributions
from training.models.boosting import Forest, fit_forest
from training.models.inputs import INPUTS, PLACE, Examples, inputs, stacked
from training.models.linear import CURVED, P_ACTIVE, Logistic, Platt, columns_of, fit_logistic, fit_platt
from training.recipes import Boosting
from training.rhythm import Rhythm

Array = NDArray[np.float64]

WEIGHTS = {"forest": 0.5, "platt": 0.25, "straight": 0.125, "curved": 0.125}
"""Shares of the parts in the log-odds: fixed, because weights fitted to a few dates did worse on the next."""
MOVES = "the probability to leave"


@dataclass(frozen=True)
class SilenceModel:
    """The weighted mean log-odds of a forest over all inputs, of Platt-scaled BTYD, and of two logistic regressions on
    recency, orders, spend and tenure (straight and curved), moved by `level`, the season's correction.

    usual: log-odds of silence over all training dates; the forest says only how a customer differs from its date.
    """

    forest: Forest
    rhythm: Rhythm
    platt: Platt
    straight: Logistic
    curved: Logistic
    usual: float
    level: float = 0.0

    def predict(self, rows: Array, horizon_days: int) -> Array:
        """Probabilities in (0, 1), shape (n,)."""
        return np.asarray(expit(self._log_odds(rows, horizon_days)))

    def explain(self, rows: Array, horizon_days: int) -> Contributions:
        """Of the log-odds of silence."""
        expected = self.rhythm.columns(rows, horizon_days)
        table, columns = inputs(rows, expected), columns_of(rows, expected[:, 0])
        values, base = self.forest.contributions(table)
        values = WEIGHTS["forest"] * values
        centre = self.curved.centre[P_ACTIVE]
        values[:, PLACE[P_ACTIVE]] += WEIGHTS["platt"] * self.platt.slope * (columns[P_ACTIVE] - centre)
        for name in ("straight", "curved"):
            for column, part in getattr(self, name).parts(columns).items():
                values[:, PLACE[column]] += WEIGHTS[name] * part
        fixed = {
            "forest": base + self.usual,
            "platt": self.platt.slope * centre + self.platt.intercept,
            "straight": self.straight.intercept,
            "curved": self.curved.intercept,
        }
        base = sum(WEIGHTS[name] * number for name, number in fixed.items()) + self.level
        return Contributions(INPUTS, table, values, base, self._log_odds(rows, horizon_days), MOVES)

    def _log_odds(self, rows: Array, horizon_days: int) -> Array:
        expected = self.rhythm.columns(rows, horizon_days)
        columns = columns_of(rows, expected[:, 0])
        parts = {
            "forest": self.forest.score(inputs(rows, expected)) + self.usual,
            "platt": self.platt.log_odds(columns[P_ACTIVE]),
            "straight": self.straight.log_odds(columns),
            "curved": self.curved.log_odds(columns),
        }
        return np.asarray(sum(WEIGHTS[name] * part for name, part in parts.items()) + self.level)

    def at_level(self, season: Sequence[Examples], horizon_days: int) -> SilenceModel:
        """The same model moved so that, at the dates of `season`, it would have been right on average."""
        now = replace(self, level=0.0)
        then = np.concatenate([replace(now, rhythm=each.rhythm)._log_odds(each.rows, horizon_days) for each in season])
        return replace(self, level=move_to(then, np.concatenate([each.label for each in season])))

    def save(self, folder: Path) -> None:
        """forest.txt and model.json."""
        self.forest.save(folder / "forest.txt")
        parts = {name: vars(getattr(self, name)) for name in ("platt", "straight", "curved")}
        said = {"model": "silence", "rhythm": self.rhythm.to_json(), "usual": self.usual, "level": self.level}
        write_json(folder / "model.json", {**said, **parts})

    @staticmethod
    def load(folder: Path) -> SilenceModel:
        """What `save` wrote."""
        found: dict[str, Any] = read_json(folder / "model.json")
        straight, curved = (Logistic.from_json(found[name]) for name in ("straight", "curved"))
        rhythm, platt = Rhythm.from_json(found["rhythm"]), Platt(**found["platt"])
        forest = Forest.load(folder / "forest.txt")
        return SilenceModel(forest, rhythm, platt, straight, curved, found["usual"], found["level"])


def fit_silence(
    examples: Sequence[Examples],
    season: Examples | None,
    rhythm: Rhythm,
    horizon_days: int,
    boosting: Boosting,
    seed: int,
) -> SilenceModel:
    """Fit to labels that are 1 where the customer bought nothing in the horizon.

    season: the examples of one year before the date the model is for, if there are any; rhythm: fitted at that date.
    Raises ValueError where all labels are alike.
    """
    all_ = stacked(examples, horizon_days)
    columns = columns_of(all_.rows, all_.expected[:, 0])
    usual = float(log_odds(all_.label))
    start = np.concatenate([np.full(len(each.label), log_odds(each.label)) for each in examples])
    model = SilenceModel(
        forest=fit_forest("binary", inputs(all_.rows, all_.expected), all_.label, boosting, seed, start),
        rhythm=rhythm,
        platt=fit_platt(columns[P_ACTIVE], all_.label),
        straight=fit_logistic(columns, all_.label),
        curved=fit_logistic(columns, all_.label, CURVED),
        usual=usual,
    )
    return model.at_level([season] if season else examples, horizon_days)


def log_odds(label: Array) -> float:
    """Of the mean label, kept a thousandth away from 0 and 1."""
    return float(logit(np.clip(label.mean(), 1e-3, 1 - 1e-3)))


def move_to(score: Array, label: Array) -> float:
    """What must be added to log-odds (n,) so that the mean probability is the mean label."""
    rate = float(np.clip(label.mean(), 1e-3, 1 - 1e-3))
    return float(brentq(lambda move: float(expit(score + move).mean()) - rate, -40, 40))
