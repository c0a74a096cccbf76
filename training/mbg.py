"""What the MBG/NBD and the gamma-gamma model expect of a customer, compiled: `training.btyd` has them for all models.

Sources: Batislam, Denizel & Filiztekin (2007), IJRM 24(3); Fader & Hardie (2013) for the mean amount.
"""

from __future__ import annotations

from math import exp, expm1, log, log1p

import numba as nb
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ENOUGH = 1e-17
"""A term that is smaller than this share of the sum changes it no more."""


@nb.njit(cache=True, nogil=True, error_model="numpy")
def p_active(timing: Array, x: float, t_x: float, T: float, horizon: float) -> float:
    """1 − L(x, t_x, T + H) / L(x, t_x, T), of which all but the last factor cancels; in (0, 1)."""
    r, alpha, a, b = timing[0], timing[1], timing[2], timing[3]
    left = log(a) - log(b + x) - (r + x) * log(alpha + t_x)
    later = _log_add(-(r + x) * log(alpha + (T + horizon)), left)
    found = -expm1(later - _log_add(-(r + x) * log(alpha + T), left))
    return float(min(max(found, 1e-9), 1.0 - 1e-9))


@nb.njit(cache=True, nogil=True, error_model="numpy")
def expected_purchases(timing: Array, x: float, t_x: float, T: float, horizon: float) -> float:
    """E[purchases in (T, T + H]], as `training.btyd` derives it."""
    r, alpha, a, b = timing[0], timing[1], timing[2], timing[3]
    shape, rate = r + x, alpha + T
    odds = shape * log(rate / (alpha + t_x)) + log(a) - log(b + x)
    if abs(a - 1.0) < 1e-6:
        a += 1e-6
    b = b + x + 1.0
    z = horizon / (rate + horizon)
    never = (rate / (rate + horizon)) ** shape * hypergeometric(shape, b, a + b - 1.0, z)
    return float(1.0 / (1.0 + exp(odds)) * ((a + b - 1.0) / (a - 1.0) * (1.0 - never)))


@nb.njit(cache=True, nogil=True, error_model="numpy")
def hypergeometric(a: float, b: float, c: float, z: float) -> float:
    """₂F₁(a, b; c; z) of positive a, b, c and 0 ≤ z < 1: its series, whose terms are all positive."""
    term, total, n = 1.0, 1.0, 0.0
    while term > ENOUGH * total:
        term *= (a + n) * (b + n) / (c + n) / (n + 1.0) * z
        total += term
        n += 1.0
    return total


@nb.njit(cache=True, nogil=True, error_model="numpy")
def expected_mean(spend: Array, x: float, m: float) -> float:
    """E[mean amount of a purchase]; the population's mean where x or m is 0. NaN where no amounts are known."""
    p, q, v, scale = spend[0], spend[1], spend[2], spend[3]
    if not (x > 0.0 and m > 0.0):
        x = m = 0.0
    return float(scale * p * (v + x * (m / scale)) / (p * x + q - 1.0))


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _log_add(one: float, other: float) -> float:
    """log(e^one + e^other)."""
    high, low = max(one, other), min(one, other)
    return high + log1p(exp(low - high))
