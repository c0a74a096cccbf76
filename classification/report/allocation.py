"""Whether service goes where it should: what it costs per head in each class of value."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from classification.past import VALUE_DIMENSION
from classification.report.base import Base, Mask
from classification.report.market import SMALLEST, knows_service_cost
from classification.report.setting import Setting

SAME = 0.05
"""Costs per head that differ by no more than this share of the highest are the same."""

PLACES = ("segment", "industry", "region", "channel")
"""The dimensions in whose classes the lowest and the first class of value are held against each other once more."""


@dataclass(frozen=True)
class PerHead:
    """A class of value: customers of whom the cost of service is known; service_cost, spend: of 365 days per head, in
    minor units."""

    class_: str
    customers: int
    service_cost: float
    spend: float


@dataclass(frozen=True)
class Place:
    """A class of another dimension in which the lowest class of value costs more per head than the first; first, last:
    minor units per head."""

    dimension: str
    class_: str
    first: float
    last: float


@dataclass(frozen=True)
class Allocation:
    """classes: from the first class of value down, those that anybody is of; empty where no cost of service is known;
    places: where the lowest class costs more than the first."""

    classes: tuple[PerHead, ...]
    places: tuple[Place, ...]

    @property
    def same(self) -> bool:
        """Whether all classes cost the same per head."""
        costs = [each.service_cost for each in self.classes]
        return len(costs) > 1 and max(costs) - min(costs) <= SAME * max(costs)

    @property
    def upside_down(self) -> bool:
        """Whether the lowest class costs more per head than the first."""
        return len(self.classes) > 1 and not self.same and self.classes[-1].service_cost > self.classes[0].service_cost

    @property
    def follows(self) -> bool:
        """Whether no class costs more per head than one above it."""
        return all(a.service_cost >= b.service_cost for a, b in pairwise(self.classes))


def allocation(base: Base, setting: Setting) -> Allocation:
    """The cost of service per head by class of value; unknown classes are left out."""
    dimension = setting.scheme.dimensions.get(VALUE_DIMENSION)
    if dimension is None or not knows_service_cost(base):
        return Allocation((), ())
    known = ~np.isnan(base.numbers["service_cost_365d"])
    of_class = {class_: known & base.of_class(VALUE_DIMENSION, class_) for class_ in dimension.rule.classes}
    classes = tuple(_per_head(base, class_, who) for class_, who in of_class.items() if who.any())
    first, last = dimension.rule.classes[0], dimension.rule.classes[-1]
    places = []
    for name in PLACES:
        for class_ in base.classes[name].names if name in base.classes else ():
            there = base.of_class(name, class_)
            sides = [of_class[first] & there, of_class[last] & there]
            if min(side.sum() for side in sides) < SMALLEST:
                continue
            costs = [_per_head(base, class_, side).service_cost for side in sides]
            if costs[1] > costs[0]:
                places.append(Place(name, class_, costs[0], costs[1]))
    return Allocation(classes, tuple(places))


def _per_head(base: Base, class_: str, who: Mask) -> PerHead:
    cost, spend = base.numbers["service_cost_365d"][who], base.spend[who]
    return PerHead(class_, len(cost), float(cost.mean()), float(spend.mean()))
