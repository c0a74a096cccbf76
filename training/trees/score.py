"""Raw scores of rows by the trees of a booster."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba as nb
import numpy as np
from numpy.typing import NDArray

from features.batch import usable_cores
from training.trees.parse import Begins, Places, Trees
from training.trees.see import see

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

ROWS_PER_THREAD = 10_000
"""Fewer are not worth waking another thread for."""

FEW = 8
"""Rows up to which they are better scored, and explained, one by one."""

LANES = 64
"""Rows that go through a tree together."""

NONE, ONE, EVERYONE = np.uint64(0), np.uint64(1), ~np.uint64(0)

DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
POSITION = np.argsort([(int(DE_BRUIJN) << bit & 2**64 - 1) >> 58 for bit in range(64)]).astype(np.uint8)
"""Where the lowest bit of a word is, by the top six bits of that bit times DE_BRUIJN (Leiserson et al. 1998)."""


def score_trees(trees: Trees, table: Array) -> Array:
    """The raw score of each row, shape (n,), or (n, outputs) where there are several; table (n, inputs), NaN for null.
    To the bit what LightGBM's `predict` with `raw_score` gives: its rules for null and categories, its order of adding.
    Raises ValueError for another number of inputs."""
    rows = rows_of(trees, table)
    out = np.empty((len(rows), trees.outputs))
    side_by_side(lambda *part: _run(trees, *part), rows, out, ROWS_PER_THREAD)
    return out[:, 0] if trees.outputs == 1 else out


def rows_of(trees: Trees, table: Array) -> Array:
    """The table as the compiled loops take it. Raises ValueError for another number of inputs than the trees know."""
    if table.shape[1] != trees.inputs:
        raise ValueError(f"rows of {table.shape[1]} inputs, wanted {trees.inputs}")
    return np.ascontiguousarray(table, np.float64)


def side_by_side(run: Callable[[Array, Array], None], rows: Array, out: Array, per_thread: int) -> None:
    """Let `run` fill the rows of `out` from those of `rows`, in as many threads as the rows are worth."""
    threads = 1 if len(rows) < per_thread else min(usable_cores(), 1 + len(rows) // per_thread)
    if threads == 1:
        run(rows, out)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, np.array_split(rows, threads), np.array_split(out, threads)))


def _run(trees: Trees, rows: Array, out: Array) -> None:
    loop, told = (_score_few, trees.for_few) if len(rows) <= FEW else (_score, trees.for_many)
    told = *told, rows, out
    loop(*told)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _score(
    columns: Ints,
    ends: Ints,
    words: NDArray[np.uint32],
    starts: Begins,
    leaves: Begins,
    steps: Ints,
    values: Array,
    column: Places,
    threshold: Array,
    left: Places,
    right: Places,
    stays: Words,
    rows: Array,
    out: Array,
) -> None:
    seen = np.zeros((columns.shape[0], LANES))
    leaf, total = np.empty(LANES, np.uint64), np.empty((out.shape[1], LANES))
    for first in range(0, rows.shape[0], LANES):
        count = min(LANES, rows.shape[0] - first)
        for c in range(columns.shape[0]):
            for k in range(count):
                seen[c, k] = see(rows[first + k, columns[c, 0]], columns[c, 1], ends, words)
        total[:] = 0.0
        for t in range(steps.size):
            if steps[t]:
                _walk(seen, steps[t], starts[t], starts[t + 1], column, threshold, left, right, leaf)
            else:
                _strike_out(seen, starts[t], starts[t + 1], column, threshold, stays, leaf)
            for k in range(LANES):
                total[t % out.shape[1], k] += values[leaves[t] + leaf[k]]
        for k in range(count):
            out[first + k] = total[:, k]


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _strike_out(
    seen: Array, begin: int, end: int, column: Places, threshold: Array, stays: Words, leaf: Begins
) -> None:
    """The leaf of each lane in a small tree."""
    leaf[:] = EVERYONE
    for at in range(begin, end):
        own, bound, mask = seen[column[at]], threshold[at], stays[at]
        for k in range(LANES):
            leaf[k] &= EVERYONE if own[k] <= bound else mask
    for k in range(LANES):
        leaf[k] = _lowest(leaf[k])


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _walk(
    seen: Array,
    steps: int,
    begin: int,
    end: int,
    column: Places,
    threshold: Array,
    left: Places,
    right: Places,
    leaf: Begins,
) -> None:
    """The leaf of each lane in a large tree; who is there waits for the others, so that no branch is guessed wrong."""
    size = end - begin
    leaf[:] = 0
    for _ in range(steps):
        for k in range(LANES):
            at = begin + min(leaf[k], size - ONE)
            child = left[at] if seen[column[at], k] <= threshold[at] else right[at]
            leaf[k] = child if leaf[k] < size else leaf[k]
    for k in range(LANES):
        leaf[k] -= size


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _score_few(
    columns: Ints,
    ends: Ints,
    words: NDArray[np.uint32],
    starts: Begins,
    leaves: Begins,
    steps: Ints,
    values: Array,
    column: Places,
    threshold: Array,
    left: Places,
    right: Places,
    begins: Begins,
    bound: Array,
    tree: Places,
    stays: Words,
    rows: Array,
    out: Array,
) -> None:
    """Row by row, to the same bits; of a column only the tests that fail are looked at."""
    seen, alive = np.empty(columns.shape[0]), np.empty(steps.size, np.uint64)
    out[:] = 0.0
    for i in range(rows.shape[0]):
        alive[:] = EVERYONE
        for c in range(columns.shape[0]):
            own = seen[c] = see(rows[i, columns[c, 0]], columns[c, 1], ends, words)
            at = begins[c]
            while at < begins[c + 1] and not own <= bound[at]:
                alive[tree[at]] &= stays[at]
                at += ONE
        for t in range(steps.size):
            leaf = _lowest(alive[t])
            if steps[t]:
                begin, end, leaf = starts[t], starts[t + 1], NONE
                while leaf < end - begin:
                    at = begin + leaf
                    leaf = np.uint64(left[at] if seen[column[at]] <= threshold[at] else right[at])
                leaf -= end - begin
            out[i, t % out.shape[1]] += values[leaves[t] + leaf]


@nb.njit(inline="always")
def _lowest(word: np.uint64) -> np.uint64:
    """Where the lowest bit of a word is."""
    return np.uint64(POSITION[((word & (~word + ONE)) * DE_BRUIJN) >> np.uint64(58)])
