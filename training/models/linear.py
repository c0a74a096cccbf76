"""Logistic regressions of a few columns and their products, kept as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from math import log, log1p
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from features.catalogue import POSITION

Array = NDArray[np.float64]

RFMT = ("recency_days", "orders", "spend", "tenure_days")
P_ACTIVE = "btyd_p_active"

CURVED: tuple[tuple[str, ...], ...] = (
    (P_ACTIVE,), *((name,) for name in RFMT),
    (P_ACTIVE, P_ACTIVE), ("recency_days", "recency_days"), ("orders", "orders"), ("tenure_days", "tenure_days"),
    ("recency_days", "orders"), ("recency_days", "tenure_days"), ("orders", "tenure_days"),
)  # fmt: skip
LINEAR = (*RFMT, P_ACTIVE)
"""The columns of `columns_of`, in order."""
RECENCY, ORDERS, SPEND, TENURE = (POSITION[name] for name in RFMT)
STRAIGHT: tuple[tuple[str, ...], ...] = tuple((name,) for name in RFMT)


@dataclass(frozen=True)
class Logistic:
    """Logistic regression on standardised columns: a term is one of them, or the product of two."""

    terms: tuple[tuple[str, ...], ...]
    centre: dict[str, float]
    scale: dict[str, float]
    weights: tuple[float, ...]
    intercept: float

    def parts(self, columns: Array) -> dict[str, Array]:
        """What each column adds to the intercept, name → (n,); a product's share is halved between its two."""
        one = self._standardised(columns)
        found = {name: np.zeros(len(columns)) for name in self.centre}
        for term, weight in zip(self.terms, self.weights, strict=True):
            share = weight * _product(one, term) / len(term)
            for name in term:
                found[name] = found[name] + share
        return found

    def log_odds(self, columns: Array) -> Array:
        """Shape (n,); columns (n, LINEAR)."""
        out = np.empty(len(columns))
        _log_odds(*self.arrays, columns, out)
        return out

    @cached_property
    def arrays(self) -> tuple[NDArray[np.int64], Array]:
        """What `log_odds` takes. terms (2 t,): the two columns of each, −1 for no second; numbers: per column its
        centre, then per column its scale, the weights, and the intercept."""
        pairs = [[LINEAR.index(name) for name in term] for term in self.terms]
        centre, scale = (
            [said.get(name, empty) for name in LINEAR] for said, empty in ((self.centre, 0), (self.scale, 1))
        )
        terms = np.array([[*pair, -1][:2] for pair in pairs], np.int64).ravel()
        return terms, np.array([*centre, *scale, *self.weights, self.intercept], float)

    def _standardised(self, columns: Array) -> dict[str, Array]:
        return {n: (columns[:, LINEAR.index(n)] - self.centre[n]) / self.scale[n] for n in self.centre}

    @staticmethod
    def from_json(found: dict[str, Any]) -> Logistic:
        """What `to_json` gave, read from JSON."""
        terms, weights = tuple(map(tuple, found["terms"])), tuple(found["weights"])
        return Logistic(terms, found["centre"], found["scale"], weights, found["intercept"])

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def fit_logistic(columns: Array, label: Array, terms: tuple[tuple[str, ...], ...] = STRAIGHT) -> Logistic:
    """Fit by maximum likelihood with scikit-learn's default ridge; by default on recency, orders, spend and tenure.

    columns (n, LINEAR). Raises ValueError where all labels are alike.
    """
    names = dict.fromkeys(name for term in terms for name in term)
    own = {name: columns[:, LINEAR.index(name)] for name in names}
    centre = {name: float(column.mean()) for name, column in own.items()}
    scale = {name: float(column.std()) or 1.0 for name, column in own.items()}
    one = {name: (column - centre[name]) / scale[name] for name, column in own.items()}
    model = LogisticRegression(max_iter=1000).fit(np.column_stack([_product(one, term) for term in terms]), label)
    return Logistic(terms, centre, scale, tuple(map(float, model.coef_[0])), float(model.intercept_[0]))


def columns_of(rows: Array, p_active: Array | None = None) -> Array:
    """log(1 + recency, orders, spend, tenure) and the log-odds of BTYD's P(inactive), NaN where that is not given;
    shape (n, LINEAR)."""
    out, p_active = np.empty((len(rows), len(LINEAR))), np.full(len(rows), np.nan) if p_active is None else p_active
    _fill(rows, p_active, out)
    return out


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _fill(rows: Array, p_active: Array, out: Array) -> None:
    for i in range(len(rows)):
        fill_columns(rows[i], p_active[i], out[i])


@nb.njit(inline="always")
def fill_columns(row: Array, p_active: float, out: Array) -> None:
    """The columns (LINEAR,) of one row."""
    out[0] = log_plus_one(row[RECENCY])
    out[1] = log_plus_one(row[ORDERS])
    out[2] = log_plus_one(row[SPEND])
    out[3] = log_plus_one(row[TENURE])
    out[4] = -log(p_active / (1.0 - p_active))


@nb.njit(cache=True, nogil=True, error_model="numpy")
def log_plus_one(x: float) -> float:
    """log(1 + x); null and what is below 0 count as 0."""
    return log1p(x) if x > 0.0 else 0.0


@nb.njit(cache=True, nogil=True, error_model="numpy")
def log_odds(terms: NDArray[np.int64], numbers: Array, columns: Array) -> float:
    """A `Logistic` of one row; columns (LINEAR,)."""
    width, total = len(columns), float(numbers[-1])
    for t in range(len(terms) // 2):
        one, other = terms[2 * t], terms[2 * t + 1]
        share = numbers[2 * width + t] * ((columns[one] - numbers[one]) / numbers[width + one])
        total += share if other < 0 else share * ((columns[other] - numbers[other]) / numbers[width + other])
    return total


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _log_odds(terms: NDArray[np.int64], numbers: Array, columns: Array, out: Array) -> None:
    for i in range(len(out)):
        out[i] = log_odds(terms, numbers, columns[i])


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


def _product(one: dict[str, Array], term: tuple[str, ...]) -> Array:
    return one[term[0]] * one[term[1]] if len(term) == 2 else one[term[0]]
