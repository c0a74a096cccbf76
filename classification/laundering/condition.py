"""A condition that decides by itself: straight to the highest grade, to the lowest, or no short way to the lowest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from classification.facts import Array, Facts
from classification.given import Finite, SomeWords
from classification.rules import Words
from features.config import Config, FlawError
from features.texts import Texts


class Condition(Config):
    """All of what it says must hold. A null fact meets neither `at_least` nor `above`, a null text is not `among`.

    at_least, above: fact → a number; among: attribute → the texts of which it is one; not_among: attribute → texts of
    which it is none, which null is, too: what is not known is not ruled out; unknown: facts and attributes that are
    null.
    """

    title: Words
    at_least: dict[Words, Finite] = Field(default={})
    above: dict[Words, Finite] = Field(default={})
    among: dict[Words, SomeWords] = Field(default={})
    not_among: dict[Words, SomeWords] = Field(default={})
    unknown: Annotated[tuple[Words, ...], Field()] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Condition:
        if not (self.at_least or self.above or self.among or self.not_among or self.unknown):
            raise FlawError("nothing that must hold", "at_least, above, among, not_among or unknown")
        return self

    @property
    def facts(self) -> frozenset[str]:
        """The numbers it looks at, but for those that need only be null."""
        return frozenset((*self.at_least, *self.above))

    def meets(self, facts: Facts) -> NDArray[np.bool_]:
        """Which of the customers meet it; shape (size,). A fact or a text that is not there is null."""
        found = np.ones(facts.size, bool)
        for name, bound in self.at_least.items():
            found &= number(facts, name) >= bound
        for name, bound in self.above.items():
            found &= number(facts, name) > bound
        for name, wanted in self.among.items():
            found &= text(facts, name).among(wanted)
        for name, barred in self.not_among.items():
            found &= ~text(facts, name).among(barred)
        for name in self.unknown:
            found &= np.isnan(facts.numbers[name]) if name in facts.numbers else ~text(facts, name).known
        return found


def number(facts: Facts, name: str) -> Array:
    """A fact of all customers, null where it is not there."""
    found = facts.numbers.get(name)
    return np.full(facts.size, np.nan) if found is None else found


def text(facts: Facts, name: str) -> Texts:
    """An attribute of all customers, null where it is not there."""
    found = facts.texts.get(name)
    return Texts(np.full(facts.size, -1, np.int32), ()) if found is None else found


def first_met(conditions: Mapping[str, Condition], facts: Facts) -> NDArray[np.str_]:
    """The name of the first condition that each customer meets, empty for none; shape (size,)."""
    found = np.full(facts.size, "", dtype=f"<U{max(map(len, conditions), default=1)}")
    for name, condition in conditions.items():
        found[(found == "") & condition.meets(facts)] = name
    return found
