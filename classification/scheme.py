"""The scheme: which classes there are, and who belongs to which. Pure: facts in, classes out.

A dimension gives every customer exactly one class. Facts are feature names and task names, attributes and traits; a
null fact gives `U`, unknown, or meets no condition where a dimension is a list of conditions.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from classification.code import Code
from classification.facts import Facts
from classification.given import Given
from classification.rules import (
    UNKNOWN,
    AtLeast,
    ClassCode,
    Classes,
    FirstMatch,
    Numbers,
    OneText,
    Rules,
    Share,
    Words,
)
from features.config import Config, FlawError, load_config, read_config, read_text
from features.errors import InputError
from features.population import Ranks

SCHEMES = Path("configs/schemes")

Version = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])[a-z]?$")]
WAYS = ("share", "at_least", "first_match", "given")
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]

Rule = Share | AtLeast | Rules | Given
NONE: Mapping[str, float] = {}

CURRENT = "2026-12"
"""The scheme of releases for which nobody names another."""


class Hold(Config):
    """When a change of class counts: once it was seen at so many gradings in a row, or once the fact lies beyond the
    bound by a margin (in the fact's unit)."""

    months: Annotated[int, Field(ge=2, le=12)] | None = None
    margin: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Hold:
        if (self.months is None) == (self.margin is None):
            raise FlawError("both" if self.months else "neither", "either months or margin")
        return self


class Dimension(Config):
    """One question about a customer, with one way to answer it. names: class → what a person calls it.

    hold: when a change counts, by default at once; moves: class → the classes that may follow it within a month, by
    default any (`classification.stability`).
    """

    title: Words
    share: Share | None = None
    at_least: AtLeast | None = None
    first_match: FirstMatch | None = None
    given: Given | None = None
    hold: Hold | None = None
    moves: dict[ClassCode, tuple[ClassCode, ...]] | None = None
    names: dict[ClassCode, Words]

    @model_validator(mode="after")
    def _one_way(self) -> Dimension:
        ways = [way for way in WAYS if getattr(self, way) is not None]
        if len(ways) != 1:
            raise FlawError(" and ".join(ways) or "none of them", f"exactly one of {', '.join(WAYS)}")
        known, at = self.rule.classes, ways[0]
        if len({len(name) for name in known}) != 1:
            raise FlawError(", ".join(known), "classes of one width, so that codes can be read back", at=at)
        if self.unknown in known:
            raise FlawError(
                f"the class {self.unknown}",
                f"no class {self.unknown}: it is what a customer without the fact gets",
                at=at,
            )
        if self.names.keys() != set(known):
            wanted = f"a name for each of the classes {', '.join(known)}, and for no other"
            raise FlawError(f"names for {', '.join(self.names) or 'none'}", wanted, at="names")
        for code, name in self.names.items():
            others = [other for other, its in self.names.items() if its == name and other != code]
            if others:
                raise FlawError(f"'{name}' for {code} and {others[0]}", "a name of its own for each class", at="names")
        return self

    @model_validator(mode="after")
    def _ways_to_change(self) -> Dimension:
        known, margin = self.rule.classes, self.hold.margin if self.hold else None
        if margin is not None and not self.at_least:
            raise FlawError(
                "a margin", "months: other ways than at_least have no bound to lie beyond", at="hold.margin"
            )
        if margin is not None and self.at_least and margin >= self.at_least.narrowest:
            wanted = f"less than {self.at_least.narrowest:g}, which the nearest bounds are apart"
            raise FlawError(f"{margin:g}, by which a class could be passed over", wanted, at="hold.margin")
        if self.moves is not None:
            strange = [each for each in dict.fromkeys([*self.moves, *chain(*self.moves.values())]) if each not in known]
            missing = [each for each in known if each not in self.moves]
            if strange or missing:
                found = f"no class {strange[0]}" if strange else f"nothing of {missing[0]}"
                raise FlawError(
                    found, f"moves from each of the classes {', '.join(known)}, to classes of these", at="moves"
                )
        return self

    @cached_property
    def rule(self) -> Rule:
        """Its way to answer."""
        found = self.share or self.at_least or self.given
        return found if found else Rules.model_construct(rules=self.first_match or {})

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

    version: Version
    replaces: Version | None = None
    forward: dict[str, dict[ClassCode, ClassCode]] = Field(default={})
    code: str | Annotated[tuple[str, ...], Field(min_length=1)]
    dimensions: Annotated[dict[Name, Dimension], Field(min_length=1)]

    @model_validator(mode="after")
    def _readable_code(self) -> Scheme:
        try:
            self.coding  # noqa: B018 raises where the template does not fit the dimensions
        except ValueError as error:
            raise FlawError("a template that does not fit the dimensions", str(error), at="code") from None
        return self

    @model_validator(mode="after")
    def _forward(self) -> Scheme:
        if self.replaces is not None and self.replaces >= self.version:
            raise FlawError(f"'{self.replaces}'", f"a version before {self.version}", at="replaces")
        if self.forward and self.replaces is None:
            raise FlawError("nothing", "the version whose codes `forward` maps", at="replaces")
        for name, mapped in self.forward.items():
            known = self.dimensions[name].all if name in self.dimensions else ()
            for after in mapped.values():
                if after not in known:
                    wanted = f"one of {', '.join(known)}" if known else f"one of {', '.join(self.dimensions)}"
                    raise FlawError(
                        f"the class {after}" if known else f"the dimension {name}", wanted, at=f"forward.{name}"
                    )
        return self

    @cached_property
    def coding(self) -> Code:
        """How codes are written and read."""
        widths = {name: len(dimension.unknown) for name, dimension in self.dimensions.items()}
        return Code.from_levels(self.levels, widths)

    @property
    def levels(self) -> list[str]:
        """The levels of the class code, the coarse first."""
        return [self.code] if isinstance(self.code, str) else list(self.code)

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

    def classes_of(
        self, numbers: Numbers, texts: OneText, cutoffs: Mapping[str, Mapping[str, float]]
    ) -> dict[str, str]:
        """dimension → class of one customer: what `classify` says of it."""
        return {name: class_of(numbers, texts, cutoffs.get(name, NONE)) for name, class_of in self._rules}

    @cached_property
    def _rules(self) -> list[tuple[str, Callable[[Numbers, OneText, Mapping[str, float]], str]]]:
        return [(name, dimension.rule.class_of) for name, dimension in self.dimensions.items()]

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
    """Refuse a scheme that looks at a fact or a trait nobody computes."""
    for flaw in strange_facts(scheme, known, traits, place):
        raise flaw


def strange_facts(scheme: Scheme, known: frozenset[str], traits: frozenset[str], place: str) -> Iterator[InputError]:
    """A letter for each fact and trait that nobody computes. Attributes are the company's own: where it has none of a
    name, everybody is unknown."""
    for name, dimension in scheme.dimensions.items():
        trait = {dimension.given.trait} - {None} if dimension.given else set()
        strange = [("fact", f) for f in sorted(dimension.rule.facts - known)] + [("trait", t) for t in trait - traits]
        for what, fact in strange:
            close = difflib.get_close_matches(str(fact), known if what == "fact" else traits, n=1)
            yield InputError(
                f"{place}: dimensions.{name}",
                f"the {what} '{fact}'",
                "a feature or a task" if what == "fact" else f"one of {', '.join(sorted(traits))}",
                (f"Did you mean '{close[0]}'? " if close else "") + "See `scoring features list`.",
            )
