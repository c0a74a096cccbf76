"""How often each customer buys, how regularly, and whether it still does: the BTYD view, sharpened by its own past.

Gaps between purchases are gamma distributed with a regularity k of the customer's own (k = 1: as it happens; larger:
evenly), as in Platzer & Reutterer (2016), Marketing Science 35(5). Rates are gamma distributed over customers with the
prior of the fitted MBG/NBD model, and what a customer did long ago counts less. Time runs as the company's season does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from classification.purchase_days import Bought
from classification.season import month_of
from training.btyd import DAYS_PER_UNIT, Timing, fit_timing

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_CUSTOMERS = 5_000
"""Of a larger base an evenly spaced part is fitted: a year of months is, and more do not change four parameters."""

KNOWN_GAPS = 30.0
"""The regularity of all customers counts as so many gaps of a customer's own."""

LEAST_REGULAR, MOST_REGULAR = 0.5, 4.0
WIDEST = 3.0
"""The largest squared coefficient of variation that is believed of one customer."""


@dataclass(frozen=True)
class Clock:
    """A clock that runs faster in season. total (days + 1,): its reading on each day from `first` on."""

    first: int
    total: Array

    @staticmethod
    def of(season: Array, first: int, end: int) -> Clock:
        """By the season's level of each month, (12,)."""
        level = season[month_of(np.arange(first, end))]
        return Clock(first, np.concatenate([[0.0], np.cumsum(level)]))

    def at(self, day: Ints) -> Array:
        """The reading at the beginning of each day."""
        return self.total[day - self.first]

    def faded(self, now: int, half_life: float) -> Clock:
        """The same, with a day `half_life` days before `now` worth half of a day."""
        age = now - self.first - np.arange(self.total.size - 1)
        return Clock(self.first, np.concatenate([[0.0], np.cumsum(np.diff(self.total) * 0.5 ** (age / half_life))]))


@dataclass(frozen=True)
class Rhythms:
    """Shape (k,) each, at one date. k: regularity; A, B: the rate of purchases per day of the clock has the posterior
    Gamma(A, B); silence: days of the clock since the last purchase; alive: probability of still being a customer."""

    k: Array
    A: Array
    B: Array
    silence: Array
    alive: Array

    @property
    def rate(self) -> Array:
        """Purchases expected per day of the clock from who is still a customer."""
        return self.A / self.B

    def at_most(self, customer: Ints, purchases: Ints, waiting: Array, time: Array) -> Array:
        """P(at most so many purchases in `time` days of the clock), shape (c,).

        waiting (c,): the mean time to the first of them, in gaps: 1 right after a purchase, (1 + 1/k) / 2 from any day.
        n + w gaps of shape k last longer than t with the rate integrated out: a regularised incomplete beta function.
        """
        k, A, B = self.k[customer], self.A[customer], self.B[customer]
        return np.asarray(betainc(A, k * (purchases + waiting), B / (B + k * np.maximum(time, 1e-9))))


def fit_base(bought: Bought, now: int) -> Timing:
    """MBG/NBD of all customers at `now`; ValueError when nobody bought twice."""
    x, first, last = bought.counts, bought.first(), bought.last()
    seen = np.flatnonzero(x > 0)
    seen = seen[:: 1 + seen.size // MOST_CUSTOMERS]
    t_x, T = (last - first)[seen] / DAYS_PER_UNIT, (now - first[seen]) / DAYS_PER_UNIT
    return fit_timing("mbg_nbd", x[seen].astype(float) - 1, t_x, T)


def rhythms(bought: Bought, timing: Timing, clock: Clock, now: int, half_life: float) -> Rhythms:
    """The rhythms at `now` of customers who all bought before, from their days up to there."""
    r, alpha, a, b = timing.params
    x = bought.counts - 1.0
    k = _regularity(bought, clock)
    faded = clock.faded(now, half_life)
    again = np.flatnonzero(np.diff(bought.customer, prepend=-1) == 0)
    weight = 0.5 ** ((now - bought.day[again]) / half_life)
    A = r + k * np.bincount(bought.customer[again], weight, bought.customers)
    observed = faded.total[now - clock.first] - faded.at(bought.first())
    B = alpha * DAYS_PER_UNIT + k * observed
    silence = clock.total[now - clock.first] - clock.at(bought.last())
    quiet = betainc(A, k, B / (B + k * np.maximum(silence, 1e-9)))
    return Rhythms(k, A, B, silence, quiet / (quiet + a / (b + x)))


def _regularity(bought: Bought, clock: Clock) -> Array:
    """1 / squared coefficient of variation of each customer's gaps, drawn towards that of all."""
    again = np.flatnonzero(np.diff(bought.customer, prepend=-1) == 0)
    gap, mine = clock.at(bought.day[again]) - clock.at(bought.day[again - 1]), bought.customer[again]
    n = np.bincount(mine, minlength=bought.customers)
    mean = np.bincount(mine, gap, bought.customers) / np.maximum(n, 1)
    square = np.bincount(mine, (gap - mean[mine]) ** 2, bought.customers) / np.maximum(n - 1, 1)
    spread = np.minimum(square / np.maximum(mean, 1e-9) ** 2, WIDEST)
    freedom = np.maximum(n - 1.0, 0.0)
    usual = (freedom * spread).sum() / freedom.sum() if freedom.sum() else 1.0
    found = (freedom * spread + KNOWN_GAPS * usual) / (freedom + KNOWN_GAPS)
    return np.asarray(np.clip(1 / np.maximum(found, 1e-9), LEAST_REGULAR, MOST_REGULAR))
