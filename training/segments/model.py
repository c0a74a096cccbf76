"""The fitted segments: who belongs to which, and what each is called."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from features.catalogue import POSITION
from features.workspace import read_json, write_json
from training.segments.names import Word
from training.segments.spaces import coordinate, places_of

Array = NDArray[np.float64]

ORDER_DAYS = POSITION["order_days"]
FURTHEST = 3.0
"""Standard deviations from the mean beyond which all are equally far: a handful of oddities is no segment."""


@dataclass(frozen=True)
class Segment:
    """What is told of one segment.

    customers, revenue: its share of the customers who ever bought and of the last 365 days' net spend (null: nobody
    spent, or there are no amounts). medians: by feature. standing: by feature, the share of all customers who have
    less than the segment's median, ties counted half. words: what the name says, so that a retrain can tell whether it
    still holds.
    """

    number: int
    name: str
    words: tuple[Word, ...]
    customers: float
    revenue: float | None
    medians: dict[str, float]
    standing: dict[str, float]


@dataclass(frozen=True)
class SegmentModel:
    """Segment numbers[k] is the set of customers nearest to centres[k].

    space: names of the features; centre, scale (features): what their coordinates are standardised with; numbers: 1 to
    9, ascending, 1 spends most in the first model and all are kept by later ones; profile: a Segment per number.
    """

    space: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    centres: tuple[tuple[float, ...], ...]
    numbers: tuple[int, ...]
    profile: tuple[Segment, ...] = ()

    def predict(self, rows: Array, horizon_days: int = 0) -> Array:
        """Number of the segment, shape (n,); NaN for customers who never bought. rows (n, features)."""
        number = np.empty(len(rows))
        _nearest(rows, *self._arrays, number)
        return number

    def name_of(self, number: float) -> str | None:
        """What a segment is called; None for a number that is none (NaN: never bought)."""
        return next((segment.name for segment in self.profile if segment.number == number), None)

    def save(self, folder: Path) -> None:
        """model.json."""
        write_json(folder / "model.json", asdict(self))

    @staticmethod
    def load(folder: Path) -> SegmentModel:
        """What `save` wrote."""
        found = read_json(folder / "model.json")
        return SegmentModel(
            tuple(found["space"]),
            tuple(found["centre"]),
            tuple(found["scale"]),
            tuple(tuple(centre) for centre in found["centres"]),
            tuple(found["numbers"]),
            tuple(_segment(each) for each in found["profile"]),
        )

    @cached_property
    def _arrays(self) -> tuple[NDArray[np.int64], Array, Array, Array, Array, Array]:
        """Where the features are and their units, centre, scale, centres and numbers."""
        centres = np.array(self.centres, float).reshape(len(self.numbers), len(self.space))
        centre, scale = np.array(self.centre), np.array(self.scale)
        return *places_of(self.space), centre, scale, centres, np.array(self.numbers, float)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _nearest(
    rows: Array,
    places: NDArray[np.int64],
    units: Array,
    centre: Array,
    scale: Array,
    centres: Array,
    numbers: Array,
    out: Array,
) -> None:
    """The number of the nearest centre, of two as near the lower; NaN for who never bought."""
    own = np.empty(len(places))
    for i in range(len(out)):
        out[i], best = np.nan, np.inf
        if not rows[i, ORDER_DAYS] > 0.0:
            continue
        for j in range(len(places)):
            away = (coordinate(rows[i, places[j]], units[j]) - centre[j]) / scale[j]
            own[j] = min(max(away, -FURTHEST), FURTHEST)
        for k in range(len(numbers)):
            distance = 0.0
            for j in range(len(places)):
                distance += (own[j] - centres[k, j]) ** 2
            if distance < best:
                best, out[i] = distance, numbers[k]


def described(segment: Segment) -> str:
    """Name and sizes: "recent frequent high spenders, 1 in 20, 41 % of revenue"."""
    revenue = [] if segment.revenue is None else [f"{100 * segment.revenue:.0f} % of revenue"]
    return ", ".join([segment.name, _one_in(segment.customers), *revenue])


def _one_in(share: float) -> str:
    """A share of the customers as people say it: 1 in 20, 3 in 10."""
    if share >= 0.35:
        return f"{10 * share:.0f} in 10"
    return f"1 in {1 / share:,.0f}" if share > 0 else "none"


def _segment(found: dict[str, Any]) -> Segment:
    return Segment(**found | {"words": tuple(Word(**word) for word in found["words"])})
