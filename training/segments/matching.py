"""Which new segment goes on from which old one: numbers and names survive a retrain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from training.segments.model import SegmentModel
from training.segments.profile import profiled
from training.segments.spaces import bought

Array = NDArray[np.float64]

DISSOLVED = 0.5
"""Jaccard overlap from which a segment goes on; below it the old one is dissolved (Hennig 2007, section 3)."""

MOST_NUMBERS = 9
"""The scheme knows segments 1 to 9."""


@dataclass(frozen=True)
class Change:
    """What became of a segment. number, name: now (a gone segment: as they were). was: its name in the earlier model
    (null: it is new). overlap: customers in both over customers in either (Jaccard)."""

    number: int
    name: str
    was: str | None
    fate: Literal["kept", "renamed", "new", "gone"]
    overlap: float


def matched(new: SegmentModel, champion: SegmentModel, rows: Array) -> tuple[SegmentModel, tuple[Change, ...]]:
    """The new model with the champion's numbers and names where its segments go on, and what became of each.

    Segments are paired so that as few customers of `rows` (n, features) as can be change their number (Kuhn 1955).
    A pair that shares at least DISSOLVED of its customers is the same segment: it keeps the number, and the name
    while the words of it still hold. Any other gets the lowest number that the champion does not use, so that a
    number does not mean something else next month; only where all nine are in use, one of a segment that is gone.
    """
    customers = rows[bought(rows)]
    shared = _shared(new.predict(customers), champion.predict(customers), new, champion)
    pairs = {
        int(i): int(j)
        for i, j in zip(*linear_sum_assignment(-shared), strict=True)
        if _jaccard(shared, i, j) >= DISSOLVED
    }
    numbers = _numbers(len(new.numbers), {i: champion.numbers[j] for i, j in pairs.items()}, champion.numbers)
    order = sorted(range(len(numbers)), key=lambda i: numbers[i])
    model = replace(new, numbers=tuple(sorted(numbers)), centres=tuple(new.centres[i] for i in order), profile=())
    old = {segment.number: segment for segment in champion.profile if segment.number in _values(pairs, champion)}
    model = replace(model, profile=profiled(model, customers, old))
    overlap = {numbers[i]: _jaccard(shared, i, j) for i, j in pairs.items()}
    return model, _changes(model, champion, overlap)


def reassigned_share(before: Array, after: Array) -> float:
    """Share of the customers with a segment under both models whose number is another; 0 without any.

    before, after (n,): the numbers that two models give the same feature rows, NaN for none.
    """
    known = ~(np.isnan(before) | np.isnan(after))
    return float((before != after)[known].mean()) if known.any() else 0.0


def _values(pairs: dict[int, int], champion: SegmentModel) -> set[int]:
    return {champion.numbers[j] for j in pairs.values()}


def _shared(after: Array, before: Array, new: SegmentModel, champion: SegmentModel) -> Array:
    """Customers in both, shape (new segments, old segments)."""
    return np.array(
        [[((after == n) & (before == o)).sum() for o in champion.numbers] for n in new.numbers], dtype=np.float64
    )


def _jaccard(shared: Array, i: int, j: int) -> float:
    either = shared[i].sum() + shared[:, j].sum() - shared[i, j]
    return float(shared[i, j] / either) if either else 0.0


def _numbers(count: int, kept: dict[int, int], used: tuple[int, ...]) -> list[int]:
    every = range(1, max(MOST_NUMBERS, count) + 1)
    free = [k for k in every if k not in used] + [k for k in every if k in used and k not in kept.values()]
    return [kept[i] if i in kept else free.pop(0) for i in range(count)]


def _changes(model: SegmentModel, champion: SegmentModel, overlap: dict[int, float]) -> tuple[Change, ...]:
    was = {segment.number: segment.name for segment in champion.profile}
    found = []
    for segment in model.profile:
        if segment.number in overlap:
            before = was[segment.number]
            fate: Literal["kept", "renamed"] = "kept" if before == segment.name else "renamed"
            found.append(Change(segment.number, segment.name, before, fate, overlap[segment.number]))
        else:
            found.append(Change(segment.number, segment.name, None, "new", 0.0))
    gone = [k for k in champion.numbers if k not in overlap]
    return (*found, *(Change(k, was[k], was[k], "gone", 0.0) for k in gone))
