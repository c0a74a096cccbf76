"""An increasing function kept as points: turns a rank score into the logarithm of an amount."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numba as nb
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEVELS = np.linspace(0, 1, 101)
LEAST_SLOPE = 1e-3


@dataclass(frozen=True)
class Curve:
    """Straight between points, of slope 1 beyond them; strictly increasing."""

    scores: tuple[float, ...]
    logs: tuple[float, ...]

    def at(self, score: Array) -> Array:
        """Shape (n,)."""
        out = np.empty(len(score))
        _at(*self.points, score, out)
        return out

    @cached_property
    def points(self) -> tuple[Array, Array]:
        """The scores and logarithms as arrays."""
        return np.array(self.scores), np.array(self.logs)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _at(scores: Array, logs: Array, score: Array, out: Array) -> None:
    for i in range(len(out)):
        out[i] = curve_at(scores, logs, score[i])


@nb.njit(cache=True, nogil=True, error_model="numpy")
def curve_at(scores: Array, logs: Array, score: float) -> float:
    """The curve through these points, at one score."""
    last = len(scores) - 1
    if not score > scores[0]:
        return float(logs[0] + (score - scores[0]))
    if score >= scores[last]:
        return float(logs[last] + (score - scores[last]))
    after = np.searchsorted(scores, score)
    slope = (logs[after] - logs[after - 1]) / (scores[after] - scores[after - 1])
    return float(logs[after - 1] + slope * (score - scores[after - 1]))


STRAIGHT = Curve((0.0,), (0.0,))
"""The score is the logarithm."""


def fit_curve(score: Array, logs: Array, end: tuple[float, float]) -> Curve:
    """The customer of each rank by `score` gets the value of that rank in `logs`; both (n,), in no common order.

    end: the last point, a score and its logarithm; what lies beyond it in `score` is not looked at.
    """
    x, first = np.unique(np.quantile(score, LEVELS), return_index=True)
    y = np.quantile(logs, LEVELS)[first]
    x, y = np.append(x[x < end[0]], end[0]), np.append(np.minimum(y, end[1])[x < end[0]], end[1])
    rising = LEAST_SLOPE * (x - x[0])
    return Curve(tuple(map(float, x)), tuple(map(float, np.maximum.accumulate(y - rising) + rising)))
