"""The ways to answer a dimension's question by its facts: by share of the base, by bounds, by conditions.

Every rule is total: whatever the facts are, each customer gets exactly one class, `U` (unknown) where a fact is null.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from classification.conditions import Conditions, meets, spans_of, total_and_reachable
from classification.facts import Array, Facts
from features.config import Config, FlawError
from features.population import Ranks

UNKNOWN = "U"

Classes = NDArray[np.str_]
Numbers = Mapping[str, float]
"""Of one customer: fact → its value, NaN for null."""
OneText = Mapping[str, str | None]
"""Of one customer: attribute or trait → its text."""
ClassCode = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,2}$")]
Words = Annotated[str, StringConstraints(pattern=r"^\S(.*\S)?$")]
"""A text with something in it, and no blanks around it."""


class Share(Config):
    """The top of the base by a fact. `top`: class → cumulative share, from the best class down to 1.

    of customers: the first 5 % of the customers; of revenue: those who bring the first 75 % of the fact's total.
    first: whether the highest facts come first, or the lowest.
    """

    fact: Words
    of: Literal["customers", "revenue"] = "customers"
    first: Literal["highest", "lowest"] = "highest"
    top: Annotated[dict[ClassCode, float], Field(min_length=2)]

    @field_validator("top")
    @classmethod
    def _rising_to_one(cls, top: dict[str, float]) -> dict[str, float]:
        shares = list(top.values())
        for (better, low), (worse, high) in pairwise(top.items()):
            if not low > 0:
                raise FlawError(
                    f"the share {low} for {better}", "a share above 0", f"Nobody can ever be {better}.", better
                )
            if not low < high:
                raise FlawError(
                    f"shares that do not rise: {worse} ({high}) can never be reached, because {better} already takes "
                    f"everyone up to {low}",
                    "cumulative shares that rise from class to class",
                    at=worse,
                )
        if shares[-1] != 1:
            last = list(top)[-1]
            raise FlawError(f"{shares[-1]}", "1.0 as the last share, so that every customer has a class", at=last)
        return top

    @model_validator(mode="after")
    def _revenue_comes_from_above(self) -> Share:
        if self.of == "revenue" and self.first == "lowest":
            raise FlawError("shares of revenue from below", "first: highest where shares are of revenue", at="first")
        return self

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """From the best down."""
        return tuple(self.top)

    @property
    def facts(self) -> frozenset[str]:
        """The numbers it looks at."""
        return frozenset({self.fact})

    def cutoffs(self, ranks: Ranks) -> dict[str, float]:
        """class → the fact that it begins at, for all classes but the last (beyond all: nobody belongs to it).

        Equal facts are never split: a group that lies across the boundary goes where the class's size comes closer to
        its share, and down when both are equally close.
        """
        values, customers, total = ranks.values, ranks.below[-1], ranks.sums[-1]
        if self.first == "lowest":
            bounds, sizes = np.append(-math.inf, values), np.append(0.0, ranks.below[1:])
        elif self.of == "customers":
            bounds, sizes = np.append(math.inf, values[::-1]), np.append(0.0, customers - ranks.below[-2::-1])
        else:
            bounds, sizes = np.append(math.inf, values[::-1]), np.append(0.0, total - ranks.sums[-2::-1])
        found = {}
        for name, share in list(self.top.items())[:-1]:
            wanted = share * total if self.of == "revenue" else math.ceil(share * customers - 1e-9)
            found[name] = float(bounds[np.argmin(np.abs(sizes - wanted))])
        return found

    def classify(self, facts: Facts, cutoffs: Mapping[str, float]) -> Classes:
        """Class of each customer by the stored cut-offs."""
        sign = 1.0 if self.first == "highest" else -1.0
        bounds = {name: sign * cut for name, cut in cutoffs.items()}
        return highest_first(sign * facts.numbers[self.fact], {**bounds, self.classes[-1]: -math.inf})

    def class_of(self, numbers: Numbers, texts: OneText, cutoffs: Mapping[str, float]) -> str:
        """The same of one customer."""
        value, highest = numbers[self.fact], self.first == "highest"
        if value != value:
            return UNKNOWN * len(self.classes[0])
        for name, cut in cutoffs.items():
            if value >= cut if highest else value <= cut:
                return name
        return self.classes[-1]


class AtLeast(Config):
    """By bounds on a fact, listed from highest to lowest; the last must be −∞."""

    fact: Words
    bounds: Annotated[dict[ClassCode, float], Field(min_length=2)]

    @field_validator("bounds")
    @classmethod
    def _falling_to_minus_infinity(cls, bounds: dict[str, float]) -> dict[str, float]:
        pairs = list(bounds.items())
        first, bound = pairs[0]
        if not bound < math.inf:
            raise FlawError(
                f"{bound}, so that class {first} can never be reached", "a number as the first bound", at=first
            )
        for (higher, high), (lower, low) in pairwise(pairs):
            if not low < high:
                raise FlawError(
                    f"class {lower} (at least {low}) can never be reached: class {higher} already takes everyone from "
                    f"{high}",
                    "bounds listed from highest to lowest",
                    at=lower,
                )
        if pairs[-1][1] != -math.inf:
            wanted = "-.inf as the last bound, so that every customer has a class"
            raise FlawError(f"{pairs[-1][1]}", wanted, at=pairs[-1][0])
        return bounds

    @property
    def narrowest(self) -> float:
        """How far apart the nearest bounds are; infinite where there is but one beside −∞."""
        finite = list(self.bounds.values())[:-1]
        return min((high - low for high, low in pairwise(finite)), default=math.inf)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """From the highest bound down."""
        return tuple(self.bounds)

    @property
    def facts(self) -> frozenset[str]:
        """The numbers it looks at."""
        return frozenset({self.fact})

    def classify(self, facts: Facts, cutoffs: Mapping[str, float], shift: float = 0.0) -> Classes:
        """Class of each customer; `cutoffs` are not needed. shift: added to every bound."""
        return highest_first(facts.numbers[self.fact], {name: bound + shift for name, bound in self.bounds.items()})

    def class_of(self, numbers: Numbers, texts: OneText, cutoffs: Mapping[str, float]) -> str:
        """The same of one customer."""
        value = numbers[self.fact]
        for name, bound in self.bounds.items():
            if value >= bound:
                return name
        return UNKNOWN * len(next(iter(self.bounds)))


FirstMatch = Annotated[dict[ClassCode, Conditions], Field(min_length=2), AfterValidator(total_and_reachable)]
"""Class → its conditions, in the order in which they are tried."""


class Rules(Config):
    """The first class whose conditions all hold; a null fact meets none."""

    rules: FirstMatch

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """In the order of the list."""
        return tuple(self.rules)

    @property
    def facts(self) -> frozenset[str]:
        """The numbers it looks at."""
        return frozenset(fact for conditions in self.rules.values() for fact in conditions)

    def classify(self, facts: Facts, cutoffs: Mapping[str, float]) -> Classes:
        """Class of each customer; `cutoffs` are not needed."""
        found = np.full(facts.size, self.classes[-1])
        free = np.ones(facts.size, bool)
        for name, conditions in self.rules.items():
            takes = free & meets(conditions, facts.numbers, facts.size)
            found[takes] = name
            free &= ~takes
        return found

    def class_of(self, numbers: Numbers, texts: OneText, cutoffs: Mapping[str, float]) -> str:
        """The same of one customer."""
        for name, spans in self._spans:
            for fact, low, high in spans:
                if not low <= numbers[fact] < high:
                    break
            else:
                return name
        return self.classes[-1]

    @cached_property
    def _spans(self) -> list[tuple[str, list[tuple[str, float, float]]]]:
        """Class → its conditions, fact, from, to below; without the last, which takes everyone."""
        boxes = [(name, spans_of(self.rules[name])) for name in self.classes[:-1]]
        return [(name, [(fact, *span) for fact, span in box.items()]) for name, box in boxes]


def highest_first(values: Array, bounds: Mapping[str, float]) -> Classes:
    """The first class whose bound the value reaches; unknown for NaN."""
    found = np.full(len(values), UNKNOWN * len(next(iter(bounds))))
    free = ~np.isnan(values)
    for name, bound in bounds.items():
        takes = free & (values >= bound)
        found[takes] = name
        free &= ~takes
    return found
