"""A scorecard as one SQL query over a table with the typed columns of cases.parquet."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Literal

import numpy as np

from features.tables.sql import ident, text
from training.cases.encoder import Encoder
from training.cases.points import Line, Scale, points_table
from training.cases.scorecard import Scorecard

Dialect = Literal["duckdb", "postgres"]

NO_NUMBERS = "FLOAT8 'NaN', FLOAT8 'Infinity', FLOAT8 '-Infinity'"


def scorecard_sql(encoder: Encoder, card: Scorecard, scale: Scale, table: str, dialect: Dialect) -> str:
    """SELECT case_id, score (points), probability (of yes) for every row of `table`, which may be `schema.table`.

    The table has a case_id and the columns of the scorecard: numbers of any type that can be cast to double precision,
    categories as text, yes and no as booleans. Null, NaN and infinite are not known; a level that the scorecard does
    not know is `rare or never seen`. Points are added in the order of the columns, in double precision. Levels compare
    byte by byte; on PostgreSQL the columns must not have a nondeterministic collation.
    """
    lines = points_table(encoder, card, scale)
    terms = [_case(name, encoder, list(own), dialect) for name, own in groupby(lines, key=lambda line: line.column)]
    score = "\n      + ".join(terms) if terms else _number(float(scale.score(np.array(card.intercept))))
    place = ".".join(ident(part) for part in table.split("."))
    odds = f"exp((score - {_number(scale.offset)}) / {_number(scale.factor)})"
    return (
        f"SELECT case_id, score, {_number(1.0)} / ({_number(1.0)} + {odds}) AS probability\n"
        f"FROM (\n  SELECT case_id,\n      {score}\n      AS score\n  FROM {place}\n) AS scored\n"
    )


def _case(name: str, encoder: Encoder, lines: list[Line], dialect: Dialect) -> str:
    """The points of one column."""
    column = ident(name)
    category = encoder.kinds[name] == "category"
    if encoder.kinds[name] == "boolean":
        column = f"CAST({column} AS INTEGER)"
    cell = column if category else f"CAST({column} AS DOUBLE PRECISION)"
    missing = f"{cell} IS NULL" if category else f"({cell} IS NULL OR {cell} IN ({NO_NUMBERS}))"
    whens, other = [f"WHEN {missing} THEN {_number(_of(lines, 'missing')[0].points)}"], _of(lines, "other")
    for line in [*_of(lines, "interval"), *_of(lines, "levels")]:
        if line.what == "levels":
            levels = _levels(line.levels, dialect)
            whens += [f"WHEN {cell} IN ({', '.join(levels)}) THEN {_number(line.points)}"] if levels else []
        elif line.up_to is not None:
            whens.append(f"WHEN {cell} <= {_number(line.up_to)} THEN {_number(line.points)}")
        else:
            other = [line]
    return f"CASE {' '.join(whens)} ELSE {_number(other[0].points)} END"


def _of(lines: list[Line], what: str) -> list[Line]:
    return [line for line in lines if line.what == what]


def _levels(levels: Sequence[str], dialect: Dialect) -> list[str]:
    """Quoted. PostgreSQL has no text with the character 0; its E'' reads a backslash the same whatever is set."""
    if dialect == "duckdb":
        return [text(level) for level in levels]
    possible = [level for level in levels if "\0" not in level]
    return ["E" + text(each.replace("\\", "\\\\")) if "\\" in each else text(each) for each in possible]


def _number(value: float) -> str:
    """A double to its last digit; without its type both dialects would take it for a decimal."""
    return f"FLOAT8 '{value!r}'"
