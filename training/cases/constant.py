"""The simplest answer: the same probability for every case."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from features.workspace import read_json, write_json
from training.cases.encoder import Encoder
from training.cases.settings import CaseSettings

Array = NDArray[np.float64]

FILE = "base-rate.json"


@dataclass(frozen=True)
class BaseRate:
    """The share of yes among the training cases, as log-odds; of `columns` columns it looks at none."""

    log_odds_of_yes: float
    columns: int

    def log_odds(self, matrix: Array) -> Array:
        """Shape (n,)."""
        return np.full(len(matrix), self.log_odds_of_yes)

    def contributions(self, matrix: Array) -> Array:
        """Shape (n, columns + 1), the base last."""
        return np.column_stack([np.zeros((len(matrix), self.columns)), self.log_odds(matrix)])

    def save(self, folder: Path) -> None:
        """base-rate.json."""
        write_json(folder / FILE, {"log_odds": self.log_odds_of_yes, "columns": self.columns})

    @staticmethod
    def load(folder: Path) -> BaseRate:
        """What `save` wrote."""
        found = read_json(folder / FILE)
        return BaseRate(found["log_odds"], found["columns"])


def fit_base_rate(matrix: Array, label: Array, encoder: Encoder, settings: CaseSettings) -> BaseRate:
    """matrix (n, columns), label (n,) of 0 and 1, both there."""
    return BaseRate(float(logit(label.mean())), len(encoder.names))
