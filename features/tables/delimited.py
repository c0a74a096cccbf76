"""CSV (RFC 4180) as text, block by block, every record with its line.

Two ways read the same rows. Arrow's parser reads a block at once where every record is one line and every quote stands
where a writer would have put it. Elsewhere, a megabyte at a time, Python's strict one reads record by record, and
says which of them are none.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from features.errors import InputError
from features.tables.blocks import Block, Misfit, MisfitRule, check_names, no_rows, text_table, wrong_width
from features.tables.lines import (
    BOM,
    LONGEST_LINE,
    PIECE,
    after,
    chunks,
    count_lines,
    is_utf8,
    line_spans,
    lines_of,
    whole_lines,
)
from features.tables.privacy import BLANKS
from features.tables.sources import Format

if TYPE_CHECKING:
    import _csv

QUOTED_LINES, QUOTED_BYTES = 100, 256 << 10
"""How far a quoted cell may reach. A quote that is not closed by then was never meant to open a cell."""

Part = tuple[pa.Table, pa.Array, tuple[Misfit, ...]]


def header(path: Path, written: Format) -> tuple[list[str], int]:
    """The names of a CSV file's columns, and how many physical lines stand before its first row."""
    if written.delimiter in '"\r\n':
        raise InputError(path, f"the delimiter {written.delimiter!r}", "another sign", "Mend `format`.")
    lines = lines_of(path, written.encoding)
    skipped = sum(1 for _ in islice(lines, written.skip))
    if not written.header:
        return check_names(written.columns, path), skipped
    place = f"{path}: line {skipped + 1}"
    reader = _reader((line.decode() for line in islice(lines, QUOTED_LINES)), written.delimiter)
    try:
        names = next(filter(None, reader), None)
    except (csv.Error, UnicodeDecodeError) as error:
        found = str(error) if isinstance(error, csv.Error) else f"bytes that are no {written.encoding}"
        cure = "Mend `format` in the source file (encoding, delimiter, skip), or the file."
        raise InputError(place, found, "a header", cure) from None
    if names is None:
        raise no_rows(path)
    return check_names(written.columns or [name.strip(BLANKS) for name in names], place), skipped + reader.line_num


def csv_blocks(path: Path, written: Format, size: int) -> Iterator[Block]:
    """The rows and misfits of a CSV file, about `size` bytes at a time."""
    names, head = header(path, written)
    total = path.stat().st_size
    parser = _Parser(names, written, head + 1)
    for text, done in after(head, chunks(path, written.encoding, size)):
        for part in parser.parse(text):
            yield Block(*part, done, total)
    for part in parser.finish():
        yield Block(*part, total, total)


@dataclass
class _Parser:
    """Goes through a file. line: number of the next physical line. rest: a record whose end is still to come."""

    names: list[str]
    written: Format
    line: int
    rest: bytes = field(default=b"", repr=False)

    def parse(self, text: bytes) -> Iterator[Part]:
        """The next whole lines of the file; what is left of them waits in `rest`."""
        text = self._with_rest(text)
        part = self._at_once(text) if len(text) > PIECE else None
        if part is not None:
            yield part
            return
        slices = (text[i : i + PIECE] for i in range(0, len(text), PIECE))
        for piece in whole_lines(slices, PIECE):
            lines = self._with_rest(piece)
            part = self._at_once(lines) or self._by_record(lines, last=False)
            if part[0].num_rows or part[2]:
                yield part

    def finish(self) -> Iterator[Part]:
        """What was left when the file ended."""
        if self.rest:
            yield self._by_record(self._with_rest(b""), last=True)

    def _with_rest(self, text: bytes) -> bytes:
        text, self.rest = self.rest + text, b""
        return text

    def _at_once(self, text: bytes) -> Part | None:
        """All records by Arrow's parser; None where it might read them otherwise than they are written."""
        delimiter = self.written.delimiter
        if not delimiter.isascii() or text.startswith(BOM) or not is_utf8(text) or not _well_quoted(text, delimiter):
            return None
        odd: list[tuple[int, int]] = []
        try:
            cells = _arrow(text, self.names, delimiter, odd)
        except pa.ArrowInvalid:
            return None
        count = count_lines(text)
        numbers = np.arange(self.line, self.line + count)
        misfits: tuple[Misfit, ...] = ()
        if odd or cells.num_rows < count:
            starts, stops = line_spans(text)
            written = np.flatnonzero(starts < stops)
            if cells.num_rows + len(odd) != len(written):
                return None  # a record of several lines
            where = written[[record - 1 for record, _ in odd]]
            misfits = tuple(
                Misfit(self.line + i, text[start:stop].decode(), wrong_width(width, len(self.names)), "wrong-width")
                for i, start, stop, (_, width) in zip(
                    where.tolist(), starts[where].tolist(), stops[where].tolist(), odd, strict=True
                )
            )
            numbers = numbers[np.setdiff1d(written, where, assume_unique=True)]
        self.line += count
        return cells, pa.array(numbers), misfits

    def _by_record(self, text: bytes, last: bool) -> Part:
        """One record after another. Unless these lines are the last, an unfinished record goes into `rest`."""
        records = _Records(text, self.names, self.written, self.line)
        left = records.read(last)
        self.line += left
        self.rest = b"".join(records.raw[left:])
        columns = list(zip(*records.rows, strict=True)) or [()] * len(self.names)
        return text_table(self.names, columns), pa.array(records.numbers, pa.int64()), tuple(records.misfits)


class _Records:
    """The records of some lines."""

    def __init__(self, text: bytes, names: list[str], written: Format, line: int) -> None:
        self.raw = text.splitlines(keepends=True)
        self.lines = [line.decode("utf-8", "surrogateescape") for line in self.raw]
        self.bad = {i for i, line in enumerate(self.raw) if not is_utf8(line)} if not is_utf8(text) else set()
        self.width, self.written, self.line = len(names), written, line
        self.rows: list[list[str]] = []
        self.numbers: list[int] = []
        self.misfits: list[Misfit] = []
        self.start = self.at = 0  # the record being read: its first line, the line after its last one so far

    def read(self, last: bool) -> int:
        """Sort all records into rows and misfits. Returns how many lines they were: all, if these are the `last`."""
        while self.start < len(self.lines):
            self.at = self.start
            try:
                for cells in _reader(self._feed(), self.written.delimiter):
                    self._take(cells)
                    self.start = self.at
            except csv.Error:
                if self.at == len(self.lines) and not last and not self._too_long():
                    break
                self.at = self.start + 1
                self._misfit("a quote that is not closed, or closed within a cell", "broken-quotes")
                self.start = self.at
        return self.start

    def _feed(self) -> Iterator[str]:
        while self.at < len(self.lines) and not self._too_long():
            self.at += 1
            yield self.lines[self.at - 1]

    def _too_long(self) -> bool:
        lines = self.at - self.start
        return lines >= QUOTED_LINES or (lines > 0 and sum(map(len, self.raw[self.start : self.at])) > QUOTED_BYTES)

    def _take(self, cells: list[str]) -> None:
        if not cells:  # a blank line
            return
        if len(cells) != self.width or self._undecodable():
            self._misfit(wrong_width(len(cells), self.width), "wrong-width")
        else:
            self.rows.append(cells)
            self.numbers.append(self.line + self.start)

    def _undecodable(self) -> bool:
        return bool(self.bad) and any(i in self.bad for i in range(self.start, self.at))

    def _misfit(self, found: str, rule: MisfitRule) -> None:
        if self._undecodable():
            found, rule = f"bytes that are no {self.written.encoding}", "undecodable"
        text = b"".join(self.raw[self.start : self.at]).decode("utf-8", "replace")
        self.misfits.append(Misfit(self.line + self.start, text.rstrip("\r\n"), found, rule))


def _reader(lines: Iterator[str], delimiter: str) -> _csv.Reader:
    csv.field_size_limit(2 * LONGEST_LINE)
    return csv.reader(lines, delimiter=delimiter, strict=True)


def _arrow(text: bytes, names: list[str], delimiter: str, odd: list[tuple[int, int]]) -> pa.Table:
    """The records of the right width as text; of the others the number, from 1, and the width go into `odd`."""

    def skip(row: arrow_csv.InvalidRow) -> str:
        odd.append((row.number, row.actual_columns))
        return "skip"

    return arrow_csv.read_csv(
        pa.BufferReader(text),
        arrow_csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=names),
        arrow_csv.ParseOptions(delimiter=delimiter, invalid_row_handler=skip),
        arrow_csv.ConvertOptions(
            check_utf8=False, column_types=dict.fromkeys(names, pa.string()), null_values=[], strings_can_be_null=False
        ),
    )


def _well_quoted(text: bytes, delimiter: str) -> bool:
    """Whether every quote opens a cell, closes one, or is doubled inside one.

    Then the quotes of even number, from 0, open a cell or are the second of a pair, and the others close one or are
    the first of a pair; a cell opens after the sign that ends another, and closes before it.
    """
    if b'"' not in text:
        return True
    characters = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(characters == ord('"'))
    if len(quotes) % 2:
        return False
    limit = np.zeros(256, bool)
    limit[[ord(delimiter), ord("\n"), ord("\r")]] = True
    opening, closing = quotes[0::2], quotes[1::2]
    opens = limit[characters[opening - 1]]
    closes = limit[characters[np.minimum(closing + 1, len(text) - 1)]]
    opens[0] |= opening[0] == 0
    closes[-1] |= closing[-1] == len(text) - 1
    paired = opening[1:] == closing[:-1] + 1
    return bool(opens[0] and closes[-1] and np.all(paired | (opens[1:] & closes[:-1])))
