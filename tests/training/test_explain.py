"""A score's reasons add up to it, name what they speak of, and come quickly."""

from __future__ import annotations

import time

import numpy as np
import pytest

from features.catalogue.confidential import CONFIDENTIAL
from tests.training.small_base import BOOSTING, HORIZON, asked, lesson
from tests.training.test_models import ALL, EVERY, fitted
from training.explain import DOCS, largest, sentences_of
from training.models.inputs import INPUTS
from training.models.rungs import Question, Rung, fit_rung
from training.recipes import load_settings


@EVERY
def test_contributions_add_up_to_the_score(rung: Rung, question: Question) -> None:
    """Base and contributions give the model's own additive score, to 1e-9, on every row."""
    rows = asked(question)[0]
    found = fitted(rung, question).explain(rows, HORIZON)
    assert np.abs(found.base + found.values.sum(axis=1) - found.score).max() < 1e-9
    assert found.values.shape == found.inputs.shape == (len(rows), len(found.names))


@EVERY
def test_the_prediction_is_an_increasing_function_of_the_score(rung: Rung, question: Question) -> None:
    """The same for all customers, so what raises the score raises the prediction."""
    rows = asked(question)[0]
    model = fitted(rung, question)
    score, predicted = model.explain(rows, HORIZON).score, model.predict(rows, HORIZON)
    order = np.argsort(score, kind="stable")
    assert (np.diff(predicted[order]) >= -1e-12).all()


def test_the_opposite_has_the_opposite_reasons() -> None:
    """P(purchase) is 1 − P(silence), for the reasons turned round."""
    rows = asked("silence")[0]
    model = fitted("lightgbm", "silence")
    found = model.explain(rows, HORIZON).turned("the probability to buy")
    assert np.abs(found.base + found.values.sum(axis=1) - found.score).max() < 1e-9
    assert 1 / (1 + np.exp(-found.score)) == pytest.approx(1 - model.predict(rows, HORIZON))


def test_every_input_is_explained() -> None:
    """Each has a doc; what a customer must not learn of never counts."""
    assert set(INPUTS) <= set(DOCS) and len(set(INPUTS)) == len(INPUTS)
    for rung, question in ALL:
        found = fitted(rung, question).explain(asked(question)[0], HORIZON)
        assert set(found.names) <= set(DOCS)
        hidden = [i for i, name in enumerate(found.names) if name in CONFIDENTIAL]
        assert not found.values[:, hidden].any()


def test_reasons_are_the_largest_with_their_sign() -> None:
    """Those furthest from 0, of equals the first; as many as there are, where fewer are there than asked for."""
    found = fitted("lightgbm", "silence").explain(asked("silence")[0], HORIZON).values
    assert np.array_equal(largest(found, 4), np.argsort(-np.abs(found), axis=1, kind="stable")[:, :4])
    few = np.array([[0.0, -2.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0], [3.0, -4.0, 3.0, 3.0]])
    assert largest(few, 3).tolist() == [[1, 2, 3], [0, 1, 2], [1, 0, 2]]
    assert largest(few[:, :1], 3).tolist() == [[0], [0], [0]] and largest(few[:0], 3).shape == (0, 3)


def test_a_reason_is_a_plain_sentence() -> None:
    """Of the feature's doc, its value with the unit, and where it moves the score."""
    leave, names = "the probability to leave", ("spend", "recency_days", "gap_mean")
    which, values, moves = (
        np.array([1, 0, 2, 1]),
        np.array([212.0, 123456.0, np.nan, 3.0]),
        np.array([0.3, -0.3, -1, 1]),
    )
    assert sentences_of(names, which, values, moves, leave).to_pylist() == [
        "Days since the last purchase: 212 days, raises the probability to leave",
        "Net spend ever: 1,234.56, lowers the probability to leave",
        "Mean days between purchases: not known, lowers the probability to leave",
        "Days since the last purchase: 3 days, raises the probability to leave",
    ]
    assert not len(sentences_of(names, which[:0], values[:0], moves[:0], leave))


def test_twenty_thousand_customers_in_well_under_a_minute() -> None:
    """With a forest of the size that is served."""
    rows = asked("silence")[0]
    crowd = rows[np.random.default_rng(0).integers(0, len(rows), 20_000)]
    served = BOOSTING.model_copy(update={"rounds": load_settings().boosting.rounds})
    model = fit_rung("lightgbm", "silence", lesson("silence"), served, 1)
    start = time.process_time()
    found = model.explain(crowd, HORIZON)
    top = largest(found.values, 3)
    rows_of = np.arange(len(crowd))[:, None]
    told = found.inputs[rows_of, top].ravel(), found.values[rows_of, top].ravel()
    assert len(sentences_of(found.names, top.ravel(), *told, found.moves)) == 60_000
    assert time.process_time() - start < 10
