"""What key customers bought in a watched window, beside what was to be expected of them.

Expected is the customer's own rhythm (`rhythms`), times the season (`season`: the company's, or one of its own), times
the trend: what the other key customers of its industry bought of what was expected of them, drawn towards the trend of
all others and that towards 1. The window is looked at as a whole and from each purchase in it to its end, so that an
early purchase does not hide a later silence; the stretch in which so little was least likely is the evidence. Its
probability is not yet a p-value: it is the smallest of several, and models are models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from classification.purchase_days import Bought
from classification.rhythms import Clock, Rhythms, fit_base, rhythms
from classification.season import YEAR, OwnSeasons, company_season, month_of, own_seasons
from training.btyd import DAYS_PER_UNIT

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

PIECE_DAYS = 30
"""The trend of the company is told for pieces of the window of about this length."""

COMPANY_USUAL, INDUSTRY_USUAL = 100.0, 200.0
"""Expected purchases as which the usual trend counts beside that of the company and that of an industry."""

TINY = 1e-300
"""Smaller probabilities are not told apart."""

SET_ASIDE = 0.1
"""Of each industry, the customers with most evidence against them alone say nothing of its trend: some have left."""

SEASONAL = 1e-6
"""A season of a customer's own that is less probable is not reckoned with."""


@dataclass(frozen=True)
class Watched:
    """Shape (k,) each. days: length of the stretch that is the evidence; observed, expected: days with a purchase in
    it; season, trend: factors in `expected`; evidence: −log of the smallest probability; alive: probability that the
    customer had not left before the window."""

    days: Ints
    observed: Ints
    expected: Array
    season: Array
    trend: Array
    evidence: Array
    alive: Array


@dataclass(frozen=True)
class _Window:
    """The watched window in segments of one month and one piece each. first, end (s,): days; month, piece (s,)."""

    first: Ints
    end: Ints
    month: Ints
    piece: Ints

    @staticmethod
    def of(start: int, end: int) -> _Window:
        days = np.arange(start, end)
        month = month_of(days)
        piece = np.minimum((days - start) // PIECE_DAYS, max((end - start) // PIECE_DAYS, 1) - 1)
        begins = np.flatnonzero(np.diff(month, prepend=-1) | np.diff(piece, prepend=-1))
        return _Window(days[begins], np.append(days[begins[1:]], end), month[begins], piece[begins])

    def time(self, clock: Clock, since: Ints) -> Array:
        """Days of the clock in each segment from the day `since` (c,) on, shape (c, segments)."""
        begin = np.maximum(clock.at(self.first), clock.at(since)[:, None])
        return np.maximum(clock.at(self.end) - begin, 0.0)

    def by(self, part: Ints, values: Array, parts: int) -> Array:
        """Sums of values (c, segments) over the segments of each `part` (s,), shape (c, parts)."""
        return np.asarray(values @ (part[:, None] == np.arange(parts)))


@dataclass(frozen=True)
class _Stretches:
    """What ends with the window: first the whole of it for each of `whole` customers, then what begins with each
    purchase in it. customer: position; since: first day; observed: days with a purchase, that first one not counted."""

    customer: Ints
    since: Ints
    observed: Ints
    whole: int


def watch(bought: Bought, key: Ints, industry: Ints, start: int, end: int, half_life: float) -> Watched:
    """The customers at the positions `key`, from day `start` up to `end`; all must have bought before `start`.

    bought: of all customers, before `end`; industry (customers,): its number. ValueError when nobody bought twice.
    """
    first = int(bought.day.min())
    before = bought.between(first, start)
    season = company_season(before.day, first, start)
    clock = Clock.of(season, first, end)
    past, now = before.of(key), bought.between(start, end).of(key)
    timing = fit_base(before, start)
    found = rhythms(past, timing, clock, start, half_life)
    r, alpha, *_ = timing.params
    own = own_seasons(*_months(past, clock, start), season / 12 * YEAR, r, alpha * DAYS_PER_UNIT)
    window = _Window.of(start, end)
    stretches = _stretches(now, window)
    alone = _least_probable(stretches, found, own, window, clock, np.ones((key.size, window.first.size)))
    trend = _trends(now, found, own, window, clock, industry[key], _usual(alone.evidence, industry[key]))
    return _least_probable(stretches, found, own, window, clock, trend)


def _months(past: Bought, clock: Clock, start: int) -> tuple[Array, Array]:
    """Purchases and days of the clock observed by month of the year, shape (k, 12) each."""
    bought = np.zeros((past.customers, 12))
    np.add.at(bought, (past.customer, month_of(past.day)), 1)
    days = np.arange(clock.first, start)
    level = np.diff(clock.total)[: days.size, None] * (month_of(days)[:, None] == np.arange(12))
    total = np.concatenate([np.zeros((1, 12)), np.cumsum(level, axis=0)])
    return bought, total[-1] - total[past.first() - clock.first]


def _trends(
    now: Bought,
    found: Rhythms,
    own: OwnSeasons,
    window: _Window,
    clock: Clock,
    industry: Ints,
    usual: NDArray[np.bool_],
) -> Array:
    """The pace of the usual others relative to what was expected of them, shape (k, segments)."""
    everyone, pieces = np.full(now.customers, window.first[0]), int(window.piece[-1]) + 1
    each = (found.rate * found.alive * usual)[:, None] * window.time(clock, everyone) * own.levels()[:, window.month]
    expected, observed = window.by(window.piece, each, pieces), np.zeros((now.customers, pieces))
    segment = np.searchsorted(window.first, now.day, side="right") - 1
    np.add.at(observed, (now.customer, window.piece[segment]), 1.0 * usual[now.customer])
    company = (observed.sum(0) - observed + COMPANY_USUAL) / (expected.sum(0) - expected + COMPANY_USUAL)
    bought, due = observed.sum(1), (expected * company).sum(1)
    theirs, expected_of_them = (np.bincount(industry, each)[industry] - each for each in (bought, due))
    mine = (theirs + INDUSTRY_USUAL) / (expected_of_them + INDUSTRY_USUAL)
    return np.asarray((company * mine[:, None])[:, window.piece])


def _usual(evidence: Array, industry: Ints) -> NDArray[np.bool_]:
    """All but SET_ASIDE of each industry, shape (k,)."""
    order = np.lexsort((-evidence, industry))
    size = np.bincount(industry)[industry[order]]
    place = np.arange(order.size) - np.searchsorted(industry[order], industry[order])
    usual = np.empty(order.size, bool)
    usual[order] = place >= np.rint(SET_ASIDE * size)
    return usual


def _stretches(now: Bought, window: _Window) -> _Stretches:
    counts, start = now.counts, int(window.first[0])
    nth = np.arange(now.day.size) - (np.cumsum(counts) - counts)[now.customer]
    everyone = np.arange(now.customers)
    return _Stretches(
        np.concatenate([everyone, now.customer]),
        np.concatenate([np.full(now.customers, start), now.day]),
        np.concatenate([counts, counts[now.customer] - 1 - nth]),
        now.customers,
    )


def _least_probable(
    stretches: _Stretches, found: Rhythms, own: OwnSeasons, window: _Window, clock: Clock, trend: Array
) -> Watched:
    who, end = stretches.customer, int(window.end[-1])
    plain = window.time(clock, stretches.since)
    usual = found.rate[who][:, None] * plain * trend[who]
    probability, expected = _chances(stretches, found, usual)
    _seasonal(stretches, found, own, window.by(window.month, usual, 12), probability, expected)
    order = np.lexsort((stretches.since, probability, who))
    best = order[np.searchsorted(who[order], np.arange(stretches.whole))]
    days, factor = end - stretches.since[best], usual[best].sum(1) / (found.rate * plain[best].sum(1))
    season = expected[best] / (found.rate * factor * days)
    evidence = -np.log(np.maximum(probability[best], TINY))
    return Watched(days, stretches.observed[best], expected[best], season, factor, evidence, found.alive)


def _chances(stretches: _Stretches, found: Rhythms, usual: Array) -> tuple[Array, Array]:
    """P(at most as many as observed) and the number expected of each stretch, without a season of its own."""
    who, observed, whole = stretches.customer, stretches.observed, stretches.whole
    expected = usual.sum(1)
    time = expected / found.rate[who]
    waiting = np.where(np.arange(who.size) < whole, (1 + 1 / found.k[who]) / 2, 1.0)
    chance = found.at_most(who, observed, waiting, time)
    silent = np.flatnonzero(observed[:whole] == 0)  # here the silence from before the window goes on
    none, one = np.zeros(silent.size, np.int64), np.ones(silent.size)
    until = np.maximum(found.at_most(silent, none, one, found.silence[silent]), TINY)
    chance[silent] = found.at_most(silent, none, one, found.silence[silent] + time[silent]) / until
    return chance, expected


def _seasonal(
    stretches: _Stretches, found: Rhythms, own: OwnSeasons, usual: Array, chance: Array, expected: Array
) -> None:
    """Mix into `chance` and `expected` (c,) what holds if the customer has a season of its own. usual (c, 12)."""
    some = np.flatnonzero(own.weight[stretches.customer] > SEASONAL)
    who = stretches.customer[some]
    mean, variance = own.moments(who, usual[some])
    variance += mean**2 / found.A[who]
    shape = np.maximum(mean**2 / np.maximum(variance, 1e-12), 1e-6)  # of the gamma with this mean and variance
    seldom = betainc(shape, stretches.observed[some] + 1.0, shape / (shape + mean))
    weight = own.weight[who]
    chance[some] += weight * (seldom - chance[some])
    expected[some] += weight * (mean - expected[some])
