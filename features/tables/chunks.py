"""A company's file, some lines at a time: as it came, and as SQL takes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import InputError
from features.tables.privacy import BLANKS
from features.tables.readers import Block, Misfit, read_blocks
from features.tables.reading import Format
from features.tables.sql import ident

LINES_AT_ONCE = 500_000
NUMBER = "nr"
"""The column of a chunk that says which of its lines a row is, from 0."""


@dataclass(frozen=True)
class Chunk:
    """raw: the cells as text, as they came; lines (n,): where each stands in the file; typed: the same cells without
    the blanks around them, their columns marked, and NUMBER; done of total: how much of the file is read."""

    raw: pa.Table
    lines: pa.Array
    typed: pa.Table
    misfits: tuple[Misfit, ...]
    done: int
    total: int


def read_chunks(db: duckdb.DuckDBPyConnection, path: Path, written: Format) -> Iterator[Chunk]:
    """All lines of a file, in order. Raises InputError as the readers do."""
    waiting: list[Block] = []
    for block in read_blocks(path, written):
        _check_names(block.cells.column_names, path)
        waiting.append(block)
        if sum(each.cells.num_rows for each in waiting) >= LINES_AT_ONCE:
            yield _chunk(db, waiting)
            waiting = []
    if waiting:
        yield _chunk(db, waiting)


def _check_names(columns: list[str], path: Path) -> None:
    """Refuse names that differ only in case, for SQL would silently take one column for the other."""
    known: dict[str, str] = {}
    for column in columns:
        twin = known.setdefault(column.lower(), column)
        if twin != column:
            wanted = "names that differ in more than upper and lower case"
            raise InputError(path, f"the columns '{twin}' and '{column}'", wanted, "Name one of them otherwise.")


def chunk_of(raw: pa.Table, lines: pa.Array) -> Chunk:
    """Cells of text as a chunk of their own."""
    typed = pa.table({f"={name}": _trimmed(raw[name]) for name in raw.column_names})
    numbers = pa.array(np.arange(raw.num_rows, dtype=np.int64))
    return Chunk(raw, lines, typed.append_column(NUMBER, numbers), (), 1, 1)


def _chunk(db: duckdb.DuckDBPyConnection, blocks: list[Block]) -> Chunk:
    raw = _as_text(db, pa.concat_tables([block.cells for block in blocks]))
    lines = pa.concat_arrays([block.lines for block in blocks])
    misfits = tuple(misfit for block in blocks for misfit in block.misfits)
    return replace(chunk_of(raw, lines), misfits=misfits, done=blocks[-1].done, total=blocks[-1].total)


def _as_text(db: duckdb.DuckDBPyConnection, cells: pa.Table) -> pa.Table:
    """Columns of other types (Parquet's) as DuckDB writes them."""
    if all(field.type == pa.string() for field in cells.schema):
        return cells
    db.register("cells", cells)
    texts = ", ".join(f"CAST({ident(name)} AS VARCHAR) AS {ident(name)}" for name in cells.column_names)
    found = db.sql(f"SELECT {texts} FROM cells").to_arrow_table()
    db.unregister("cells")
    return found


def _trimmed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The cells without blanks around them; most columns have none, which their first and last bytes tell."""
    return pc.utf8_trim(column, characters=BLANKS) if any(map(_may_have_blanks, column.chunks)) else column


def _may_have_blanks(cells: pa.Array) -> bool:
    _, offset_buffer, data_buffer = cells.buffers()
    if data_buffer is None or not len(cells):
        return False
    ends = np.frombuffer(offset_buffer, np.int32)[cells.offset : cells.offset + len(cells) + 1]
    data = np.frombuffer(data_buffer, np.uint8)
    filled = ends[1:] > ends[:-1]
    outer = np.concatenate([data[ends[:-1][filled]], data[ends[1:][filled] - 1]])
    return bool(((outer <= 0x20) | (outer >= 0x80)).any())
