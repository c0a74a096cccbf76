"""Will a customer be silent? P(no purchase in the horizon): the model of churn and, turned round, of intent."""

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
from training.models.level import mean_log_odds, move_to, off_by
from training.models.linear import (
    CURVED,
    LINEAR,
    P_ACTIVE,
    Logistic,
    Platt,
    columns_of,
    fill_columns,
    fit_logistic,
    fit_platt,
    inactive,
    log_odds,
)
from training.models.seen import SILENCE, Formula, seen_by
from training.recipes import Boosting
from training.rhythm import COLUMNS, Rhythm

Array = NDArray[np.float64]

WEIGHTS = {"forest": 0.5, "platt": 0.25, "straight": 0.125, "curved": 0.125}
"""Shares of the parts in the log-odds: fixed, because weights fitted to a few dates did worse on the next."""
W_FOREST, W_PLATT, W_STRAIGHT, W_CURVED = WEIGHTS.values()
MOVES = "the probability to leave"
INACTIVE, ACTIVE = LINEAR.index(P_ACTIVE), COLUMNS.index(P_ACTIVE)


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

    @property
    def sees(self) -> tuple[Rhythm, tuple[Forest, ...]]:
        """BTYD's columns and one forest."""
        return self.rhythm, (self.forest,)

    @cached_property
    def formula(self) -> Formula:
        """As `silence_log_odds` takes it."""
        (straight, first), (curved, then) = self.straight.arrays, self.curved.arrays
        whole = np.concatenate([[len(straight), len(first)], straight, curved])
        fixed = self.platt.slope, self.platt.intercept, self.usual, self.level
        return Formula(SILENCE, whole, np.concatenate([fixed, first, then]))

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
        values[:, PLACE[P_ACTIVE]] += WEIGHTS["platt"] * self.platt.slope * (columns[:, INACTIVE] - centre)
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
        out = np.empty(len(rows))
        _log_odds(self.formula.whole, self.formula.numbers, *seen_by(self, rows, horizon_days), out)
        return out

    def save(self, folder: Path) -> None:
        """forest.txt and model.json."""
        self.forest.save(folder / "forest.txt")
        parts = {"platt": vars(self.platt), "straight": self.straight.to_json(), "curved": self.curved.to_json()}
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


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _log_odds(whole: NDArray[np.int64], numbers: Array, rows: Array, expected: Array, raw: Array, out: Array) -> None:
    for i in range(len(out)):
        out[i] = silence_log_odds(whole, numbers, rows[i], expected[i], raw[i])


@nb.njit(cache=True, nogil=True, error_model="numpy")
def silence_log_odds(whole: NDArray[np.int64], numbers: Array, row: Array, expected: Array, raw: Array) -> float:
    """The weighted mean of the log-odds, and the season's correction; of a customer as `Seen` has it."""
    columns, terms, end = np.empty(len(LINEAR)), 2 + whole[0], 4 + whole[1]
    fill_columns(row, expected[ACTIVE], columns)
    slope, intercept, usual, level = numbers[0], numbers[1], numbers[2], numbers[3]
    straight = log_odds(whole[2:terms], numbers[4:end], columns)
    curved = log_odds(whole[terms:], numbers[end:], columns)
    total = W_FOREST * (raw[0] + usual) + W_PLATT * (slope * columns[INACTIVE] + intercept)
    return float(total + W_STRAIGHT * straight + W_CURVED * curved + level)


def fit_silence(
    examples: Sequence[Examples],
    season: Examples | None,
    rhythm: Rhythm,
    horizon_days: int,
    boosting: Boosting,
    seed: int,
    base: Array | None = None,
) -> SilenceModel:
    """Fit to labels that are 1 where the customer bought nothing in the horizon.

    examples: the training dates, in order; season: the one of a year before the date the model is for, if it is among
    them; rhythm: fitted at that date; base (m, features): who is asked then, by default who was at the latest training
    date: their mean probability is put where `training.models.level` says. ValueError where all labels are alike.
    """
    all_ = stacked(examples, horizon_days)
    columns = columns_of(all_.rows, all_.expected[:, 0])
    start = np.concatenate([np.full(len(each.label), mean_log_odds(each.label)) for each in examples])
    model = SilenceModel(
        forest=fit_forest("binary", inputs(all_.rows, all_.expected), all_.label, boosting, seed, start),
        rhythm=rhythm,
        platt=fit_platt(columns[:, INACTIVE], all_.label),
        straight=fit_logistic(columns, all_.label),
        curved=fit_logistic(columns, all_.label, CURVED),
        usual=mean_log_odds(all_.label),
    )
    base = examples[-1].rows if base is None else base
    move = off_by(lambda each: _miss(each, horizon_days), examples, season, horizon_days)
    rate = float(expit(inactive(rhythm.columns(base, horizon_days)[:, 0]) + move).mean())
    return replace(model, level=move_to(model._log_odds(base, horizon_days), rate))


def _miss(each: Examples, horizon_days: int) -> float:
    """What BTYD's log-odds lacked at a date."""
    return move_to(inactive(each.rhythm.columns(each.rows, horizon_days)[:, 0]), float(each.label.mean()))
