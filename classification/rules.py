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
from pydantic import Field, field_validator

from features.config import Config

UNKNOWN = "U"

Array = NDArray[np.float64]
Classes = NDArray[np.str_]
ClassCode = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,2}$")]


class Share(Config):
    """The top of the base by a fact. `top`: class → cumulative share, from the best class down to 1.

    of customers: the first 5 % of the customers; of revenue: those who bring the first 75 % of the fact's total.
    """

    fact: str
    of: Literal["customers", "revenue"] = "customers"
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

    @property
    def classes(self) -> tuple[str, ...]:
        """From the best down."""
        return tuple(self.top)

    @property
    def facts(self) -> frozenset[str]:
        """The facts it looks at."""
        return frozenset({self.fact})

    def cutoffs(self, values: Array) -> dict[str, float]:
        """class → the smallest fact that belongs to it, for all classes but the last (∞: nobody belongs to it).

        Equal facts are never split: a group that lies across the boundary goes where the class's size comes closer to
        its share, and down when both are equally close.
        """
        known = np.sort(values[~np.isnan(values)])[::-1]
        weight = np.ones(len(known)) if self.of == "customers" else np.maximum(known, 0.0)
        held = np.cumsum(weight)
        ends = np.flatnonzero(np.append(known[:-1] != known[1:], True)) if len(known) else np.empty(0, int)
        sizes = np.concatenate([[0.0], held[ends]])
        bounds = np.concatenate([[math.inf], known[ends]])
        total = held[-1] if len(known) else 0.0
        found = {}
        for name, share in list(self.top.items())[:-1]:
            wanted = math.ceil(share * total - 1e-9) if self.of == "customers" else share * total
            found[name] = float(bounds[np.argmin(np.abs(sizes - wanted))])
        return found

    def classify(self, facts: Mapping[str, Array], cutoffs: Mapping[str, float], size: int) -> Classes:
        """Class of each of `size` customers by the stored cut-offs."""
        return _highest_first(facts[self.fact], {**cutoffs, self.classes[-1]: -math.inf})


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
        """The facts it looks at."""
        return frozenset({self.fact})

    def classify(self, facts: Mapping[str, Array], cutoffs: Mapping[str, float], size: int) -> Classes:
        """Class of each of `size` customers; `cutoffs` are not needed."""
        return _highest_first(facts[self.fact], self.bounds)


Span = Annotated[tuple[float, float], Field()]
Conditions = dict[str, float | Span]
"""Fact → the value it must have, or [low, high): from low to below high."""


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
        for i, (name, conditions) in enumerate(pairs):
            for earlier, same in pairs[:i]:
                if same == conditions:
                    raise ValueError(f"other conditions for {name} than for {earlier}, which already takes everyone")
            for fact, span in conditions.items():
                if isinstance(span, tuple) and not span[0] < span[1]:
                    raise ValueError(f"[low, high) with low below high for {name}.{fact}")
        return rules

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the list."""
        return tuple(self.rules)

    @property
    def facts(self) -> frozenset[str]:
        """The facts it looks at."""
        return frozenset(fact for conditions in self.rules.values() for fact in conditions)

    def classify(self, facts: Mapping[str, Array], cutoffs: Mapping[str, float], size: int) -> Classes:
        """Class of each of `size` customers; `cutoffs` are not needed."""
        found = np.full(size, self.classes[-1])
        free = np.ones(size, bool)
        for name, conditions in self.rules.items():
            meets = free.copy()
            for fact, span in conditions.items():
                values = facts[fact]
                meets &= (values >= span[0]) & (values < span[1]) if isinstance(span, tuple) else values == span
            found[meets] = name
            free &= ~meets
        return found


class Given(Config):
    """A class that comes as a number from elsewhere, such as the segment of a model. classes: class → that number."""

    fact: str
    numbers: Annotated[dict[ClassCode, float], Field(min_length=1)]

    @field_validator("numbers")
    @classmethod
    def _distinct(cls, numbers: dict[str, float]) -> dict[str, float]:
        if len(set(numbers.values())) < len(numbers):
            raise ValueError("a number for each class, no two the same")
        return numbers

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the list."""
        return tuple(self.numbers)

    @property
    def facts(self) -> frozenset[str]:
        """The facts it looks at."""
        return frozenset({self.fact})

    def classify(self, facts: Mapping[str, Array], cutoffs: Mapping[str, float], size: int) -> Classes:
        """Class of each of `size` customers; unknown for any other number."""
        found = np.full(size, UNKNOWN * len(self.classes[0]))
        for name, number in self.numbers.items():
            found[facts[self.fact] == number] = name
        return found


def _highest_first(values: Array, bounds: Mapping[str, float]) -> Classes:
    """The first class whose bound the value reaches; unknown for NaN."""
    found = np.full(len(values), UNKNOWN * len(next(iter(bounds))))
    free = ~np.isnan(values)
    for name, bound in bounds.items():
        meets = free & (values >= bound)
        found[meets] = name
        free &= ~meets
    return found
