"""Exact TreeSHAP: what each input adds to a raw score (Lundberg et al. 2020, algorithm 2), by integration.

The worth of a set of known inputs to a tree is the mean of its leaves, where a node of a known input sends all the way
the row goes, and a node of an unknown one sends each way the share of the training rows that went it. Shapley's value
is the integral over q in [0, 1] of what an input adds when each other one is known with probability q (Owen 1972,
"Multilinear extensions of games", eq. 10): a polynomial in q, which Gauss and Legendre integrate exactly.

At a point q a tree is one sweep down and one up. Take a node of input i, s the share of the training rows that went
left, p = 1 if the row goes left and 0 if not, and c = p - s. Of the worth that comes to the node, P, the part

    m = s + u·c,  u = q / F,  F = q + (1 - q)·r

goes on to the left and the rest to the right. r is the share of the rows that went on at the nodes above of the same
input, 1 where there are none; where the row itself would not have gone on at one of them, c = 0. On the way up

    R = R_right + m·(R_left - R_right)

is the worth of what is below the node, beginning with the leaves' values, and to what input i adds the node brings

    z·c·P·(R_left - R_right),  z = w·r / F²,

w the weight of the point.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from training.trees.lanes import GROUP, down, up
from training.trees.parse import Places
from training.trees.ranks import Begins
from training.trees.score import rows_of, side_by_side
from training.trees.see import see
from training.trees.shares import Shares

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

ROWS_PER_THREAD = 500
"""Fewer are not worth waking another thread for."""

LANES = 64
"""Rows that go through a tree together."""

FEW = 32
"""Rows up to which they are better explained one by one."""

MANY = FEW + 1
"""Rows from which they are scored and explained together."""

NONE, ONE, WIDE = np.uint64(0), np.uint64(1), np.uint64(GROUP)


def share_out(shares: Shares, table: Array) -> Array:
    """What each input adds to the raw score of each row: (n, inputs), or (n, outputs, inputs) where there are several;
    table (n, inputs), NaN for null. One row and many give the same bits. Raises ValueError for another number of
    inputs."""
    trees, rows = shares.trees, rows_of(shares.trees, table)
    out = np.empty((len(rows), trees.outputs * trees.inputs))
    side_by_side(lambda *part: _run(shares, *part), rows, out, ROWS_PER_THREAD)
    return out if trees.outputs == 1 else out.reshape(len(rows), trees.outputs, trees.inputs)


def _run(shares: Shares, rows: Array, out: Array) -> None:
    trees = shares.trees
    of_trees = trees.starts, trees.leaves, shares.points, trees.values
    of_nodes = trees.column, trees.threshold, trees.left, trees.right
    of_shares = shares.left_share, shares.cell, shares.above, shares.turn, shares.rule, shares.u, shares.z
    told: tuple[Any, ...] = (*trees.seen, *of_trees, *of_nodes, *of_shares, shares.widest, rows, out)
    loop = _share_few if len(rows) <= FEW else _share
    loop(*told)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _share(
    columns: Ints,
    ends: Ints,
    words: NDArray[np.uint32],
    starts: Begins,
    leaves: Begins,
    points: Begins,
    values: Array,
    column: Places,
    threshold: Array,
    left: Places,
    right: Places,
    left_share: Array,
    cell: Places,
    above: Places,
    turn: Array,
    rule: Places,
    u: Array,
    z: Array,
    widest: int,
    rows: Array,
    out: Array,
) -> None:
    seen, added = np.zeros((columns.shape[0], LANES)), np.empty((GROUP, out.shape[1], LANES))
    c, P, R = np.ones((widest + 1, LANES)), np.ones((2 * widest + 1, LANES)), np.empty((2 * widest + 1, LANES))
    for first in range(0, rows.shape[0], LANES):
        count = min(LANES, rows.shape[0] - first)
        for j in range(columns.shape[0]):
            for k in range(count):
                seen[j, k] = see(rows[first + k, columns[j, 0]], columns[j, 1], ends, words)
        added[:] = 0.0
        for t in range(points.size):
            begin, size, leaf = starts[t], starts[t + 1] - starts[t], leaves[t]
            for i in range(size):
                at = begin + i
                _turn_off(seen[column[at]], threshold[at], left_share[at], c[above[at]], turn[at], c[i])
            for i in range(leaves[t + 1] - leaf):
                R[size + i] = values[leaf + i]
            for q in range(points[t]):
                for i in range(size):
                    at = begin + i
                    _down(P[i], P[left[at]], P[right[at]], left_share[at], u[rule[at] + q], c[i])
                for back in range(size):
                    i = size - ONE - back
                    at, mine = begin + i, added[q % WIDE, cell[begin + i]]
                    uq, zq = u[rule[at] + q], z[rule[at] + q]
                    _up(P[i], R[i], R[left[at]], R[right[at]], left_share[at], uq, zq, c[i], mine)
        for j in range(out.shape[1]):
            for k in range(count):
                out[first + k, j] = (added[0, j, k] + added[1, j, k]) + (added[2, j, k] + added[3, j, k])


@nb.njit(inline="always")
def _turn_off(seen: Array, bound: float, s: float, over: Array, side: float, c: Array) -> None:
    """c of a node, in every lane; over, side: c of the node of the same input above, and the way that went from it."""
    for k in range(LANES):
        p = 1.0 if seen[k] <= bound else 0.0
        c[k] = p - s if over[k] * side > 0.0 else 0.0


@nb.njit(inline="always")
def _down(P: Array, P_left: Array, P_right: Array, s: float, u: float, c: Array) -> None:
    """A node's sweep down, in every lane."""
    for k in range(LANES):
        part = P[k] * (s + u * c[k])
        P_left[k], P_right[k] = part, P[k] - part


@nb.njit(inline="always")
def _up(
    P: Array, R: Array, R_left: Array, R_right: Array, s: float, u: float, z: float, c: Array, added: Array
) -> None:
    """A node's sweep up, in every lane."""
    for k in range(LANES):
        D = R_left[k] - R_right[k]
        R[k] = R_right[k] + (s + u * c[k]) * D
        added[k] += (z * c[k]) * (P[k] * D)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _share_few(
    columns: Ints,
    ends: Ints,
    words: NDArray[np.uint32],
    starts: Begins,
    leaves: Begins,
    points: Begins,
    values: Array,
    column: Places,
    threshold: Array,
    left: Places,
    right: Places,
    left_share: Array,
    cell: Places,
    above: Places,
    turn: Array,
    rule: Places,
    u: Array,
    z: Array,
    widest: int,
    rows: Array,
    out: Array,
) -> None:
    """Row by row, GROUP points of a rule side by side, to the same bits."""
    seen, added = np.empty(columns.shape[0]), np.empty((out.shape[1], GROUP))
    c, P, R = np.ones(widest + 1), np.ones((2 * widest + 1, GROUP)), np.empty((2 * widest + 1, GROUP))
    for row in range(rows.shape[0]):
        for j in range(columns.shape[0]):
            seen[j] = see(rows[row, columns[j, 0]], columns[j, 1], ends, words)
        added[:] = 0.0
        for t in range(points.size):
            begin, size, leaf = starts[t], starts[t + 1] - starts[t], leaves[t]
            for i in range(size):
                at = begin + i
                p = 1.0 if seen[column[at]] <= threshold[at] else 0.0
                c[i] = p - left_share[at] if c[above[at]] * turn[at] > 0.0 else 0.0
            for i in range(leaves[t + 1] - leaf):
                R[size + i] = values[leaf + i]
            for q in range(NONE, points[t], WIDE):
                for i in range(size):
                    at = begin + i
                    down(P, i * WIDE, left[at] * WIDE, right[at] * WIDE, u, rule[at] + q, left_share[at], c[i])
                for back in range(size):
                    i = size - ONE - back
                    at = begin + i
                    to_left, to_right, mine = left[at] * WIDE, right[at] * WIDE, cell[at] * WIDE
                    up(P, R, added, u, z, i * WIDE, to_left, to_right, mine, rule[at] + q, left_share[at], c[i])
        for j in range(out.shape[1]):
            out[row, j] = (added[j, 0] + added[j, 1]) + (added[j, 2] + added[j, 3])
