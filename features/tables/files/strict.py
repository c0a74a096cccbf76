"""CSV records one by one, by the strict rules of RFC 4180: which lines are rows, and what is wrong with the others."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from features.tables.files.block import Misfit, MisfitRule, Part, text_table, wrong_width
from features.tables.files.lines import LONGEST_LINE, is_utf8

if TYPE_CHECKING:
    import _csv

QUOTED_LINES, QUOTED_BYTES = 100, 256 << 10
"""How far a quoted cell may reach. A quote that is not closed by then was never meant to open a cell."""


def strict_reader(lines: Iterator[str], delimiter: str) -> _csv.Reader:
    """Records of lines; csv.Error where a quote is not closed, or closed within a cell."""
    csv.field_size_limit(2 * LONGEST_LINE)  # the lines are limited already
    return csv.reader(lines, delimiter=delimiter, strict=True)


class StrictRecords:
    """Sorts the records of some lines, the first of which is number `line`, into rows and misfits."""

    def __init__(self, text: bytes, names: list[str], delimiter: str, encoding: str, line: int) -> None:
        self.raw = text.splitlines(keepends=True)
        self.lines = [raw.decode("utf-8", "surrogateescape") for raw in self.raw]
        self.bad = set() if is_utf8(text) else {i for i, raw in enumerate(self.raw) if not is_utf8(raw)}
        self.names, self.delimiter, self.encoding, self.line = names, delimiter, encoding, line
        self.rows: list[list[str]] = []
        self.numbers: list[int] = []
        self.misfits: list[Misfit] = []
        self.start = self.at = 0  # of the record being read: its first line, and the line after those read so far

    def read(self, last: bool) -> Part:
        """All records. Unless no lines come after these, one that is still open at their end is the rest."""
        while self.start < len(self.lines):
            self.at = self.start
            try:
                for cells in strict_reader(self._feed(), self.delimiter):
                    self._take(cells)
                    self.start = self.at
            except csv.Error:
                if self.at == len(self.lines) and not last and not self._too_long():
                    break
                self.at = self.start + 1  # only this line is lost: reading goes on with the next
                self._misfit("a quote that is not closed, or closed within a cell", "broken-quotes")
                self.start = self.at
        cells, lines = text_table(self.names, self.rows), pa.array(self.numbers, pa.int64())
        return Part(cells, lines, tuple(self.misfits), self.start, b"".join(self.raw[self.start :]))

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
        if len(cells) != len(self.names) or self._undecodable():
            self._misfit(wrong_width(len(cells), len(self.names)), "wrong-width")
        else:
            self.rows.append(cells)
            self.numbers.append(self.line + self.start)

    def _undecodable(self) -> bool:
        return bool(self.bad) and any(i in self.bad for i in range(self.start, self.at))

    def _misfit(self, found: str, rule: MisfitRule) -> None:
        if self._undecodable():
            found, rule = f"bytes that are no {self.encoding}", "undecodable"
        text = b"".join(self.raw[self.start : self.at]).decode("utf-8", "replace")
        self.misfits.append(Misfit(self.line + self.start, text.rstrip("\r\n"), found, rule))
