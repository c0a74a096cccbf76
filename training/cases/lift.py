"""The lift of the top tenth in every resample of a bootstrap."""

from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray

from training.bootstrap import Resampled, Weights

Array = NDArray[np.float64]

BLOCK = 100


def lift_draws(resampled: Resampled, column: str) -> Array:
    """`training.metrics.lift_top_tenth` of a column, mean over the cuts; shape (resamples,), NaN where undefined."""
    found = []
    for first in range(0, resampled.resamples, BLOCK):
        weights = resampled.weights(first, min(first + BLOCK, resampled.resamples))
        found.append(
            np.mean([_of_cut(weights, cut.customer, cut.actual, cut.columns[column]) for cut in resampled.cuts], axis=0)
        )
    return np.concatenate(found)


def _of_cut(weights: Weights, customer: NDArray[np.int32], y: Array, score: Array) -> Array:
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    ends = np.concatenate([ordered[1:] != ordered[:-1], [True]])
    return np.asarray(_loop(weights, customer[order], y[order], ends))


@nb.njit(cache=True, nogil=True)
def _loop(weights: Weights, customer: NDArray[np.int32], y: Array, ends: NDArray[np.bool_]) -> Array:
    """Rows by descending score; ends: where a run of equal scores, which share evenly, is over."""
    found = np.empty(len(weights))
    for b in range(len(weights)):
        size = total = 0.0
        for i in range(len(customer)):
            size += weights[b, customer[i]]
            total += weights[b, customer[i]] * y[i]
        seen = held = before = above = 0.0
        for i in range(len(customer)):
            seen += weights[b, customer[i]]
            held += weights[b, customer[i]] * y[i]
            if ends[i]:
                if seen >= size / 10:
                    break
                before, above = seen, held
        top = above + (held - above) * (size / 10 - before) / (seen - before)
        found[b] = 10 * top / total if total > 0 else np.nan
    return found
