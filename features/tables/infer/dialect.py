"""How lines of text are parted into cells, where the table begins in them, and whether its first line is a header."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from features.tables.infer.words import WORDS, says
from features.tables.reading import Format

FEWEST_ALIKE = 0.9
"""Share of the records that must have the same number of cells."""
DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
NUMBER = re.compile(r"[-+(]?\s*[€$£¥]?\s*\d[\d.,' \u00a0]*\)?\s*[€$£¥%-]?")
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b.*")


@dataclass(frozen=True)
class Sniffed:
    """A file's format, why, and of what in it one cannot be sure. named: whether the file names its columns."""

    format: Format
    why: str
    unsure: str = ""
    named: bool = True


Record = tuple[int, list[str]]
"""The number of physical lines before a record, and its cells."""


def _records(lines: list[str], delimiter: str) -> list[Record]:
    reader = csv.reader(lines, delimiter=delimiter)
    records, before = [], 0
    try:
        for cells in reader:
            if cells and any(cell.strip() for cell in cells):
                records.append((before, cells))
            before = reader.line_num
    except csv.Error:
        return records
    return records


def dialect(lines: list[str], encoding: str, why: str) -> Sniffed | None:
    """How lines of text are parted into cells; None where they are no table. why: of the encoding."""
    ranked = []
    for rank, (delimiter, called) in enumerate(DELIMITERS.items()):
        records = _records(lines, delimiter)
        body = body_of(records)
        if body is not None:
            width = len(records[body][1])
            mixed = max(
                sum(any(sign.search(cell) for cell in cells) for _, cells in records[body:])
                for other, sign in _PARTING.items()
                if other != delimiter
            )
            plain = mixed < 0.5 * len(records[body:])
            ranked.append(((plain, -body, width, -rank), delimiter, called, records, body))
    if ranked:
        _, delimiter, called, records, body = max(ranked)
        written: dict[str, object] = {"delimiter": delimiter, "encoding": encoding}
        said = [f"{called} parts the cells", why]
        return with_header(records, body, written, said)
    split = [(n, line.split()) for n, line in enumerate(lines) if line.strip()]
    body = body_of(split)
    if body is None or body + 1 == len(split):
        return None
    return with_header(split, body, {"type": "whitespace", "encoding": encoding}, ["blanks part the cells", why])


_PARTING = {
    delimiter: re.compile(r"(?<!\d),|,(?!\d)" if delimiter == "," else re.escape(delimiter)) for delimiter in DELIMITERS
}
"""Delimiters where they may part cells: a comma between digits is a number's."""


def body_of(records: list[Record]) -> int | None:
    """The place of the first record of the table itself, its header; None when the records are no table."""
    widths = Counter(len(cells) for _, cells in records if len(cells) > 1)
    if not widths:
        return None
    width = max(widths, key=lambda w: (widths[w], w))
    first = next(i for i, (_, cells) in enumerate(records) if len(cells) == width)
    alike = sum(len(cells) == width for _, cells in records[first:])
    if alike < FEWEST_ALIKE * len(records[first:]):
        return None
    filled = sorted(sum(1 for cell in cells if cell.strip()) for _, cells in records[first:])
    usual = filled[len(filled) // 2]
    while first + 1 < len(records) and sum(1 for cell in records[first][1] if cell.strip()) * 2 < usual:
        first += 1  # a title above the table, in a line filled up with empty cells
    return first


def with_header(records: list[Record], body: int, written: Mapping[str, object], said: list[str]) -> Sniffed:
    """The format, when the table begins at record `body`."""
    skip, first = records[body]
    below = [cells for _, cells in records[body + 1 :][:1000]]
    named, certain = _is_header(first, below)
    if skip:
        said.append(f"{skip} {'line stands' if skip == 1 else 'lines stand'} above the table")
    if not named:
        said.append("no header: the first line reads like the others")
    names = [cell.strip() for cell in first]
    proper = named and len(set(names)) == len(names) and all(names)
    if named and not proper:
        said.append("names for columns without one of their own")
    columns: tuple[str, ...] = ()
    if not proper:
        columns = _own_names(names if named else [""] * len(names))
    elif written.get("type") == "whitespace":
        columns = tuple(names)
    found = Format.model_validate({**written, "header": named, "skip": skip, "columns": columns})
    unsure = "" if certain else "whether the first line is a header"
    return Sniffed(found, "; ".join(filter(None, said)), unsure, named)


def _own_names(names: list[str]) -> tuple[str, ...]:
    taken: list[str] = []
    for i, name in enumerate(names, 1):
        taken.append(name if name and name not in taken and names.count(name) == 1 else f"column_{i}")
    return tuple(taken)


def _is_header(first: list[str], below: list[list[str]]) -> tuple[bool, bool]:
    """Whether the first record names the columns, and whether that is certain."""
    points = 0.0
    for i, cell in enumerate(first):
        column = [cells[i].strip() for cells in below if len(cells) > i and cells[i].strip()]
        if _shape(cell) != "text":
            points -= 1.5 if cell.strip() else 0.2
            continue
        shapes = [_shape(each) for each in column]
        if shapes and sum(shape != "text" for shape in shapes) > 0.8 * len(shapes):
            points += 2
        if any(says(cell, words) for words in WORDS.values()):
            points += 1
        if cell.strip() in column:
            points -= 1
    return points > 0 or not below, abs(points) >= 1


def _shape(cell: str) -> str:
    cell = cell.strip()
    return "empty" if not cell else "number" if NUMBER.fullmatch(cell) or DATE.fullmatch(cell) else "text"
