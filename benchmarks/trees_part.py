"""Trees without a server: our compiled loops beside LightGBM on one core, 500 trees of 31 leaves; a part of
`benchmarks.serving`.

Both are asked in turn, and medians of CPU time are compared. LightGBM's contributions of many rows are those of a few
hundred, times as many: it takes them one by one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Target, run_targets, say
from training.trees import Shares, check_parity, edge_rows, parse_shares, score_trees, share_out

Array = NDArray[np.float64]
Ask = Callable[[], object]

INPUTS, LEAVES, LEARNT_FROM = 60, 31, 6_000
SCORED_AT_LEAST, SHARED_AT_LEAST, ONE_SHARED_AT_LEAST = 10, 20, 12


@dataclass(frozen=True)
class Sizes:
    """batches: rows that are scored together; explained: that are explained together; of_peer: as many of them by
    LightGBM; runs: in which both are asked in turn."""

    trees: int
    batches: tuple[int, ...]
    explained: int
    of_peer: int
    runs: int


FULL = Sizes(500, (1_000, 10_000, 100_000), 4_000, 200, 7)
QUICK = Sizes(500, (1_000,), 200, 50, 3)


def measured(quick: bool) -> list[Target]:
    """Scores of batches; contributions of one row and of many."""
    sizes = QUICK if quick else FULL
    booster, rows = _learnt(sizes.trees, max(sizes.batches))
    shares = parse_shares(booster.model_to_string())
    if shares is None:
        raise TypeError("trees that our loops do not explain")
    check_parity(booster, shares, edge_rows(shares.trees), "the benchmark's booster")
    return [
        *(_scored(booster, shares, rows[:count], sizes) for count in sizes.batches),
        _explained(booster, shares, rows[:1], 1, sizes),
        _explained(booster, shares, rows[: sizes.explained], sizes.of_peer, sizes),
    ]


def _learnt(trees: int, count: int) -> tuple[lgb.Booster, Array]:
    """A booster of a label that is not easily learnt, and rows with nulls and zeros."""
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(max(count, LEARNT_FROM), INPUTS))
    rows[draw.random(rows.shape) < 0.1] = np.nan
    rows[draw.random(rows.shape) < 0.1] = 0.0
    known = np.nan_to_num(rows[:LEARNT_FROM])
    label = known[:, :10].sum(axis=1) + known[:, 0] * known[:, 1] + draw.normal(size=LEARNT_FROM) > 0
    settings = {"objective": "binary", "num_leaves": LEAVES, "learning_rate": 0.05, "num_threads": 1, "verbose": -1}
    return lgb.train(settings, lgb.Dataset(rows[:LEARNT_FROM], label.astype(float)), trees), rows


def _scored(booster: lgb.Booster, shares: Shares, rows: Array, sizes: Sizes) -> Target:
    ours, theirs = _in_turn(
        lambda: score_trees(shares.trees, rows),
        lambda: booster.predict(rows, raw_score=True, num_threads=1),
        sizes.runs,
    )
    return _target(f"scores of {len(rows):,} rows", SCORED_AT_LEAST, ours / len(rows), theirs / len(rows))


def _explained(booster: lgb.Booster, shares: Shares, rows: Array, of_peer: int, sizes: Sizes) -> Target:
    ours, theirs = _in_turn(
        lambda: share_out(shares, rows),
        lambda: booster.predict(rows[:of_peer], pred_contrib=True, num_threads=1),
        sizes.runs * (5 if len(rows) == 1 else 1),
    )
    name, bound = ("one row", ONE_SHARED_AT_LEAST) if len(rows) == 1 else (f"{len(rows):,} rows", SHARED_AT_LEAST)
    return _target(f"contributions of {name}", bound, ours / len(rows), theirs / of_peer)


def _in_turn(ours: Ask, theirs: Ask, runs: int) -> tuple[float, float]:
    """CPU seconds of each, the medians of the runs after a first one that does not count."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs + 1):
        for ask, found in zip((ours, theirs), taken, strict=True):
            begun = time.process_time()
            ask()
            found.append(time.process_time() - begun)
    return statistics.median(taken[0][1:]), statistics.median(taken[1][1:])


def _target(name: str, bound: float, ours: float, theirs: float) -> Target:
    say(f"{name}: ours {1e6 * ours:.1f}, LightGBM {1e6 * theirs:.1f} CPU µs a row")
    return Target(f"{name} beside LightGBM", f"≥{bound}", theirs / ours, "times")


if __name__ == "__main__":
    run_targets(measured)
