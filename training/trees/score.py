"""Raw scores of rows by the trees of a booster."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba as nb
import numpy as np
from numpy.typing import NDArray

from features.batch import usable_cores
from training.trees.parse import NULL_AS_ZERO, NULL_LEFT, ZERO_LEFT, Trees

Array = NDArray[np.float64]

ROWS_PER_THREAD = 10_000
"""Fewer are not worth waking another thread for."""

FEW = 8
"""Rows up to which they are better scored one by one."""

LANES = 64
"""Rows that go through a tree together."""

ZERO = float(np.float32(1e-35))
"""LightGBM takes what is no larger for zero."""

DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
POSITION = np.argsort([(int(DE_BRUIJN) << bit & 2**64 - 1) >> 58 for bit in range(64)]).astype(np.uint8)
"""Where the lowest bit of a word is, by the top six bits of that bit times DE_BRUIJN (Leiserson et al. 1998)."""


def score_trees(trees: Trees, table: Array) -> Array:
    """The raw score of each row, shape (n,); table (n, inputs), NaN for null. To the bit what LightGBM's `predict`
    with `raw_score` gives: its rule for null, its order of adding."""
    rows = np.ascontiguousarray(table, np.float64)
    out = np.empty(len(rows))
    side_by_side(lambda *part: _run(trees, *part), rows, out, ROWS_PER_THREAD)
    return out


def side_by_side(run: Callable[[Array, Array], None], rows: Array, out: Array, per_thread: int) -> None:
    """Let `run` fill the rows of `out` from those of `rows`, in as many threads as the rows are worth."""
    threads = 1 if len(rows) < per_thread else min(usable_cores(), 1 + len(rows) // per_thread)
    if threads == 1:
        run(rows, out)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, np.array_split(rows, threads), np.array_split(out, threads)))


def _run(trees: Trees, rows: Array, out: Array) -> None:
    loop = _score_few if len(rows) <= FEW else _score
    loop(trees.columns, trees.starts, trees.leaves, trees.column, trees.threshold, trees.stays, trees.values, rows, out)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _score(
    columns: NDArray[np.int64],
    starts: NDArray[np.int64],
    leaves: NDArray[np.int64],
    column: NDArray[np.int64],
    threshold: Array,
    stays: NDArray[np.uint64],
    values: Array,
    rows: Array,
    out: Array,
) -> None:
    seen = np.zeros((columns.shape[0], LANES))
    alive, total = np.empty(LANES, np.uint64), np.empty(LANES)
    for first in range(0, rows.shape[0], LANES):
        count = min(LANES, rows.shape[0] - first)
        for c in range(columns.shape[0]):
            for k in range(count):
                seen[c, k] = see(rows[first + k, columns[c, 0]], columns[c, 1])
        total[:] = 0.0
        for t in range(leaves.size):
            alive[:] = ~np.uint64(0)
            for node in range(starts[t], starts[t + 1]):
                own, bound, mask = seen[column[node]], threshold[node], stays[node]
                for k in range(LANES):
                    alive[k] &= ~np.uint64(0) if own[k] <= bound else mask
            for k in range(LANES):
                lowest = alive[k] & (~alive[k] + np.uint64(1))
                total[k] += values[leaves[t] + POSITION[(lowest * DE_BRUIJN) >> np.uint64(58)]]
        for k in range(count):
            out[first + k] = total[k]


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _score_few(
    columns: NDArray[np.int64],
    starts: NDArray[np.int64],
    leaves: NDArray[np.int64],
    column: NDArray[np.int64],
    threshold: Array,
    stays: NDArray[np.uint64],
    values: Array,
    rows: Array,
    out: Array,
) -> None:
    """Row by row, without lanes, to the same bits."""
    seen = np.empty(columns.shape[0])
    for i in range(rows.shape[0]):
        for c in range(columns.shape[0]):
            seen[c] = see(rows[i, columns[c, 0]], columns[c, 1])
        total = 0.0
        for t in range(leaves.size):
            alive = ~np.uint64(0)
            for node in range(starts[t], starts[t + 1]):
                holds = np.uint64(seen[column[node]] <= threshold[node])
                alive &= stays[node] | (np.uint64(0) - holds)  # no branch, which would be guessed wrong half the time
            lowest = alive & (~alive + np.uint64(1))
            total += values[leaves[t] + POSITION[(lowest * DE_BRUIJN) >> np.uint64(58)]]
        out[i] = total


@nb.njit(inline="always")
def see(x: float, null: int) -> float:
    """A value such that `x <= threshold` sends null where the nodes of its column send it."""
    if null == NULL_AS_ZERO:
        return 0.0 if x != x else x
    if null == NULL_LEFT:
        return -np.inf if x != x else x
    if null >= ZERO_LEFT and (x != x or abs(x) <= ZERO):
        return -np.inf if null == ZERO_LEFT else np.nan
    return x
