"""RFM cells: the mean label of customers who are alike in recency, orders and spend. The rung before rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from features.catalogue import POSITION
from features.workspace import read_json, write_json
from training.explain import CELL, Contributions
from training.models.inputs import Examples

Array = NDArray[np.float64]

RFM = ("recency_days", "orders", "spend")
BINS = 5
PRIOR_CUSTOMERS = 10.0


@dataclass(frozen=True)
class CellsModel:
    """Quintiles of recency, orders and spend, cut so that equal values stay together; a mean per cell, those of small
    cells drawn to the overall mean by ten customers of it.

    cuts: feature → inner bounds; means (BINS³,): per cell; overall: of all customers.
    """

    predicts: Literal["probability", "amount"]
    cuts: dict[str, tuple[float, ...]]
    means: tuple[float, ...]
    overall: float

    def predict(self, rows: Array, horizon_days: int) -> Array:
        """The mean label of each row's cell, shape (n,)."""
        return np.array(self.means)[_cell(self.cuts, rows)]

    def explain(self, rows: Array, horizon_days: int) -> Contributions:
        """Of the log-odds of a probability or the logarithm of an amount: the cell against the overall mean."""
        cell = _cell(self.cuts, rows)
        score, base = self._score(np.array(self.means)[cell]), float(self._score(np.array([self.overall]))[0])
        moves = f"the {self.predicts}"
        return Contributions((CELL,), cell[:, None].astype(float), (score - base)[:, None], base, score, moves)

    def _score(self, mean: Array) -> Array:
        if self.predicts == "probability":
            return np.asarray(logit(np.clip(mean, 1e-9, 1 - 1e-9)))
        return np.asarray(np.log(np.maximum(mean, 1e-9)))

    def save(self, folder: Path) -> None:
        """model.json."""
        write_json(folder / "model.json", {"model": "cells", **vars(self)})

    @staticmethod
    def load(folder: Path) -> CellsModel:
        """What `save` wrote."""
        found: dict[str, Any] = read_json(folder / "model.json")
        cuts = {name: tuple(bounds) for name, bounds in found["cuts"].items()}
        return CellsModel(found["predicts"], cuts, tuple(found["means"]), found["overall"])


def fit_cells(examples: Sequence[Examples], predicts: Literal["probability", "amount"]) -> CellsModel:
    """Fit to labels of one date or more."""
    rows = np.vstack([each.rows for each in examples])
    label = np.concatenate([each.label for each in examples])
    wanted = np.arange(1, BINS) / BINS
    cuts = {name: tuple(map(float, np.unique(np.quantile(_column(rows, name), wanted)))) for name in RFM}
    cell, overall = _cell(cuts, rows), float(label.mean())
    total, count = np.bincount(cell, label, BINS**3), np.bincount(cell, minlength=BINS**3)
    means = (total + PRIOR_CUSTOMERS * overall) / (count + PRIOR_CUSTOMERS)
    return CellsModel(predicts, cuts, tuple(map(float, means)), overall)


def _cell(cuts: dict[str, tuple[float, ...]], rows: Array) -> NDArray[np.intp]:
    cell = np.zeros(len(rows), np.intp)
    for name in RFM:
        cell = cell * BINS + np.searchsorted(cuts[name], _column(rows, name))
    return cell


def _column(rows: Array, name: str) -> Array:
    """Null counts as 0: a source without amounts has no cells of spend."""
    return np.nan_to_num(rows[:, POSITION[name]])
