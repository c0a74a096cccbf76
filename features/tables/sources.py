"""A source: where a company's own tables are, and what their columns mean.

A source file says *how* a table reads; it holds no expressions. The tables are read as text, so that a cell that
cannot be understood is a finding with a line number and not a reader's crash.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from features.calendar import zone
from features.company import Company, Hour, Zone
from features.config import Config, load_config
from features.errors import InputError
from features.tables.events import FAMILIES, KINDS

SOURCES = Path("configs/sources")


def _one_of(allowed: tuple[str, ...]) -> AfterValidator:
    def check(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return value

    return AfterValidator(check)


Kind = Annotated[str, _one_of(KINDS)]
Family = Annotated[str, _one_of(FAMILIES)]
Severity = Literal["drop", "quarantine", "stop"]


class Condition(Config):
    """What a cell must look like; exactly one key."""

    any_of: tuple[str, ...] = ()
    starts_with: tuple[str, ...] = ()
    below: float | None = None
    empty: bool | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Condition:
        if len(self.model_fields_set) != 1:
            raise ValueError("exactly one of any_of, starts_with, below, empty")
        return self


When = Annotated[dict[str, Condition], Field(min_length=1)]
"""Column → condition; all must hold."""


class Format(Config):
    """How a file is written. Parquet needs none of it."""

    type: Literal["csv", "whitespace", "parquet"] = "csv"
    delimiter: str = ","
    header: bool = True
    columns: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _named(self) -> Format:
        if self.type == "whitespace" and not self.columns:
            raise ValueError("columns, in their order, for a file whose columns are parted by blanks")
        return self


class Time(Config):
    """A column that says when: `format` in strptime letters, or ISO 8601 when there is none."""

    column: str
    format: str | None = None


class Product(Config):
    """An amount that is the product of two columns."""

    multiply: tuple[str, str]


class KindRule(Config):
    """Rows that meet `when` (all rows, when there is none) are events of this kind."""

    is_: Kind = Field(alias="is")
    when: When | None = None


class DropRule(Config):
    """Rows that are no event of a customer, dropped and counted under the rule's name."""

    rule: str
    when: When


class EventTable(Config):
    """A table whose rows are events."""

    gives: Literal["events"]
    name: str
    files: Annotated[tuple[str, ...], Field(min_length=1)]
    format: Format = Format()
    customer: str
    time: Time
    kind: Kind | Annotated[tuple[KindRule, ...], Field(min_length=1)]
    event_id: str | None = None
    known_at: Time | None = None
    ref: str | None = None
    amount: str | Product | None = None
    cost: str | Product | None = None
    quantity: str | None = None
    negative: tuple[Literal["amount", "cost", "quantity"], ...] = ()
    item: str | None = None
    channel: str | None = None
    counterparty: str | None = None
    country: str | None = None
    due_day: Time | None = None
    code: str | None = None
    score: str | None = None
    drop: tuple[DropRule, ...] = ()

    @field_validator("kind", mode="after")
    @classmethod
    def _total(cls, kind: str | tuple[KindRule, ...]) -> str | tuple[KindRule, ...]:
        if not isinstance(kind, str) and [rule.when is None for rule in kind] != [False] * (len(kind) - 1) + [True]:
            raise ValueError("a last rule without `when`, and only the last, so that every row has a kind")
        return kind

    @property
    def kind_rules(self) -> tuple[KindRule, ...]:
        """The kind as rules, also when it is the same for every row."""
        return (KindRule.model_validate({"is": self.kind}),) if isinstance(self.kind, str) else self.kind


class Attribute(Config):
    """A column of a customer table."""

    column: str
    family: Family


class CustomerTable(Config):
    """A table with a row per customer, or one each time an attribute changes."""

    gives: Literal["customers"]
    name: str
    files: Annotated[tuple[str, ...], Field(min_length=1)]
    format: Format = Format()
    customer: str
    valid_from: Time | None = None
    attributes: Annotated[dict[str, Attribute], Field(min_length=1)]


class ItemTable(Config):
    """A table with a row per item sold."""

    gives: Literal["items"]
    name: str
    files: Annotated[tuple[str, ...], Field(min_length=1)]
    format: Format = Format()
    item: str
    category: str


Table = EventTable | CustomerTable | ItemTable


class Monitoring(Config):
    """What the company watches for; amounts in the major unit.

    just_below: the share below `reporting_threshold` that counts as just below it.
    """

    night: tuple[Hour, Hour] = (22, 6)
    reporting_threshold: Annotated[float, Field(gt=0)] | None = None
    just_below: Annotated[float, Field(gt=0, lt=1)] = 0.1
    round_to: Annotated[float, Field(gt=0)] | None = None
    high_risk_countries: tuple[str, ...] = ()


class Source(Config):
    """A company's tables. Amounts are read in the currency's major unit and kept in its minor one."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: str
    timezone: Zone = "UTC"
    currency: str = "EUR"
    decimals: Annotated[int, Field(ge=0, le=4)] = 2
    tables: Annotated[tuple[Annotated[Table, Field(discriminator="gives")], ...], Field(min_length=1)]
    rules: dict[str, Severity] = Field({})
    monitoring: Monitoring = Monitoring()

    def company(self) -> Company:
        """What the features need to know, in minor units."""
        watched, unit = self.monitoring, 10**self.decimals
        threshold = None if watched.reporting_threshold is None else round(watched.reporting_threshold * unit)
        return Company(
            timezone=self.timezone,
            night=watched.night,
            just_below=None if threshold is None else (round(threshold * (1 - watched.just_below)), threshold),
            round_to=None if watched.round_to is None else max(1, round(watched.round_to * unit)),
            high_risk_countries=watched.high_risk_countries,
        )

    def today(self, now: float | None = None) -> date:
        """The present day in the company's time zone (`now`: seconds since 1970, for tests)."""
        instant = datetime.now(UTC) if now is None else datetime.fromtimestamp(now, UTC)
        return instant.astimezone(zone(self.timezone)).date()


def load_source(name: str) -> Source:
    """A source by its name in `configs/sources`, or by the path of its YAML file."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else SOURCES / f"{name}.yaml"
    source = load_config(Source, path, "a source file")
    names = [table.name for table in source.tables]
    if len(set(names)) < len(names):
        raise InputError(f"{path}: tables", "two tables of one name", "a name for each table")
    if path.stem != source.name:
        raise InputError(f"{path}: name", f"'{source.name}'", f"'{path.stem}', as the file is called")
    return source
