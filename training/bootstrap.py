"""How sure a difference between two predictions is: one paired bootstrap for all metrics, models and test cuts.

Customers are resampled, not rows: a customer who is drawn twice counts twice at every cut. A metric of several cuts is
the mean over the cuts. All columns meet the same resamples, which is what makes the comparison paired (Efron &
Tibshirani 1993, ch. 13). Which customer is drawn depends on the seed, the resample and the draw alone, so that blocks
and threads change nothing. Metrics are those of `training.metrics`, written as loops over resamples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numba as nb
import numpy as np
from numpy.typing import NDArray

from features.batch import usable_cores
from training.metrics import Comparison

Array = NDArray[np.float64]
Numbers = NDArray[np.int32]
Weights = NDArray[np.uint8]
"""How often each customer was drawn, shape (resamples, customers)."""

RESAMPLES = 2_000
BLOCK_BYTES = 32 << 20
"""Room for the weights of one block of resamples; one block a thread is in memory."""
KEPT_BYTES = 256 << 20
"""Weights of up to this size are drawn once and kept."""


@dataclass(frozen=True)
class Cut:
    """What was answered at one test date. customer (n,): a customer's number, the same at every cut; actual (n,);
    columns: name → (n,)."""

    customer: Numbers
    actual: Array
    columns: Mapping[str, Array]


@dataclass(frozen=True)
class Resampled:
    """Some cuts' predictions under the same resamples of their `customers` customers."""

    cuts: tuple[Cut, ...]
    customers: int
    resamples: int = RESAMPLES
    seed: int = 0
    _kept: dict[int, Weights] = field(default_factory=dict, repr=False)
    _found: dict[tuple[str, str], Array] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        test: NDArray[np.generic],
        customer: NDArray[np.integer],
        actual: Array,
        columns: Mapping[str, Array],
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> Resampled:
        """From rows of several cuts: test (n,) dates, customer (n,) any whole numbers, actual (n,), name → (n,)."""
        known, number = np.unique(customer, return_inverse=True)
        masks = [test == day for day in np.unique(test)]
        cuts = tuple(
            Cut(number[mask].astype(np.int32), actual[mask], {name: each[mask] for name, each in columns.items()})
            for mask in masks
        )
        return cls(cuts, len(known), resamples, seed)

    def point(self, metric: str, column: str) -> float:
        """The metric on the customers as they are; NaN where it is undefined."""
        once = np.ones((1, self.customers), np.uint8)
        with np.errstate(all="ignore"):
            found = [_VECTORISED[metric](cut.customer, cut.actual, cut.columns[column])(once)[0] for cut in self.cuts]
        return float(np.mean(found))

    def draws(self, metric: str, column: str) -> Array:
        """The metric in every resample, shape (resamples,); NaN where it is undefined, such as AUC of one class."""
        key = (metric, column)
        if key not in self._found:
            self._found[key] = np.mean([self._of_cut(metric, cut, cut.columns[column]) for cut in self.cuts], axis=0)
        return self._found[key]

    def differences(self, metric: str, one: str, other: str) -> tuple[float, Array]:
        """`one` minus `other`: on the customers as they are, and in every resample."""
        difference = self.point(metric, one) - self.point(metric, other)
        return difference, self.draws(metric, one) - self.draws(metric, other)

    def compare(self, metric: str, one: str, other: str) -> Comparison:
        """`one` minus `other` with its 95 % percentile interval."""
        point, draws = self.differences(metric, one, other)
        return Comparison(point, *interval(draws))

    def weights(self, first: int, last: int) -> Weights:
        """How often each customer is drawn in the resamples `first` up to `last`."""
        return np.asarray(_weights(first, last, self.customers, self.seed))

    def _of_cut(self, metric: str, cut: Cut, predicted: Array) -> Array:
        return self._over_blocks(_VECTORISED[metric](cut.customer, cut.actual, np.asarray(predicted, float)))

    def _over_blocks(self, per_block: Callable[[Weights], Array]) -> Array:
        def told(block: tuple[int, int]) -> Array:
            with np.errstate(all="ignore"):
                return per_block(self._block(*block))

        with ThreadPoolExecutor(usable_cores()) as pool:
            return np.concatenate(list(pool.map(told, self._blocks())))

    def _blocks(self) -> Iterator[tuple[int, int]]:
        size = max(1, min(BLOCK_BYTES // max(self.customers, 1), 100))
        for first in range(0, self.resamples, size):
            yield first, min(first + size, self.resamples)

    def _block(self, first: int, last: int) -> Weights:
        if self.customers * self.resamples > KEPT_BYTES:
            return self.weights(first, last)
        if first not in self._kept:
            self._kept[first] = self.weights(first, last)
        return self._kept[first]


def interval(draws: Array, level: float = 0.95) -> tuple[float, float]:
    """The percentile interval of a bootstrap; undefined resamples are left out; NaN where all are."""
    known = draws[~np.isnan(draws)]
    if not known.size:
        return np.nan, np.nan
    low, high = np.percentile(known, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


PerBlock = Callable[[Weights], Array]
"""Weights of a block of resamples → the metric in each of them."""


def _auc(customer: Numbers, y: Array, score: Array) -> PerBlock:
    ours = _by_rank(customer, y, score)
    return lambda weights: _auc_loop(weights, *ours)


def _ngini(customer: Numbers, y: Array, score: Array) -> PerBlock:
    ours, best = (_by_rank(customer, y, -each) for each in (score, y))
    return lambda weights: _gini_loop(weights, *ours) / _gini_loop(weights, *best)


def _ece(customer: Numbers, y: Array, p: Array) -> PerBlock:
    order = np.argsort(p, kind="stable")
    ours = customer[order], y[order], p[order]
    return lambda weights: _ece_loop(weights, *ours)


def _log_loss(customer: Numbers, y: Array, p: Array) -> PerBlock:
    p = np.clip(p, 1e-6, 1 - 1e-6)
    loss = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    return lambda weights: _ratio_loop(weights, customer, loss, np.ones(len(y)))


def _bias(customer: Numbers, y: Array, predicted: Array) -> PerBlock:
    return lambda weights: _ratio_loop(weights, customer, predicted, y)


def _rmse(customer: Numbers, y: Array, predicted: Array) -> PerBlock:
    return lambda weights: np.sqrt(_ratio_loop(weights, customer, (y - predicted) ** 2, np.ones(len(y))))


_VECTORISED: dict[str, Callable[[Numbers, Array, Array], PerBlock]] = {
    "auc": _auc, "ngini": _ngini, "ece": _ece, "log_loss": _log_loss, "bias": _bias, "rmse": _rmse,
}  # fmt: skip


def _by_rank(customer: Numbers, y: Array, score: Array) -> tuple[Numbers, Array, NDArray[np.bool_]]:
    """Customers and y by ascending score, and where the score differs from the one before."""
    order = np.argsort(score, kind="stable")
    ordered = score[order]
    return customer[order], y[order], np.concatenate([[True], ordered[1:] != ordered[:-1]])


@nb.njit(cache=True, nogil=True)
def _weights(first: int, last: int, customers: int, seed: int) -> Weights:
    """Draws with replacement by SplitMix64 (Steele, Lea & Flood 2014) of seed, resample and draw."""
    found = np.zeros((last - first, customers), np.uint8)
    for resample in range(first, last):
        start = np.uint64(seed) * np.uint64(0xD1342543DE82EF95) + np.uint64(resample) * np.uint64(customers)
        for draw in range(customers):
            z = (start + np.uint64(draw + 1)) * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z = z ^ (z >> np.uint64(31))
            found[resample - first, ((z >> np.uint64(32)) * np.uint64(customers)) >> np.uint64(32)] += np.uint8(1)
    return found


@nb.njit(cache=True, nogil=True)
def _auc_loop(weights: Weights, customer: Numbers, y: Array, starts: NDArray[np.bool_]) -> Array:
    """`training.metrics.auc` per resample; rows by ascending score, starts: where a run of equal scores begins."""
    found = np.empty(len(weights))
    for b in range(len(weights)):
        below = positive = negative = area = total = 0.0
        for i in range(len(customer)):
            if starts[i]:
                area += positive * (below + negative / 2)
                below, total = below + negative, total + positive
                positive = negative = 0.0
            w = float(weights[b, customer[i]])
            positive += w * y[i]
            negative += w * (1 - y[i])
        area += positive * (below + negative / 2)
        pairs = (total + positive) * (below + negative)
        found[b] = area / pairs if pairs > 0 else np.nan
    return found


@nb.njit(cache=True, nogil=True)
def _gini_loop(weights: Weights, customer: Numbers, y: Array, starts: NDArray[np.bool_]) -> Array:
    """The Gini of `training.metrics.ngini` per resample; rows by descending score."""
    found = np.empty(len(weights))
    for b in range(len(weights)):
        held = amount = size = area = customers = 0.0
        for i in range(len(customer)):
            if starts[i]:
                area += (2 * held + amount) * size
                held, customers = held + amount, customers + size
                amount = size = 0.0
            w = float(weights[b, customer[i]])
            amount += w * y[i]
            size += w
        area += (2 * held + amount) * size
        held, customers = held + amount, customers + size
        found[b] = area / (held * customers) - 1 if held * customers != 0 else np.nan
    return found


@nb.njit(cache=True, nogil=True)
def _ece_loop(weights: Weights, customer: Numbers, y: Array, p: Array) -> Array:
    """`training.metrics.ece` per resample; rows by ascending prediction."""
    found = np.empty(len(weights))
    for b in range(len(weights)):
        total = 0.0
        for i in range(len(customer)):
            total += weights[b, customer[i]]
        rank = group = error = off = 0.0
        for i in range(len(customer)):
            w = float(weights[b, customer[i]])
            rank += w
            if group < 9 and 10 * (rank - 1e-9) >= (group + 1) * total:
                error, off = error + abs(off), 0.0
                group = min(math.floor(10 * (rank - 1e-9) / total), 9)
            off += w * (y[i] - p[i])
        found[b] = (error + abs(off)) / total if total > 0 else np.nan
    return found


@nb.njit(cache=True, nogil=True)
def _ratio_loop(weights: Weights, customer: Numbers, above: Array, below: Array) -> Array:
    """Weighted sum of `above` over that of `below`, per resample."""
    found = np.empty(len(weights))
    for b in range(len(weights)):
        top = bottom = 0.0
        for i in range(len(customer)):
            w = float(weights[b, customer[i]])
            top += w * above[i]
            bottom += w * below[i]
        found[b] = top / bottom if bottom != 0 else np.nan
    return found
