"""Our compiled loops score trees as LightGBM does, to the bit, and explain them as it does, to rounding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.errors import InputError
from training.models.boosting import Forest
from training.trees import (
    MANY,
    Trees,
    check_parity,
    edge_rows,
    parse_shares,
    raw_scores,
    read_model,
    score,
    score_trees,
    share,
    share_out,
    together,
    trees_of,
)
from training.trees.parse import MOST_LEAVES

Array = NDArray[np.float64]

INPUTS, CATEGORY, WIDE_CATEGORY = 12, 9, 10
BOTH: dict[str, Any] = {"categories": [CATEGORY, WIDE_CATEGORY]}
QUIET: dict[str, Any] = {"verbose": -1, "num_threads": 1, "seed": 3}
SETTINGS: dict[str, dict[str, Any]] = {
    "null as itself": {},
    "extra trees": {"extra_trees": True, "feature_fraction": 0.4, "num_leaves": 7},
    "zero as null": {"zero_as_missing": True},
    "null as zero": {"use_missing": False},
    "most leaves": {"num_leaves": MOST_LEAVES, "min_data_in_leaf": 2},
    "one leaf more": {"num_leaves": MOST_LEAVES + 1, "min_data_in_leaf": 1},
    "large": {"num_leaves": 300, "min_data_in_leaf": 2},
    "stumps": {"num_leaves": 2},
    "nothing to split": {"min_data_in_leaf": 10_000},
    "from zero": {"boost_from_average": False},
    "bagged": {"bagging_freq": 1, "bagging_fraction": 0.5},
    "dart": {"boosting": "dart"},
    "categories": BOTH,
    "each category alone": {"categories": [CATEGORY], "max_cat_to_onehot": 99},
    "categories, zero as null": BOTH | {"zero_as_missing": True},
    "categories, null as zero": BOTH | {"use_missing": False},
    "large with categories": BOTH | {"num_leaves": 200, "min_data_in_leaf": 2},
}
OBJECTIVES = (
    "regression",
    "regression_l1",
    "huber",
    "quantile",
    "poisson",
    "gamma",
    "tweedie",
    "binary",
    "cross_entropy",
    "multiclass",
    "multiclassova",
)


def table(rows: int, seed: int) -> Array:
    """Numbers of every kind: nulls, zeros, infinities, the very small, integers, categories."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, INPUTS))
    x[rng.random(x.shape) < 0.2] = np.nan
    x[rng.random(x.shape) < 0.2] = 0.0
    x[:, 3] = np.round(x[:, 3] * 3)
    x[:, 4] *= 1e-35
    x[:, 5] = np.abs(x[:, 5])
    x[: rows // 50, 6] = np.inf
    x[: rows // 50, 7] = -np.inf
    x[:, CATEGORY] = np.where(rng.random(rows) < 0.1, np.nan, rng.integers(0, 9, rows))
    x[:, WIDE_CATEGORY] = np.where(rng.random(rows) < 0.1, np.nan, rng.integers(0, 150, rows))
    return x


def parse_trees(text: str) -> Trees | None:
    """The trees of a model; None for one that the loops cannot score."""
    model = read_model(text)
    return None if model is None else trees_of(model)


@cache
def fitted(case: str, objective: str = "regression", rounds: int = 25) -> lgb.Booster:
    """A booster of 3,000 rows whose label depends on numbers, nulls and categories."""
    x = table(3_000, 1)
    known = np.nan_to_num(x)
    label = known[:, 0] + known[:, 3] ** 2 + np.isnan(x[:, 5]) * x[:, 8].clip(0, None)
    label = np.nan_to_num(label + known[:, CATEGORY] % 3 + known[:, WIDE_CATEGORY] % 7 / 2)
    more = SETTINGS[case] | {"objective": objective}
    data = {"categorical_feature": more.pop("categories", "auto")}
    if objective in ("poisson", "gamma", "tweedie"):
        label = np.abs(label) + 0.1
    if objective in ("binary", "cross_entropy"):
        label = (label > np.median(label)).astype(float)
    if objective.startswith("multiclass"):
        label, more["num_class"] = np.digitize(label, np.quantile(label, [0.3, 0.7])).astype(float), 3
    return lgb.train(QUIET | more, lgb.Dataset(x, label, **data), rounds)


def asked_of(booster: lgb.Booster) -> Sequence[Array]:
    """Rows it was fitted on and others, many and one, thresholds, null alone."""
    shares = parse_shares(booster.model_to_string())
    assert shares is not None
    edges = np.vstack([edge_rows(shares.trees, seed) for seed in range(8)])
    return table(3_000, 1)[:700], table(431, 2), table(1, 3), np.full((1, INPUTS), np.nan), edges


def assert_as_lightgbm(booster: lgb.Booster, rows: Array) -> None:
    """Scores to the bit; contributions to 1e-9 of the largest score; together they are the score."""
    shares = parse_shares(booster.model_to_string())
    assert shares is not None
    scores = np.asarray(booster.predict(rows, raw_score=True, num_threads=1))
    assert np.array_equal(score_trees(shares.trees, rows), scores)
    outputs, scale = shares.trees.outputs, max(1.0, float(np.abs(scores).max()))
    wanted = np.asarray(booster.predict(rows, pred_contrib=True, num_threads=1)).reshape(len(rows), outputs, -1)
    found = share_out(shares, rows)
    assert found.shape == ((len(rows), INPUTS) if outputs == 1 else (len(rows), outputs, INPUTS))
    found = found.reshape(len(rows), outputs, INPUTS)
    assert np.abs(found - wanted[..., :-1]).max() <= 1e-9 * scale
    assert np.abs(shares.base - wanted[..., -1]).max() <= 1e-9 * scale
    assert np.abs(found.sum(axis=2) + shares.base - scores.reshape(len(rows), outputs)).max() <= 1e-9 * scale


@pytest.mark.parametrize("case", SETTINGS)
def test_answers_are_lightgbms(case: str) -> None:
    """Whatever null and zero mean, whatever the trees are like."""
    booster = fitted(case)
    assert ("\ncat_threshold=" in booster.model_to_string()) == ("categories" in SETTINGS[case])
    for rows in asked_of(booster):
        assert_as_lightgbm(booster, rows)


@pytest.mark.parametrize("case", ["null as itself", "categories", "one leaf more"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_answers_are_lightgbms_whatever_the_objective(case: str, objective: str) -> None:
    """Several outputs, too."""
    booster = fitted(case, objective, 8)
    for rows in asked_of(booster):
        assert_as_lightgbm(booster, rows)


ODD = st.one_of(
    st.floats(),
    st.sampled_from([1e-35, float(np.float32(1e-35)), -float(np.float32(1e-35)), 5e-324, -0.5, -1.0, 149.5, 2.0**31]),
    st.integers(-2, 200).map(float),
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([("large with categories", "regression"), ("categories, zero as null", "regression")])
    | st.tuples(st.just("categories"), st.sampled_from(["multiclass", "binary"])),
    st.lists(st.lists(ODD, min_size=INPUTS, max_size=INPUTS), min_size=1, max_size=3),
)
def test_any_numbers_are_answered_as_by_lightgbm(fit: tuple[str, str], rows: list[list[float]]) -> None:
    """The very large and the very small, categories that are none."""
    assert_as_lightgbm(fitted(*fit, 8), np.array(rows))


@pytest.mark.parametrize(
    ("case", "objective"),
    [("null as itself", "regression"), ("large with categories", "regression"), ("categories", "multiclass")],
)
def test_one_row_and_many_give_the_same_bits(case: str, objective: str) -> None:
    """In any order, beside whatever others; no row gives none."""
    shares = parse_shares(fitted(case, objective, 8).model_to_string())
    assert shares is not None
    rows = np.vstack([table(200, 5), edge_rows(shares.trees)])
    order = np.random.default_rng(0).permutation(len(rows))
    for whole, ask in (
        (score_trees(shares.trees, rows), lambda part: score_trees(shares.trees, part)),
        (share_out(shares, rows), lambda part: share_out(shares, part)),
    ):
        assert np.array_equal(np.concatenate([ask(rows[i : i + 1]) for i in range(len(rows))]), whole)
        assert np.array_equal(np.concatenate([ask(part) for part in np.array_split(rows, 7)]), whole)
        assert np.array_equal(ask(rows[order]), whole[order])
        assert ask(rows[:0]).shape == (0, *whole.shape[1:])


def test_many_threads_give_the_same_bits() -> None:
    """Rows are shared among threads, sums are not."""
    shares = parse_shares(fitted("extra trees").model_to_string())
    assert shares is not None
    x = table(25_000, 4)
    whole, explained = score_trees(shares.trees, x), share_out(shares, x)
    parts = np.array_split(x, 251)
    assert np.array_equal(whole, np.concatenate([score_trees(shares.trees, part) for part in parts]))
    assert np.array_equal(explained, np.concatenate([share_out(shares, part) for part in parts]))


@pytest.mark.parametrize(
    "more",
    [{"linear_tree": True}, {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}],
    ids=["linear", "rf"],
)
def test_what_the_loops_cannot_answer_is_left_to_lightgbm(more: dict[str, Any], tmp_path: Path) -> None:
    """None, never a wrong answer; a forest then asks LightGBM."""
    x = np.random.default_rng(0).normal(size=(2_000, 4))
    booster = lgb.train(QUIET | more, lgb.Dataset(x, x[:, 0] - x[:, 1]), 5)
    assert parse_trees(booster.model_to_string()) is None and parse_shares(booster.model_to_string()) is None
    Forest(booster).save(tmp_path / "forest.txt")
    forest = Forest.load(tmp_path / "forest.txt")
    assert np.array_equal(forest.score(x), booster.predict(x, raw_score=True))


def test_leaves_without_training_rows_are_left_to_lightgbm() -> None:
    """Their shares have no meaning; scores have."""
    text = fitted("stumps").model_to_string()
    line = next(line for line in text.splitlines() if line.startswith("leaf_count="))
    text = text.replace(line, "leaf_count=0 3000", 1)
    assert parse_shares(text) is None and parse_trees(text) is not None


def test_an_input_twice_on_the_way_is_one_input() -> None:
    """Deep trees over two inputs split the same one again and again, and one of them sends null both ways."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(4_000, 2))
    x[rng.random(x.shape) < 0.2] = np.nan
    label = np.sin(3 * np.nan_to_num(x[:, 0])) * np.nan_to_num(x[:, 1], nan=2.0)
    booster = lgb.train(QUIET | {"num_leaves": 40}, lgb.Dataset(x, label), 40)
    shares = parse_shares(booster.model_to_string())
    assert shares is not None and shares.points.max() == 1
    wanted = np.asarray(booster.predict(x, pred_contrib=True))
    assert np.allclose(share_out(shares, x), wanted[:, :-1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("leaves", [7, 15, 60, 200])
def test_thresholds_that_a_byte_cannot_number_are_told_apart(leaves: int) -> None:
    """Thousands of them, of trees whose leaves fit into numbers of one, two and eight bytes, and of large ones."""
    x = np.random.default_rng(8).normal(size=(20_000, 2))
    label = np.sin(5 * x[:, 0]) + np.sin(7 * x[:, 1])
    more = {"num_leaves": leaves, "max_bin": 5_000, "min_data_in_leaf": 1}
    booster = lgb.train(QUIET | more, lgb.Dataset(x, label), 6_000 // leaves)
    trees = parse_trees(booster.model_to_string())
    assert trees is not None and trees.ranks.node.max() > 255 and trees.ranks.node.itemsize == 2
    assert trees.stays.itemsize == {7: 1, 15: 2, 60: 8, 200: 1}[leaves]
    rows = np.vstack([x[:500], edge_rows(trees)])
    assert np.array_equal(score_trees(trees, rows), booster.predict(rows, raw_score=True))
    assert np.array_equal(score_trees(trees, rows[:5]), booster.predict(rows[:5], raw_score=True))


def test_models_of_different_rows_are_scored_as_one() -> None:
    """Each where its own inputs are, by the numbers that each gives alone."""
    boosters = [fitted("extra trees"), fitted("categories", "multiclass", 8), fitted("large"), fitted("stumps")]
    models = [read_model(booster.model_to_string()) for booster in boosters]
    rng = np.random.default_rng(9)
    places = [rng.permutation(3 * INPUTS)[:INPUTS] for _ in models]
    trees = trees_of(together([model for model in models if model], places, 3 * INPUTS))
    wide = np.hstack([table(300, seed) for seed in (11, 12, 13)])
    wanted = [booster.predict(wide[:, mine], raw_score=True) for booster, mine in zip(boosters, places, strict=True)]
    wanted = np.column_stack(wanted)
    assert np.array_equal(raw_scores(trees, wide), wanted) and np.array_equal(raw_scores(trees, wide[:7]), wanted[:7])


def test_ways_of_many_inputs_are_explained() -> None:
    """A chain that asks thirty inputs, one after the other: two groups of points and more."""
    x = np.random.default_rng(6).random((6_000, 30))
    label = np.cumprod(x > 0.12, axis=1).sum(axis=1).astype(float)
    booster = lgb.train(QUIET | {"num_leaves": 31, "min_data_in_leaf": 5}, lgb.Dataset(x, label), 5)
    shares = parse_shares(booster.model_to_string())
    assert shares is not None and shares.points.max() > 8
    wanted = np.asarray(booster.predict(x[:300], pred_contrib=True))
    assert np.abs(share_out(shares, x[:300]) - wanted[:, :-1]).max() <= 1e-9 * label.max()


def test_warm_up_of_one_row_and_of_many_compiles_every_loop() -> None:
    """MANY is more than any loop takes one by one."""
    assert max(score.FEW, share.FEW) < MANY
    shares = parse_shares(fitted("stumps").model_to_string())
    assert shares is not None
    for rows in (np.zeros((1, INPUTS)), np.zeros((MANY, INPUTS))):
        score_trees(shares.trees, rows)
        share_out(shares, rows)
    loops = (score._score, score.score_few, share._share, share._share_few)
    compiled = [len(loop.signatures) for loop in loops]
    score_trees(shares.trees, np.zeros((5_000, INPUTS)))
    share_out(shares, np.zeros((share.FEW, INPUTS)))
    assert all(compiled) and compiled == [len(loop.signatures) for loop in loops]


def test_rows_of_another_width_are_refused() -> None:
    """Rather than read beside them."""
    shares = parse_shares(fitted("stumps").model_to_string())
    assert shares is not None
    for ask in (lambda rows: score_trees(shares.trees, rows), lambda rows: share_out(shares, rows)):
        with pytest.raises(ValueError, match="rows of 11 inputs, wanted 12"):
            ask(np.zeros((2, INPUTS - 1)))


def test_a_booster_that_is_answered_otherwise_is_refused(tmp_path: Path) -> None:
    """A threshold, a leaf, a share that is another, as by a loop that is compiled wrongly."""
    booster = fitted("categories")
    shares = parse_shares(booster.model_to_string())
    assert shares is not None
    rows = edge_rows(shares.trees)
    assert len(rows) >= MANY
    check_parity(booster, shares, rows, "churn/forest.txt")
    moved = replace(shares.trees, values=np.nextafter(shares.trees.values, -np.inf))
    with pytest.raises(InputError, match=r"churn/forest\.txt\n  found other scores"):
        check_parity(booster, replace(shares, trees=moved), rows, "churn/forest.txt")
    with pytest.raises(InputError, match="found contributions"):
        check_parity(booster, replace(shares, left_share=shares.left_share + 1e-6), rows, "churn/forest.txt")
    with pytest.raises(InputError, match="found contributions"):
        check_parity(booster, replace(shares, base=shares.base + 1e-6), rows, "churn/forest.txt")


def test_loading_a_forest_asks_whether_it_is_answered_as_by_lightgbm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every booster, on its own thresholds."""
    file = tmp_path / "forest.txt"
    Forest(fitted("extra trees")).save(file)
    assert np.array_equal(Forest.load(file).score(table(9, 1)), Forest(fitted("extra trees")).score(table(9, 1)))
    monkeypatch.setattr("training.trees.parity.score_trees", lambda trees, rows: score_trees(trees, rows) + 1e-15)
    with pytest.raises(InputError, match="other scores"):
        Forest.load(file)
