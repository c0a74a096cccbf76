"""A raw line in SQL: its cells, and the conditions a source file puts on them."""

from __future__ import annotations

from features.errors import InputError
from features.tables.numbers import read_number
from features.tables.reading import Condition, When
from features.tables.sql import ident, text


def cell(column: str) -> str:
    """A raw column in SQL. Its name is marked, so that no company's column is mistaken for a typed one."""
    return ident(f"={column}")


def clean(column: str) -> str:
    """A cell in SQL; null when nothing is in it. Blanks around it are gone when it gets here (`chunks`)."""
    return f"nullif({cell(column)}, '')"


def need_column(column: str, columns: list[str], place: str) -> None:
    """Refuse a mapping onto a column that the table does not have."""
    if column not in columns:
        raise InputError(place, f"'{column}'", f"one of the table's columns: {', '.join(columns)}")


def sql_condition(when: When, columns: list[str], place: str, decimal: str, currency: str) -> str:
    """The SQL of all conditions of `when`, true or false for every row, never null; no empty cell but for `empty`.

    decimal, currency: numbers are read as those of the table's columns are (`read_number`).
    """
    for column in when:
        need_column(column, columns, f"{place}.when")
    conditions = (_sql(clean(column), condition, decimal, currency) for column, condition in when.items())
    return " AND ".join(f"coalesce({each}, false)" for each in conditions)


def _sql(value: str, condition: Condition, decimal: str, currency: str) -> str:
    if condition.empty is not None:
        return f"({value} IS NULL) = {condition.empty}"
    if condition.below is not None:
        return f"{read_number(value, decimal, 'DOUBLE', currency).value} < {condition.below!r}"
    if condition.above is not None:
        return f"{read_number(value, decimal, 'DOUBLE', currency).value} > {condition.above!r}"
    if condition.starts_with:
        return "(" + " OR ".join(f"starts_with({value}, {text(p)})" for p in condition.starts_with) + ")"
    if condition.contains:
        return "(" + " OR ".join(f"contains({value}, {text(p)})" for p in condition.contains) + ")"
    return f"{value} IN ({', '.join(map(text, condition.any_of))})"
