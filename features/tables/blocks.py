"""What a reader of a company's file gives: blocks of cells as they stand, and the records that are no rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from features.errors import InputError

MisfitRule = Literal["wrong-width", "broken-quotes", "undecodable"]


@dataclass(frozen=True, slots=True)
class Misfit:
    """A record that is no row of the table.

    line: number of its first physical line, from 1. text: its line as it came, or its lines where it is quoted over
    several; bytes that cannot be decoded are U+FFFD. found: what is wrong, without a word of the record.
    """

    line: int
    text: str
    found: str
    rule: MisfitRule


@dataclass(frozen=True)
class Block:
    """Some consecutive records of a file.

    cells: columns as the file names them; text, with "" for an empty cell, except in Parquet, which has types of its
    own. lines: int64, the physical line of each row (Parquet: its number from 1; Excel: the row of the sheet).
    done, total: bytes of the file on disk read so far, and all (Parquet, Excel: rows).
    """

    cells: pa.Table
    lines: pa.Array
    misfits: tuple[Misfit, ...]
    done: int
    total: int


class DamagedError(Exception):
    """A file ends or changes where it may not; the message says how."""


def text_table(names: Sequence[str], columns: Sequence[Sequence[str]]) -> pa.Table:
    """Columns of text under their names."""
    return pa.table([pa.array(column, pa.string()) for column in columns], names=list(names))


def wrong_width(cells: int, columns: int) -> str:
    """What is wrong with a record of `cells` cells."""
    return f"{cells} {'cell' if cells == 1 else 'cells'} instead of {columns}"


def check_names(names: Sequence[str], place: str | Path) -> list[str]:
    """The names of columns; InputError when one is empty or stands twice."""
    if len(set(names)) < len(names) or not all(name.strip() for name in names):
        raise InputError(place, "an empty or repeated column name", "a name of its own for each column")
    return list(names)


def no_rows(path: Path) -> InputError:
    """The error of a file without a single row."""
    return InputError(path, "no rows", "at least one", "Export the table again.")
