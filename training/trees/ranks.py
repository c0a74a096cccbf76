"""Where a value stands among the thresholds of its input: a small whole number instead of the value, so that the
processor compares many rows at once (Ye et al. 2018, RapidScorer, section 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from training.trees.see import FIRST_SET, NULL_SEEN, SET_BOUND, ZERO, ZERO_SEEN, see
from training.trees.text import Ints

Array = NDArray[np.float64]
Begins = NDArray[np.uint64]
Numbers = NDArray[Any]
"""Unsigned, of as few bytes as the largest needs."""

LANES = 64
"""Rows that go through the trees together."""

ONE = np.uint64(1)


@dataclass(frozen=True)
class Ranks:
    """A value's rank is how many thresholds of its input it does not go left at; a test holds for the ranks up to that
    of its own threshold.

    bounds: the thresholds of each input, ascending, filled up with infinity to one less than a power of two.
    begin, half (c,): of a column, where the bounds of its input begin, and that power halved; null, zero (c,): the
    ranks of null and of 0. node: of each node's threshold.
    """

    bounds: Array
    begin: Begins
    half: Begins
    null: Numbers
    zero: Numbers
    node: Numbers


def ranks_of(columns: Ints, column: NDArray[np.uint32], threshold: Array) -> Ranks:
    """The ranks of trees. columns (c, 2): an input and how nodes see it, those of an input together; per node its
    column and threshold."""
    inputs, place, bounds, size = columns[:, 0], np.zeros(len(column), np.uint64), [np.empty(0)], 0
    begin, half, null, zero = (np.zeros(len(columns), np.uint64) for _ in range(4))
    for each in np.unique(inputs):
        mine = np.flatnonzero((inputs == each) & (columns[:, 1] < FIRST_SET))
        of_mine = np.isin(column, mine)
        own = np.unique(threshold[of_mine])
        most = 2 ** len(own).bit_length() - 1
        place[of_mine] = np.searchsorted(own, threshold[of_mine])
        begin[mine], half[mine], rules = size, (most + 1) // 2, columns[mine, 1]
        null[mine], zero[mine] = (_rank(own, most, seen[rules]) for seen in (NULL_SEEN, ZERO_SEEN))
        bounds += [own, np.full(most - len(own), np.inf)]
        size += most
    kind = np.min_scalar_type(int(max(2 * half.max(initial=1) - 1, 1)))
    numbers = null.astype(kind), zero.astype(kind), place.astype(kind)
    return Ranks(np.concatenate(bounds), begin, half, *numbers)


def _rank(bounds: Array, most: int, seen: Array) -> Ints:
    """NaN goes left nowhere."""
    return np.where(np.isnan(seen), most, np.searchsorted(bounds, seen))


@nb.njit(inline="always")
def rank_rows(
    columns: Ints,
    ends: Ints,
    words: NDArray[np.uint32],
    bounds: Array,
    begin: Begins,
    half: Begins,
    null: Numbers,
    zero: Numbers,
    rows: Array,
    first: int,
    count: int,
    ranks: Numbers,
    known: Array,
    rank: Begins,
) -> None:
    """ranks (c, LANES) of `count` rows from `first` on. known, rank (LANES,): to work in."""
    last = -1
    for c in range(columns.shape[0]):
        column, rule = columns[c, 0], columns[c, 1]
        if rule >= FIRST_SET:
            for k in range(count):
                ranks[c, k] = see(rows[first + k, column], rule, ends, words) > SET_BOUND
            continue
        if column != last:
            last = column
            for k in range(count):
                x = rows[first + k, column]
                known[k] = 0.0 if abs(x) <= ZERO else x
            rank[:] = 0
            step, at = half[c], begin[c] - ONE
            while step:
                for k in range(LANES):
                    further = rank[k] + step
                    rank[k] = rank[k] if known[k] <= bounds[at + further] else further
                step >>= ONE
        for k in range(LANES):
            other = zero[c] if known[k] == 0.0 else rank[k]
            ranks[c, k] = null[c] if known[k] != known[k] else other
