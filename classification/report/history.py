"""How many customers each class had at every month that was graded, and what they had spent."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from classification.migration import Counts
from classification.months import Month
from classification.report.base import Base, read_base

LONGEST = 24
"""Months that are looked back."""


@dataclass(frozen=True)
class History:
    """One dimension over `months`, oldest first; classes: those that anybody was of; customers, spend (minor units):
    (months, classes)."""

    dimension: str
    months: tuple[str, ...]
    classes: tuple[str, ...]
    customers: Counts
    spend: Counts


def histories(
    months: Sequence[Month], now: Base, orders: Mapping[str, Sequence[str]], within: Collection[str]
) -> tuple[History, ...]:
    """Of each dimension of `orders` (dimension → classes). months: those before, in order; now: the last one's base;
    within: not empty where `now` is only a part of it, whose customers are then looked for in the months before."""
    bases = []
    for month in months[1 - LONGEST :]:
        base = read_base(month, orders)
        bases.append(base.rows(pc.is_in(base.ids, now.ids).to_numpy(zero_copy_only=False)) if within else base)
    return tuple(_history(name, order, [*bases, now]) for name, order in orders.items() if name in now.classes)


def _history(name: str, order: Sequence[str], bases: Sequence[Base]) -> History:
    customers, spend = (np.zeros((len(bases), len(order)), np.int64) for _ in range(2))
    for i, base in enumerate(bases):
        for j, class_ in enumerate(order):
            who = base.of_class(name, class_)
            customers[i, j], spend[i, j] = who.sum(), np.rint(base.spend[who].sum())
    there = np.asarray(customers.any(axis=0))
    classes = tuple(class_ for class_, anybody in zip(order, there, strict=True) if anybody)
    return History(name, tuple(b.month.name for b in bases), classes, customers[:, there], spend[:, there])
