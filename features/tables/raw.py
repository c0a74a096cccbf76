"""Reading a company's files as text: every cell a string or null, every row with its file and line."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import duckdb

from features.errors import InputError
from features.tables.privacy import BLANKS
from features.tables.sources import Condition, Format, Table, When
from features.tables.sql import file_text, ident, text

FILE = "file"
LINE = "line"
"""The two columns that `read_raw` adds: name of the file, number of the record in it counted from 1."""

PLAIN = "auto_detect=false, skip=0, comment='', strict_mode=true, null_padding=false"
"""Options that leave DuckDB nothing to guess."""


def cell(column: str) -> str:
    """A raw column in SQL. Its name is marked, so that no company's column is mistaken for a typed one."""
    return ident(f"={column}")


def clean(column: str) -> str:
    """A cell in SQL without the blanks around it; null when nothing is left."""
    return f"nullif(trim({cell(column)}, {text(BLANKS)}), '')"


def read_raw(db: duckdb.DuckDBPyConnection, table: Table, folder: Path, view: str) -> list[str]:
    """Make `view` over all files of `table`; returns the names of their columns, the same in each file."""
    columns: list[str] = []
    parts = []
    for file in table.files:
        path = folder / file
        if not path.is_file():
            there = sorted(p.name for p in folder.iterdir())[:10] if folder.is_dir() else []
            raise InputError(
                path,
                "no such file",
                f"a file of table '{table.name}'",
                f"In {folder} there are: {', '.join(there)}." if there else "Name the folder of the files with --raw.",
            )
        found, query = _read_file(db, path, table.format)
        if columns and found != columns:
            raise InputError(path, f"columns {', '.join(found)}", f"those of {table.files[0]}: {', '.join(columns)}")
        columns = found
        parts.append(query)
    db.execute(f'CREATE OR REPLACE TEMP VIEW "{view}" AS {" UNION ALL ".join(parts)}')
    return columns


def _read_file(db: duckdb.DuckDBPyConnection, path: Path, written: Format) -> tuple[list[str], str]:
    """The file's columns and a query that gives them as text, with the file and the line."""
    numbered = "row_number() OVER ()"
    file = file_text(path)
    match written.type:
        case "parquet":
            query = f"SELECT *, {numbered} AS {cell(LINE)} FROM read_parquet({file})"
        case "whitespace":
            cells = ", ".join(f"parts[{i}] AS {ident(c)}" for i, c in enumerate(written.columns, 1))
            lines = (
                f"read_csv({file}, {PLAIN}, header=false, delim={text(chr(1))}, quote='', columns={{'l': 'VARCHAR'}})"
            )
            split = f"SELECT string_split_regex(trim(l, ' \t\r'), '\\s+') AS parts, {numbered} AS line FROM {lines}"
            skip = "WHERE line > 1" if written.header else ""
            query = f"SELECT {cells}, line AS {cell(LINE)} FROM ({split}) {skip}"
        case "csv":
            names = written.columns or _header(path, written)
            types = ", ".join(f"{text(name)}: 'VARCHAR'" for name in names)
            dialect = f"delim={text(written.delimiter)}, quote='\"', escape='\"', header={written.header}"
            rows = f"read_csv({file}, {PLAIN}, {dialect}, columns={{{types}}})"
            query = f"SELECT *, {numbered} + {int(written.header)} AS {cell(LINE)} FROM {rows}"
    try:
        columns = [c for c in db.sql(query).columns if c != f"={LINE}"]
        empty = not db.sql(f"SELECT 1 FROM ({query}) LIMIT 1").fetchall()
    except duckdb.Error as error:
        raise unreadable(path, written, error) from None
    if empty:
        raise InputError(path, "no rows", "at least one", "Export the table again.")
    cells = ", ".join(f"CAST({ident(c)} AS VARCHAR) AS {cell(c)}" for c in columns)
    return columns, f"SELECT {cells}, {text(path.name)} AS {FILE}, {cell(LINE)} AS {LINE} FROM ({query})"


def _header(path: Path, written: Format) -> list[str]:
    """The names in the first record of a CSV file. DuckDB is told them: left to guess, it may skip lines."""
    if not written.header:
        raise InputError(path, "no header", "`columns` in the source file, in their order")
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8-sig", newline="") as file:
            names = next(csv.reader(file, delimiter=written.delimiter, strict=True), [])
    except (OSError, UnicodeDecodeError, csv.Error, EOFError) as error:
        raise InputError(
            path, str(error), "a csv file in UTF-8", "Mend `format` in the source file, or the file."
        ) from None
    if not names:
        raise InputError(path, "no rows", "at least one", "Export the table again.")
    if len(set(names)) < len(names) or not all(name.strip() for name in names):
        raise InputError(f"{path}: line 1", "an empty or repeated column name", "a name of its own for each column")
    return names


def unreadable(path: Path, written: Format, error: duckdb.Error) -> InputError:
    """What a reader's error means to the owner of the file; the line itself is not shown."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line.startswith(("Expected", "Value with", "Invalid unicode"))]
    found = "; ".join([lines[0], *telling[:1]]).removesuffix(".")
    return InputError(path, found, f"a {written.type} file in UTF-8", "Mend `format` in the source file, or the file.")


def need_column(column: str, columns: list[str], place: str) -> None:
    """Refuse a mapping onto a column that the table does not have."""
    if column not in columns:
        raise InputError(place, f"'{column}'", f"one of the table's columns: {', '.join(columns)}")


def sql_condition(when: When, columns: list[str], place: str) -> str:
    """The SQL of all conditions of `when`, true or false for every row, never null."""
    for column in when:
        need_column(column, columns, f"{place}.when")
    return " AND ".join(f"coalesce({_sql(clean(column), condition)}, false)" for column, condition in when.items())


def _sql(value: str, condition: Condition) -> str:
    if condition.empty is not None:
        return f"({value} IS NULL) = {condition.empty}"
    if condition.below is not None:
        return f"TRY_CAST({value} AS DOUBLE) < {condition.below!r}"
    if condition.starts_with:
        return "(" + " OR ".join(f"starts_with({value}, {text(p)})" for p in condition.starts_with) + ")"
    return f"{value} IN ({', '.join(map(text, condition.any_of))})"
