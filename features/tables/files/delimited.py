"""CSV files (RFC 4180) as text, every record with its line: in bulk where that is safe, else one by one."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from features.errors import InputError, NoRowsError
from features.tables.files.block import Block, check_names
from features.tables.files.bulk import read_at_once
from features.tables.files.lines import chunks, lines_of, without_first
from features.tables.files.strict import QUOTED_LINES, StrictRecords, strict_reader
from features.tables.privacy import BLANKS
from features.tables.reading import Format


def csv_header(path: Path, written: Format) -> tuple[list[str], int]:
    """The names of a CSV file's columns, and how many physical lines stand before its first row."""
    if written.delimiter in '"\r\n\0':
        raise InputError(path, f"the delimiter {written.delimiter!r}", "another sign", "Mend `format`.")
    lines = lines_of(path, written.encoding)
    skipped = sum(1 for _ in islice(lines, written.skip))
    if not written.header:
        return check_names(written.columns, path), skipped
    place = f"{path}: line {skipped + 1}"
    records = strict_reader((line.decode() for line in islice(lines, QUOTED_LINES)), written.delimiter)
    try:
        names = next(filter(None, records), None)
    except (csv.Error, UnicodeDecodeError) as error:
        found = str(error) if isinstance(error, csv.Error) else f"bytes that are no {written.encoding}"
        cure = "Mend `format` in the source file (encoding, delimiter, skip), or the file."
        raise InputError(place, found, "a header", cure) from None
    if names is None:
        raise NoRowsError(path)
    return check_names(written.columns or [name.strip(BLANKS) for name in names], place), skipped + records.line_num


def csv_blocks(path: Path, written: Format, size: int) -> Iterator[Block]:
    """The rows and misfits of a CSV file, about `size` bytes at a time, or less."""
    names, head = csv_header(path, written)
    total = path.stat().st_size
    line, rest, done = head + 1, b"", 0
    for text, done in without_first(head, chunks(path, written.encoding, size)):
        lines = rest + text
        part = read_at_once(lines, names, written.delimiter, line)
        if part is None:
            part = StrictRecords(lines, names, written.delimiter, written.encoding, line).read(last=False)
        line, rest = line + part.taken, part.rest
        yield Block(part.cells, part.lines, part.misfits, done, total)
    if rest:
        part = StrictRecords(rest, names, written.delimiter, written.encoding, line).read(last=True)
        yield Block(part.cells, part.lines, part.misfits, done, total)
