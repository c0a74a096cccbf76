"""A score's reasons add up to it, name what they speak of, and come quickly."""

from __future__ import annotations

import time

import numpy as np
import pytest

from features.catalogue import NAMES
from features.catalogue.confidential import CONFIDENTIAL
from tests.training.small_base import BOOSTING, HORIZON, asked, lesson
from tests.training.test_models import ALL, EVERY, fitted
from training.explain import DOCS, importance, sentence, sentences, top_reasons
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
    """The value is that of the row, the sign that of the contribution."""
    rows = asked("silence")[0]
    model = fitted("lightgbm", "silence")
    found = model.explain(rows, HORIZON)
    for row, reasons in enumerate(top_reasons(model, rows, HORIZON, k=4)):
        sizes = [abs(contribution) for _, _, contribution in reasons]
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[0] == pytest.approx(np.abs(found.values[row]).max())
        for name, value, contribution in reasons:
            assert contribution == found.values[row, found.names.index(name)]
            assert name not in NAMES or np.array_equal(value, rows[row, NAMES.index(name)], equal_nan=True)
    assert importance(found)[0][1] >= importance(found)[-1][1] > 0


def test_a_reason_is_a_plain_sentence() -> None:
    """Of the feature's doc, its value with the unit, and where it moves the score."""
    leave = "the probability to leave"
    assert sentence(("recency_days", 212.0, 0.3), leave) == (
        "Days since the last purchase: 212 days, raises the probability to leave"
    )
    assert sentence(("spend", 123456.0, -0.3), leave) == ("Net spend ever: 1,234.56, lowers the probability to leave")
    assert sentence(("gap_mean", float("nan"), -0.1), leave).endswith("not known, lowers the probability to leave")
    assert len(sentences([("orders", 1.0, 0.1), ("orders", 2.0, 0.1)], leave)) == 2


def test_twenty_thousand_customers_in_well_under_a_minute() -> None:
    """With a forest of the size that is served."""
    rows = asked("silence")[0]
    crowd = rows[np.random.default_rng(0).integers(0, len(rows), 20_000)]
    served = BOOSTING.model_copy(update={"rounds": load_settings().boosting.rounds})
    model = fit_rung("lightgbm", "silence", lesson("silence"), served, 1)
    start = time.process_time()
    assert len(top_reasons(model, crowd, HORIZON)) == 20_000
    assert time.process_time() - start < 30
