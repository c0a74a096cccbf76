"""How good a prediction is. Every metric takes weights, so that one bootstrap serves all models and all metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Metric = Callable[[Array, Array, Array], float]
"""(actual, predicted, weight), each of shape (n,) → one number."""


def auc(y: Array, score: Array, weight: Array) -> float:
    """Area under the ROC curve: P(a positive scores higher than a negative), ties counting half."""
    order, starts = _tied(score)
    positive = np.add.reduceat((weight * y)[order], starts)
    negative = np.add.reduceat((weight * (1 - y))[order], starts)
    below = np.cumsum(negative) - negative
    return float((positive * (below + negative / 2)).sum() / (positive.sum() * negative.sum()))


def ngini(y: Array, score: Array, weight: Array) -> float:
    """Normalised Gini: area between the Lorenz curve by predicted rank and the diagonal, over that of a perfect rank.

    1 is a perfect ranking of the amounts, 0 a random one. Tied predictions share their amounts evenly.
    """
    return _gini(y, score, weight) / _gini(y, y, weight)


def _gini(y: Array, score: Array, weight: Array) -> float:
    order, starts = _tied(-score)
    customers = np.add.reduceat(weight[order], starts)
    amounts = np.add.reduceat((weight * y)[order], starts)
    share = np.cumsum(amounts) / amounts.sum()
    before = np.concatenate([[0.0], share[:-1]])
    return float(((share + before) * customers).sum() / customers.sum() - 1)


def log_loss(y: Array, p: Array, weight: Array) -> float:
    """Mean negative log-likelihood of probabilities, in nats; p is kept 1e-6 away from 0 and 1."""
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return float(np.average(-(y * np.log(p) + (1 - y) * np.log(1 - p)), weights=weight))


def ece(y: Array, p: Array, weight: Array) -> float:
    """Expected calibration error: mean |predicted − actual| over ten groups of equal weight by predicted rank."""
    actual, predicted, total = _tenths(y, p, weight)
    return float(np.abs(actual - predicted).sum() / total.sum())


def bias(y: Array, predicted: Array, weight: Array) -> float:
    """Predicted total over actual total; 1 is right."""
    return float((weight * predicted).sum() / (weight * y).sum())


def rmse(y: Array, predicted: Array, weight: Array) -> float:
    """Root mean squared error, in the unit of y."""
    return float(np.sqrt(np.average((y - predicted) ** 2, weights=weight)))


def lift_top_tenth(y: Array, score: Array, weight: Array) -> float:
    """Share of all y that the top 10 % by score hold, over 10 %; ties share evenly."""
    order, starts = _tied(-score)
    customers = np.cumsum(np.add.reduceat(weight[order], starts)) / weight.sum()
    amounts = np.cumsum(np.add.reduceat((weight * y)[order], starts)) / (weight * y).sum()
    return float(np.interp(0.1, np.append(0.0, customers), np.append(0.0, amounts)) / 0.1)


METRICS: dict[str, dict[str, Metric]] = {
    "probability": {"auc": auc, "log_loss": log_loss, "ece": ece, "lift_top_tenth": lift_top_tenth},
    "amount": {"ngini": ngini, "bias": bias, "rmse": rmse, "lift_top_tenth": lift_top_tenth},
    "count": {"ngini": ngini, "bias": bias, "rmse": rmse, "lift_top_tenth": lift_top_tenth},
}
"""By what is predicted; the first metric of each is the one that decides."""


@dataclass(frozen=True)
class Comparison:
    """A model's metric beside a rival's: the difference and its 95 % interval over customers."""

    difference: float
    low: float
    high: float


def compare(
    metric: Metric, y: Array, candidate: Array, rival: Array, resamples: int = 1000, seed: int = 0
) -> Comparison:
    """Paired bootstrap: the same resampled customers judge both (Efron & Tibshirani 1993, ch. 13, percentile interval).

    y, candidate, rival: shape (n,). Resamples in which the metric is undefined are left out.
    """
    one = np.ones(len(y))
    rng = np.random.default_rng(seed)
    differences = []
    for _ in range(resamples):
        weight = np.bincount(rng.integers(0, len(y), len(y)), minlength=len(y)).astype(float)
        with np.errstate(all="ignore"):
            differences.append(metric(y, candidate, weight) - metric(y, rival, weight))
    low, high = np.nanpercentile(differences, [2.5, 97.5])
    return Comparison(metric(y, candidate, one) - metric(y, rival, one), float(low), float(high))


def evaluate(metrics: Mapping[str, Metric], y: Array, predicted: Array) -> dict[str, float]:
    """All metrics of one prediction, unweighted."""
    one = np.ones(len(y))
    return {name: metric(y, predicted, one) for name, metric in metrics.items()}


def tenths(y: Array, predicted: Array) -> tuple[Array, Array]:
    """Mean actual and mean predicted in ten groups of equal size by predicted rank, lowest first; shape (10,) each."""
    actual, total_predicted, total = _tenths(y, predicted, np.ones(len(y)))
    return actual / total, total_predicted / total


def _tenths(y: Array, predicted: Array, weight: Array) -> tuple[Array, Array, Array]:
    order = np.argsort(predicted, kind="stable")
    rank = np.cumsum(weight[order])
    group = np.minimum((10 * (rank - 1e-9) / rank[-1]).astype(int), 9)
    sums = (np.bincount(group, column[order], 10).astype(float) for column in (weight * y, weight * predicted, weight))
    actual, total_predicted, total = sums
    return actual, total_predicted, np.maximum(total, 1e-12)


def _tied(score: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Ascending order of the scores, and where each run of equal ones starts."""
    order = np.argsort(score, kind="stable")
    ordered = score[order]
    return order, np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
