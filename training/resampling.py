"""The metrics of `training.metrics` in every resample at once: compiled loops over the customers' weights."""

from __future__ import annotations

import math
from collections.abc import Callable

import numba as nb
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Numbers = NDArray[np.int32]
Weights = NDArray[np.uint8]
"""How often each customer was drawn, shape (resamples, customers)."""

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


def _lift(customer: Numbers, y: Array, score: Array) -> PerBlock:
    ours = _by_rank(customer, y, -score)
    return lambda weights: _lift_loop(weights, *ours)


VECTORISED: dict[str, Callable[[Numbers, Array, Array], PerBlock]] = {
    "auc": _auc, "ngini": _ngini, "ece": _ece, "log_loss": _log_loss, "bias": _bias, "rmse": _rmse,
    "lift_top_tenth": _lift,
}  # fmt: skip


def _by_rank(customer: Numbers, y: Array, score: Array) -> tuple[Numbers, Array, NDArray[np.bool_]]:
    """Customers and y by ascending score, and where the score differs from the one before."""
    order = np.argsort(score, kind="stable")
    ordered = score[order]
    return customer[order], y[order], np.concatenate([[True], ordered[1:] != ordered[:-1]])


@nb.njit(cache=True, nogil=True)
def draw(first: int, last: int, customers: int, seed: int) -> Weights:
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


@nb.njit(cache=True, nogil=True)
def _lift_loop(weights: Weights, customer: Numbers, y: Array, starts: NDArray[np.bool_]) -> Array:
    """`training.metrics.lift_top_tenth` per resample; rows by descending score, equal ones sharing evenly."""
    found = np.empty(len(weights))
    for b in range(len(weights)):
        size = total = 0.0
        for i in range(len(customer)):
            size += weights[b, customer[i]]
            total += weights[b, customer[i]] * y[i]
        seen = held = before = above = 0.0
        for i in range(len(customer)):
            if starts[i]:
                if seen >= size / 10:
                    break
                before, above = seen, held
            seen += weights[b, customer[i]]
            held += weights[b, customer[i]] * y[i]
        top = above + (held - above) * (size / 10 - before) / (seen - before) if seen > before else above
        found[b] = 10 * top / total if total > 0 else np.nan
    return found
