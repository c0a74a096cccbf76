"""What is asked of a case, which of its columns may answer, and why the others may not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from features.tables.table_source import CaseColumn, DateSplit, TableSource, Trend

Kind = Literal["number", "category", "boolean"]

LEAK = "a leak: known only after the outcome"
PRIVATE = "private: it stays in the vault"


@dataclass(frozen=True)
class Question:
    """task: its short name; text: the question in words, yes is 1. columns: what may be learnt from, by name;
    left_out: name → why not. in_time: whether the cases stand in the order of time; judged_from: the day from which on
    they judge, where the source says one. history: the column with a customer's own share of yes so far, where cases
    of one customer come again. simulated: whether no real case stands behind it."""

    source: str
    title: str
    task: str
    text: str
    columns: dict[str, CaseColumn]
    left_out: dict[str, str]
    in_time: bool
    judged_from: date | None = None
    simulated: bool = False
    history: str | None = None

    @property
    def kinds(self) -> dict[str, Kind]:
        """Column → its kind."""
        return {name: column.type for name, column in self.columns.items()}

    @property
    def trends(self) -> dict[str, Trend]:
        """Column → how the probability of yes goes with it, where the source says so."""
        return {name: column.trend for name, column in self.columns.items() if column.trend}

    def without(self, left_out: dict[str, str]) -> Question:
        """The same question with some columns left out, too: name → why."""
        columns = {name: column for name, column in self.columns.items() if name not in left_out}
        return replace(self, columns=columns, left_out=self.left_out | left_out)


def question_of(source: TableSource) -> Question | None:
    """The question of a table source; None where its file has no label."""
    if source.label is None:
        return None
    allowed = {name: column for name, column in source.shown.items() if not column.leak}
    left_out = {name: PRIVATE if name in source.private else LEAK for name in source.columns if name not in allowed}
    label, in_time = source.label, source.order == "time"
    day = source.split.test_from if isinstance(source.split, DateSplit) else None
    return Question(
        source.name,
        source.title,
        label.name,
        label.question,
        allowed,
        left_out,
        in_time,
        judged_from=day,
        simulated=source.simulated,
    )
