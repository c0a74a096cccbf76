"""Customers of the sample company who suddenly order much less, or no more: what an early warning has to find.

A break is planted in customers who order at least weekly: from some day on most of their orders are lost, with the
visits that go with them. Orders, returns and visits of everybody else stay byte for byte what they were. Who lapses
by itself, as every customer of the simulator does some day, is told beside them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

STRONG_RATE = 1 / 7
"""Orders per day from which a business customer may break: who orders seldom is not missed for months."""

SHARE = 0.04
"""Of the strong customers who are active on a day drawn for each, so many break on it, rounded up."""

LATE_SHARE, LATE_DAYS, EARLY_DAYS = 0.75, (10, 100), 365
"""Three breaks in four begin 10 to 100 days before the end, the others later than EARLY_DAYS after the start."""

LARGEST_FACTOR = 0.15
"""Of the orders after a break at most this share remains."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Breaks:
    """Shape (breaks,) each. customer: its position; day: the first of the lower rate, after the first day of the data;
    factor: the share of orders that remains."""

    customer: NDArray[np.int64]
    day: NDArray[np.int64]
    factor: Floats


def plan_breaks(
    strong: NDArray[np.bool_], joined: Floats, left: Floats, days: int, share: float, rng: np.random.Generator
) -> Breaks:
    """Breaks of some strong customers, each while it is active. joined, left (customers,): days after the first of
    `days` days of data; share: of the strong ones who break."""
    n = strong.size
    late = rng.random(n) < LATE_SHARE
    day = np.where(late, days - rng.integers(*LATE_DAYS, n), rng.integers(EARLY_DAYS, days - LATE_DAYS[1], n))
    able = np.flatnonzero(strong & (joined < day) & (day < left))
    chosen = np.sort(rng.choice(able, math.ceil(share * able.size), replace=False))
    return Breaks(chosen, day[chosen], rng.uniform(0, LARGEST_FACTOR, chosen.size))


def lost(breaks: Breaks, rows: pd.DataFrame, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which rows (customer, minute) breaks take away, shape (rows,): all but `factor` of what comes after them."""
    at = pd.Series(np.arange(breaks.customer.size), index=breaks.customer).reindex(rows["customer"]).to_numpy()
    gone, after = rng.random(len(rows)), np.flatnonzero(~np.isnan(at))
    which = at[after].astype(int)
    found = np.zeros(len(rows), bool)
    found[after] = (rows["minute"].to_numpy()[after] >= breaks.day[which] * 1440) & (
        gone[after] >= breaks.factor[which]
    )
    return found


def without(tables: Mapping[str, pd.DataFrame], orders: NDArray[np.int64]) -> dict[str, pd.DataFrame]:
    """The tables without the lines whose `order_no` is one of `orders`."""
    return {name: t[~t["order_no"].isin(orders)] if "order_no" in t else t for name, t in tables.items()}


def truth(breaks: Breaks, joined: Floats, left: Floats, days: int) -> pd.DataFrame:
    """Every change for the worse: customer (position), day, factor, kind: `broke`, or `lapsed` where it left of itself
    before the data end."""
    gone = np.flatnonzero((left < days - 1) & (left > np.maximum(joined, 0)))
    lapsed = {"customer": gone, "day": np.ceil(left[gone]).astype(int), "factor": 0.0, "kind": "lapsed"}
    broke = {"customer": breaks.customer, "day": breaks.day, "factor": breaks.factor.round(3), "kind": "broke"}
    found = pd.concat([pd.DataFrame(broke), pd.DataFrame(lapsed)])
    return found.sort_values(["day", "customer"], kind="stable", ignore_index=True)
