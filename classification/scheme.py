"""The scheme: which classes there are, and who belongs to which. Pure: facts in, classes out.

A dimension gives every customer exactly one class. Facts are feature names and task names, attributes and traits; a
null fact gives `U`, unknown, or meets no condition where a dimension is a list of conditions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from classification.code import Code
from classification.conditions import Conditions
from classification.facts import Facts
from classification.rules import UNKNOWN, AtLeast, ClassCode, Classes, Given, Rules, Share
from features.config import Config, load_config, read_config, read_text
from features.errors import InputError
from features.population import Ranks

SCHEMES = Path("configs/schemes")

CURRENT = "2026-12"
"""The scheme of releases for which nobody names another."""


class Hold(Config):
    """When a change of class counts: once it was seen at so many gradings in a row, or once the fact lies beyond the
    bound by a margin (in the fact's unit)."""

    months: Annotated[int, Field(ge=2, le=12)] | None = None
    margin: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Hold:
        if (self.months is None) == (self.margin is None):
            raise ValueError("either months or margin")
        return self


class Dimension(Config):
    """One question about a customer, with one way to answer it. names: class → what a person calls it.

    hold: when a change counts, by default at once; moves: class → the classes that may follow it within a month, by
    default any (`classification.stability`).
    """

    title: str
    share: Share | None = None
    at_least: AtLeast | None = None
    first_match: dict[ClassCode, Conditions] | None = None
    given: Given | None = None
    hold: Hold | None = None
    moves: dict[ClassCode, tuple[ClassCode, ...]] | None = None
    names: dict[ClassCode, str]

    @model_validator(mode="after")
    def _one_way(self) -> Dimension:
        ways = [way for way in ("share", "at_least", "first_match", "given") if getattr(self, way) is not None]
        if len(ways) != 1:
            raise ValueError(
                f"exactly one of share, at_least, first_match, given; there is {' and '.join(ways) or 'none'}"
            )
        widths = {len(name) for name in self.rule.classes}
        if len(widths) != 1:
            raise ValueError("classes of one width, so that codes can be read back")
        if self.unknown in self.rule.classes:
            raise ValueError(f"no class {self.unknown}: it is what a customer without the fact gets")
        if set(self.names) != set(self.rule.classes):
            raise ValueError(f"a name for each of the classes {', '.join(self.rule.classes)}, and for no other")
        names = list(self.names.values())
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"a name of its own for each class; '{name}' names two")
        return self

    @model_validator(mode="after")
    def _ways_to_change(self) -> Dimension:
        if self.hold and self.hold.margin and not self.at_least:
            raise ValueError("hold.margin with at_least only: other ways have no bound that a margin could lie beyond")
        if self.moves is not None:
            strange = {*self.moves, *(to for each in self.moves.values() for to in each)} - set(self.rule.classes)
            if strange or set(self.moves) != set(self.rule.classes):
                raise ValueError(f"moves from each of the classes {', '.join(self.rule.classes)}, to classes of these")
        return self

    @cached_property
    def rule(self) -> Share | AtLeast | Rules | Given:
        """Its way to answer."""
        found = self.share or self.at_least or self.given
        return found if found else Rules(rules=self.first_match or {})

    @property
    def unknown(self) -> str:
        """The class of a customer without the fact."""
        return UNKNOWN * len(self.rule.classes[0])

    @property
    def all(self) -> tuple[str, ...]:
        """Every class a customer can have, in order, `unknown` last."""
        return (*self.rule.classes, self.unknown)

    @property
    def nobody(self) -> float:
        """The cut-off of a share that nobody reaches."""
        return -math.inf if self.share and self.share.first == "lowest" else math.inf

    def name_of(self, code: str) -> str:
        """What a person calls a class."""
        return self.names.get(code, "unknown")


class Scheme(Config):
    """configs/schemes/<version>.yaml; never changed once a release has used it.

    replaces: the version before it; forward: of its dimensions, old class → new class, where the letter is not the
    same (`classification.forward`); code: the levels of the class code.
    """

    version: Annotated[str, Field(pattern=r"^\d{4}-\d{2}[a-z]?$")]
    replaces: str | None = None
    forward: dict[str, dict[ClassCode, ClassCode]] = Field(default={})
    code: str | Annotated[tuple[str, ...], Field(min_length=1)]
    dimensions: Annotated[dict[str, Dimension], Field(min_length=1)]

    @model_validator(mode="after")
    def _readable_code(self) -> Scheme:
        self.coding  # noqa: B018 raises where the template does not fit the dimensions
        if self.forward and self.replaces is None:
            raise ValueError("replaces: the version whose codes `forward` maps")
        return self

    @cached_property
    def coding(self) -> Code:
        """How codes are written and read."""
        widths = {name: len(dimension.unknown) for name, dimension in self.dimensions.items()}
        return Code.from_levels([self.code] if isinstance(self.code, str) else self.code, widths)

    @property
    def facts(self) -> frozenset[str]:
        """Every number any dimension looks at."""
        return frozenset().union(*(dimension.rule.facts for dimension in self.dimensions.values()))

    @property
    def texts(self) -> frozenset[str]:
        """Every attribute and trait any dimension looks at."""
        given = (dimension.given for dimension in self.dimensions.values() if dimension.given)
        return frozenset(name for each in given if (name := each.attribute or each.trait))

    def cutoffs(self, ranks: Mapping[str, Ranks]) -> dict[str, dict[str, float]]:
        """The cut-offs of every `share` dimension over a whole base; ranks: fact → its values in the base."""
        return {
            name: dimension.share.cutoffs(ranks[dimension.share.fact])
            for name, dimension in self.dimensions.items()
            if dimension.share
        }

    @property
    def ranked(self) -> frozenset[str]:
        """The facts whose ranks `cutoffs` needs."""
        return frozenset(dimension.share.fact for dimension in self.dimensions.values() if dimension.share)

    def classify(self, facts: Facts, cutoffs: Mapping[str, Mapping[str, float]]) -> dict[str, Classes]:
        """dimension → class of each customer, by their own facts and the stored cut-offs alone."""
        return {
            name: dimension.rule.classify(facts, cutoffs.get(name, {})) for name, dimension in self.dimensions.items()
        }

    def decode(self, code: str) -> dict[str, str]:
        """dimension → class; ValueError for a code that this scheme cannot have written."""
        found = self.coding.decode(code)
        for name, class_ in found.items():
            if class_ not in self.dimensions[name].all:
                known = ", ".join(self.dimensions[name].rule.classes)
                raise ValueError(f"one of {known} for {name} instead of '{class_}'")
        return found


def load_scheme(version: str) -> Scheme:
    """A scheme by its version in `configs/schemes`, or by the path of its file."""
    path = scheme_path(version)
    scheme = load_config(Scheme, path, "a classification scheme")
    if path.stem != scheme.version:
        raise InputError(f"{path}: version", f"'{scheme.version}'", f"'{path.stem}', as the file is called")
    return scheme


def read_scheme(text: str, place: str) -> Scheme:
    """A scheme from the text of its file, as a release carries it."""
    return read_config(Scheme, text, place)


def scheme_text(version: str) -> str:
    """The text of a scheme's file."""
    return read_text(scheme_path(version), "a classification scheme")


def scheme_path(version: str) -> Path:
    """Where a scheme of that version is."""
    return Path(version) if version.endswith((".yaml", ".yml")) else SCHEMES / f"{version}.yaml"


def check_facts(scheme: Scheme, known: frozenset[str], traits: frozenset[str], place: str) -> None:
    """Refuse a scheme that looks at a fact or a trait nobody computes. Attributes are the company's own: where it has
    none of a name, everybody is unknown."""
    for name, dimension in scheme.dimensions.items():
        trait = {dimension.given.trait} - {None} if dimension.given else set()
        for what, fact in [("fact", f) for f in dimension.rule.facts - known] + [("trait", t) for t in trait - traits]:
            raise InputError(
                f"{place}: dimensions.{name}",
                f"the {what} '{fact}'",
                "a feature or a task" if what == "fact" else f"one of {', '.join(sorted(traits))}",
                "See `scoring features list`.",
            )
