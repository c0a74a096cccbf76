"""How a table is written and how its cells read: the parts of which source files are made."""

from __future__ import annotations

import codecs
from datetime import date
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from features.config import Config

RuleName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Severity = Literal["keep", "drop", "quarantine", "stop"]


def _known_encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise ValueError("an encoding that Python knows, such as utf-8, cp1252 or utf-16") from None


class Condition(Config):
    """What a cell must look like; exactly one key. Texts are compared as they stand, without the blanks around them."""

    any_of: tuple[str, ...] = ()
    starts_with: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    below: float | None = None
    above: float | None = None
    empty: bool | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Condition:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"exactly one of {', '.join(Condition.model_fields)}")
        return self


When = Annotated[dict[str, Condition], Field(min_length=1)]
"""Column → condition; all must hold."""


class Format(Config):
    """How a file is written. Compression is seen from the file itself. Parquet needs none of it.

    skip: lines before the header. decimal: the sign before the decimals of its numbers; the other one of `.` and `,`
    may part thousands. sheet: of an Excel file, by default the first.
    """

    type: Literal["csv", "whitespace", "parquet", "excel"] = "csv"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    header: bool = True
    skip: Annotated[int, Field(ge=0)] = 0
    columns: tuple[str, ...] = ()
    decimal: Literal[".", ","] = "."
    sheet: str | None = None

    @model_validator(mode="after")
    def _named(self) -> Format:
        if not self.columns and (self.type == "whitespace" or (not self.header and self.type != "parquet")):
            raise ValueError("columns, in their order, for a file that does not name them")
        return self


class Steps(Config):
    """A clock that counts days or hours from a date; step 0 is that date's midnight."""

    unit: Literal["day", "hour"] = "day"
    start: date


class Time(Config):
    """A column that says when.

    format: strptime letters; `epoch` or `epoch_ms` for seconds or milliseconds since 1970 (UTC); `excel` for days
    since 1899-12-30; none for ISO 8601. clock: the column of the time of day, where it stands in one of its own.
    steps: for data whose clock only counts.
    """

    column: str
    clock: str | None = None
    format: str | None = None
    steps: Steps | None = None

    @model_validator(mode="after")
    def _one_reading(self) -> Time:
        if self.steps is not None and (self.format is not None or self.clock is not None):
            raise ValueError("steps, or format and clock, not both")
        return self


class Database(Config):
    """A table of a PostgreSQL database. The password is not written here: PGPASSWORD, or ~/.pgpass."""

    url: Annotated[str, Field(pattern=r"^postgres(ql)?://")]
    table: str

    @field_validator("url", mode="after")
    @classmethod
    def _no_password(cls, url: str) -> str:
        if urlsplit(url).password is not None:
            raise ValueError("no password in the URL: put it into PGPASSWORD or ~/.pgpass")
        return url


class Product(Config):
    """An amount that is the product of two columns."""

    multiply: tuple[str, str]


class DropRule(Config):
    """Rows that are no event of a customer, dropped and counted under the rule's name."""

    rule: RuleName
    when: When


class RequireRule(Config):
    """What a row must be: `that`, where it meets `when` (all rows, when there is none). An empty cell fails it."""

    rule: RuleName
    that: When
    when: When | None = None
    otherwise: Severity = "quarantine"


class Files(Config):
    """Where a table lies and how it is written: `files` of a folder, or a table of a `database`.

    files: names; one that ends with a slash stands for every file of that folder, in order of name.
    """

    name: Annotated[str, Field(pattern=r"^[^/\\]+$")]
    files: tuple[str, ...] = ()
    database: Database | None = None
    format: Format = Format()

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if bool(self.files) == (self.database is not None):
            raise ValueError("files, or a database")
        return self


class FileTable(Files):
    """A table whose rows are taken in: where it lies, and what its rows must be."""

    require: tuple[RequireRule, ...] = ()
