"""Will something happen to a customer? P(label) for yes/no questions that no BTYD model answers, such as potential."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from features.workspace import read_json, write_json
from training.explain import Contributions
from training.models.boosting import Forest, fit_forest
from training.models.inputs import INPUTS, PLACE, Examples, inputs, stacked
from training.models.level import mean_log_odds, move_to
from training.models.linear import LINEAR, Logistic, columns_of, fill_columns, fit_logistic, log_odds
from training.models.seen import EVENT, Formula, seen_by
from training.recipes import Boosting
from training.rhythm import Rhythm

Array = NDArray[np.float64]

MOVES = "the probability"


@dataclass(frozen=True)
class EventModel:
    """Mean log-odds of a forest over all inputs and of a logistic regression on recency, orders, spend and tenure,
    moved by `level` to where the mean probability is the share that was seen at the latest date."""

    forest: Forest
    rhythm: Rhythm
    logistic: Logistic
    usual: float
    level: float = 0.0

    @property
    def sees(self) -> tuple[Rhythm, tuple[Forest, ...]]:
        """BTYD's columns and one forest."""
        return self.rhythm, (self.forest,)

    @cached_property
    def formula(self) -> Formula:
        """As `event_log_odds` takes it."""
        terms, numbers = self.logistic.arrays
        return Formula(EVENT, terms, np.array([self.usual, self.level, *numbers]))

    def predict(self, rows: Array, horizon_days: int) -> Array:
        """Probabilities in (0, 1), shape (n,)."""
        return np.asarray(expit(self._log_odds(rows, horizon_days)))

    def explain(self, rows: Array, horizon_days: int) -> Contributions:
        """Of the log-odds."""
        table = inputs(rows, self.rhythm.columns(rows, horizon_days))
        values, base = self.forest.contributions(table)
        values = values / 2
        for name, part in self.logistic.parts(columns_of(rows)).items():
            values[:, PLACE[name]] += part / 2
        base = (base + self.usual + self.logistic.intercept) / 2 + self.level
        return Contributions(INPUTS, table, values, base, self._log_odds(rows, horizon_days), MOVES)

    def _log_odds(self, rows: Array, horizon_days: int) -> Array:
        out = np.empty(len(rows))
        _log_odds(self.formula.whole, self.formula.numbers, *seen_by(self, rows, horizon_days), out)
        return out

    def save(self, folder: Path) -> None:
        """forest.txt and model.json."""
        self.forest.save(folder / "forest.txt")
        said = {"model": "event", "rhythm": self.rhythm.to_json(), "usual": self.usual, "level": self.level}
        write_json(folder / "model.json", said | {"logistic": self.logistic.to_json()})

    @staticmethod
    def load(folder: Path) -> EventModel:
        """What `save` wrote."""
        found: dict[str, Any] = read_json(folder / "model.json")
        rhythm, logistic = Rhythm.from_json(found["rhythm"]), Logistic.from_json(found["logistic"])
        return EventModel(Forest.load(folder / "forest.txt"), rhythm, logistic, found["usual"], found["level"])


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _log_odds(whole: NDArray[np.int64], numbers: Array, rows: Array, expected: Array, raw: Array, out: Array) -> None:
    for i in range(len(out)):
        out[i] = event_log_odds(whole, numbers, rows[i], expected[i], raw[i])


@nb.njit(cache=True, nogil=True, error_model="numpy")
def event_log_odds(whole: NDArray[np.int64], numbers: Array, row: Array, expected: Array, raw: Array) -> float:
    """The mean of the log-odds, moved by the level; of a customer as `Seen` has it."""
    usual, level, columns = numbers[0], numbers[1], np.empty(len(LINEAR))
    fill_columns(row, np.nan, columns)
    return float(((raw[0] + usual) + log_odds(whole, numbers[2:], columns)) / 2 + level)


def fit_event(
    examples: Sequence[Examples], rhythm: Rhythm, horizon_days: int, boosting: Boosting, seed: int
) -> EventModel:
    """Fit to labels that are 1 where it happened; raises ValueError where all labels are alike.

    examples: in order of date; rhythm: fitted at the date the model is for.
    """
    all_ = stacked(examples, horizon_days)
    start = np.concatenate([np.full(len(each.label), mean_log_odds(each.label)) for each in examples])
    model = EventModel(
        forest=fit_forest("binary", inputs(all_.rows, all_.expected), all_.label, boosting, seed, start),
        rhythm=rhythm,
        logistic=fit_logistic(columns_of(all_.rows), all_.label),
        usual=mean_log_odds(all_.label),
    )
    last = examples[-1]
    then = replace(model, rhythm=last.rhythm)
    level = move_to(then._log_odds(last.rows, horizon_days), float(last.label.mean()))
    return replace(model, level=level)
