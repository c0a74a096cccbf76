"""A paired bootstrap over customers, many resamples at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Many = Callable[[Array, Array, Array], Array]
"""(actual (n,), predicted (n,), weights (resamples, n)) → one number per resample."""

AT_ONCE = 50


@dataclass(frozen=True)
class Interval:
    """A difference and its 95 % percentile interval."""

    difference: float
    low: float
    high: float

    def said(self, digits: int) -> str:
        """As a table says it."""
        return f"{self.difference:+.{digits}f} [{self.low:+.{digits}f}, {self.high:+.{digits}f}]"


def differences(metric: Many, y: Array, ours: Array, theirs: Array, resamples: int, seed: int) -> Interval:
    """ours − theirs; the same resampled customers judge both (Efron & Tibshirani 1993, ch. 13)."""
    rng, found = np.random.default_rng(seed), []
    for first in range(0, resamples, AT_ONCE):
        count = min(AT_ONCE, resamples - first)
        drawn = rng.integers(0, len(y), (count, len(y))) + len(y) * np.arange(count)[:, None]
        weight = np.bincount(drawn.ravel(), minlength=count * len(y)).reshape(count, len(y)).astype(float)
        found.append(metric(y, ours, weight) - metric(y, theirs, weight))
    one = np.ones((1, len(y)))
    low, high = np.nanpercentile(np.concatenate(found), [2.5, 97.5])
    return Interval(float((metric(y, ours, one) - metric(y, theirs, one))[0]), float(low), float(high))


def auc_many(y: Array, score: Array, weight: Array) -> Array:
    """As `training.metrics.auc`."""
    order, starts = _tied(score)
    positive = np.add.reduceat((weight * y)[:, order], starts, axis=1)
    negative = np.add.reduceat((weight * (1 - y))[:, order], starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative
    area = (positive * (below + negative / 2)).sum(axis=1)
    return np.asarray(area / (positive.sum(axis=1) * negative.sum(axis=1)))


def ngini_many(y: Array, score: Array, weight: Array) -> Array:
    """As `training.metrics.ngini`."""
    return _gini(y, score, weight) / _gini(y, y, weight)


def log_loss_many(y: Array, p: Array, weight: Array) -> Array:
    """As `training.metrics.log_loss`."""
    p = np.clip(p, 1e-6, 1 - 1e-6)
    loss = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    return np.asarray((weight * loss).sum(axis=1) / weight.sum(axis=1))


def _gini(y: Array, score: Array, weight: Array) -> Array:
    order, starts = _tied(-score)
    customers = np.add.reduceat(weight[:, order], starts, axis=1)
    amounts = np.add.reduceat((weight * y)[:, order], starts, axis=1)
    share = np.cumsum(amounts, axis=1) / amounts.sum(axis=1, keepdims=True)
    before = np.column_stack([np.zeros(len(share)), share[:, :-1]])
    return np.asarray(((share + before) * customers).sum(axis=1) / customers.sum(axis=1) - 1)


def _tied(score: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    order = np.argsort(score, kind="stable")
    ordered = score[order]
    return order, np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
