"""LightGBM over the inputs of a model, kept in its own text format."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from training.models.inputs import INPUTS
from training.recipes import Boosting
from training.trees import (
    Model,
    Shares,
    Trees,
    check_parity,
    edge_rows,
    read_model,
    score_trees,
    share_out,
    shares_of,
    trees_of,
)

Array = NDArray[np.float64]

FEW_ROWS = 1_000
"""Fewer rows are not worth waking other threads for."""
THREADS = 1
"""Threads cost more than they bring below a million rows; several models are better fitted side by side."""


@dataclass(frozen=True)
class Forest:
    """A fitted booster over `inputs`."""

    booster: lgb.Booster

    def score(self, table: Array) -> Array:
        """The raw score per row: log-odds, log amount or the label itself, by objective; shape (n,)."""
        if self.trees is not None:
            return score_trees(self.trees, table)
        return np.asarray(self.booster.predict(table, raw_score=True, num_threads=_threads(table)))

    @cached_property
    def model(self) -> Model | None:
        """The booster's trees; None where the compiled loops cannot score them."""
        return read_model(self.booster.model_to_string())

    @cached_property
    def trees(self) -> Trees | None:
        """The same as the compiled loops take them."""
        found = self.__dict__.get("shares")
        return found.trees if found is not None else trees_of(self.model) if self.model else None

    @cached_property
    def shares(self) -> Shares | None:
        """What explains the trees; None where the compiled loop cannot."""
        return shares_of(self.model) if self.model else None

    def contributions(self, table: Array) -> tuple[Array, float]:
        """Exact TreeSHAP (Lundberg et al. 2020) of the raw score: (n, inputs), and the base they are added to."""
        if self.shares is not None:
            return share_out(self.shares, table), float(self.shares.base[0])
        found = np.asarray(self.booster.predict(table, pred_contrib=True, num_threads=_threads(table)))
        return found[:, :-1], float(found[0, -1]) if len(found) else 0.0

    def save(self, file: Path) -> None:
        """LightGBM's text format."""
        self.booster.save_model(str(file))

    @staticmethod
    def load(file: Path) -> Forest:
        """What `save` wrote. Raises InputError where our loops answer otherwise than LightGBM (`check_parity`)."""
        forest = Forest(lgb.Booster(model_file=str(file)))
        if forest.shares is not None:
            check_parity(forest.booster, forest.shares, edge_rows(forest.shares.trees), "/".join(file.parts[-2:]))
        return forest


def fit_forest(
    objective: str,
    table: Array,
    label: Array,
    boosting: Boosting,
    seed: int,
    start: Array | None = None,
    **more: Any,
) -> Forest:
    """Fit to a table of inputs; the same table, label and seed give the same trees.

    start (n,): raw scores that the trees only have to correct, not part of what the forest answers.

    Cuts are drawn at random (extra trees: Geurts et al. 2006), which measured better than the best cut on every
    earlier date it was tried on.
    """
    settings: dict[str, Any] = boosting.model_dump() | more
    rounds = settings.pop("rounds")
    settings |= {
        "objective": objective,
        "extra_trees": True,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
        "num_threads": THREADS,
    }
    data = lgb.Dataset(table, label, init_score=start, feature_name=list(INPUTS))
    return Forest(lgb.train(settings, data, rounds))


def _threads(table: Array) -> int:
    return THREADS if len(table) < FEW_ROWS else 0
