"""By what customers can be alike: the candidate feature spaces, and how a feature becomes a coordinate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log1p

import numba as nb
import numpy as np
from numpy.typing import NDArray

from features.catalogue import POSITION

Array = NDArray[np.float64]

MONTH_DAYS = 30.0
"""Days are counted in months before the logarithm: three weeks without a purchase are a holiday, three months are not.
In days, the closed weeks around New Year moved a quarter of Online Retail's customers to another segment."""


@dataclass(frozen=True)
class Space:
    """Features by which customers are alike. amounts: whether it needs amounts; doc: how it is told to a reviewer."""

    name: str
    features: tuple[str, ...]
    amounts: bool
    doc: str


SPACES = (
    Space(
        "order size", ("recency_days", "orders", "spend_per_order"), True,
        "How lately, how often, and how much an order.",
    ),
    Space(
        "total spend", ("recency_days", "orders", "spend"), True,
        "How lately, how often, and how much in all.",
    ),
    Space(
        "last year", ("recency_days", "orders_365d", "spend_365d"), True,
        "How lately, and how often and how much in the last 365 days.",
    ),
    Space(
        "order size and last year", ("recency_days", "orders", "orders_365d", "spend_per_order"), True,
        "How lately, how often ever and in the last 365 days, and how much an order.",
    ),
    Space("orders", ("recency_days", "orders"), False, "How lately and how often."),
    Space(
        "orders and last year", ("recency_days", "orders", "orders_365d"), False,
        "How lately, and how often ever and in the last 365 days.",
    ),
)  # fmt: skip
"""The days since the first purchase are in none: they grow for everyone alike, so that segments by them are another
group of customers every month (40 % of CDNOW's customers changed)."""

LATELY_OFTEN_MUCH = ("recency_days", "orders", "spend_per_order")
"""What a segment should tell, whatever the space it was found in."""


def bought(rows: Array) -> NDArray[np.bool_]:
    """Who ever bought, shape (n,)."""
    known: NDArray[np.bool_] = rows[:, POSITION["order_days"]] > 0
    return known


def has_amounts(rows: Array) -> bool:
    """Whether any purchase has an amount above 0."""
    return bool((np.nan_to_num(rows[:, POSITION["line_max"]]) > 0).any())


def spaces_for(rows: Array) -> tuple[Space, ...]:
    """The spaces to choose from: those with amounts where there are any, else those without."""
    return tuple(space for space in SPACES if space.amounts == has_amounts(rows))


def coordinates(rows: Array, features: Sequence[str]) -> list[Array]:
    """Per feature log(1 + x), days in months, shape (n,); null and less than nothing count as 0."""
    out = np.empty((len(features), len(rows)))
    fill_coordinates(rows, *places_of(features), out)
    return list(out)


def places_of(features: Sequence[str]) -> tuple[NDArray[np.int64], Array]:
    """Where features stand in a row, and what each is divided by before its logarithm: days count in months."""
    places = np.array([POSITION[name] for name in features], np.int64)
    return places, np.array([MONTH_DAYS if _in_days(name) else 1.0 for name in features])


@nb.njit(cache=True, nogil=True, error_model="numpy")
def fill_coordinates(rows: Array, places: NDArray[np.int64], units: Array, out: Array) -> None:
    """rows (n, features) → out (places, n)."""
    for j in range(len(places)):
        for i in range(len(rows)):
            out[j, i] = coordinate(rows[i, places[j]], units[j])


@nb.njit(cache=True, nogil=True, error_model="numpy")
def coordinate(x: float, unit: float) -> float:
    """Of one feature."""
    return log1p((x if x > 0.0 else 0.0) / unit)


def told(rows: Array, number: Array) -> float:
    """How much of how lately, how often and how much customers buy their segment tells: the share of the variance of
    the coordinates between segments (η²), averaged over LATELY_OFTEN_MUCH; 1 is everything.

    rows (n, features), number (n,): the segment of each. A feature that is the same for all customers is left out.
    """
    _, place, members = np.unique(number, return_inverse=True, return_counts=True)
    shares = []
    for column in coordinates(rows, LATELY_OFTEN_MUCH):
        off = column - column.mean()
        if off.any():
            shares.append(float((np.bincount(place, off) ** 2 / members).sum() / (off**2).sum()))
    return float(np.mean(shares)) if shares else 0.0


def _in_days(name: str) -> bool:
    return name.endswith("_days")
