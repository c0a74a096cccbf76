"""A target: what another system wants of a file, and where each of its columns comes from. Data only."""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from classification.rules import UNKNOWN, ClassCode
from classification.scheme import Scheme
from features.config import Config, load_config
from features.errors import InputError

TARGETS = Path("configs/exports")

PLAIN = ("id", "other_ids", "code", "notes", "no_marketing", "as_of", "month", "release", "scheme")
"""Sources with nothing after them. id: the company's own; other_ids: those that were merged into it; notes: which
classes are held back or a person's word."""

NAMED = ("class", "name", "score", "percentile", "play")
"""Sources of the form `class.value`. class, name: of a dimension, as a code and as the scheme calls it."""

PLAYS = ("owner", "discount", "discount_rule", "service", "marketing", "care", "action", "programmes", "next_visit")
"""What may be told of a customer's play. discount_rule: the class that gives the price tier."""

OF_TEXTS = ("yes", "no", "null", "dates", "refused")
FITTING = {"csv": ("encoding", "delimiter", "line_end", "formulas", *OF_TEXTS), "xlsx": OF_TEXTS, "json": ()}
"""Kind of file → the keys that say anything of it."""

Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f]*$")]
Word = Annotated[Text, Field(min_length=1)]


def _known(source: str) -> str:
    kind, _, name = source.partition(".")
    if source not in PLAIN and not (kind in NAMED and re.fullmatch(r"\w+", name)):
        raise ValueError(f"one of {', '.join(PLAIN)}, or one of {', '.join(NAMED)} with a name, as in class.value")
    if kind == "play" and name not in PLAYS:
        raise ValueError(f"of a play one of {', '.join(PLAYS)}")
    return source


class Column(Config):
    """A column of a file. source (`from`): where its values come from.

    values: class, or what the play says → the target's word; length: most characters, longer texts are cut; unit and
    digits: of a number, percent of a probability or money of minor currency units, which is told in whole ones.
    marketing: empty for customers who object to marketing; change: whether a new value is a reason to hand the row over
    again (a date that moves every month is none).
    """

    header: Word
    source: Annotated[str, AfterValidator(_known), Field(alias="from")]
    values: dict[str, Word] | None = None
    length: Annotated[int, Field(ge=2)] | None = None
    unit: Literal["percent", "money"] | None = None
    digits: Annotated[int, Field(ge=0, le=6)] | None = None
    marketing: bool = False
    change: bool = True

    @property
    def kind(self) -> str:
        """What stands before the point."""
        return self.source.partition(".")[0]

    @property
    def name(self) -> str:
        """What stands after the point."""
        return self.source.partition(".")[2]

    @model_validator(mode="after")
    def _fitting(self) -> Column:
        if self.values is not None and self.kind not in ("class", "play"):
            raise ValueError("values with class.… and play.… only")
        if (self.unit or self.digits is not None) and self.kind not in ("score", "percentile"):
            raise ValueError("unit and digits with score.… and percentile.… only")
        if self.source == "id" and (self.marketing or not self.change):
            raise ValueError("an id for everybody and always, without marketing or change")
        return self


class File(Config):
    """A file of an export. within: dimension → classes of the customers in it, by default all whom no file before it
    takes."""

    within: dict[str, Annotated[tuple[ClassCode, ...], Field(min_length=1)]] = Field({})
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_id(self) -> File:
        if [column.source for column in self.columns].count("id") != 1:
            raise ValueError("one column `from: id`, the external id, and no second one")
        headers = [column.header for column in self.columns]
        for header in headers:
            if headers.count(header) > 1:
                raise ValueError(f"a header of its own for each column; '{header}' is there twice")
        return self

    @property
    def id(self) -> Column:
        """The column of the external id."""
        return next(column for column in self.columns if column.source == "id")


class Target(Config):
    """configs/exports/<name>.yaml. file: what its files are; json is a line of JSON per customer.

    dates, yes, no, null: how these are written; refused: characters that the target does not take, blanks stand in
    their place; formulas: `prefix` puts an apostrophe before a text that a spreadsheet would compute; rows: most in one
    file, by default all. Every customer is in the first file of `files` that takes it.
    """

    title: Word
    file: Literal["csv", "xlsx", "json"]
    encoding: Literal["utf-8", "utf-8-sig"] = "utf-8"
    delimiter: Literal[",", ";", "\t", "|"] = ","
    line_end: Literal["\n", "\r\n"] = "\n"
    dates: Literal["yyyy-MM-dd", "dd.MM.yyyy", "MM/dd/yyyy"] = "yyyy-MM-dd"
    yes: Word = "yes"
    no: Word = "no"
    null: Text = ""
    refused: Text = ""
    formulas: Literal["prefix", "keep"] = "prefix"
    rows: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    files: Annotated[dict[Annotated[str, Field(pattern=r"^[a-z]+$")], File], Field(min_length=1)]

    @model_validator(mode="after")
    def _fitting(self) -> Target:
        other = set(chain(*FITTING.values())) - set(FITTING[self.file])
        if strange := sorted(other & self.model_fields_set):
            raise ValueError(f"nothing that {self.file} does not have; take out {', '.join(strange)}")
        *former, last = self.files.values()
        if last.within or not all(file.within for file in former):
            raise ValueError("files that each say whom they take with `within`, but for the last, which takes the rest")
        if "gone" in self.files:
            raise ValueError("files of other names than 'gone', which is that of those who are no longer there")
        return self


def target_path(name: str) -> Path:
    """Where a target of that name is, in `configs/exports`, or the path of its file."""
    return Path(name) if name.endswith((".yaml", ".yml")) else TARGETS / f"{name}.yaml"


def load_target(name: str) -> Target:
    """A target by its name in `configs/exports`, or by the path of its file."""
    return load_config(Target, target_path(name), "the description of an export")


def check_target(target: Target, scheme: Scheme, known: Collection[str], place: Path) -> None:
    """Refuse a target that names what a month does not have. known: the columns of its grades.parquet."""
    for name, file in target.files.items():
        for dimension, classes in file.within.items():
            where = f"{place}: files.{name}.within.{dimension}"
            _check_dimension(scheme, dimension, where)
            _check_classes(scheme, dimension, classes, where)
        for i, column in enumerate(file.columns):
            where = f"{place}: files.{name}.columns.{i}"
            if column.kind in ("class", "name"):
                _check_dimension(scheme, column.name, f"{where}.from")
                _check_values(scheme, column, f"{where}.values")
            elif column.kind in ("score", "percentile") and f"{column.kind}_{column.name}" not in known:
                there = [each.partition("_")[2] for each in known if each.startswith(f"{column.kind}_")]
                raise InputError(f"{where}.from", f"'{column.source}'", f"{column.kind}. one of {', '.join(there)}")


def _check_dimension(scheme: Scheme, name: str, place: str) -> None:
    if name not in scheme.dimensions:
        there = ", ".join(scheme.dimensions)
        raise InputError(place, f"no dimension '{name}' in scheme {scheme.version}", f"one of {there}")


def _check_classes(scheme: Scheme, dimension: str, classes: Collection[str], place: str) -> None:
    names = scheme.dimensions[dimension].names
    unknown = UNKNOWN * len(next(iter(names)))
    for class_ in classes:
        if class_ not in (*names, unknown):
            there = ", ".join((*names, unknown))
            raise InputError(place, f"no class '{class_}' of {dimension} in scheme {scheme.version}", f"of {there}")


def _check_values(scheme: Scheme, column: Column, place: str) -> None:
    """A word for each class; of customers whose class is unknown there may be none, which is null."""
    if column.values is None:
        return
    _check_classes(scheme, column.name, column.values, place)
    for class_, called in scheme.dimensions[column.name].names.items():
        if class_ not in column.values:
            raise InputError(place, f"no word for class {class_} ({called})", "one for each class", "Add it.")
