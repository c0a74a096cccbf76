"""The core market: which groups of customers return most on what it costs to serve them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classification.report.base import Array, Base
from classification.report.setting import Setting

RETURN, MARGIN, SPEND = "return", "margin", "spend"
"""What groups are ranked by: margin per unit of service cost, else margin per head, else spend per head."""

GROUPINGS = (("segment",), ("industry", "region"))
SMALLEST = 20
"""A group of fewer customers is shown, and not ranked: its figures are a few customers' luck."""


@dataclass(frozen=True)
class Group:
    """Some customers, all of one class of each of some dimensions. spend, margin, service_cost: sums of 365 days in
    minor units, of those of whom the measure is known; None where it is known of nobody. measure: None where the group
    is not ranked."""

    name: str
    customers: int
    spend: int
    margin: int | None
    service_cost: int | None
    measure: float | None


@dataclass(frozen=True)
class Market:
    """groups: best first, those not ranked last; overall: the measure of all customers together; by: the dimensions."""

    by: tuple[str, ...]
    measure: str
    groups: tuple[Group, ...]
    overall: float | None

    @property
    def best(self) -> Group | None:
        """The group that returns most, of at least two."""
        ranked = [each for each in self.groups if each.measure is not None]
        return ranked[0] if len(ranked) > 1 else None


def markets(base: Base, setting: Setting) -> tuple[Market, ...]:
    """The groups of each grouping that the base has."""
    there = [by for by in GROUPINGS if all(name in base.classes and name in setting.scheme.dimensions for name in by)]
    return tuple(_market(base, setting, by) for by in there)


def knows_margin(base: Base) -> bool:
    """Whether the margin of anybody who bought is known."""
    return bool((~np.isnan(base.numbers["margin_365d"]) & (base.spend > 0)).any())


def knows_service_cost(base: Base) -> bool:
    """Whether anything was booked as cost of service: where nothing was, 0 means unknown."""
    return bool((base.numbers["service_cost_365d"] > 0).any())


def _market(base: Base, setting: Setting, by: tuple[str, ...]) -> Market:
    measure = SPEND if not knows_margin(base) else RETURN if knows_service_cost(base) else MARGIN
    margin, cost = base.numbers["margin_365d"], base.numbers["service_cost_365d"]
    known = np.ones(len(base.ids), bool) if measure == SPEND else ~np.isnan(margin)
    if measure == RETURN:
        known &= ~np.isnan(cost)
    groups = [
        _group(measure, " · ".join(setting.named(n, c) for n, c in zip(by, classes, strict=True)), base, which & known)
        for classes, which in _parts(base, by)
    ]
    ranked = sorted(groups, key=lambda g: (g.measure is None, -(g.measure or 0.0), g.name))
    return Market(by, measure, tuple(ranked), _group(measure, "all", base, known).measure)


def _parts(base: Base, by: tuple[str, ...]) -> list[tuple[tuple[str, ...], NDArray[np.bool_]]]:
    """The groups that somebody belongs to: their classes, and who."""
    found: list[tuple[tuple[str, ...], NDArray[np.bool_]]] = [((), np.ones(len(base.ids), bool))]
    for name in by:
        found = [
            ((*classes, class_), both)
            for classes, which in found
            for class_ in base.classes[name].names
            if (both := which & base.of_class(name, class_)).any()
        ]
    return found


def _group(measure: str, name: str, base: Base, which: NDArray[np.bool_]) -> Group:
    customers, spend = int(which.sum()), _sum(base.spend, which)
    margin = _sum(base.numbers["margin_365d"], which) if measure != SPEND else None
    cost = _sum(base.numbers["service_cost_365d"], which) if measure == RETURN else None
    over = cost if measure == RETURN else customers
    ranked = customers >= SMALLEST and over
    value = (spend if margin is None else margin) / over if ranked and over else None
    return Group(name, customers, spend, margin, cost, value)


def _sum(column: Array, which: NDArray[np.bool_]) -> int:
    return int(np.rint(column[which].sum()))
