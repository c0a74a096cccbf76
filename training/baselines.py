"""The simple methods every model must beat on the same rows: what an analyst would do in an afternoon."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from features.catalogue import POSITION
from training.btyd import MODELS
from training.fit import Examples, fit_logistic, fit_platt
from training.recipes import CHURN, Recipe
from training.rhythm import fit_rhythm

Array = NDArray[np.float64]

RFM = ("recency_days", "orders", "spend")
BINS = 5
PRIOR_CUSTOMERS = 10.0


def baselines(
    recipe: Recipe, examples: Sequence[Examples], base: Array, rows: Array, horizon_days: int
) -> dict[str, Array]:
    """Predictions of every baseline for `rows`, in the recipe's unit; name → (rows,).

    examples: the training dates; base (m, features): all customers of the test date, for the BTYD models, which
    learn from histories alone.
    """
    train_rows = np.vstack([each.rows for each in examples])
    label = np.concatenate([each.label for each in examples])
    found = {"rfm_cells": _cells(train_rows, label, rows)}
    if recipe is CHURN:
        found["recency"] = _logistic_of_recency(train_rows, label, rows)
        found["logistic_rfmt"] = np.asarray(expit(fit_logistic(train_rows, label).log_odds(rows)))
    else:
        found["past_spend"] = np.maximum(np.nan_to_num(rows[:, POSITION["spend_365d"]]), 0.0) * horizon_days / 365
    for name in MODELS:
        expected = fit_rhythm(base, name).columns(rows, horizon_days)
        found[name] = 1 - expected[:, 0] if recipe is CHURN else expected[:, 2]
    return found


def _cells(train_rows: Array, label: Array, rows: Array) -> Array:
    """Mean label of the customer's RFM cell: quintiles of each, cut so that equal values stay together; small cells
    are drawn to the overall mean by ten customers of it."""
    cell, asked = np.zeros(len(train_rows), int), np.zeros(len(rows), int)
    for name in RFM:
        column = POSITION[name]
        cuts = np.unique(np.quantile(train_rows[:, column], np.arange(1, BINS) / BINS))
        cell = cell * BINS + np.searchsorted(cuts, train_rows[:, column])
        asked = asked * BINS + np.searchsorted(cuts, rows[:, column])
    total, count = np.bincount(cell, label, BINS**3), np.bincount(cell, minlength=BINS**3)
    return np.asarray((total + PRIOR_CUSTOMERS * label.mean()) / (count + PRIOR_CUSTOMERS))[asked]


def _logistic_of_recency(train_rows: Array, label: Array, rows: Array) -> Array:
    """P(churn) from days since the last purchase alone."""

    def p_active(table: Array) -> Array:
        return np.asarray(1 / (1 + table[:, POSITION["recency_days"]]))

    return np.asarray(expit(fit_platt(p_active(train_rows), label).log_odds(p_active(rows))))
