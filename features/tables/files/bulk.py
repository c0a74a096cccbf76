"""CSV records by Arrow's parser, many at once, where it is certain to read them as they are written.

Arrow takes `"q"r` for `qr`, and an open quote for closed when the text ends. So it is asked only where every quote
opens a cell, closes one, or is doubled inside one; then, where a record starts follows from counting quotes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from features.tables.files.block import Misfit, Part, wrong_width
from features.tables.files.lines import BOM, Positions, count_lines, is_utf8, line_spans
from features.tables.files.strict import QUOTED_BYTES, QUOTED_LINES

Flags = npt.NDArray[np.bool_]


class Records(NamedTuple):
    """Where each record starts and stops, how many physical lines are before it, and in it."""

    starts: Positions
    stops: Positions
    before: Positions
    lines: Positions


def read_at_once(text: bytes, names: list[str], delimiter: str, line: int) -> Part | None:
    """The records of whole lines, the first of which is number `line`. None: they must be read one by one."""
    if not delimiter.isascii() or text.startswith(BOM) or not is_utf8(text):
        return None
    quotes = _quotes(text, delimiter)
    text, rest = _cut(text, quotes)
    quotes = quotes[: np.searchsorted(quotes, len(text))]
    if not text or not _well_quoted(text, quotes, delimiter):
        return None
    odd: list[tuple[int, int]] = []
    try:
        cells = _parse(text, names, delimiter, odd)
    except pa.ArrowInvalid:
        return None
    taken = count_lines(text)
    if cells.num_rows == taken:
        return Part(cells, pa.array(np.arange(line, line + taken)), (), taken, rest)
    records = _records(text, quotes)
    if len(records.starts) != cells.num_rows + len(odd) or _overlong(records):
        return None
    misfits, rows = _misfits(text, records, odd, line, len(names)), np.delete(records.before, [i for i, _ in odd])
    return Part(cells, pa.array(rows + line), misfits, taken, rest)


def _parse(text: bytes, names: list[str], delimiter: str, odd: list[tuple[int, int]]) -> pa.Table:
    """The records of the right width as text; of the others the number, from 0, and the width go into `odd`."""

    def skip(row: csv.InvalidRow) -> str:
        odd.append((row.number - 1, row.actual_columns))
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


def _records(text: bytes, quotes: Positions) -> Records:
    """The records that are not blank; the last one may be unfinished."""
    starts, stops = line_spans(text)
    inside = np.searchsorted(quotes, stops) % 2 == 1  # after an odd number of quotes a line ends within a cell
    first = np.flatnonzero(~np.append(False, inside[:-1]))
    last = np.append(first[1:], len(stops)) - 1
    starts, stops = starts[first], stops[last]
    written = starts < stops
    return Records(starts[written], stops[written], first[written], (last - first + 1)[written])


def _overlong(records: Records) -> bool:
    """Whether one goes over more lines, or is longer over several, than a quoted cell may."""
    size = records.stops - records.starts
    return bool(np.any((records.lines > 1) & ((records.lines > QUOTED_LINES) | (size > QUOTED_BYTES))))


def _misfits(text: bytes, records: Records, odd: list[tuple[int, int]], line: int, columns: int) -> tuple[Misfit, ...]:
    where = [i for i, _ in odd]
    starts, stops, before, _ = (positions[where].tolist() for positions in records)
    return tuple(
        Misfit(line + earlier, text[start:stop].decode(), wrong_width(width, columns), "wrong-width")
        for start, stop, earlier, (_, width) in zip(starts, stops, before, odd, strict=True)
    )


def _cut(text: bytes, quotes: Positions) -> tuple[bytes, bytes]:
    """The records that end, and the beginning of one that does not."""
    if len(quotes) % 2 == 0:
        return text, b""
    start = int(_records(text, quotes).starts[-1])
    return text[:start], text[start:]
