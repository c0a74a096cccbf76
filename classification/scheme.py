"""The scheme: which classes there are, and who belongs to which. Pure: facts in, classes out.

A dimension gives every customer exactly one class. Facts are feature names and task names; a null fact gives `U`,
unknown, or meets no condition where a dimension is a list of conditions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from classification.code import Code
from classification.rules import UNKNOWN, Array, AtLeast, ClassCode, Classes, Conditions, Given, Rules, Share
from features.config import Config, load_config, read_config, read_text
from features.errors import InputError

SCHEMES = Path("configs/schemes")


class Dimension(Config):
    """One question about a customer, with one way to answer it. names: class → what a person calls it."""

    title: str
    share: Share | None = None
    at_least: AtLeast | None = None
    first_match: dict[ClassCode, Conditions] | None = None
    given: Given | None = None
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
        return self

    @property
    def rule(self) -> Share | AtLeast | Rules | Given:
        """Its way to answer."""
        found = self.share or self.at_least or self.given
        return found if found else Rules(rules=self.first_match or {})

    def cutoffs(self, facts: Mapping[str, Array]) -> dict[str, float]:
        """class → the smallest fact that belongs to it in a base, for shares of the base; empty for other ways."""
        return self.share.cutoffs(facts[self.share.fact]) if self.share else {}

    @property
    def unknown(self) -> str:
        """The class of a customer without the fact."""
        return UNKNOWN * len(self.rule.classes[0])

    def name_of(self, code: str) -> str:
        """What a person calls a class."""
        return self.names.get(code, "unknown")


class Scheme(Config):
    """configs/schemes/<version>.yaml; never changed once a release has used it."""

    version: Annotated[str, Field(pattern=r"^\d{4}-\d{2}[a-z]?$")]
    replaces: str | None = None
    code: str
    dimensions: Annotated[dict[str, Dimension], Field(min_length=1)]

    @model_validator(mode="after")
    def _readable_code(self) -> Scheme:
        self.coding  # noqa: B018 raises where the template does not fit the dimensions
        return self

    @property
    def coding(self) -> Code:
        """How codes are written and read."""
        widths = {name: len(dimension.unknown) for name, dimension in self.dimensions.items()}
        return Code.from_template(self.code, widths)

    @property
    def facts(self) -> frozenset[str]:
        """Every fact any dimension looks at."""
        return frozenset().union(*(dimension.rule.facts for dimension in self.dimensions.values()))

    def cutoffs(self, facts: Mapping[str, Array]) -> dict[str, dict[str, float]]:
        """The cut-offs of every `share` dimension over a whole base; facts: name → (customers,)."""
        return {name: dimension.cutoffs(facts) for name, dimension in self.dimensions.items() if dimension.share}

    def classify(
        self, facts: Mapping[str, Array], cutoffs: Mapping[str, Mapping[str, float]], size: int
    ) -> dict[str, Classes]:
        """dimension → class of each of `size` customers, by their own facts and the stored cut-offs alone."""
        return {
            name: dimension.rule.classify(facts, cutoffs.get(name, {}), size)
            for name, dimension in self.dimensions.items()
        }

    def decode(self, code: str) -> dict[str, str]:
        """dimension → class; ValueError for a code that this scheme cannot have written."""
        found = self.coding.decode(code)
        for name, class_ in found.items():
            dimension = self.dimensions[name]
            if class_ not in (*dimension.rule.classes, dimension.unknown):
                raise ValueError(f"one of {', '.join(dimension.rule.classes)} for {name} instead of '{class_}'")
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


def check_facts(scheme: Scheme, known: frozenset[str], place: str) -> None:
    """Refuse a scheme that looks at a fact nobody computes."""
    for name, dimension in scheme.dimensions.items():
        for fact in sorted(dimension.rule.facts - known):
            raise InputError(
                f"{place}: dimensions.{name}",
                f"the fact '{fact}'",
                "a feature or a task",
                "See `scoring features list`.",
            )
