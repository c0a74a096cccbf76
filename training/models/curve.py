"""An increasing function kept as points: turns a rank score into the logarithm of an amount."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEVELS = np.unique(np.concatenate([np.linspace(0, 0.98, 99), 1 - np.geomspace(0.02, 1e-4, 50)]))
"""Ranks of the points: every hundredth, denser where amounts are large."""
LEAST_SLOPE = 1e-3


@dataclass(frozen=True)
class Curve:
    """Straight between points, of slope 1 beyond them; strictly increasing."""

    scores: tuple[float, ...]
    logs: tuple[float, ...]

    def at(self, score: Array) -> Array:
        """Shape (n,)."""
        inside = np.interp(score, self.scores, self.logs)
        return np.asarray(inside + np.minimum(score - self.scores[0], 0.0) + np.maximum(score - self.scores[-1], 0.0))


def fit_curve(score: Array, logs: Array) -> Curve:
    """The customer of each rank by `score` gets the value of that rank in `logs`; both (n,), in no common order."""
    x, first = np.unique(np.quantile(score, LEVELS), return_index=True)
    y = np.quantile(logs, LEVELS)[first]
    rising = LEAST_SLOPE * (x - x[0])
    return Curve(tuple(map(float, x)), tuple(map(float, np.maximum.accumulate(y - rising) + rising)))
