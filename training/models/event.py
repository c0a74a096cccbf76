"""Will something happen to a customer? P(label) for yes/no questions that no BTYD model answers, such as potential."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from features.workspace import read_json, write_json
from training.explain import Contributions
from training.models.boosting import Forest, fit_forest
from training.models.inputs import INPUTS, PLACE, Examples, inputs, stacked
from training.models.level import mean_log_odds, move_to
from training.models.linear import Logistic, columns_of, fit_logistic
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
        forest = self.forest.score(inputs(rows, self.rhythm.columns(rows, horizon_days))) + self.usual
        return np.asarray((forest + self.logistic.log_odds(columns_of(rows))) / 2 + self.level)

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
    then = replace(model, rhythm=last.rhythm)._log_odds(last.rows, horizon_days)
    return replace(model, level=move_to(then, float(last.label.mean())))
