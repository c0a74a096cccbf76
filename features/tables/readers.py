"""Reading a company's files: blocks of cells as they stand, every record with its line, in bounded memory.

No record is lost or altered on the way: what is no row of the table is a Misfit, and what cannot be read at all is an
InputError.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from features.errors import InputError, NoRowsError
from features.tables.files.block import Block, DamagedError, Misfit, merged
from features.tables.files.columnar import parquet_blocks, parquet_columns
from features.tables.files.delimited import csv_blocks, csv_header
from features.tables.files.excel import excel_blocks, excel_columns
from features.tables.files.spaced import spaced_blocks, spaced_header
from features.tables.reading import Files, Format

WANTED = {"csv": "a CSV file", "whitespace": "a text file", "excel": "a workbook", "parquet": "a Parquet file"}

__all__ = ["Block", "Misfit", "columns_of", "read_blocks", "table_files"]


def table_files(table: Files, folder: Path) -> list[Path]:
    """The files of a table in `folder`: each name as it stands, and for `daily/` all visible files of that folder."""
    return [file for name in table.files for file in (_inside if name.endswith("/") else _named)(table, folder, name)]


def columns_of(path: Path, written: Format) -> list[str]:
    """The names of a file's columns. Raises InputError when it has none, or cannot be read."""
    try:
        match written.type:
            case "parquet":
                return parquet_columns(path)
            case "excel":
                return excel_columns(path, written)
            case "whitespace":
                return spaced_header(path, written)[0]
            case "csv":
                return csv_header(path, written)[0]
    except (DamagedError, OSError, pa.ArrowException, MemoryError) as error:
        raise _damaged(path, written, error, 0) from None


def read_blocks(path: Path, written: Format, block_bytes: int = 16 << 20) -> Iterator[Block]:
    """The records of a file in their order, about `block_bytes` of it at a time.

    Raises InputError when the file has no rows, or is damaged; then also after some blocks.
    """
    records = 0
    try:
        for block in _blocks(path, written, block_bytes):
            records += block.cells.num_rows + len(block.misfits)
            yield block
    except (DamagedError, OSError, pa.ArrowException, MemoryError) as error:
        raise _damaged(path, written, error, records) from None
    if not records:
        raise NoRowsError(path)


def _blocks(path: Path, written: Format, size: int) -> Iterator[Block]:
    match written.type:
        case "parquet":
            return parquet_blocks(path, size)
        case "excel":
            return merged(excel_blocks(path, written), size)
        case "whitespace":
            return merged(spaced_blocks(path, written, size), size)
        case "csv":
            return merged(csv_blocks(path, written, size), size)


def _damaged(path: Path, written: Format, error: Exception, records: int) -> InputError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    found = reason + (f", after {records:,} records" if records else "")
    return InputError(path, found, WANTED[written.type], "Mend `format` in the source file, or export it again.")


def _named(table: Files, folder: Path, name: str) -> list[Path]:
    path = folder / name
    if path.is_file():
        return [path]
    there = sorted(p.name for p in folder.iterdir())[:10] if folder.is_dir() else []
    raise InputError(
        path,
        "no such file",
        f"a file of table '{table.name}'",
        f"In {folder} there are: {', '.join(there)}." if there else "Name the folder of the files with --raw.",
    )


def _inside(table: Files, folder: Path, name: str) -> list[Path]:
    path = folder / name
    found = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")) if path.is_dir() else []
    if not found:
        wanted = f"the files of table '{table.name}'"
        raise InputError(path, "no files", wanted, "Name the folder that it lies in with --raw.")
    return found
