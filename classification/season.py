"""When in the year a company's customers buy, and which of its customers buy only in a season of their own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

YEAR = 365
SMOOTH = 20.0
"""Purchases that speak for no season, added to each month of the company."""

LONGEST = 6
"""Months of the longest season of a customer."""

OFF = 0.1
"""What a seasonal customer buys out of season, of what it buys in season."""

USUAL_SHARE, USUAL_CUSTOMERS = 0.1, 10.0
"""The share of seasonal customers where nothing is known of it, and how many customers that is worth."""


def month_of(day: Ints) -> Ints:
    """Month 0–11 of days from 1970-01-01."""
    found: Ints = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
    return found


def company_season(day: Ints, first: int, end: int) -> Array:
    """The level of each month of the year, January first, shape (12,); 1 is an average month, and an unknown one.

    day: of each purchase from `first` up to `end`. Purchases of a month over those that the mean of the 365 days around
    each of its days would give, as far as these lie in the data, with SMOOTH added to both.
    """
    days = end - first
    if days <= YEAR:
        return np.ones(12)
    total = np.concatenate([[0.0], np.cumsum(np.bincount(day - first, minlength=days))])
    middle = np.arange(YEAR // 2, days - YEAR // 2)
    mean = (total[middle + YEAR // 2 + 1] - total[middle - YEAR // 2]) / YEAR
    month = month_of(first + middle)
    bought = np.bincount(month, total[middle + 1] - total[middle], 12)
    return np.asarray((bought + SMOOTH) / (np.bincount(month, mean, 12) + SMOOTH))


@lru_cache(maxsize=1)
def seasons() -> Array:
    """The seasons a customer may have: one to LONGEST months in a row; 1 in season, OFF outside. Shape (72, 12)."""
    month = np.arange(12)
    runs = [(month - first) % 12 < length for length in range(1, LONGEST + 1) for first in range(12)]
    return np.where(np.array(runs), 1.0, OFF)


@dataclass(frozen=True)
class OwnSeasons:
    """What the past says of each customer's season. weight (k,): probability that it has one of its own; chance
    (k, seasons): of each, if it has one; pace (k, seasons): its pace in that season, relative to its mean pace."""

    weight: Array
    chance: Array
    pace: Array

    def levels(self) -> Array:
        """Expected level of each month relative to the company's, shape (k, 12)."""
        own = (self.chance * self.pace) @ seasons()
        return np.asarray(1 + self.weight[:, None] * (own - 1))

    def moments(self, customer: Ints, usual: Array) -> tuple[Array, Array]:
        """Mean and variance over the seasons of what is expected; usual (c, 12): expected without a season of its own,
        by month, of the customers at positions `customer` (c,)."""
        each = (usual @ seasons().T) * self.pace[customer]
        mean = (self.chance[customer] * each).sum(axis=1)
        return mean, np.maximum((self.chance[customer] * each**2).sum(axis=1) - mean**2, 0.0)


def own_seasons(bought: Array, exposure: Array, year: Array, r: float, alpha: float) -> OwnSeasons:
    """Posterior of a season per customer, all seasons alike before; how many have one is learnt from all customers.

    bought: purchases by month of the year, shape (k, 12); exposure: days of the company's clock observed, (k, 12);
    year: those of a whole year, (12,); r, alpha: the prior Gamma(r, α) of purchases per such day, over a whole year.
    Given how many they are, the purchases fall on the months as a multinomial; how many they are is negative binomial:
    a newcomer whose pace would be rare for a whole year is likelier to be in a season that ends.
    """
    months, n = seasons(), bought.sum(axis=1)[:, None]
    in_season, all_days = np.maximum(exposure @ months.T, 1e-9), np.maximum(exposure.sum(axis=1), 1e-9)[:, None]
    time = in_season * year.sum() / (year @ months.T)  # in which a customer without a season would buy as much
    x = np.maximum(n - 1, 0)
    log_ratio = bought @ np.log(months).T + n * np.log(all_days / in_season)
    log_ratio += x * np.log(time / all_days) - (r + x) * np.log((alpha + time) / (alpha + all_days))
    most = log_ratio.max(axis=1, keepdims=True)
    relative = np.exp(log_ratio - most)
    evidence = np.log(relative.mean(axis=1)) + most[:, 0]
    share, weight = USUAL_SHARE, np.zeros(len(bought))
    for _ in range(10):  # expectation-maximisation
        weight = expit(evidence + logit(share))
        share = (weight.sum() + USUAL_SHARE * USUAL_CUSTOMERS) / (len(bought) + USUAL_CUSTOMERS)
    return OwnSeasons(weight, relative / relative.sum(axis=1, keepdims=True), all_days / in_season)
