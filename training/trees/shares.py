"""Exact TreeSHAP of small trees: what each input adds to a raw score, looked up instead of computed.

A tree of few nodes answers in few ways: which of its tests hold decides everything, the contributions too. For each of
these patterns they are computed once (Lundberg et al. 2020, algorithm 2, by the product form of a leaf's game: Yang
2021, "Fast TreeSHAP", eq. 5); a row then costs its tests and one addition per input of the tree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import factorial

import numba as nb
import numpy as np
from numpy.typing import NDArray

from training.trees.parse import Trees, blocks_of, numbers_of, parse_trees
from training.trees.score import see, side_by_side

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_NODES = 8
"""A tree of n nodes has 2ⁿ patterns."""

ROWS_PER_THREAD = 2_000
"""Fewer are not worth waking another thread for."""

LANES = 128
"""Rows that go through a tree together."""


@dataclass(frozen=True)
class Shares:
    """The contributions of every tree for every pattern of its tests.

    trees: their tests; inputs: those of each tree, one after the other, from starts[t] to starts[t + 1]; tables: per
    tree from places[t], a row per pattern, a column per input of the tree; bit i of a pattern: whether test i holds.
    base: the mean raw score that contributions are added to.
    """

    trees: Trees
    inputs: Ints
    starts: Ints
    tables: Array
    places: Ints
    base: float


def parse_shares(text: str) -> Shares | None:
    """The shares of a model in LightGBM's text format; None for what `parse_trees` does not take, and for trees of more
    than MOST_NODES nodes."""
    trees = parse_trees(text)
    if trees is None or np.diff(trees.starts).max(initial=0) > MOST_NODES:
        return None
    found = [_tree(block) for block in blocks_of(text)]
    tables = [table for table, _, _ in found]
    return Shares(
        trees,
        np.array([name for _, inputs, _ in found for name in inputs], np.int64),
        np.cumsum([0, *(len(inputs) for _, inputs, _ in found)], dtype=np.int64),
        np.concatenate([np.empty(0), *(table.ravel() for table in tables)]),
        np.cumsum([0, *(table.size for table in tables[:-1])], dtype=np.int64),
        float(sum(mean for _, _, mean in found)),
    )


def share_out(shares: Shares, table: Array) -> Array:
    """What each input adds to the raw score of each row, (n, inputs); table (n, inputs), NaN for null. One row and many
    give the same bits."""
    rows, out = np.ascontiguousarray(table, np.float64), np.zeros(table.shape)
    side_by_side(lambda *part: _run(shares, *part), rows, out, ROWS_PER_THREAD)
    return out


def _tree(block: Mapping[str, str]) -> tuple[Array, list[int], float]:
    """A tree's table (patterns, inputs), its inputs, and its mean."""
    left, right, feature, nodes, leaves = (
        numbers_of(block, key) for key in ("left_child", "right_child", "split_feature", "internal_count", "leaf_count")
    )
    values = np.array(list(map(float, block["leaf_value"].split())))
    if not len(left):
        return np.empty((1, 0)), [], float(values[0])
    inputs = sorted(set(feature.tolist()))
    place = np.searchsorted(inputs, feature)
    table = np.zeros((1 << len(left), len(inputs)))
    _fill(table, left, right, place, nodes, leaves, values, WEIGHTS)
    return table, inputs, float((values * leaves).sum() / nodes[0])


WEIGHTS = np.array(
    [
        [factorial(k) * factorial(m - k - 1) / factorial(m) if k < m else 0.0 for k in range(MOST_NODES)]
        for m in range(MOST_NODES + 1)
    ]
)
"""[m, k]: the weight of a set of k others among m inputs."""


@nb.njit(cache=True, nogil=True)
def _fill(
    table: Array, left: Ints, right: Ints, place: Ints, nodes: Ints, leaves: Ints, values: Array, weights: Array
) -> None:
    """Add up the games of all leaves. In a leaf's game a known input is worth 1 where all its tests on the way hold and
    0 where not, an unknown one the share of the training rows that went on at its nodes."""
    size = left.size
    parent, side = np.full(size, -1), np.zeros(size, np.bool_)
    leaf_parent, leaf_side = np.full(leaves.size, -1), np.zeros(leaves.size, np.bool_)
    for node in range(size):
        for child, is_left in ((left[node], True), (right[node], False)):
            if child < 0:
                leaf_parent[~child], leaf_side[~child] = node, is_left
            else:
                parent[child], side[child] = node, is_left
    known, unknown = np.empty(size), np.empty(size)
    masks, wanted = np.empty(size, np.int64), np.empty(size, np.int64)
    which, poly = np.empty(size, np.int64), np.empty(size + 1)
    for leaf in range(leaves.size):
        count = 0
        node, is_left, below = leaf_parent[leaf], leaf_side[leaf], leaves[leaf]
        while node >= 0:
            at = 0
            while at < count and which[at] != place[node]:
                at += 1
            if at == count:
                which[at], unknown[at], masks[at], wanted[at] = place[node], 1.0, 0, 0
                count += 1
            unknown[at] *= below / nodes[node]
            masks[at] |= 1 << node
            wanted[at] |= int(is_left) << node
            below, is_left, node = nodes[node], side[node], parent[node]
        for pattern in range(table.shape[0]):
            for i in range(count):
                known[i] = 1.0 if pattern & masks[i] == wanted[i] else 0.0
            for i in range(count):
                poly[0], size_of = 1.0, 1
                for j in range(count):
                    if j != i:
                        poly[size_of] = poly[size_of - 1] * known[j]
                        for k in range(size_of - 1, 0, -1):
                            poly[k] = poly[k] * unknown[j] + poly[k - 1] * known[j]
                        poly[0] *= unknown[j]
                        size_of += 1
                worth = 0.0
                for k in range(count):
                    worth += weights[count, k] * poly[k]
                table[pattern, which[i]] += values[leaf] * worth * (known[i] - unknown[i])


def _run(shares: Shares, rows: Array, out: Array) -> None:
    trees = shares.trees
    _share(
        trees.columns,
        trees.starts,
        trees.column,
        trees.threshold,
        shares.inputs,
        shares.starts,
        shares.tables,
        shares.places,
        rows,
        out,
    )


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _share(
    columns: Ints,
    tests: Ints,
    column: Ints,
    threshold: Array,
    inputs: Ints,
    starts: Ints,
    tables: Array,
    places: Ints,
    rows: Array,
    out: Array,
) -> None:
    seen = np.zeros((columns.shape[0], LANES))
    added = np.empty((rows.shape[1], LANES))
    pattern = np.empty(LANES, np.int64)
    for first in range(0, rows.shape[0], LANES):
        count = min(LANES, rows.shape[0] - first)
        for c in range(columns.shape[0]):
            for k in range(count):
                seen[c, k] = see(rows[first + k, columns[c, 0]], columns[c, 1])
        added[:] = 0.0
        for t in range(tests.size - 1):
            begin, width = starts[t], starts[t + 1] - starts[t]
            pattern[:] = 0
            for i in range(tests[t + 1] - tests[t]):
                own, bound = seen[column[tests[t] + i]], threshold[tests[t] + i]
                for k in range(LANES):
                    pattern[k] |= (1 if own[k] <= bound else 0) << i
            for k in range(LANES):
                pattern[k] = places[t] + pattern[k] * width
            for j in range(width):
                mine = added[inputs[begin + j]]
                for k in range(LANES):
                    mine[k] += tables[pattern[k] + j]
        for c in range(rows.shape[1]):
            for k in range(count):
                out[first + k, c] = added[c, k]
