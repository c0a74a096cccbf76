"""The ways to answer a dimension's question: by share of the base, by bounds, by rules, or as given from elsewhere.

Every rule is total: whatever the facts are, each customer gets exactly one class, `U` (unknown) where a fact is null.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from classification.conditions import Conditions, meets, unreachable
from classification.facts import Array, Facts
from features.config import Config
from features.population import Ranks

UNKNOWN = "U"

Classes = NDArray[np.str_]
ClassCode = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,2}$")]


class Share(Config):
    """The top of the base by a fact. `top`: class → cumulative share, from the best class down to 1.

    of customers: the first 5 % of the customers; of revenue: those who bring the first 75 % of the fact's total.
    first: whether the highest facts come first, or the lowest.
    """

    fact: str
    of: Literal["customers", "revenue"] = "customers"
    first: Literal["highest", "lowest"] = "highest"
    top: Annotated[dict[ClassCode, float], Field(min_length=2)]

    @field_validator("top")
    @classmethod
    def _rising_to_one(cls, top: dict[str, float]) -> dict[str, float]:
        shares = list(top.values())
        for (better, low), (worse, high) in pairwise(top.items()):
            if not 0 < low < high:
                raise ValueError(
                    f"shares that rise from class to class; {worse} ({high}) can never be reached, because {better} "
                    f"already takes everyone up to {low}"
                )
        if shares[-1] != 1:
            raise ValueError(f"1.0 as the last share, so that every customer has a class; it is {shares[-1]}")
        return top

    @model_validator(mode="after")
    def _revenue_comes_from_above(self) -> Share:
        if self.of == "revenue" and self.first == "lowest":
            raise ValueError("first: highest where shares are of revenue")
        return self

    @property
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


class AtLeast(Config):
    """By bounds on a fact, listed from highest to lowest; the last must be −∞."""

    fact: str
    bounds: Annotated[dict[ClassCode, float], Field(min_length=2)]

    @field_validator("bounds")
    @classmethod
    def _falling_to_minus_infinity(cls, bounds: dict[str, float]) -> dict[str, float]:
        pairs = list(bounds.items())
        for (higher, high), (lower, low) in pairwise(pairs):
            if not low < high:
                raise ValueError(
                    f"bounds listed from highest to lowest; class {lower} (at least {low}) can never be reached, "
                    f"because class {higher} already takes everyone from {high}"
                )
        if pairs[-1][1] != -math.inf:
            raise ValueError(f"-.inf as the last bound, so that every customer has a class; it is {pairs[-1][1]}")
        return bounds

    @property
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


class Rules(Config):
    """The first class whose conditions all hold; a null fact meets none."""

    rules: Annotated[dict[ClassCode, Conditions], Field(min_length=2)]

    @field_validator("rules")
    @classmethod
    def _total_and_reachable(cls, rules: dict[str, Conditions]) -> dict[str, Conditions]:
        pairs = list(rules.items())
        for name, conditions in pairs[:-1]:
            if not conditions:
                raise ValueError(f"conditions for class {name}: it takes everyone, so the classes after it are empty")
        if pairs[-1][1]:
            raise ValueError(f"no conditions for the last class, {pairs[-1][0]}, so that every customer has a class")
        for name, conditions in pairs:
            for fact, span in conditions.items():
                if isinstance(span, tuple) and not span[0] < span[1]:
                    raise ValueError(f"[low, high) with low below high for {name}.{fact}")
        for name, takers in unreachable(rules).items():
            raise ValueError(f"other conditions for {name} than those of {takers}, which already takes everyone")
        return rules

    @property
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


class Given(Config):
    """A class that comes from elsewhere: as a number, such as the segment of a model, or as a text, such as an
    attribute of the customer or a trait (`features.traits`).

    numbers: class → the number of the fact that means it; values: class → the texts that mean it; other: the class of
    every other text; without it they are unknown, as null is.
    """

    fact: str | None = None
    numbers: dict[ClassCode, float] | None = None
    attribute: str | None = None
    trait: str | None = None
    values: dict[ClassCode, tuple[str, ...]] | None = None
    other: ClassCode | None = None

    @field_validator("numbers")
    @classmethod
    def _distinct(cls, numbers: dict[str, float] | None) -> dict[str, float] | None:
        if numbers and len(set(numbers.values())) < len(numbers):
            raise ValueError("a number for each class, no two the same")
        return numbers

    @field_validator("values")
    @classmethod
    def _one_class_each(cls, values: dict[str, tuple[str, ...]] | None) -> dict[str, tuple[str, ...]] | None:
        seen: dict[str, str] = {}
        for name, texts in (values or {}).items():
            if not texts:
                raise ValueError(f"a text at least for class {name}, which can never be reached")
            for each in texts:
                if each in seen:
                    raise ValueError(f"'{each}' in one class, not in {seen[each]} and {name}")
                seen[each] = name
        return values

    @model_validator(mode="after")
    def _one_origin(self) -> Given:
        if sum(each is not None for each in (self.fact, self.attribute, self.trait)) != 1:
            raise ValueError("exactly one of fact, attribute, trait")
        if (self.fact is None) == bool(self.numbers) or (self.fact is None) != bool(self.values):
            raise ValueError("numbers with a fact; values with an attribute or a trait")
        if self.other is not None and (not self.values or self.other in self.values):
            raise ValueError("other: a class of its own, beside values")
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the list."""
        return (*(self.numbers or self.values or {}), *([self.other] if self.other else []))

    @property
    def facts(self) -> frozenset[str]:
        """The numbers it looks at."""
        return frozenset({self.fact} if self.fact else ())

    def classify(self, facts: Facts, cutoffs: Mapping[str, float]) -> Classes:
        """Class of each customer; unknown where nothing of it is known, or nothing that has a class."""
        found = np.full(facts.size, UNKNOWN * len(self.classes[0]))
        texts = facts.texts.get(self.attribute or self.trait or "")
        if texts is not None and self.other is not None:
            found[texts.known] = self.other
        for name, number in (self.numbers or {}).items():
            found[facts.numbers[self.fact or ""] == number] = name
        for name, wanted in (self.values or {}).items() if texts is not None else ():
            found[texts.among(wanted)] = name  # type: ignore[union-attr]
        return found


def highest_first(values: Array, bounds: Mapping[str, float]) -> Classes:
    """The first class whose bound the value reaches; unknown for NaN."""
    found = np.full(len(values), UNKNOWN * len(next(iter(bounds))))
    free = ~np.isnan(values)
    for name, bound in bounds.items():
        takes = free & (values >= bound)
        found[takes] = name
        free &= ~takes
    return found
