"""What a reader of a company's file gives: blocks of cells as they stand, and the records that are no rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from features.errors import InputError

MISFIT_BYTES = 250
"""What a misfit takes in memory beside its text."""

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


@dataclass(frozen=True)
class Part:
    """The records of some lines.

    lines: as in a Block. taken: how many physical lines the records are. rest: the lines after them, the beginning of
    a record whose end is still to come.
    """

    cells: pa.Table
    lines: pa.Array
    misfits: tuple[Misfit, ...]
    taken: int
    rest: bytes = b""


class DamagedError(Exception):
    """A file ends or changes where it may not; the message says how."""


def merged(blocks: Iterator[Block], size: int) -> Iterator[Block]:
    """The same records in blocks of `size` bytes or somewhat more; the last one may be smaller."""
    waiting: list[Block] = []
    weight = 0
    for block in blocks:
        waiting.append(block)
        weight += block.cells.nbytes + sum(len(misfit.text) + MISFIT_BYTES for misfit in block.misfits)
        if weight >= size:
            yield _merge(waiting)
            waiting, weight = [], 0
    if waiting:
        yield _merge(waiting)


def _merge(blocks: list[Block]) -> Block:
    cells = pa.concat_tables([block.cells for block in blocks])
    lines = pa.concat_arrays([block.lines for block in blocks])
    misfits = tuple(misfit for block in blocks for misfit in block.misfits)
    return Block(cells, lines, misfits, blocks[-1].done, blocks[-1].total)


def text_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> pa.Table:
    """Rows of text, each as wide as the names."""
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table([pa.array(column, pa.string()) for column in columns], names=list(names))


def wrong_width(cells: int, columns: int) -> str:
    """What is wrong with a record of `cells` cells."""
    return f"{cells} {'cell' if cells == 1 else 'cells'} instead of {columns}"


def check_names(names: Sequence[str], place: str | Path) -> list[str]:
    """The names of columns; InputError when one is empty or stands twice."""
    if len(set(names)) < len(names) or not all(name.strip() for name in names):
        raise InputError(place, "an empty or repeated column name", "a name of its own for each column")
    return list(names)
