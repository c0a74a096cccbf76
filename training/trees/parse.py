"""The text of a LightGBM model → flat arrays that the compiled loop scores rows by.

A tree becomes a list of tests, in any order: the leaves are numbered from left to right, a bit each, and a test that
fails takes away the leaves to the left of its node. What is left of them begins with the row's own leaf (Lucchese et
al. 2015, QuickScorer, section 3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NULL_AS_ZERO, NULL_LEFT, NULL_RIGHT, ZERO_LEFT, ZERO_RIGHT = range(5)
"""What a node does with null: take it for 0; send it left, or right; send it and 0 left, or right."""

MOST_LEAVES = 64
DEFAULT_LEFT, MISSING_SHIFT, ZERO_IS_NULL, NULL_IS_NULL = 2, 2, 1, 2
"""Bits of LightGBM's `decision_type`, and what the part above MISSING_SHIFT means."""


@dataclass(frozen=True)
class Trees:
    """All trees of a booster, one after the other.

    columns (c, 2): a feature and what its nodes do with null; starts (t + 1,): where a tree's tests begin; leaves (t,):
    where its leaves begin. Per test: its column, the threshold, and the leaves that stay when it fails. values: of the
    leaves.
    """

    columns: NDArray[np.int64]
    starts: NDArray[np.int64]
    leaves: NDArray[np.int64]
    column: NDArray[np.int64]
    threshold: NDArray[np.float64]
    stays: NDArray[np.uint64]
    values: NDArray[np.float64]


def parse_trees(text: str) -> Trees | None:
    """The trees of a model in LightGBM's text format, of one output; None for what the compiled loop cannot score:
    linear trees, categorical splits, several outputs, averaged outputs, trees of more than MOST_LEAVES leaves."""
    said, trees = _pairs(_split(text)[0]), blocks_of(text)
    if said.get("num_tree_per_iteration", "1") != "1" or "average_output" in said or any(map(_strange, trees)):
        return None
    columns: dict[tuple[int, int], int] = {}
    tests = [test for tree in trees for test in _tests(tree, columns)]
    sizes = [int(tree["num_leaves"]) for tree in trees]
    return Trees(
        np.array(list(columns), np.int64).reshape(-1, 2),
        np.cumsum([0, *(size - 1 for size in sizes)], dtype=np.int64),
        np.cumsum([0, *sizes[:-1]], dtype=np.int64),
        np.array([column for column, _, _ in tests], np.int64),
        np.array([threshold for _, threshold, _ in tests], np.float64),
        np.array([stays for _, _, stays in tests], np.uint64),
        np.array([value for tree in trees for value in _values(tree)], np.float64),
    )


def blocks_of(text: str) -> list[Mapping[str, str]]:
    """What a model says of each tree."""
    return [_pairs(block) for block in _split(text)[1:]]


def numbers_of(tree: Mapping[str, str], key: str) -> NDArray[np.int64]:
    """A list of whole numbers of a tree; empty where it does not say."""
    return np.array(tree.get(key, "").split(), np.int64)


def _split(text: str) -> list[str]:
    return re.split(r"\n\s*Tree=\d+\n", text.partition("\nend of trees")[0])


def _strange(tree: Mapping[str, str]) -> bool:
    linear, categorical = tree.get("is_linear", "0") != "0", tree.get("num_cat", "0") != "0"
    return linear or categorical or int(tree["num_leaves"]) > MOST_LEAVES


def _tests(tree: Mapping[str, str], columns: dict[tuple[int, int], int]) -> list[tuple[int, float, int]]:
    """Column, threshold and the leaves that stay, of each node; new columns are added to `columns`."""
    left, right = (list(map(int, tree.get(key, "").split())) for key in ("left_child", "right_child"))
    place = {leaf: i for i, leaf in enumerate(_order(left, right))}
    everyone = (1 << len(place)) - 1
    found = []
    for node, (feature, how, threshold) in enumerate(
        zip(*(tree.get(key, "").split() for key in ("split_feature", "decision_type", "threshold")), strict=True)
    ):
        column = columns.setdefault((int(feature), _null(int(how))), len(columns))
        gone = sum(1 << place[leaf] for leaf in _below(left[node], left, right))
        found.append((column, float(threshold), everyone & ~gone))
    return found


def _values(tree: Mapping[str, str]) -> list[float]:
    """The values of the leaves, from left to right."""
    left, right = (list(map(int, tree.get(key, "").split())) for key in ("left_child", "right_child"))
    values = list(map(float, tree["leaf_value"].split()))
    return [values[leaf] for leaf in _order(left, right)]


def _order(left: list[int], right: list[int]) -> list[int]:
    """The leaves from left to right."""
    return _below(0, left, right) if left else [0]


def _below(child: int, left: list[int], right: list[int]) -> list[int]:
    """The leaves below a child, from left to right; ~leaf is a leaf."""
    found, waiting = [], [child]
    while waiting:
        at = waiting.pop()
        if at < 0:
            found.append(~at)
        else:
            waiting += [right[at], left[at]]
    return found


def _null(decision: int) -> int:
    null, goes_left = decision >> MISSING_SHIFT & 3, decision & DEFAULT_LEFT
    if null == ZERO_IS_NULL:
        return ZERO_LEFT if goes_left else ZERO_RIGHT
    if null == NULL_IS_NULL:
        return NULL_LEFT if goes_left else NULL_RIGHT
    return NULL_AS_ZERO


def _pairs(block: str) -> dict[str, str]:
    return {key: value for key, _, value in (line.partition("=") for line in block.splitlines()) if key}
