"""Metrics against scikit-learn, against themselves with repeated rows, and at their ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.metrics import roc_auc_score

from training.metrics import METRICS, auc, bias, compare, ece, lift_top_tenth, log_loss, ngini, tenths

Rows = st.lists(st.tuples(st.booleans(), st.sampled_from([0.1, 0.2, 0.2, 0.5, 0.9]), st.integers(1, 4)), min_size=4)


def columns(rows: list[tuple[bool, float, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, p, w = (np.array(column, float) for column in zip(*rows, strict=True))
    y[0], y[1] = 0, 1
    return y, p, w


@settings(deadline=None)
@given(Rows)
def test_auc_and_log_loss_are_scikit_learns(rows: list[tuple[bool, float, int]]) -> None:
    """Ties and weights included."""
    y, p, w = columns(rows)
    assert auc(y, p, w) == pytest.approx(roc_auc_score(y, p, sample_weight=w))
    assert log_loss(y, p, w) == pytest.approx(sklearn_log_loss(y, p, sample_weight=w))


@settings(deadline=None)
@given(Rows)
def test_a_weight_is_a_repetition(rows: list[tuple[bool, float, int]]) -> None:
    """A row of weight 3 counts as three rows, in every metric that resampling uses."""
    y, p, w = columns(rows)
    again = [np.repeat(column, w.astype(int)) for column in (y, p)]
    one = np.ones(len(again[0]))
    for name in ("auc", "log_loss"):
        assert METRICS["probability"][name](y, p, w) == pytest.approx(METRICS["probability"][name](*again, one))
    for name in ("ngini", "bias", "rmse", "lift_top_tenth"):
        assert METRICS["amount"][name](y, p, w) == pytest.approx(METRICS["amount"][name](*again, one))


def test_ngini_knows_its_ends() -> None:
    """1 for a perfect order, −1 for its reverse, 0 where all are tied."""
    y, one = np.array([0.0, 0, 1, 2, 50]), np.ones(5)
    assert ngini(y, y, one) == pytest.approx(1)
    assert ngini(y, -y, one) == pytest.approx(-1)
    assert ngini(y, np.zeros(5), one) == pytest.approx(0)


def test_calibration_counts_what_is_off() -> None:
    """0 where each group's mean is right; the whole error where all are off by the same."""
    p = np.repeat(np.arange(10) / 10 + 0.05, 20)
    y = np.concatenate([np.arange(20) < round(20 * q) for q in np.unique(p)]).astype(float)
    one = np.ones(200)
    assert ece(y, p, one) == pytest.approx(0, abs=1e-9)
    assert ece(y, p + 0.04, one) == pytest.approx(0.04, abs=1e-9)
    assert bias(y, 2 * y, one) == 2
    assert tenths(y, p)[0] == pytest.approx(tenths(y, p)[1])


def test_lift_shares_ties() -> None:
    """A tied score has lift 1, however the rows stand; a perfect one has 10 where a tenth holds everything."""
    y = np.array([1.0] * 10 + [0] * 90)
    assert lift_top_tenth(y, np.zeros(100), np.ones(100)) == pytest.approx(1)
    assert lift_top_tenth(y, y, np.ones(100)) == pytest.approx(10)


def test_the_interval_covers_what_it_should() -> None:
    """A useless rival is told from a good model; a model is never told from itself."""
    rng = np.random.default_rng(0)
    y = (rng.random(800) < 0.4).astype(float)
    good, noise = y + rng.normal(0, 1, 800), rng.normal(0, 1, 800)
    found = compare(auc, y, good, noise, 300)
    assert 0 < found.low < found.difference < found.high
    assert compare(auc, y, good, good, 50) == compare(auc, y, good, good, 50)
    assert (compare(auc, y, good, good, 50).low, compare(auc, y, good, good, 50).high) == (0, 0)
