"""Whether our loops answer as LightGBM does: asked of every booster that is loaded, in milliseconds."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from features.errors import InputError
from training.trees.parse import Trees
from training.trees.score import FEW, score_trees
from training.trees.see import FIRST_SET, ZERO
from training.trees.share import share_out
from training.trees.shares import Shares

Array = NDArray[np.float64]

TOLERANCE = 1e-9
"""Of contributions, relative to the largest score: they are sums in another order."""
ROWS = 40
"""So many edges are asked: more than are scored and explained one by one."""
EDGES = (np.nan, np.inf, -np.inf, 0.0, ZERO, -ZERO, -0.5, -1.0, 0.5, 1e9)


def check_parity(booster: lgb.Booster, shares: Shares, rows: Array, place: str) -> None:
    """Raise InputError where, on rows (n, inputs), scores are not LightGBM's to the bit, or contributions are further
    apart than TOLERANCE. place: what the booster is called in the error."""
    scores = np.asarray(booster.predict(rows, raw_score=True, num_threads=1))
    wanted = np.asarray(booster.predict(rows, pred_contrib=True, num_threads=1))
    wanted = wanted.reshape(len(rows), shares.trees.outputs, -1)
    found = share_out(shares, rows).reshape(len(rows), shares.trees.outputs, -1)
    apart = np.abs(found - wanted[..., :-1]).max(initial=0.0), np.abs(shares.base - wanted[..., -1]).max(initial=0.0)
    for some in (len(rows), FEW):
        if not np.array_equal(score_trees(shares.trees, rows[:some]), scores[:some]):
            raise _other(place, "other scores")
    if not max(apart) <= TOLERANCE * max(1.0, np.abs(scores).max(initial=0.0)):
        raise _other(place, f"contributions {max(apart):.1e} away")
    if not np.array_equal(share_out(shares, rows[:1]), share_out(shares, rows)[:1]):
        raise _other(place, "other contributions for one row than for many")


def edge_rows(trees: Trees, seed: int = 0) -> Array:
    """Rows (ROWS, inputs) of what is easily got wrong: in each column its thresholds and the next larger numbers, the
    categories of its sets, null, infinities, zeros, the negative and the unknown, drawn one by one."""
    draw, rows = np.random.default_rng(seed), np.empty((ROWS, trees.inputs))
    asked = trees.columns[trees.column]
    for each in range(trees.inputs):
        mine = asked[:, 0] == each
        bounds = trees.threshold[mine & (asked[:, 1] < FIRST_SET)]
        codes = [_codes(trees, rule - FIRST_SET) for rule in np.unique(asked[mine, 1]) if rule >= FIRST_SET]
        usual = np.concatenate([bounds, np.nextafter(bounds, np.inf), *codes, EDGES])
        rows[:, each] = np.where(draw.random(ROWS) < 0.5, draw.choice(usual, ROWS), draw.choice(EDGES, ROWS))
    return rows


def _codes(trees: Trees, number: int) -> Array:
    """The categories of a set."""
    words = trees.words[trees.ends[number] : trees.ends[number + 1]]
    return np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little")).astype(np.float64)


def _other(place: str, found: str) -> InputError:
    return InputError(
        place,
        f"{found} by our compiled loops than by LightGBM",
        "the same scores to the bit, contributions to nine digits",
        "Install the libraries of requirements.lock, or empty numba's cache, the __pycache__ folders.",
    )
