"""A source: where a company's own tables are, and what their columns mean.

A source file says *how* a table reads; it holds no expressions. The tables are read as text, so that a cell that
cannot be understood is a finding with a line number and not a reader's crash.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from features.calendar import today
from features.company import Company, Hour, Zone
from features.config import Config, load_config
from features.errors import InputError
from features.tables.events import CONSENTS, FAMILIES, KINDS
from features.tables.reading import DropRule, FileTable, Product, Severity, Time, When

SOURCES = Path("configs/sources")
HAND = "written by hand"
"""The table of the events that people write, which no source file describes."""


def _one_of(allowed: tuple[str, ...]) -> AfterValidator:
    def check(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return value

    return AfterValidator(check)


Kind = Annotated[str, _one_of(KINDS)]
Family = Annotated[str, _one_of(tuple(family for family in FAMILIES if family != "consent"))]


class KindRule(Config):
    """Rows that meet `when` (all rows, when there is none) are events of this kind."""

    is_: Kind = Field(alias="is")
    when: When | None = None


class EventTable(FileTable):
    """A table whose rows are events.

    event_id: the column, or the columns together, that tell one event from another for ever: a later row of the same
    id restates it. both_sides: a row of kind transfer_out is also the counterparty's transfer_in.
    """

    gives: Literal["events"]
    customer: str
    time: Time
    kind: Kind | Annotated[tuple[KindRule, ...], Field(min_length=1)]
    event_id: str | Annotated[tuple[str, ...], Field(min_length=1)] | None = None
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
    both_sides: bool = False
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

    @model_validator(mode="after")
    def _sides(self) -> EventTable:
        if self.both_sides and (self.counterparty is None or {r.is_ for r in self.kind_rules} != {"transfer_out"}):
            raise ValueError("both_sides with a counterparty and the kind transfer_out")
        return self


class Attribute(Config):
    """A column of a customer table."""

    column: str
    family: Family


IDENTITY = ("name", "email", "phone", "address", "postcode", "city", "tax_id", "birth_date")
"""What tells persons apart, and finds the one behind two ids. It stays in the vault."""

Identity = Annotated[str, _one_of(IDENTITY)]


class Consent(Config):
    """Customers who said no: those whose cell in `column` is one of `any_of`."""

    column: str
    any_of: Annotated[tuple[str, ...], Field(min_length=1)]


class CustomerTable(FileTable):
    """A table with a row per customer, or one each time an attribute changes.

    signed_up: the day the customer became one; an event before it is set aside. identity: what the vault keeps to
    find one customer behind several ids, e.g. {name: full_name, email: mail}. Attributes of the family `private` stay
    in the vault, too. no_profiling, no_marketing: who objected to being scored, or to being canvassed.
    """

    gives: Literal["customers"]
    customer: str
    valid_from: Time | None = None
    signed_up: Time | None = None
    attributes: dict[str, Attribute] = Field({})
    identity: dict[Identity, str] = Field({})
    no_profiling: Consent | None = None
    no_marketing: Consent | None = None

    @model_validator(mode="after")
    def _says_something(self) -> CustomerTable:
        if not (self.attributes or self.identity or self.signed_up or self.no_profiling or self.no_marketing):
            raise ValueError("at least one of attributes, identity, signed_up, no_profiling, no_marketing")
        taken = sorted(set(self.attributes) & {*CONSENTS, "signed_up"})
        if taken:
            raise ValueError(f"another name for the attribute '{taken[0]}', which has a key of its own")
        return self


class ItemTable(FileTable):
    """A table with a row per item sold."""

    gives: Literal["items"]
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
    """A company's tables. Amounts are read in the currency's major unit and kept in its minor one.

    simulated: whether no real company stands behind it, which model cards then say. rules: rule → what happens to a
    line that breaks it. unreadable: the share of a table's lines above which cells that cannot be read mean that this
    file reads the table wrongly, and stop the run.
    """

    kind: Literal["events"] = "events"

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: str
    simulated: bool = False
    timezone: Zone = "UTC"
    currency: str = "EUR"
    decimals: Annotated[int, Field(ge=0, le=4)] = 2
    tables: Annotated[tuple[Annotated[Table, Field(discriminator="gives")], ...], Field(min_length=1)]
    rules: dict[str, Severity] = Field({})
    unreadable: Annotated[float, Field(ge=0, le=1)] = 0.02
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
        return today(self.timezone, now)


class _Kind(Config):
    """Of a source file, only what kind of source it describes."""

    model_config = ConfigDict(extra="ignore")

    kind: Literal["events", "table"] = "events"


def source_path(name: str) -> Path:
    """The YAML file of a source, by its name in `configs/sources` or by its path."""
    return Path(name) if name.endswith((".yaml", ".yml")) else SOURCES / f"{name}.yaml"


def source_kind(name: str) -> Literal["events", "table"]:
    """Whether a source's rows are events, or one per case (`features.tables.table_source`)."""
    return load_config(_Kind, source_path(name), "a source file").kind


def load_source(name: str) -> Source:
    """A source of events by its name in `configs/sources`, or by the path of its YAML file."""
    path = source_path(name)
    if source_kind(name) == "table":
        raise InputError(
            f"{path}: kind",
            "'table', a source with one row per case",
            "a source of events",
            "Of a table source there are `scoring ingest` and `scoring run`.",
        )
    source = load_config(Source, path, "a source file")
    names = [table.name for table in source.tables]
    if len(set(names)) < len(names):
        raise InputError(f"{path}: tables", "two tables of one name", "a name for each table")
    if HAND in names:
        raise InputError(f"{path}: tables", f"the name '{HAND}'", "another: so the events are called that people write")
    if path.stem != source.name:
        raise InputError(f"{path}: name", f"'{source.name}'", f"'{path.stem}', as the file is called")
    return source
