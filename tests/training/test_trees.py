"""Our compiled loop scores trees as LightGBM does, to the bit."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from numpy.typing import NDArray

from training.trees import parse_shares, parse_trees, score_trees, share_out

SETTINGS: dict[str, dict[str, Any]] = {
    "null as itself": {},
    "extra trees": {"extra_trees": True, "feature_fraction": 0.4, "num_leaves": 7},
    "zero as null": {"zero_as_missing": True},
    "null as zero": {"use_missing": False},
    "most leaves": {"num_leaves": 64, "min_data_in_leaf": 2},
    "stumps": {"num_leaves": 2},
    "nothing to split": {"min_data_in_leaf": 10_000},
    "tweedie": {"objective": "tweedie"},
}


def table(rows: int, seed: int) -> NDArray[np.float64]:
    """Numbers of every kind: nulls, zeros, infinities, the very small, integers."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 12))
    x[rng.random(x.shape) < 0.2] = np.nan
    x[rng.random(x.shape) < 0.2] = 0.0
    x[:, 3] = np.round(x[:, 3] * 3)
    x[:, 4] *= 1e-36
    x[:, 5] = np.abs(x[:, 5])
    x[: rows // 50, 6] = np.inf
    x[: rows // 50, 7] = -np.inf
    return x


@pytest.mark.parametrize("case", SETTINGS)
def test_scores_are_lightgbms(case: str) -> None:
    """Rows it was fitted on and others, many and one, whatever null means."""
    x = table(3_000, 1)
    label = np.nan_to_num(x[:, 0]) + np.nan_to_num(x[:, 3]) ** 2 + np.isnan(x[:, 5])
    label = np.abs(label) if case == "tweedie" else label
    settings = {"objective": "regression", "verbose": -1, "num_threads": 1, "seed": 3} | SETTINGS[case]
    booster = lgb.train(settings, lgb.Dataset(x, label), 60)
    trees = parse_trees(booster.model_to_string())
    assert trees is not None
    for rows in (x, table(1_031, 2), table(1, 3), np.full((1, 12), np.nan), np.empty((0, 12))):
        wanted = booster.predict(rows, raw_score=True, num_threads=1) if len(rows) else np.empty(0)
        assert np.array_equal(score_trees(trees, rows), wanted)
    one_by_one = np.concatenate([score_trees(trees, x[i : i + 1]) for i in range(100)])
    assert np.array_equal(score_trees(trees, x)[:100], one_by_one)


def test_many_threads_give_the_same_bits() -> None:
    """Rows are shared among threads, sums are not."""
    x = table(25_000, 4)
    label = np.nan_to_num(x[:, 0])
    booster = lgb.train({"verbose": -1, "num_threads": 1}, lgb.Dataset(x[:2_000], label[:2_000]), 30)
    trees = parse_trees(booster.model_to_string())
    assert trees is not None
    whole = score_trees(trees, x)
    assert np.array_equal(whole, np.concatenate([score_trees(trees, part) for part in np.array_split(x, 9)]))


@pytest.mark.parametrize(
    "settings",
    [
        {"linear_tree": True},
        {"objective": "multiclass", "num_class": 3},
        {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        {"num_leaves": 65, "min_data_in_leaf": 1},
    ],
    ids=["linear", "several outputs", "averaged", "too many leaves"],
)
def test_what_the_loop_cannot_score_is_left_to_lightgbm(settings: dict[str, Any]) -> None:
    """None, never a wrong answer."""
    x = np.random.default_rng(0).normal(size=(2_000, 4))
    label = (np.arange(2_000) % 3).astype(float)
    booster = lgb.train({"verbose": -1, "num_threads": 1} | settings, lgb.Dataset(x, label), 5)
    assert parse_trees(booster.model_to_string()) is None


def test_categorical_splits_are_left_to_lightgbm() -> None:
    """Their thresholds are sets."""
    x = np.random.default_rng(0).integers(0, 9, (2_000, 2)).astype(float)
    data = lgb.Dataset(x, (x[:, 0] % 3 == 1).astype(float), categorical_feature=[0])
    booster = lgb.train({"verbose": -1, "num_threads": 1}, data, 5)
    assert parse_trees(booster.model_to_string()) is None


@pytest.mark.parametrize("case", [name for name in SETTINGS if name != "most leaves"])
def test_contributions_are_lightgbms(case: str) -> None:
    """Exact TreeSHAP, to rounding; they and the base add up to the score."""
    x = table(3_000, 1)
    label = np.nan_to_num(x[:, 0]) + np.nan_to_num(x[:, 3]) ** 2 + np.isnan(x[:, 5]) * x[:, 8].clip(0, None)
    label = np.abs(np.nan_to_num(label)) if case == "tweedie" else np.nan_to_num(label)
    settings = {"objective": "regression", "num_leaves": 9, "verbose": -1, "num_threads": 1} | SETTINGS[case]
    booster = lgb.train(settings, lgb.Dataset(x, label), 60)
    shares = parse_shares(booster.model_to_string())
    assert shares is not None
    for rows in (x, table(1_031, 2), table(1, 3), np.full((1, 12), np.nan)):
        wanted = np.asarray(booster.predict(rows, pred_contrib=True, num_threads=1))
        found = share_out(shares, rows)
        assert np.allclose(found, wanted[:, :-1], rtol=1e-9, atol=1e-12) and np.isclose(shares.base, wanted[0, -1])
        assert np.allclose(found.sum(axis=1) + shares.base, booster.predict(rows, raw_score=True), atol=1e-9)
    assert share_out(shares, x[:0]).shape == (0, 12)
    one_by_one = np.concatenate([share_out(shares, x[i : i + 1]) for i in range(100)])
    assert np.array_equal(share_out(shares, np.vstack([x, x]))[:100], one_by_one)


def test_an_input_twice_on_the_way_is_one_input() -> None:
    """Deep trees over two inputs split the same one again and again, and one of them sends null both ways."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(4_000, 2))
    x[rng.random(x.shape) < 0.2] = np.nan
    label = np.sin(3 * np.nan_to_num(x[:, 0])) * np.nan_to_num(x[:, 1], nan=2.0)
    booster = lgb.train({"num_leaves": 9, "verbose": -1, "num_threads": 1}, lgb.Dataset(x, label), 40)
    shares = parse_shares(booster.model_to_string())
    assert shares is not None
    wanted = np.asarray(booster.predict(x, pred_contrib=True))
    assert np.allclose(share_out(shares, x), wanted[:, :-1], rtol=1e-9, atol=1e-12)


def test_trees_too_large_for_tables_are_left_to_lightgbm() -> None:
    """Their scores are not."""
    x = table(3_000, 1)
    booster = lgb.train({"num_leaves": 10, "verbose": -1, "num_threads": 1}, lgb.Dataset(x, np.nan_to_num(x[:, 0])), 5)
    assert parse_shares(booster.model_to_string()) is None and parse_trees(booster.model_to_string()) is not None
