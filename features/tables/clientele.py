"""Whom the sample company deals with: what its customers are like, and when something passes between them and it.

Traits are drawn per customer, and nobody at the company knows them. Time is counted in minutes from the first day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

DAY = 1440
"""Minutes."""

FAR = 10_000_000
"""Minutes, more than all the data span: customers stand this far apart in `gap`."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Clientele:
    """The customers and their days. business, mail (may be sent mailings), joined, left: shape (customers,); joined,
    left: days after `first_day`, on which the data begin; they go on for `days`."""

    business: NDArray[np.bool_]
    mail: NDArray[np.bool_]
    joined: Floats
    left: Floats
    first_day: date
    days: int

    def office(self, day: Floats | Ints, rng: np.random.Generator) -> Ints:
        """A minute of working hours on each day, or on the Monday after it."""
        whole = np.floor(day).astype(np.int64)
        weekday = (whole + self.first_day.weekday()) % 7
        open_: Ints = whole + np.where(weekday >= 5, 7 - weekday, 0)
        return open_ * DAY + rng.integers(8 * 60, 18 * 60, whole.size)

    def months(self, *of_year: int) -> list[tuple[str, int]]:
        """The months of the data (all, or some of each year), as YYYY-MM, each with the day on which it begins."""
        first = np.datetime64(self.first_day)
        months = np.arange(first.astype("M8[M]"), (first + self.days).astype("M8[M]"))
        begin = (months.astype("M8[D]") - first).astype(int)
        wanted = [not of_year or int(str(month)[5:]) in of_year for month in months]
        return [(str(m), int(b)) for m, b, w in zip(months, begin, wanted, strict=True) if w]


@dataclass(frozen=True)
class Traits:
    """What it is like to deal with each customer, shape (customers,) each."""

    attention: Floats  # talks with the company's people, per day
    quoted: Floats  # share of its orders for which it asks a quote
    idle_quotes: Floats  # quotes that come to nothing, per day
    trouble: Floats  # complaints per order
    requests: Floats  # service requests per day
    content: Floats  # mean answer to a survey
    answering: Floats  # share of the campaigns that it answers, but for how soon it will buy
    remote: Floats  # cost of a delivery above the least, in EUR


def draw_traits(business: NDArray[np.bool_], rng: np.random.Generator) -> Traits:
    """The traits of customers of whom `business` says which are firms; most are few and heavy-tailed."""
    n = business.size
    return Traits(
        attention=rng.gamma(0.9, np.where(business, 1 / 70, 1 / 900), n),
        quoted=rng.beta(2, np.where(business, 6, 60)),
        idle_quotes=rng.gamma(0.8, np.where(business, 1.6, 0.08) / 365, n),
        trouble=rng.beta(1, 28, n),
        requests=rng.gamma(0.7, np.where(business, 1.2, 0.3) / 365, n),
        content=rng.normal(7.9, 0.9, n),
        answering=rng.beta(1, 14, n),
        remote=rng.gamma(2.0, 2.0, n),
    )


def now_and_then(clients: Clientele, rate: Floats, at: str, rng: np.random.Generator) -> pd.DataFrame:
    """customer, `at` (a minute) of what happens `rate` times a day, until four months after the customer left."""
    start = np.maximum(clients.joined, 0)
    span = np.maximum(np.minimum(clients.left + 120, clients.days) - start, 0)
    customer = np.repeat(np.arange(rate.size), rng.poisson(rate * span))
    day = start[customer] + rng.random(customer.size) * span[customer]
    return pd.DataFrame({"customer": customer, at: clients.office(day, rng)})


def choose(shares: dict[str, float], count: int, rng: np.random.Generator) -> NDArray[np.str_]:
    """`count` names, each as often as its share says."""
    return rng.choice(list(shares), count, p=list(shares.values()))


def gap(customer: Ints, minute: Ints, others: pd.DataFrame, ahead: bool = False) -> Floats:
    """Minutes since the last of the customer's `others` before `minute` (`ahead`: until the next); ∞ without one."""
    sign = -1 if ahead else 1
    keys = np.sort(others["customer"].to_numpy() * FAR + sign * others["minute"].to_numpy())
    keys = np.concatenate([[-FAR], keys])
    asked = customer * FAR + sign * minute
    apart = asked - keys[np.searchsorted(keys, asked) - 1]
    return np.where(apart < FAR // 2, apart, np.inf)


def in_time(clients: Clientele, rows: pd.DataFrame, at: str, number: tuple[str, int] | None = None) -> pd.DataFrame:
    """The rows within the data in order of time; number: the column that numbers them, and its first number."""
    kept = rows[rows[at].between(0, clients.days * DAY - 1)].sort_values(
        [at, "customer"], kind="stable", ignore_index=True
    )
    if number is not None:
        kept.insert(0, number[0], number[1] + np.arange(len(kept)))
    return kept
