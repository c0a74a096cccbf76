"""LightGBM over the encoded cases, categories as such. On one thread: cases are few, and on a
busy machine threads that wait for each other cost more than they save."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from training.cases.encoder import Encoder
from training.cases.settings import CaseSettings

Array = NDArray[np.float64]

FILE = "lightgbm.txt"


@dataclass(frozen=True)
class Boosted:
    """Trees; their sum is the log-odds."""

    booster: lgb.Booster

    def log_odds(self, matrix: Array) -> Array:
        """Shape (n,)."""
        return np.asarray(self.booster.predict(matrix, raw_score=True, num_threads=1))

    def contributions(self, matrix: Array) -> Array:
        """Shape (n, columns + 1), the base last: exact SHAP values of the trees (Lundberg et al. 2020, algorithm 2)."""
        return np.asarray(self.booster.predict(matrix, pred_contrib=True, num_threads=1))

    def save(self, folder: Path) -> None:
        """lightgbm.txt."""
        self.booster.save_model(str(folder / FILE))

    @staticmethod
    def load(folder: Path) -> Boosted:
        """What `save` wrote."""
        return Boosted(lgb.Booster(model_file=str(folder / FILE)))


def fit_boosted(matrix: Array, label: Array, encoder: Encoder, settings: CaseSettings) -> Boosted:
    """matrix (n, columns), label (n,) of 0 and 1, both there."""
    own = settings.boosting.model_dump()
    rounds = own.pop("rounds")
    own |= {
        "objective": "binary",
        "seed": settings.seed % 2**31,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
        "num_threads": 1,
    }
    if encoder.trends:
        own["monotone_constraints"] = encoder.directions
    names = [f"column_{at}" for at in range(matrix.shape[1])]  # LightGBM takes few signs in names
    data = lgb.Dataset(matrix, label, feature_name=names, categorical_feature=encoder.categories)
    return Boosted(lgb.train(own, data, rounds))
