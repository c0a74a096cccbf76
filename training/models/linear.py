"""Logistic regressions of a few columns and their products, kept as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from features.catalogue import POSITION
from training.models.inputs import log_plus

Array = NDArray[np.float64]
Columns = dict[str, Array]

RFMT = ("recency_days", "orders", "spend", "tenure_days")
P_ACTIVE = "btyd_p_active"

CURVED: tuple[tuple[str, ...], ...] = (
    (P_ACTIVE,), *((name,) for name in RFMT),
    (P_ACTIVE, P_ACTIVE), ("recency_days", "recency_days"), ("orders", "orders"), ("tenure_days", "tenure_days"),
    ("recency_days", "orders"), ("recency_days", "tenure_days"), ("orders", "tenure_days"),
)  # fmt: skip
STRAIGHT: tuple[tuple[str, ...], ...] = tuple((name,) for name in RFMT)


@dataclass(frozen=True)
class Logistic:
    """Logistic regression on standardised columns: a term is one of them, or the product of two."""

    terms: tuple[tuple[str, ...], ...]
    centre: dict[str, float]
    scale: dict[str, float]
    weights: tuple[float, ...]
    intercept: float

    def parts(self, columns: Columns) -> Columns:
        """What each column adds to the intercept, name → (n,); a product's share is halved between its two."""
        one = {name: (columns[name] - self.centre[name]) / self.scale[name] for name in self.centre}
        found = {name: np.zeros(len(column)) for name, column in one.items()}
        for term, weight in zip(self.terms, self.weights, strict=True):
            share = weight * _product(one, term) / len(term)
            for name in term:
                found[name] = found[name] + share
        return found

    def log_odds(self, columns: Columns) -> Array:
        """Shape (n,)."""
        parts = self.parts(columns)
        total = np.full(len(next(iter(parts.values()))), self.intercept)
        for part in parts.values():
            total = total + part
        return total

    @staticmethod
    def from_json(found: dict[str, Any]) -> Logistic:
        """What `vars` gave, read from JSON."""
        terms, weights = tuple(map(tuple, found["terms"])), tuple(found["weights"])
        return Logistic(terms, found["centre"], found["scale"], weights, found["intercept"])


def fit_logistic(columns: Columns, label: Array, terms: tuple[tuple[str, ...], ...] = STRAIGHT) -> Logistic:
    """Fit by maximum likelihood with scikit-learn's default ridge; by default on recency, orders, spend and tenure.

    Raises ValueError where all labels are alike.
    """
    names = dict.fromkeys(name for term in terms for name in term)
    centre = {name: float(columns[name].mean()) for name in names}
    scale = {name: float(columns[name].std()) or 1.0 for name in names}
    one = {name: (columns[name] - centre[name]) / scale[name] for name in names}
    model = LogisticRegression(max_iter=1000).fit(np.column_stack([_product(one, term) for term in terms]), label)
    return Logistic(terms, centre, scale, tuple(map(float, model.coef_[0])), float(model.intercept_[0]))


def columns_of(rows: Array, p_active: Array | None = None) -> Columns:
    """log(1 + recency, orders, spend, tenure) and, where given, the log-odds of BTYD's P(inactive); name → (n,)."""
    found = {name: log_plus(rows[:, POSITION[name]]) for name in RFMT}
    return found if p_active is None else found | {P_ACTIVE: inactive(p_active)}


def inactive(p_active: Array) -> Array:
    """Log-odds of no purchase, shape (n,)."""
    return -np.asarray(logit(p_active))


@dataclass(frozen=True)
class Platt:
    """Log-odds of an event from those a model gives; Platt (1999)."""

    slope: float = 1.0
    intercept: float = 0.0

    def log_odds(self, given: Array) -> Array:
        """Shape (n,)."""
        return self.slope * given + self.intercept


def fit_platt(given: Array, label: Array) -> Platt:
    """given (n,): log-odds, or any number that rises with the event; raises ValueError where all labels are alike."""
    model = LogisticRegression(C=1e6).fit(given[:, None], label)
    return Platt(float(model.coef_[0, 0]), float(model.intercept_[0]))


def _product(one: Columns, term: tuple[str, ...]) -> Array:
    return one[term[0]] * one[term[1]] if len(term) == 2 else one[term[0]]
