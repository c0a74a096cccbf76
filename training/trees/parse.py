"""The trees of a LightGBM model → flat arrays that the compiled loops score rows by.

A small tree becomes a list of tests, in any order: the leaves are numbered from left to right, a bit each, and a test
that fails takes away the leaves to the left of its node. What is left of them begins with the row's own leaf (Lucchese
et al. 2015, QuickScorer, section 3). A tree of more than MOST_LEAVES leaves is walked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.trees.ranks import Begins, Numbers, Ranks, ranks_of
from training.trees.see import CATEGORY, FIRST_SET, SET_BOUND, rule_of
from training.trees.text import Ints, Model, Tree

MOST_LEAVES = 64
Places = NDArray[np.uint32]
"""Unsigned, or the loops would look at each use whether it is counted from the end."""


@dataclass(frozen=True)
class Tests:
    """The tests of all small trees: those of a column together, thresholds ascending, so that those which fail for a
    value are the first ones (Lucchese et al. 2015, algorithm 1).

    begins (c + 1,): where a column's tests begin; per test: its threshold, its tree, and the leaves that stay.
    """

    begins: Begins
    threshold: NDArray[np.float64]
    tree: Numbers
    stays: Numbers


@dataclass(frozen=True)
class Trees:
    """All trees of a booster, or of several, one after the other.

    inputs: how many. columns (c, 2): an input and how nodes see it; a set of categories is a column of its own. ends,
    words: the sets. begins (outputs + 1,): where the trees of an output begin.
    starts (t + 1,): where a tree's nodes begin; leaves (t + 1,): where its leaves begin; steps (t,): how many lead to
    the furthest leaf of a large tree, 0 for a small one.
    Per node: its column, its threshold, its children (nodes of the tree; leaves are counted on after them), and in a
    small tree the leaves that stay when the test fails. values: of the leaves, in each tree from left to right.
    ranks: the thresholds as small numbers; by_column: the tests of small trees once more, column by column.
    """

    inputs: int
    columns: Ints
    ends: Ints
    words: NDArray[np.uint32]
    begins: Begins
    starts: Begins
    leaves: Begins
    steps: Ints
    column: Places
    threshold: NDArray[np.float64]
    left: Places
    right: Places
    stays: Numbers
    values: NDArray[np.float64]
    ranks: Ranks
    by_column: Tests

    @property
    def outputs(self) -> int:
        """How many scores a row gets."""
        return len(self.begins) - 1

    @property
    def seen(self) -> tuple[Ints, Ints, NDArray[np.uint32]]:
        """How rows are seen, as the compiled loops take it."""
        return self.columns, self.ends, self.words

    @cached_property
    def for_many(self) -> tuple[Any, ...]:
        """What the loop over many rows takes."""
        r = self.ranks
        return *self.seen, r.bounds, r.begin, r.half, r.null, r.zero, r.node, *self._walked, self.stays

    @cached_property
    def for_few(self) -> tuple[Any, ...]:
        """What the loop over a few rows takes."""
        tests = self.by_column
        return *self.seen, self.threshold, *self._walked, tests.begins, tests.threshold, tests.tree, tests.stays

    @property
    def _walked(self) -> tuple[Any, ...]:
        of_trees = self.begins, self.starts, self.leaves, self.steps, self.values
        return *of_trees, self.column, self.left, self.right


def trees_of(model: Model) -> Trees:
    """The flat arrays."""
    asked, flat = _Columns(), [_Flat(tree) for tree in model.trees]
    found = [asked.of(tree, node) for tree in model.trees for node in range(len(tree.left))]
    columns = np.array(list(asked.places), np.int64).reshape(-1, 2)
    order = np.lexsort(columns.T[::-1])
    column = np.argsort(order)[[column for column, _ in found]].astype(np.uint32)
    threshold = np.array([threshold for _, threshold in found], np.float64)
    stays = np.array([stays for each in flat for stays in each.stays()], _bits(flat))
    tree = joined([np.full(len(each.left), t) for t, each in enumerate(model.trees)], np.uint32)
    return Trees(
        model.inputs,
        columns[order],
        np.cumsum([0, *map(len, asked.sets)], dtype=np.int64),
        np.array([word for each in asked.sets for word in each], np.uint32),
        np.array(model.begins, np.uint64),
        np.cumsum([0, *(len(tree.left) for tree in model.trees)], dtype=np.uint64),
        np.cumsum([0, *(len(tree.values) for tree in model.trees)], dtype=np.uint64),
        np.array([each.steps() for each in flat], np.int64),
        column,
        threshold,
        joined([each.renumbered(each.tree.left) for each in flat], np.uint32),
        joined([each.renumbered(each.tree.right) for each in flat], np.uint32),
        stays,
        joined([each.sorted(each.tree.values) for each in flat], np.float64),
        ranks_of(columns[order], column, threshold),
        _by_column(column, threshold, tree, stays, len(columns)),
    )


def _bits(flat: Sequence[_Flat]) -> np.dtype[Any]:
    """Numbers with a bit for each leaf of the largest small tree."""
    return np.min_scalar_type((1 << max((len(each.place) for each in flat if not each.steps()), default=1)) - 1)


def _by_column(column: Places, threshold: NDArray[np.float64], tree: Places, stays: Numbers, columns: int) -> Tests:
    small = np.flatnonzero(stays)  # a large tree has none
    order = small[np.lexsort((threshold[small], column[small]))]
    begins = np.searchsorted(column[order], np.arange(columns + 1)).astype(np.uint64)
    return Tests(begins, threshold[order], tree[order].astype(np.min_scalar_type(tree.max(initial=0))), stays[order])


def joined(parts: list[NDArray[Any]], kind: type) -> NDArray[Any]:
    """One after the other; there may be none."""
    return np.concatenate([np.empty(0, kind), *parts]).astype(kind)


class _Columns:
    """What the nodes ask, each kind of question once: (input, rule) → its column; the sets of categories."""

    def __init__(self) -> None:
        self.places: dict[tuple[int, int], int] = {}
        self.sets: dict[tuple[int, ...], int] = {}

    def of(self, tree: Tree, node: int) -> tuple[int, float]:
        """The column and the threshold of a node."""
        decision, threshold = int(tree.decisions[node]), float(tree.thresholds[node])
        rule = rule_of(decision)
        if decision & CATEGORY:
            begin, end = tree.ends[int(threshold)], tree.ends[int(threshold) + 1]
            mine = tuple(tree.words[begin:end].tolist())
            rule, threshold = FIRST_SET + self.sets.setdefault(mine, len(self.sets)), SET_BOUND
        return self.places.setdefault((int(tree.inputs[node]), rule), len(self.places)), threshold


class _Flat:
    """Which leaves are below each node, when leaves are numbered from left to right: those from `first` on, of which
    those before `middle` are to the left; place: the number of each leaf."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        pairs = list(zip(tree.left.tolist(), tree.right.tolist(), strict=True))
        below = [1] * len(pairs) + [1] * len(tree.values)  # a leaf, ~i, stands at the end, at -1 - i
        for node, (left, right) in reversed(list(enumerate(pairs))):
            below[node] = below[left] + below[right]
        first = [0] * len(below)
        for node, (left, right) in enumerate(pairs):
            first[left], first[right] = first[node], first[node] + below[left]
        self.first = first[: len(pairs)]
        self.middle = [first[right] for _, right in pairs]
        self.place = np.array(first[len(pairs) :][::-1], np.int64)

    def renumbered(self, children: Ints) -> Ints:
        """The children, leaves by their new numbers after the nodes."""
        return np.where(children < 0, len(children) + self.place[~np.minimum(children, -1)], children)

    def sorted(self, of_leaves: NDArray[Any]) -> NDArray[Any]:
        """Anything of leaves, from left to right."""
        return of_leaves[np.argsort(self.place)]

    def steps(self) -> int:
        """To the furthest leaf of a large tree; 0 for a small one."""
        if len(self.place) <= MOST_LEAVES:
            return 0
        depth = [1] * len(self.first)
        for node, children in enumerate(zip(self.tree.left, self.tree.right, strict=True)):
            for child in children:
                if child >= 0:
                    depth[child] = depth[node] + 1
        return max(depth)

    def stays(self) -> list[int]:
        """Per node the leaves, a bit each, that stay when its test fails; 0 in a large tree."""
        if len(self.place) > MOST_LEAVES:
            return [0] * len(self.first)
        everyone = (1 << len(self.place)) - 1
        return [everyone ^ (1 << middle) - (1 << first) for first, middle in zip(self.first, self.middle, strict=True)]
