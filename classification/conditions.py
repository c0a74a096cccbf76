"""Conditions on facts, and which of a list of them can ever be the first to hold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from features.config import FlawError

Span = Annotated[tuple[float, float], Field()]
Conditions = dict[str, float | Span]
"""Fact → the value it must have, or [low, high): from low to below high."""

Box = dict[str, tuple[float, float]]
"""Conditions of spans alone: a value is the span from it to below the next number."""


def meets(conditions: Conditions, facts: Mapping[str, NDArray[np.float64]], size: int) -> NDArray[np.bool_]:
    """Which of `size` customers meet all conditions; a null fact meets none."""
    found = np.ones(size, bool)
    for fact, (low, high) in spans_of(conditions).items():
        found &= (facts[fact] >= low) & (facts[fact] < high)
    return found


def total_and_reachable(rules: dict[str, Conditions]) -> dict[str, Conditions]:
    """The same list; a FlawError where somebody would have no class, or a class nobody."""
    *others, (last, left) = rules.items()
    for name, conditions in others:
        if not conditions:
            found = f"no conditions for {name}, which takes everyone: the classes after it are empty"
            raise FlawError(found, f"conditions for class {name}", at=name)
    if left:
        found = f"conditions for {last}: whoever does not meet them has no class"
        raise FlawError(found, f"no conditions for the last class, {last}, so that every customer has a class", at=last)
    for name, conditions in rules.items():
        for fact, span in conditions.items():
            low, high = span if isinstance(span, tuple) else (span, math.inf)
            if not low < high:
                wanted = "[low, high) with low below high, or a number"
                raise FlawError(f"{span}, which nobody meets", wanted, at=f"{name}.{fact}")
    for name, takers in unreachable(rules).items():
        found = f"a class that nobody can reach: {takers} already takes everyone that it could have"
        raise FlawError(found, f"other conditions for {name} than those of {takers}, or a place before it", at=name)
    return rules


def unreachable(rules: Mapping[str, Conditions]) -> dict[str, str]:
    """Class → the earlier classes that take all it could get, for the classes of a first-match list nobody can reach.

    Exact, for any facts whatever. A class that asks for a fact the later one does not ask for leaves it those of whom
    that fact is null; of the others, what their boxes leave of its own box decides it.
    """
    found: dict[str, str] = {}
    earlier: dict[str, Box] = {}
    for name, conditions in rules.items():
        mine = spans_of(conditions)
        takers = {other: theirs for other, theirs in earlier.items() if theirs.keys() <= mine.keys()}
        left = [mine]
        for theirs in takers.values():
            left = [piece for each in left for piece in _without(each, theirs)]
        if not left:
            found[name] = " and ".join(other for other, theirs in takers.items() if not _apart(mine, theirs))
        earlier[name] = mine
    return found


def spans_of(conditions: Conditions) -> Box:
    """The same conditions as spans."""
    return {
        fact: span if isinstance(span, tuple) else (span, math.nextafter(span, math.inf))
        for fact, span in conditions.items()
    }


def _apart(box: Box, other: Box) -> bool:
    """Whether no facts are in both; `other` has no fact that `box` has not."""
    return any(not (low < box[fact][1] and box[fact][0] < high) for fact, (low, high) in other.items())


def _without(box: Box, other: Box) -> Iterator[Box]:
    """What is left of a box once another is taken out, in pieces that do not overlap."""
    if _apart(box, other):
        yield box
        return
    inside = dict(box)
    for fact, (low, high) in other.items():
        first, last = inside[fact]
        if first < low:
            yield {**inside, fact: (first, low)}
        if high < last:
            yield {**inside, fact: (high, last)}
        inside[fact] = max(first, low), min(last, high)
