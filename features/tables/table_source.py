"""A table source: one row per customer or case, such as a file of credit applications, with the outcome beside it.

It has no events. Its columns are features as they stand, each with its family, and a label where the outcome is known.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from features.config import Config, load_config
from features.errors import InputError
from features.tables.reading import Files, FileTable, Time, When
from features.tables.sources import Family, source_kind, source_path

CASE_COLUMNS = ("case_id", "label", "split")
"""What every table of cases has beside its own columns."""

Trend = Literal["rising", "falling"]
Codes = Annotated[tuple[str, ...], Field(min_length=1)]
ColumnName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class CaseColumn(Config):
    """A column of the table. What reads `unknown`, or is empty, becomes null.

    type: `boolean` reads yes and no, true and false, 1 and 0. leak: known only after the outcome, so that no model
    may see it. Columns of the family `private` stay in the vault. trend: of a number, whether the probability of yes
    may only rise, or only fall, as it grows.
    """

    column: str
    family: Family
    type: Literal["number", "category", "boolean"]
    unknown: tuple[str, ...] = ()
    leak: bool = False
    unit: str | None = None
    trend: Trend | None = None
    doc: str

    @model_validator(mode="after")
    def _measured(self) -> CaseColumn:
        if (self.unit is None) == (self.type == "number"):
            raise ValueError("a unit (`1` for a count or a share) with the type number, and only with it")
        if self.trend and self.type != "number":
            raise ValueError("a trend with the type number only")
        return self


class Label(Config):
    """What is asked of a case, and the cells of `column` that answer yes (1) and no (0). Empty: not known yet."""

    column: str
    positive: Codes
    negative: Codes
    name: ColumnName
    question: str

    @model_validator(mode="after")
    def _either(self) -> Label:
        if set(self.positive) & set(self.negative):
            raise ValueError("a cell that is positive or negative, not both")
        return self

    @property
    def codes(self) -> dict[str, tuple[str, ...]]:
        """Answer → the cells that give it."""
        return {"1": self.positive, "0": self.negative}


class Split(Config):
    """Which cells of `column` put a case among those to learn from, and which among those to judge by."""

    column: str
    train: Codes
    test: Codes

    @model_validator(mode="after")
    def _either(self) -> Split:
        if set(self.train) & set(self.test):
            raise ValueError("a cell that says train or test, not both")
        return self

    @property
    def codes(self) -> dict[str, tuple[str, ...]]:
        """Side → the cells that give it."""
        return {"train": self.train, "test": self.test}


class DateSplit(Time):
    """The column of a day: cases of `test_from` and later judge, and earlier ones are learnt from. Empty: neither."""

    test_from: date


def _way_to_split(said: Any) -> str:
    return "day" if isinstance(said, DateSplit) or (isinstance(said, dict) and "test_from" in said) else "codes"


AnySplit = Annotated[
    Annotated[Split, Tag("codes")] | Annotated[DateSplit, Tag("day")],
    Discriminator(_way_to_split),
]


class Join(Files):
    """Another table, whose columns complete the rows: at most one row of it for each.

    by: the column of the rows so far, of an earlier join too, that holds what the column `key` there holds;
    key: by default of the same name. where: only its rows that meet this take part. Its columns keep their names;
    where one is taken, it is `<name of the join>.<column>`.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    by: str
    key: str | None = None
    where: When | None = None

    @property
    def own_key(self) -> str:
        """The column there that tells its rows apart."""
        return self.key or self.by


class TableSource(FileTable):
    """A table with a row per case.

    simulated: whether no real case stands behind it. key: the column that tells cases apart; without one a case is a
    row, known by its number, and equal rows are several cases. join: other tables that complete the rows, in this
    order. order: `time` where the rows stand in the order of time. currency: its sign or code may stand beside a
    number. exposure: the number among `columns` that is the amount at stake. unreadable: the share of lines above
    which cells that cannot be read mean that this file reads the table wrongly, and stop the run.
    """

    kind: Literal["table"]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: str
    simulated: bool = False
    key: str | None = None
    label: Label | None = None
    split: AnySplit | None = None
    join: tuple[Join, ...] = ()
    order: Literal["time"] | None = None
    currency: str = "EUR"
    exposure: ColumnName | None = None
    columns: Annotated[dict[ColumnName, CaseColumn], Field(min_length=1)]
    unreadable: Annotated[float, Field(ge=0, le=1)] = 0.02

    @model_validator(mode="after")
    def _each_column_once(self) -> TableSource:
        taken = sorted(set(self.columns) & set(CASE_COLUMNS))
        if taken:
            raise ValueError(f"another name for the column '{taken[0]}', which every table of cases has")
        used = list(self.mapped.values())
        twice = sorted({column for column in used if used.count(column) > 1})
        if twice:
            raise ValueError(f"each column once; '{twice[0]}' has several parts to play")
        if self.split is not None and self.order is not None:
            raise ValueError("a split or an order, not both")
        if self.exposure is not None and (
            self.exposure not in self.shown or self.shown[self.exposure].type != "number"
        ):
            raise ValueError("as exposure the name of a column of type number that is not private")
        if len({self.name, *(join.name for join in self.join)}) <= len(self.join):
            raise ValueError("a name of its own for each join, other than the source's")
        return self

    @property
    def mapped(self) -> dict[str, str]:
        """Place in this file → the table's column that stands there."""
        parts = {"label.column": self.label, "split.column": self.split}
        key = {} if self.key is None else {"key": self.key}
        own = {place: part.column for place, part in parts.items() if part is not None}
        return key | own | {f"columns.{name}.column": column.column for name, column in self.columns.items()}

    @property
    def shown(self) -> dict[str, CaseColumn]:
        """The columns that are not private."""
        return {name: column for name, column in self.columns.items() if column.family != "private"}

    @property
    def private(self) -> dict[str, CaseColumn]:
        """The columns that stay in the vault."""
        return {name: column for name, column in self.columns.items() if column.family == "private"}


def load_table_source(name: str) -> TableSource:
    """A table source by its name in `configs/sources`, or by the path of its YAML file."""
    path = source_path(name)
    if source_kind(name) != "table":
        raise InputError(f"{path}: kind", "'events', a source of events", "'table', a row per case")
    source = load_config(TableSource, path, "a source file")
    if path.stem != source.name:
        raise InputError(f"{path}: name", f"'{source.name}'", f"'{path.stem}', as the file is called")
    return source
