"""A scorecard: each column in a few bins, and what each bin adds to the log-odds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from features.workspace import read_json, write_json
from training.cases.bins import Bins, fit_bins, fit_groups
from training.cases.encoder import Encoder
from training.cases.settings import CaseSettings
from training.threads import one_thread

Array = NDArray[np.float64]

FILE = "scorecard.json"


@dataclass(frozen=True)
class Characteristic:
    """A column of the scorecard: its bins, and the weight of their evidence in the regression; it is above 0."""

    bins: Bins
    weight: float

    @property
    def at(self) -> int:
        """Its column of the matrix."""
        return self.bins.at

    @property
    def shares(self) -> Array:
        """What each bin adds to the log-odds, shape (bins,)."""
        return self.weight * np.array(self.bins.woe)

    def share(self, matrix: Array) -> Array:
        """What it adds to the log-odds, shape (n,)."""
        return np.asarray(self.shares[self.bins.place(matrix[:, self.at])])


@dataclass(frozen=True)
class Scorecard:
    """Looked up and added, in the order of the columns: one case and a million give the same bits."""

    characteristics: tuple[Characteristic, ...]
    intercept: float
    columns: int

    def log_odds(self, matrix: Array) -> Array:
        """Shape (n,)."""
        total = np.full(len(matrix), self.intercept)
        for each in self.characteristics:
            total = total + each.share(matrix)
        return total

    def contributions(self, matrix: Array) -> Array:
        """Shape (n, columns + 1), the base last. Exact, as the model is additive."""
        found = np.zeros((len(matrix), self.columns + 1))
        for each in self.characteristics:
            found[:, each.at] = each.share(matrix)
        found[:, -1] = self.intercept
        return found

    def save(self, folder: Path) -> None:
        """scorecard.json."""
        own = [asdict(each) for each in self.characteristics]
        write_json(folder / FILE, {"intercept": self.intercept, "columns": self.columns, "characteristics": own})

    @staticmethod
    def load(folder: Path) -> Scorecard:
        """What `save` wrote."""
        found = read_json(folder / FILE)
        own = tuple(Characteristic(_bins(each["bins"]), each["weight"]) for each in found["characteristics"])
        return Scorecard(own, found["intercept"], found["columns"])


def _bins(found: dict[str, Any]) -> Bins:
    own: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in found.items()}
    return Bins(**own)


def fit_scorecard(matrix: Array, label: Array, encoder: Encoder, settings: CaseSettings) -> Scorecard:
    """Ridge logistic regression on the weight of evidence (WOE) of bins; Siddiqi 2006, ch. 6, Thomas 2009, ch. 1.

    matrix (n, columns), label (n,) of 0 and 1, both there. A column whose weight is not above 0 contradicts its own
    bins: the worst of them is dropped and the others fitted again, until all agree.
    """
    own = settings.scorecard
    bins = []
    for at, (name, direction) in enumerate(zip(encoder.names, encoder.directions, strict=True)):
        if name in encoder.levels:
            bins.append(fit_groups(at, matrix[:, at], label, len(encoder.levels[name]), own))
        else:
            bins.append(fit_bins(at, matrix[:, at], label, direction, own))
    left = [(each, each.evidence(matrix[:, each.at])) for each in bins]
    left = [(each, evidence) for each, evidence in left if evidence.min() < evidence.max()]
    while left:
        weights, intercept = _regression(np.column_stack([evidence for _, evidence in left]), label, own.ridge)
        if weights.min() > 0:
            card = tuple(Characteristic(each, float(weight)) for (each, _), weight in zip(left, weights, strict=True))
            return Scorecard(card, intercept, matrix.shape[1])
        del left[int(np.argmin(weights))]
    return Scorecard((), float(logit(label.mean())), matrix.shape[1])


def _regression(evidence: Array, label: Array, ridge: float) -> tuple[Array, float]:
    with one_thread():
        model = LogisticRegression(C=ridge, solver="newton-cholesky").fit(evidence, label)
    return model.coef_[0], float(model.intercept_[0])
