"""The way to answer a dimension's question that takes the answer from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from pydantic import Field, field_validator, model_validator

from classification.facts import Facts
from classification.rules import UNKNOWN, ClassCode, Classes, Numbers, OneText, Words
from features.config import Config, FlawError

SomeWords = Annotated[tuple[Words, ...], Field(min_length=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Given(Config):
    """A class that comes from elsewhere: as a number, such as the segment of a model, or as a text, such as an
    attribute of the customer or a trait (`features.traits`).

    numbers: class → the number of the fact that means it; values: class → the texts that mean it; other: the class of
    every other text; without it they are unknown, as null is.
    """

    fact: Words | None = None
    numbers: Annotated[dict[ClassCode, Finite], Field(min_length=1)] | None = None
    attribute: Words | None = None
    trait: Words | None = None
    values: (
        Annotated[dict[ClassCode, Annotated[tuple[Words, ...], Field(min_length=1)]], Field(min_length=1)] | None
    ) = None
    other: ClassCode | None = None

    @field_validator("numbers", "values")
    @classmethod
    def _one_class_each(cls, means: dict[str, Any] | None) -> dict[str, Any] | None:
        seen: dict[float | str, str] = {}
        for name, meant in (means or {}).items():
            for each in meant if isinstance(meant, tuple) else (meant,):
                if seen.setdefault(each, name) != name:
                    raise FlawError(f"{each!r} for {seen[each]} and for {name}", f"{each!r} in one class", at=name)
        return means

    @model_validator(mode="after")
    def _one_origin(self) -> Given:
        origins = {"fact": self.fact, "attribute": self.attribute, "trait": self.trait}
        said = [name for name, origin in origins.items() if origin is not None]
        if len(said) != 1:
            raise FlawError(" and ".join(said) or "none of them", "exactly one of fact, attribute, trait")
        means = [name for name, each in (("numbers", self.numbers), ("values", self.values)) if each is not None]
        if means != ["numbers" if self.fact else "values"]:
            found = f"{said[0]} with {' and '.join(means) or 'neither numbers nor values'}"
            raise FlawError(found, "numbers with a fact; values with an attribute or a trait")
        if self.other is not None and (self.values is None or self.other in self.values):
            raise FlawError(f"'{self.other}'", "a class of its own, beside values", at="other")
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
        found = np.full(facts.size, self._unknown)
        texts = facts.texts.get(self.attribute or self.trait or "")
        if texts is not None and self.other is not None:
            found[texts.known] = self.other
        for name, number in (self.numbers or {}).items():
            found[facts.numbers[self.fact or ""] == number] = name
        for name, wanted in (self.values or {}).items() if texts is not None else ():
            found[texts.among(wanted)] = name  # type: ignore[union-attr]
        return found

    def class_of(self, numbers: Numbers, texts: OneText, cutoffs: Mapping[str, float]) -> str:
        """The same of one customer."""
        if self.fact is not None:
            return self._means.get(numbers[self.fact], self._unknown)
        text = texts.get(self.attribute or self.trait or "")
        return self._unknown if text is None else self._means.get(text, self.other or self._unknown)

    @cached_property
    def _means(self) -> dict[float | str, str]:
        """Number or text → the class that it means."""
        meant = {number: name for name, number in (self.numbers or {}).items()}
        return meant | {text: name for name, wanted in (self.values or {}).items() for text in wanted}

    @cached_property
    def _unknown(self) -> str:
        return UNKNOWN * len(self.classes[0])
