"""Logistic regression over what can be said of a case in yes or no, and over its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from features.workspace import read_json, write_json
from training.cases.encoder import FIRST, MISSING, OTHER, Encoder
from training.cases.settings import CaseSettings
from training.threads import one_thread

Array = NDArray[np.float64]

FILE = "logistic.json"
STEPS = 10
"""A number with more values than this among the training cases also has a step at each of its deciles."""


@dataclass(frozen=True)
class Term:
    """One column of the regression, made of column `at` of the matrix.

    what: `is` the code `value`; `missing`; above `value`; the number itself, or the logarithm of 1 + its size with its
    sign, both kept within the training cases' `low` and `high`, `value` standing for null. centre, scale: mean and
    standard deviation among the training cases; weight: of the standardised column.
    """

    at: int
    what: Literal["is", "missing", "above", "number", "log"]
    value: float = 0.0
    low: float = 0.0
    high: float = 0.0
    centre: float = 0.0
    scale: float = 1.0
    weight: float = 0.0

    def column(self, matrix: Array) -> Array:
        """Shape (n,)."""
        cells = matrix[:, self.at]
        match self.what:
            case "is":
                return np.asarray(cells == self.value, float)
            case "missing":
                return np.asarray(np.isnan(cells), float)
            case "above":
                return np.asarray(cells > self.value, float)  # null is above nothing
        within = np.clip(np.where(np.isnan(cells), self.value, cells), self.low, self.high)
        return within if self.what == "number" else np.sign(within) * np.log1p(np.abs(within))

    def share(self, matrix: Array) -> Array:
        """What it adds to the log-odds, shape (n,); 0 on average among the training cases."""
        return np.asarray(self.weight * ((self.column(matrix) - self.centre) / self.scale))


@dataclass(frozen=True)
class Linear:
    """Element by element, without matrix products: one case and a million give the same bits."""

    terms: tuple[Term, ...]
    intercept: float
    columns: int

    def log_odds(self, matrix: Array) -> Array:
        """Shape (n,)."""
        total = np.full(len(matrix), self.intercept)
        for term in self.terms:
            total = total + term.share(matrix)
        return total

    def contributions(self, matrix: Array) -> Array:
        """Shape (n, columns + 1), the base last: each column's terms together. Exact, as the model is additive."""
        found = np.zeros((len(matrix), self.columns + 1))
        for term in self.terms:
            found[:, term.at] += term.share(matrix)
        found[:, -1] = self.intercept
        return found

    def save(self, folder: Path) -> None:
        """logistic.json."""
        terms = [asdict(term) for term in self.terms]
        write_json(folder / FILE, {"intercept": self.intercept, "columns": self.columns, "terms": terms})

    @staticmethod
    def load(folder: Path) -> Linear:
        """What `save` wrote."""
        found = read_json(folder / FILE)
        return Linear(tuple(Term(**term) for term in found["terms"]), found["intercept"], found["columns"])


def fit_linear(matrix: Array, label: Array, encoder: Encoder, settings: CaseSettings) -> Linear:
    """Ridge logistic regression on standardised columns. matrix (n, columns), label (n,) of 0 and 1, both there."""
    found = [(term, term.column(matrix)) for term in _terms(matrix, encoder)]
    found = [(term, column) for term, column in found if column.min() < column.max()]
    if not found:
        return Linear((), float(logit(label.mean())), matrix.shape[1])
    moments = [(float(column.mean()), float(column.std())) for _, column in found]
    scaled = [(column - mean) / std for (_, column), (mean, std) in zip(found, moments, strict=True)]
    with one_thread():
        model = LogisticRegression(C=settings.ridge, solver="newton-cholesky").fit(np.column_stack(scaled), label)
    terms = (
        Term(**{**asdict(term), "centre": mean, "scale": std, "weight": float(weight)})
        for (term, _), (mean, std), weight in zip(found, moments, model.coef_[0], strict=True)
    )
    return Linear(tuple(terms), float(model.intercept_[0]), matrix.shape[1])


def _terms(matrix: Array, encoder: Encoder) -> Iterator[Term]:
    for at, (name, kind) in enumerate(encoder.kinds.items()):
        if kind == "category":
            for code in (MISSING, OTHER, *range(FIRST, FIRST + len(encoder.levels[name]))):
                yield Term(at, "is", float(code))
        else:
            yield from _of_number(at, matrix[:, at])


def _of_number(at: int, cells: Array) -> Iterator[Term]:
    """One that is null throughout the training cases has no terms."""
    known = cells[~np.isnan(cells)]
    if len(known) < len(cells):
        yield Term(at, "missing")
    if not len(known):
        return
    middle, low, high = float(np.median(known)), float(known.min()), float(known.max())
    yield Term(at, "number", middle, low, high)
    if len(np.unique(known)) > STEPS:
        yield Term(at, "log", middle, low, high)
        for step in np.unique(np.quantile(known, np.arange(1, STEPS) / STEPS)):
            yield Term(at, "above", float(step))
