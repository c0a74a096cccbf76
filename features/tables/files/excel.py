"""Sheets of workbooks (.xlsx, .xlsb, .xls, .ods): values as text. A sheet is read whole, as its format demands."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, time, timedelta
from itertools import islice
from pathlib import Path

import pyarrow as pa
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from features.errors import InputError, NoRowsError
from features.tables.files.block import Block, DamagedError, Misfit, check_names, text_table, wrong_width
from features.tables.privacy import BLANKS
from features.tables.reading import Format

ROWS = 1 << 13
"""Rows in a block."""

MOST_CELLS = 1 << 26
"""Cells from the first to the last one in use, empty ones included, each of 32 bytes: 2 GiB."""

Row = tuple[int, list[str]]
"""Number of the row in its sheet, from 1, and its cells up to the last one with something in it."""


def excel_columns(path: Path, written: Format) -> list[str]:
    """The names of the columns of a sheet."""
    return _header(_rows(_sheet(path, written), written.skip), path, written)


def excel_blocks(path: Path, written: Format) -> Iterator[Block]:
    """The rows of a sheet. Empty rows are none; a row with something right of the last column is a misfit."""
    sheet = _sheet(path, written)
    rows = _rows(sheet, written.skip)
    names = _header(rows, path, written)
    total = (sheet.end or (-1, 0))[0] + 1
    while some := list(islice(rows, ROWS)):
        good = [(number, cells) for number, cells in some if len(cells) <= len(names)]
        misfits = [
            Misfit(number, ",".join(cells), wrong_width(len(cells), len(names)), "wrong-width")
            for number, cells in some
            if len(cells) > len(names)
        ]
        table = text_table(names, [cells + [""] * (len(names) - len(cells)) for _, cells in good])
        lines = pa.array([number for number, _ in good], pa.int64())
        yield Block(table, lines, tuple(misfits), some[-1][0], total)


def _sheet(path: Path, written: Format) -> CalamineSheet:
    """The sheet that the source file names, or the first."""
    _check_size(path)
    try:
        book = CalamineWorkbook.from_path(path)
        if not book.sheet_names or written.sheet not in (None, *book.sheet_names):
            wanted = f"one of the sheets: {', '.join(book.sheet_names)}"
            raise InputError(path, f"no sheet '{written.sheet}'", wanted, "Mend `format.sheet` in the source file.")
        return book.get_sheet_by_name(written.sheet or book.sheet_names[0])
    except CalamineError as error:
        raise DamagedError(f"a workbook that cannot be read ({error})") from None
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # of Rust: no Exception, but of this one file
            raise DamagedError("a damaged workbook") from None
        raise


def _check_size(path: Path) -> None:
    """Refuse an .xlsx with a sheet so wide and long that it cannot be held, before it is."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as parts:
            for name in parts.namelist():
                if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name):
                    with parts.open(name) as sheet:
                        _check_dimension(path, sheet.read(1 << 12))
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError) as error:
        raise DamagedError(f"a damaged workbook ({error})") from None


def _check_dimension(path: Path, beginning: bytes) -> None:
    last = re.search(rb'<dimension ref="(?:[A-Z]+\d+:)?([A-Z]{1,3})(\d{1,7})"', beginning)
    if last is None:
        return
    column, row = 0, int(last[2])
    for letter in last[1]:
        column = column * 26 + letter - ord("A") + 1
    if row * column > MOST_CELLS:
        cure = "Delete the empty rows and columns around the table, or export it as CSV."
        raise InputError(
            path, f"a sheet of {row:,} rows and {column:,} columns", f"{MOST_CELLS:,} cells or fewer", cure
        )


def _rows(sheet: CalamineSheet, skip: int) -> Iterator[Row]:
    """The rows below the first `skip` that are not empty, up to their last cell that is not."""
    for number, values in enumerate(sheet.iter_rows(), 1):
        cells = [_text(value) for value in values]
        while cells and not cells[-1]:
            cells.pop()
        if cells and number > skip:
            yield number, cells


def _header(rows: Iterator[Row], path: Path, written: Format) -> list[str]:
    """The names of the columns; `rows` goes on below them."""
    if not written.header:
        return check_names(written.columns, path)
    number, names = next(rows, (0, []))
    if not names:
        raise NoRowsError(path)
    return check_names(written.columns or [name.strip(BLANKS) for name in names], f"{path}: row {number}")


def _text(value: object) -> str:
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e16 else repr(value)
        case date() | time():
            return value.isoformat()
        case timedelta():
            seconds = round(value.total_seconds())
            return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        case _:
            return str(value)
