"""The laundering scheme: configs/schemes/laundering/<version>.yaml, an institution's own rules within the law's.

What lacks the law's weights, bands, dates, due diligence (below) or conditions (`required`) is refused; whether a text
means what its title says is not known. Figures marked † in `docs/laundering.md` are conventions.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from classification.laundering.condition import Condition
from classification.laundering.factor import ELEMENTS, PRECISION, Factor
from classification.laundering.required import check_highest, check_lowest
from classification.rules import ClassCode, Words
from classification.scheme import SCHEMES, Name, Version
from features.catalogue import NAMES
from features.config import Config, FlawError, load_config, read_config, read_text
from features.errors import InputError
from features.tables.events import KINDS

FOLDER = SCHEMES / "laundering"
CURRENT = "2026-12"

HALF_A_YEAR, THREE_YEARS = 182, 1095
"""Days: the longest time to the next review of the highest grade, and to the first review of any."""

WORKING_DAYS = 10
"""Within which a new customer is graded, at the latest."""

ALERT = "alert"
"""What `Upgrade.kind` calls an alert of ours that no person has cleared."""

DILIGENCE = ("simplified", "standard", "enhanced")
Diligence = Literal["simplified", "standard", "enhanced"]
Days = Annotated[int, Field(ge=1)]


class Upgrade(Config):
    """So many events of a kind, ever or within some days, and the customer is at least of the grade `to`, at once."""

    title: Words
    kind: Words
    at_least: Annotated[int, Field(ge=1)] = 1
    within_days: Days | None = None
    to: ClassCode

    @model_validator(mode="after")
    def _known_kind(self) -> Upgrade:
        if self.kind not in (*KINDS, ALERT):
            raise FlawError(f"'{self.kind}'", f"{ALERT}, or a kind of event: {', '.join(KINDS)}", at="kind")
        return self


class ModelRaise(Config):
    """What a model may do: raise the customers with the highest scores, by one grade or to a grade; never lower.

    top: their share of those with a score.
    """

    top: Annotated[float, Field(gt=0, lt=1)]
    raises: Literal["one"] | ClassCode


class LaunderingScheme(Config):
    """Four elements, weighted factors, bands, shortcuts, and when a grade is looked at again.

    bands: grade → the lowest total score that it takes, the highest grade first; amounts: attributes that are numbers
    written as text, in the unit they are written in; opened: the attribute with the day on which the customer came,
    as 2026-12-31.
    """

    version: Version
    scale: Annotated[int, Field(ge=2, le=100)]
    factors: Annotated[dict[Name, Factor], Field(min_length=1)]
    bands: Annotated[dict[ClassCode, Annotated[float, Field(ge=0, le=100)]], Field(min_length=2)]
    names: dict[ClassCode, Words]
    highest: Annotated[dict[Name, Condition], Field(min_length=1)]
    lowest: dict[Name, Condition] = Field(default={})
    no_shortcut: dict[Name, Condition] = Field(default={})
    upgrades: dict[Name, Upgrade] = Field(default={})
    model: ModelRaise | None = None
    due_diligence: dict[ClassCode, Diligence]
    review_days: dict[ClassCode, Days]
    first_review_within_days: Days
    new_within_working_days: Days
    holidays: tuple[date, ...] = ()
    opened: Words
    amounts: tuple[Words, ...] = ()

    @model_validator(mode="after")
    def _weights(self) -> LaunderingScheme:
        total = sum(factor.parts for factor in self.factors.values())
        if total != 100 * PRECISION:
            wanted = "weights that sum to 100"
            raise FlawError(f"weights that sum to {total / PRECISION:g}", wanted, _difference(total), at="factors")
        lacking = [each for each in ELEMENTS if each not in {factor.element for factor in self.factors.values()}]
        if lacking:
            raise FlawError(f"no factor of the element {lacking[0]}", "at least one of each element", at="factors")
        for name, factor in self.factors.items():
            for each in factor.strange(self.scale):
                raise FlawError(f"the sub-score {each}", f"1 to {self.scale}, the scale", at=f"factors.{name}")
        return self

    @model_validator(mode="after")
    def _bands(self) -> LaunderingScheme:
        for (higher, high), (lower, low) in pairwise(self.bands.items()):
            if not low < high:
                found = f"{lower} from {low:g}, though {higher} takes everyone from {high:g}"
                raise FlawError(found, "bands listed from highest to lowest", at=f"bands.{lower}")
        if self.bands[self.least] != 0:
            wanted = "0 for the last band, so that every score has a grade"
            raise FlawError(f"{self.bands[self.least]:g}", wanted, at=f"bands.{self.least}")
        for what in ("names", "due_diligence", "review_days"):
            if getattr(self, what).keys() != self.bands.keys():
                found = ", ".join(getattr(self, what)) or "nothing"
                raise FlawError(found, f"each of the grades {', '.join(self.grades)}, and no other", at=what)
        return self

    @model_validator(mode="after")
    def _diligence(self) -> LaunderingScheme:
        if self.due_diligence[self.top] != DILIGENCE[-1]:
            where = f"due_diligence.{self.top}"
            raise FlawError(self.due_diligence[self.top], "enhanced for the highest grade", at=where)
        for higher, lower in pairwise(self.grades):
            mine, above = self.due_diligence[lower], self.due_diligence[higher]
            if DILIGENCE.index(mine) > DILIGENCE.index(above):
                raise FlawError(f"{mine}, and {above} for {higher}", "no more than above", at=f"due_diligence.{lower}")
        return self

    @model_validator(mode="after")
    def _reviews(self) -> LaunderingScheme:
        days = self.review_days
        if days[self.top] > HALF_A_YEAR:
            wanted = f"at most {HALF_A_YEAR}: the highest grade is reviewed every six months"
            raise FlawError(f"{days[self.top]} days", wanted, at=f"review_days.{self.top}")
        for higher, lower in pairwise(self.grades):
            if not days[higher] <= days[lower] <= 2 * days[higher]:
                wanted = f"{days[higher]} to {2 * days[higher]}: at most twice the interval of {higher}, and not less"
                raise FlawError(f"{days[lower]} days", wanted, at=f"review_days.{lower}")
        if self.first_review_within_days > THREE_YEARS:
            wanted = f"at most {THREE_YEARS}: the first review comes within three years"
            raise FlawError(f"{self.first_review_within_days} days", wanted, at="first_review_within_days")
        if self.new_within_working_days > WORKING_DAYS:
            wanted = f"at most {WORKING_DAYS}, within which a new customer is graded"
            raise FlawError(f"{self.new_within_working_days} working days", wanted, at="new_within_working_days")
        return self

    @model_validator(mode="after")
    def _conditions(self) -> LaunderingScheme:
        for where, fact in self._facts():
            if fact not in NAMES and fact not in self.amounts:
                close = difflib.get_close_matches(fact, [*NAMES, *self.amounts], n=1)
                cure = f"Did you mean '{close[0]}'? " if close else ""
                wanted = "a feature, or one of `amounts`"
                raise FlawError(f"the fact '{fact}'", wanted, f"{cure}See `scoring features list`.", at=where)
        to = {f"upgrades.{name}.to": each.to for name, each in self.upgrades.items()}
        if self.model and self.model.raises != "one":
            to["model.raises"] = self.model.raises
        for where, grade in to.items():
            if grade not in self.bands:
                raise FlawError(f"the grade {grade}", f"one of {', '.join(self.grades)}", at=where)
        check_highest(self.highest)
        check_lowest(self.lowest, self.no_shortcut, self.amounts)
        return self

    def _facts(self) -> Iterator[tuple[str, str]]:
        """Where a fact is looked at, and which."""
        for name, factor in self.factors.items():
            yield from ((f"factors.{name}", each) for each in (factor.fact,) if each)
        groups: Mapping[str, Mapping[str, Condition]] = {
            "highest": self.highest,
            "lowest": self.lowest,
            "no_shortcut": self.no_shortcut,
        }
        for group, conditions in groups.items():
            for name, condition in conditions.items():
                yield from ((f"{group}.{name}", each) for each in sorted(condition.facts))

    @property
    def grades(self) -> tuple[str, ...]:
        """From the highest, the most risk, down."""
        return tuple(self.bands)

    @property
    def top(self) -> str:
        """The highest grade."""
        return self.grades[0]

    @property
    def least(self) -> str:
        """The lowest grade."""
        return self.grades[-1]

    @property
    def facts(self) -> frozenset[str]:
        """Every feature it looks at."""
        return frozenset(fact for _, fact in self._facts() if fact in NAMES)

    @cached_property
    def rank(self) -> dict[str, int]:
        """grade → its place, 0 for the highest."""
        return {grade: i for i, grade in enumerate(self.grades)}

    def grade_by(self, opened: date) -> date:
        """The last day on which a customer who came on a day may be graded first; Monday to Friday are working days,
        but for the holidays, and the day of opening does not count."""
        last = np.busday_offset(
            np.datetime64(opened, "D"),
            self.new_within_working_days,
            roll="backward",
            holidays=np.array(self.holidays, "datetime64[D]"),
        )
        return date.fromisoformat(str(last))


def load_laundering(version: str = CURRENT) -> LaunderingScheme:
    """A laundering scheme by its version, or by the path of its file."""
    path = laundering_path(version)
    scheme = load_config(LaunderingScheme, path, "a laundering scheme")
    if path.stem != scheme.version:
        raise InputError(f"{path}: version", f"'{scheme.version}'", f"'{path.stem}', as the file is called")
    return scheme


def read_laundering(text: str, place: str) -> LaunderingScheme:
    """A laundering scheme from the text of its file, as a register carries it."""
    return read_config(LaunderingScheme, text, place)


def laundering_text(version: str = CURRENT) -> str:
    """The text of a laundering scheme's file."""
    return read_text(laundering_path(version), "a laundering scheme")


def laundering_path(version: str) -> Path:
    """Where a laundering scheme of that version is."""
    return Path(version) if version.endswith((".yaml", ".yml")) else FOLDER / f"{version}.yaml"


def _difference(total: int) -> str:
    apart = abs(total - 100 * PRECISION) / PRECISION
    return f"{'Take' if total > 100 * PRECISION else 'Add'} {apart:g} {'away' if total > 100 * PRECISION else 'more'}."
