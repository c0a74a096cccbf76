"""CSV records by Arrow's parser, many at once, where it is certain to read them as they are written.

Arrow takes `"q"r` for `qr`, and an open quote for closed when the text ends. So it is asked only where every quote
opens a cell, closes one, or is doubled inside one; then, where a record starts follows from counting quotes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from features.tables.files.block import Misfit, Part, wrong_width
from features.tables.files.lines import BOM, Positions, count_lines, is_utf8, line_spans
from features.tables.files.strict import QUOTED_BYTES, QUOTED_LINES

Flags = npt.NDArray[np.bool_]


def read_at_once(text: bytes, names: list[str], delimiter: str, line: int) -> Part | None:
    """The records of whole lines, the first of which is number `line`. None: they must be read one by one."""
    if not delimiter.isascii() or text.startswith(BOM) or not is_utf8(text):
        return None
    quotes = _quotes(text, delimiter)
    text, rest = _cut(text, quotes)
    quotes = quotes[: np.searchsorted(quotes, len(text))]
    if not text or _too_long(rest) or not _well_quoted(text, quotes, delimiter):
        return None
    odd: list[tuple[int, int]] = []
    try:
        cells = _parse(text, names, delimiter, odd)
    except pa.ArrowInvalid:
        return None
    taken = count_lines(text)
    if cells.num_rows == taken:
        return Part(cells, pa.array(np.arange(line, line + taken)), (), taken, rest)
    starts, stops, first = _records(text, quotes)
    lines = np.diff(np.append(first, taken))
    written = np.flatnonzero(starts < stops)
    if len(written) != cells.num_rows + len(odd) or np.any((lines > 1) & _beyond(lines, stops - starts)):
        return None
    wrong = written[[record - 1 for record, _ in odd]]
    misfits = [
        Misfit(line + before, text[start:stop].decode(), wrong_width(width, len(names)), "wrong-width")
        for before, start, stop, (_, width) in zip(
            first[wrong].tolist(), starts[wrong].tolist(), stops[wrong].tolist(), odd, strict=True
        )
    ]
    rows = np.setdiff1d(written, wrong, assume_unique=True)
    return Part(cells, pa.array(first[rows] + line), tuple(misfits), taken, rest)


def _parse(text: bytes, names: list[str], delimiter: str, odd: list[tuple[int, int]]) -> pa.Table:
    """The records of the right width as text; of the others the number, from 1, and the width go into `odd`."""

    def skip(row: csv.InvalidRow) -> str:
        odd.append((row.number, row.actual_columns))
        return "skip"

    return csv.read_csv(
        pa.BufferReader(text),
        csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=names),
        csv.ParseOptions(delimiter=delimiter, invalid_row_handler=skip),
        csv.ConvertOptions(
            check_utf8=False, column_types=dict.fromkeys(names, pa.string()), null_values=[], strings_can_be_null=False
        ),
    )


def _quotes(text: bytes, delimiter: str) -> Positions:
    """Where the quotes are; none of them counts where none opens a cell."""
    if b'"' not in text:
        return np.empty(0, np.int64)
    characters = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(characters == ord('"'))
    opens = _limits(delimiter)[characters[quotes - 1]]
    return quotes if opens.any() or quotes[0] == 0 else quotes[:0]


def _limits(delimiter: str) -> Flags:
    """Of all bytes those that end a cell."""
    limits = np.zeros(256, np.bool_)
    limits[[ord(delimiter), ord("\n"), ord("\r")]] = True
    return limits


def _well_quoted(text: bytes, quotes: Positions, delimiter: str) -> bool:
    """Whether quotes of even number, from 0, open a cell or are the second of a pair, and the others close one or are
    the first of a pair."""
    if not len(quotes):
        return True
    characters, limits = np.frombuffer(text, np.uint8), _limits(delimiter)
    opening, closing = quotes[0::2], quotes[1::2]
    if len(opening) > len(closing):
        return False
    opens = limits[characters[opening - 1]]
    opens[0] |= opening[0] == 0
    closes = limits[characters[np.minimum(closing + 1, len(text) - 1)]]
    closes[-1] |= closing[-1] == len(text) - 1
    paired = opening[1:] == closing[:-1] + 1
    return bool(opens[0] and closes[-1] and np.all(paired | (opens[1:] & closes[:-1])))


def _records(text: bytes, quotes: Positions) -> tuple[Positions, Positions, Positions]:
    """Where each record starts, where it stops, and how many physical lines are before it.

    A line that ends after an odd number of quotes ends inside a cell. If it is the last, there is one stop less.
    """
    starts, stops = line_spans(text)
    inside = np.searchsorted(quotes, stops) % 2 == 1
    first = np.flatnonzero(~np.append(False, inside[:-1]))
    return starts[first], stops[~inside], first


def _cut(text: bytes, quotes: Positions) -> tuple[bytes, bytes]:
    """The records that end, and the beginning of one that does not."""
    if len(quotes) % 2 == 0:
        return text, b""
    start = int(_records(text, quotes)[0][-1])
    return text[:start], text[start:]


def _beyond(lines: Positions, size: Positions) -> Flags:
    return (lines > QUOTED_LINES) | (size > QUOTED_BYTES)


def _too_long(rest: bytes) -> bool:
    return len(rest) > QUOTED_BYTES or count_lines(rest) >= QUOTED_LINES
