"""The simple methods every model must beat on the same rows: what an analyst would do in an afternoon."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from features.catalogue import POSITION
from training.btyd import MODELS
from training.models.alone import BtydAmount, BtydSilence
from training.models.cells import fit_cells
from training.models.inputs import Examples
from training.models.linear import LINEAR, columns_of, fit_logistic, fit_platt
from training.models.rungs import Question
from training.recipes import CHURN, Recipe
from training.rhythm import Rhythm, fit_rhythm

Array = NDArray[np.float64]


def baselines(
    recipe: Recipe, examples: Sequence[Examples], base: Array, rows: Array, horizon_days: int
) -> dict[str, Array]:
    """Predictions of every baseline for `rows`, in the recipe's unit; name → (rows,).

    examples: the training dates; base (m, features): all customers of the test date, for the BTYD models, which
    learn from histories alone.
    """
    question: Question = "silence" if recipe is CHURN else "spend"
    return rivals(question, examples, base_rhythms(base), rows, horizon_days)


def base_rhythms(base: Array) -> dict[str, Rhythm]:
    """Every BTYD model fitted to the histories of `base` (m, features): once per date, whatever is asked."""
    return {name: fit_rhythm(base, name) for name in MODELS}


def rivals(
    question: Question, examples: Sequence[Examples], rhythms: dict[str, Rhythm], rows: Array, horizon_days: int
) -> dict[str, Array]:
    """Predictions of every baseline of a question for `rows`; name → (rows,).

    examples: the training dates; rhythms: what `base_rhythms` gave for the date that is asked about.
    """
    amount = question in ("spend", "orders")
    found = {"rfm_cells": fit_cells(examples, "amount" if amount else "probability").predict(rows, horizon_days)}
    if amount:
        column = rows[:, POSITION["spend_365d" if question == "spend" else "orders_365d"]]
        found[f"past_{question}"] = np.maximum(np.nan_to_num(column), 0.0) * horizon_days / 365
        for name, rhythm in rhythms.items():
            found[name] = BtydAmount("spend" if question == "spend" else "orders", rhythm).predict(rows, horizon_days)
        return found
    train = np.vstack([each.rows for each in examples])
    label = np.concatenate([each.label for each in examples])
    found["recency"] = _of_recency(train, label, rows)
    found["logistic_rfmt"] = np.asarray(expit(fit_logistic(columns_of(train), label).log_odds(columns_of(rows))))
    if question == "silence":
        found |= {name: BtydSilence(rhythm).predict(rows, horizon_days) for name, rhythm in rhythms.items()}
    return found


def _of_recency(train: Array, label: Array, rows: Array) -> Array:
    """P(label) from days since the last purchase alone."""
    train_days, days = (columns_of(table)[:, LINEAR.index("recency_days")] for table in (train, rows))
    return np.asarray(expit(fit_platt(train_days, label).log_odds(days)))
