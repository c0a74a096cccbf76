"""Files whose cells are parted by runs of blanks, one record a line."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import compute

from features.tables.files.block import Block, Misfit, check_names, wrong_width
from features.tables.files.lines import chunks, is_utf8, line_spans, lines_of, without_first
from features.tables.reading import Format


def spaced_header(path: Path, written: Format) -> tuple[list[str], int]:
    """The names of the columns, which the source file gives, and how many lines stand before the first row."""
    head = written.skip
    if written.header:
        below = islice(lines_of(path, written.encoding), head, None)
        head += next((number for number, line in enumerate(below, 1) if line.strip()), 0)
    return check_names(written.columns, path), head


def spaced_blocks(path: Path, written: Format, size: int) -> Iterator[Block]:
    """The rows and misfits of the file, about `size` bytes at a time, or less."""
    names, head = spaced_header(path, written)
    total = path.stat().st_size
    line = head + 1
    for text, done in without_first(head, chunks(path, written.encoding, size)):
        starts, stops = line_spans(text)
        offsets = np.append(starts, len(text)).astype(np.int32)
        lines = pa.StringArray.from_buffers(len(starts), pa.py_buffer(offsets), pa.py_buffer(text))
        trimmed = compute.ascii_trim_whitespace(lines)
        cells = compute.ascii_split_whitespace(trimmed)
        widths = compute.list_value_length(cells).to_numpy()
        blank = compute.binary_length(trimmed).to_numpy() == 0
        good = (widths == len(names)) & ~blank
        if not is_utf8(text):
            good &= [is_utf8(text[start:stop]) for start, stop in zip(starts, stops, strict=True)]
        misfits = tuple(
            _misfit(text[starts[i] : stops[i]], line + i, int(widths[i]), names, written.encoding)
            for i in np.flatnonzero(~good & ~blank).tolist()
        )
        table = _table(cells.filter(pa.array(good)), names)
        yield Block(table, pa.array(np.flatnonzero(good) + line), misfits, done, total)
        line += len(starts)


def _table(rows: pa.ListArray, names: list[str]) -> pa.Table:
    cells = rows.flatten()
    columns = [cells.take(pa.array(np.arange(i, len(cells), len(names)))) for i in range(len(names))]
    return pa.table(columns, names=names)


def _misfit(text: bytes, line: int, width: int, names: list[str], encoding: str) -> Misfit:
    if is_utf8(text):
        return Misfit(line, text.decode(), wrong_width(width, len(names)), "wrong-width")
    return Misfit(line, text.decode("utf-8", "replace"), f"bytes that are no {encoding}", "undecodable")
