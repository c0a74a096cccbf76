"""A factor of the laundering grade: what is looked at, how much it weighs, and the sub-score that a value gives.

The sub-scores are whole numbers from 1, the least risk, to the scale of the scheme.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from classification.facts import Facts
from classification.given import SomeWords
from classification.laundering.condition import number, text
from classification.rules import Words
from features.config import Config, FlawError
from features.texts import Texts

Element = Literal["customer", "region", "business", "industry"]
ELEMENTS: tuple[str, ...] = get_args(Element)
"""The four elements of the guide of the People's Bank of China (2013, No. 2); industry is occupation, too."""

SubScore = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(gt=0, le=100)]
PRECISION = 1000
"""Weights have at most three decimals, so that their sum is exact."""


class Factor(Config):
    """attribute: `values` (sub-score → texts), `other` for every other text; or fact: `bounds` (sub-score → at least,
    from the highest bound down, the last −∞). unknown: the sub-score of a null."""

    element: Element
    title: Words
    weight: Weight
    attribute: Words | None = None
    values: dict[SubScore, SomeWords] = Field(default={})
    other: SubScore | None = None
    fact: Words | None = None
    bounds: dict[SubScore, float] = Field(default={})
    unknown: SubScore

    @field_validator("weight")
    @classmethod
    def _three_decimals(cls, weight: float) -> float:
        if not math.isclose(weight * PRECISION, round(weight * PRECISION), rel_tol=0, abs_tol=1e-6):
            raise FlawError(f"{weight}", "a weight with at most three decimals")
        return weight

    @field_validator("values")
    @classmethod
    def _one_sub_score_each(cls, values: dict[int, tuple[str, ...]]) -> dict[int, tuple[str, ...]]:
        seen: dict[str, int] = {}
        for score, texts in values.items():
            for each in texts:
                if seen.setdefault(each, score) != score:
                    raise FlawError(f"'{each}' for {seen[each]} and for {score}", f"'{each}' once", at=str(score))
        return values

    @field_validator("bounds")
    @classmethod
    def _falling(cls, bounds: dict[int, float]) -> dict[int, float]:
        for (first, high), (then, low) in pairwise(bounds.items()):
            if not low < high:
                found = f"{then} (at least {low}), which nobody gets: {first} takes everyone from {high}"
                raise FlawError(found, "bounds listed from highest to lowest", at=str(then))
        if bounds and list(bounds.values())[-1] != -math.inf:
            raise FlawError(f"{list(bounds.values())[-1]}", "-.inf as the last bound", at=str(list(bounds)[-1]))
        return bounds

    @model_validator(mode="after")
    def _one_origin(self) -> Factor:
        given = {name for name in ("attribute", "values", "other") if getattr(self, name) not in (None, {})}
        asked = {name for name in ("fact", "bounds") if getattr(self, name) not in (None, {})}
        if not (({"attribute", "values"} <= given and not asked) or (asked == {"fact", "bounds"} and not given)):
            wanted = "an attribute with values (and other), or a fact with bounds"
            raise FlawError(" and ".join(sorted(given | asked)) or "neither", wanted)
        if self.attribute and self.other is None:
            raise FlawError("nothing", "the sub-score of every other text", at="other")
        return self

    @property
    def parts(self) -> int:
        """The weight in thousandths, a whole number."""
        return round(self.weight * PRECISION)

    def strange(self, scale: int) -> Iterator[int]:
        """The sub-scores that lie beyond a scale."""
        said: list[Any] = [*self.values, *self.bounds, self.unknown, *([] if self.other is None else [self.other])]
        yield from (each for each in said if each > scale)

    def score(self, facts: Facts) -> tuple[NDArray[np.int64], Texts]:
        """Sub-score of each customer (size,), and the value that gave it, as a text; null where it is unknown."""
        found = np.full(facts.size, self.unknown, np.int64)
        if self.attribute is not None:
            given = text(facts, self.attribute)
            found[given.known] = self.other or self.unknown
            for score, wanted in self.values.items():
                found[given.among(wanted)] = score
            return found, given
        values = number(facts, self.fact or "")
        free = ~np.isnan(values)
        for score, bound in self.bounds.items():
            takes = free & (values >= bound)
            found[takes] = score
            free &= ~takes
        return found, as_texts(values)


def as_texts(values: NDArray[np.float64]) -> Texts:
    """Numbers as people write them, null for NaN."""
    known = ~np.isnan(values)
    distinct, places = np.unique(values[known], return_inverse=True)
    codes = np.full(len(values), -1, np.int32)
    codes[known] = places
    return Texts(codes, tuple(f"{each:,.10g}" for each in distinct + 0.0))
