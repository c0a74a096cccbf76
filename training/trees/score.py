"""Raw scores of rows by the trees of a booster."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba as nb
import numpy as np
from numpy.typing import NDArray

from features.batch import usable_cores
from training.trees.bits import lowest
from training.trees.parse import Places, Trees
from training.trees.ranks import LANES, Begins, Numbers, rank_rows
from training.trees.see import see

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

ROWS_PER_THREAD = 10_000
"""Fewer are not worth waking another thread for."""

FEW = 8
"""Rows up to which they are better scored one by one."""

NONE, ONE, EVERYONE = np.uint64(0), np.uint64(1), ~np.uint64(0)


def score_trees(trees: Trees, table: Array) -> Array:
    """The raw score of each row, shape (n,), or (n, outputs) where there are several; table (n, inputs), NaN for null.
    To the bit what LightGBM's `predict` with `raw_score` gives: its rules for null and categories, its order of adding.
    Raises ValueError for another number of inputs."""
    out = raw_scores(trees, table)
    return out[:, 0] if trees.outputs == 1 else out


def raw_scores(trees: Trees, table: Array) -> Array:
    """The same, always of shape (n, outputs)."""
    rows = rows_of(trees, table)
    out = np.empty((len(rows), trees.outputs))
    side_by_side(lambda *part: _run(trees, *part), rows, out, ROWS_PER_THREAD)
    return out


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
    loop, told = (score_few, trees.for_few) if len(rows) <= FEW else (_score, trees.for_many)
    told = *told, rows, out
    loop(*told)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _score(
    columns: Ints,
    ends: Ints,
    words: NDArray[np.uint32],
    bounds: Array,
    begin: Begins,
    half: Begins,
    null: Numbers,
    zero: Numbers,
    node: Numbers,
    begins: Begins,
    starts: Begins,
    leaves: Begins,
    steps: Ints,
    values: Array,
    column: Places,
    left: Places,
    right: Places,
    stays: Numbers,
    rows: Array,
    out: Array,
) -> None:
    ranks, known, rank = np.zeros((columns.shape[0], LANES), node.dtype), np.zeros(LANES), np.empty(LANES, np.uint64)
    alive, leaf, total = np.empty(LANES, stays.dtype), np.empty(LANES, np.uint64), np.empty(LANES)
    for first in range(0, rows.shape[0], LANES):
        count = min(LANES, rows.shape[0] - first)
        rank_rows(columns, ends, words, bounds, begin, half, null, zero, rows, first, count, ranks, known, rank)
        for output in range(out.shape[1]):
            total[:] = 0.0
            for t in range(begins[output], begins[output + 1]):
                if steps[t]:
                    _walk(ranks, steps[t], starts[t], starts[t + 1], column, node, left, right, leaf)
                    for k in range(LANES):
                        total[k] += values[leaves[t] + leaf[k]]
                else:
                    _strike_out(ranks, starts[t], starts[t + 1], column, node, stays, alive)
                    for k in range(LANES):
                        total[k] += values[leaves[t] + lowest(alive[k])]
            for k in range(count):
                out[first + k, output] = total[k]


@nb.njit(inline="always")
def _strike_out(
    ranks: Numbers, begin: int, end: int, column: Places, node: Numbers, stays: Numbers, alive: Numbers
) -> None:
    """The leaves of a small tree that are left to each lane."""
    alive[:] = EVERYONE
    for at in range(begin, end):
        own, bound, mask = ranks[column[at]], node[at], stays[at]
        for k in range(LANES):
            alive[k] = alive[k] if own[k] <= bound else alive[k] & mask


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _walk(
    ranks: Numbers,
    steps: int,
    begin: int,
    end: int,
    column: Places,
    node: Numbers,
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
            child = left[at] if ranks[column[at], k] <= node[at] else right[at]
            leaf[k] = child if leaf[k] < size else leaf[k]
    for k in range(LANES):
        leaf[k] -= size


@nb.njit(cache=True, nogil=True, error_model="numpy")
def score_few(
    columns: Ints,
    ends: Ints,
    words: NDArray[np.uint32],
    threshold: Array,
    begins: Begins,
    starts: Begins,
    leaves: Begins,
    steps: Ints,
    values: Array,
    column: Places,
    left: Places,
    right: Places,
    tests: Begins,
    bound: Array,
    tree: Numbers,
    stays: Numbers,
    rows: Array,
    out: Array,
) -> None:
    """Row by row, to the same bits; of a column only the tests that fail are looked at."""
    seen, alive = np.empty(columns.shape[0]), np.empty(steps.size, stays.dtype)
    for i in range(rows.shape[0]):
        alive[:] = EVERYONE
        for c in range(columns.shape[0]):
            own = seen[c] = see(rows[i, columns[c, 0]], columns[c, 1], ends, words)
            at = tests[c]
            while at < tests[c + 1] and not own <= bound[at]:
                alive[tree[at]] &= stays[at]
                at += ONE
        for output in range(out.shape[1]):
            total = 0.0
            for t in range(begins[output], begins[output + 1]):
                leaf = lowest(alive[t])
                if steps[t]:
                    begin, end, leaf = starts[t], starts[t + 1], NONE
                    while leaf < end - begin:
                        at = begin + leaf
                        leaf = np.uint64(left[at] if seen[column[at]] <= threshold[at] else right[at])
                    leaf -= end - begin
                total += values[leaves[t] + leaf]
            out[i, output] = total
