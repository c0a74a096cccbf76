"""How a tree sees a value: as a number that `<= threshold` sends where LightGBM sends the value."""

from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray

NULL_AS_ZERO, NULL_LEFT, NULL_RIGHT, ZERO_LEFT, ZERO_RIGHT, FIRST_SET = range(6)
"""What a node does with null: take it for 0; send it left, or right; send it and 0 left, or right. From FIRST_SET on:
it asks whether a category is in a set."""

NULL_SEEN = np.array([0.0, -np.inf, np.nan, -np.inf, np.nan])
ZERO_SEEN = np.array([0.0, 0.0, 0.0, -np.inf, np.nan])
"""By rule, as what null and zero are seen: -inf is always sent left, NaN always right."""

SET_BOUND = 0.5
"""The threshold for categories: those in the set are seen as 0, others as 1."""

ZERO = float(np.float32(1e-35))
"""LightGBM takes what is no larger for zero."""

CATEGORY, DEFAULT_LEFT, MISSING_SHIFT, ZERO_IS_NULL, NULL_IS_NULL = 1, 2, 2, 1, 2
"""Bits of LightGBM's `decision_type`, and what the part above MISSING_SHIFT means."""


def rule_of(decision: int) -> int:
    """What a node that asks a number does with null, by its `decision_type`."""
    null, goes_left = decision >> MISSING_SHIFT & 3, decision & DEFAULT_LEFT
    if null == ZERO_IS_NULL:
        return ZERO_LEFT if goes_left else ZERO_RIGHT
    if null == NULL_IS_NULL:
        return NULL_LEFT if goes_left else NULL_RIGHT
    return NULL_AS_ZERO


@nb.njit(inline="always")
def see(x: float, rule: int, ends: NDArray[np.int64], words: NDArray[np.uint32]) -> float:
    """x as the nodes of a rule see it, NaN for null. ends, words: the sets of categories."""
    if rule >= FIRST_SET:
        return _category(x, ends[rule - FIRST_SET], ends[rule - FIRST_SET + 1], words)
    known = ZERO_SEEN[rule] if abs(x) <= ZERO else x
    return NULL_SEEN[rule] if x != x else known


@nb.njit(inline="always")
def _category(x: float, begin: int, end: int, words: NDArray[np.uint32]) -> float:
    """LightGBM cuts off decimals, so that -0.5 is category 0; null, the negative, and what is past the last word of
    the set is not in it."""
    if x > -1.0 and x < 32.0 * (end - begin):
        code = np.int64(x)
        if words[begin + (code >> 5)] >> np.uint32(code & 31) & np.uint32(1):
            return 0.0
    return 1.0
