"""Conditions on facts, and which of a list of them can ever be the first to hold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise, product
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

Span = Annotated[tuple[float, float], Field()]
Conditions = dict[str, float | Span]
"""Fact → the value it must have, or [low, high): from low to below high."""

MOST_POINTS = 200_000
"""Beyond so many points a list of conditions is not searched for classes nobody can reach."""


def meets(conditions: Conditions, facts: Mapping[str, NDArray[np.float64]], size: int) -> NDArray[np.bool_]:
    """Which of `size` customers meet all conditions; a null fact meets none."""
    found = np.ones(size, bool)
    for fact, span in conditions.items():
        values = facts[fact]
        found &= (values >= span[0]) & (values < span[1]) if isinstance(span, tuple) else values == span
    return found


def unreachable(rules: Mapping[str, Conditions]) -> dict[str, str]:
    """Class → the earlier classes that take all it could get, for the classes of a first-match list nobody can reach.

    Conditions are boxes, so the corners of all boxes, points between and beyond them, and null decide it.
    """
    axes = {fact: _points(rules, fact) for conditions in rules.values() for fact in conditions}
    if math.prod(map(len, axes.values())) > MOST_POINTS:
        return {}
    grid = np.array(list(product(*axes.values()))).reshape(-1, len(axes))
    facts = {name: grid[:, i] for i, name in enumerate(axes)}
    free = np.ones(len(grid), bool)
    taken: dict[str, NDArray[np.bool_]] = {}
    found = {}
    for name, conditions in rules.items():
        mine = meets(conditions, facts, len(grid))
        if not (mine & free).any():
            found[name] = " and ".join(other for other, theirs in taken.items() if (theirs & mine).any())
        taken[name] = mine & free
        free &= ~mine
    return found


def _points(rules: Mapping[str, Conditions], fact: str) -> list[float]:
    edges = sorted({edge for conditions in rules.values() for edge in _edges(conditions.get(fact))})
    return [math.nan, *edges, *_between(edges)]


def _edges(span: float | Span | None) -> tuple[float, ...]:
    return () if span is None else span if isinstance(span, tuple) else (span,)


def _between(edges: list[float]) -> Iterator[float]:
    finite = [edge for edge in edges if math.isfinite(edge)] or [0.0]
    yield finite[0] - 1
    yield finite[-1] + 1
    yield from ((a + b) / 2 for a, b in pairwise(finite))
