"""One bootstrap for all metrics: the plain metrics' numbers, whatever the blocks, and intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training import bootstrap
from training.bootstrap import Resampled, interval
from training.metrics import METRICS, auc, compare, ngini

PLAIN = {name: metric for metrics in METRICS.values() for name, metric in metrics.items() if name != "lift_top_tenth"}


def world(customers: int, amounts: bool, seed: int = 0, resamples: int = 40) -> Resampled:
    """Two cuts that share most of their customers; c is rounded, so that it has ties."""
    rng = np.random.default_rng(seed)
    customer = np.concatenate([rng.permutation(customers), rng.permutation(customers)[: customers - customers // 5]])
    test = np.repeat([10, 20], [customers, customers - customers // 5])
    truth = rng.normal(size=len(customer))
    chance = 1 / (1 + np.exp(-truth))
    y = (rng.random(len(customer)) < chance).astype(float)
    y = np.round(np.exp(truth) * y * 100) - 5 if amounts else y
    good, poor = (1 / (1 + np.exp(-truth - rng.normal(0, sd, len(truth)))) for sd in (0.3, 0.6))
    columns = {"a": good, "b": poor, "c": np.round(good, 1)}
    return Resampled.of(test, customer, y, columns, resamples, seed)


def plain(of: Resampled, name: str, column: str, weight: np.ndarray) -> float:
    """The mean over the cuts of the metric as `training.metrics` has it; NaN where one is undefined."""
    with np.errstate(all="ignore"):
        try:
            found = [PLAIN[name](cut.actual, cut.columns[column], weight[cut.customer]) for cut in of.cuts]
        except ZeroDivisionError:
            return np.nan
    return float(np.mean(found)) if np.isfinite(found).all() else np.nan


@settings(deadline=None, max_examples=30)
@given(st.integers(5, 300), st.integers(0, 10_000))
def test_every_resample_is_the_plain_metric_under_its_weights(customers: int, seed: int) -> None:
    """All metrics, ties included, both cuts under the same weights, and their mean; NaN where that is undefined."""
    for amounts in (False, True):
        of = world(customers, amounts, seed, resamples=6)
        weights = of.weights(0, 6)
        everyone = np.ones(of.customers)
        for name in ("ngini", "bias", "rmse") if amounts else PLAIN:
            for column in ("a", "b", "c"):
                found = of.draws(name, column)
                wanted = plain(of, name, column, everyone)
                assert of.point(name, column) == pytest.approx(wanted, rel=1e-9, abs=1e-12, nan_ok=True)
                for b in range(6):
                    mean = plain(of, name, column, weights[b].astype(float))
                    assert found[b] == pytest.approx(mean, rel=1e-9, abs=1e-12, nan_ok=True)


def test_the_interval_is_that_of_the_plain_loop() -> None:
    """One cut, where `training.metrics.compare` says the same; the two draw differently, so about the same."""
    for amounts, name, metric in ((False, "auc", auc), (True, "ngini", ngini)):
        both = world(2_000, amounts, resamples=2_000)
        of = Resampled((both.cuts[0],), both.customers)
        found = of.compare(name, "a", "b")
        cut = of.cuts[0]
        wanted = compare(metric, cut.actual, cut.columns["a"], cut.columns["b"], 1_000)
        assert found.difference == pytest.approx(wanted.difference, abs=1e-12)
        width = wanted.high - wanted.low
        assert found.low == pytest.approx(wanted.low, abs=0.1 * width)
        assert found.high == pytest.approx(wanted.high, abs=0.1 * width)


def test_customers_are_resampled_not_rows() -> None:
    """A second cut that says the same of the same customers adds no certainty."""
    one = Resampled((world(1_000, False).cuts[0],), 1_000)
    cut = one.cuts[0]
    twice = Resampled((cut, cut), 1_000)
    assert np.array_equal(one.draws("auc", "a"), twice.draws("auc", "a"))


def test_blocks_and_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same draws in blocks of one, and where the weights are not kept; another seed draws others."""
    wanted = world(500, False).draws("auc", "a")
    monkeypatch.setattr(bootstrap, "BLOCK_BYTES", 1)
    monkeypatch.setattr(bootstrap, "KEPT_BYTES", 0)
    assert np.array_equal(world(500, False).draws("auc", "a"), wanted)
    of = world(500, False)
    assert not np.array_equal(Resampled(of.cuts, of.customers, 40, seed=1).draws("auc", "a"), wanted)


def test_weights_are_those_of_drawing_with_replacement() -> None:
    """Each resample draws as many customers as there are; none is favoured; counts vary as a binomial's."""
    weights = Resampled((), 300).weights(0, 2_000).astype(float)
    assert (weights.sum(axis=1) == 300).all()
    assert np.abs(weights.mean(axis=0) - 1).max() < 5 / np.sqrt(2_000)
    assert weights.var() == pytest.approx(1 - 1 / 300, abs=0.01)
    assert np.corrcoef(weights[:1_999, 0], weights[1:, 0])[0, 1] == pytest.approx(0, abs=0.08)


def test_a_model_is_never_told_from_itself() -> None:
    """Identical columns differ by nothing in every resample."""
    point, draws = world(200, False).differences("auc", "a", "a")
    assert point == 0 and not draws.any()
    assert interval(np.array([np.nan, 1.0, 1.0])) == (1, 1)
    assert np.isnan(interval(np.array([np.nan]))[0])


def test_intervals_cover_the_truth() -> None:
    """Of 95 % intervals about 95 % hold the true difference, where each customer's two rows are alike."""
    rng = np.random.default_rng(1)

    def drawn(n: int) -> Resampled:
        truth = np.tile(rng.normal(size=n), 2)
        y = np.tile(rng.random(n) < 1 / (1 + np.exp(-truth[:n])), 2).astype(float)
        columns = {"a": truth + np.tile(rng.normal(0, 0.5, n), 2), "b": truth + np.tile(rng.normal(0, 1, n), 2)}
        return Resampled.of(np.repeat([1, 2], n), np.tile(np.arange(n), 2), y, columns, 300)

    many = drawn(400_000)
    difference = many.point("auc", "a") - many.point("auc", "b")
    found = [drawn(400).compare("auc", "a", "b") for _ in range(200)]
    covered = sum(each.low <= difference <= each.high for each in found)
    assert 178 <= covered <= 199
