"""How a file is written, seen from its first bytes: encoding, delimiter, the lines before the header, the header."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import charset_normalizer
import pyarrow as pa
import python_calamine

from features.errors import InputError
from features.tables.files.block import DamagedError
from features.tables.files.lines import LONGEST_LINE, is_utf8, unpacked
from features.tables.infer.words import WORDS, says
from features.tables.sources import Format

HEAD = 1 << 18
"""Bytes from which the dialect is guessed."""
LOOKED_THROUGH = 64 << 20
"""Bytes that are tried for their encoding."""
FEWEST_ALIKE = 0.9
"""Share of the records that must have the same number of cells."""

NO_TABLE = (
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"SQLite format 3", "an SQLite database"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
)
ENCODINGS = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp850", "gb18030", "big5", "shift_jis", "euc_kr"]
BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
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


def sniff(path: Path) -> Sniffed:
    """How a file is written. Raises InputError for one that is no table."""
    head = _head(path)
    for magic, what in NO_TABLE:
        if head.startswith(magic):
            raise _no_table(path, what)
    if not head.strip(b"\x00\r\n\t \xef\xbb\xbf"):
        raise _no_table(path, "an empty file")
    if head.startswith(b"PAR1"):
        return Sniffed(Format(type="parquet"), "its first bytes say Parquet")
    if head.startswith(WORKBOOKS):
        return _workbook(path)
    encoding, why = _encoding(path, head)
    text = _text(head, encoding, path)
    if text.lstrip()[:1] in ("<", "{") or re.match(r"\s*\[\s*[{\[]", text):
        raise _no_table(path, "a web page or XML" if text.lstrip().startswith("<") else "JSON")
    lines = list(io.StringIO(text, newline=""))
    if len(head) >= HEAD and len(lines) > 1:
        lines = lines[:-1]
    return _dialect(path, lines, encoding, why)


def _no_table(path: Path, what: str) -> InputError:
    return InputError(path, what, "a table: CSV, Excel, Parquet or columns parted by blanks", "Export the table again.")


def _pieces(path: Path) -> Iterator[bytes]:
    """The bytes of a file, unpacked, piece by piece."""
    if not path.is_file():
        raise InputError(path, "no such file", "a file of a table, or a folder of such files")
    try:
        with pa.OSFile(str(path)) as file:
            read = unpacked(file, path)
            yield from iter(lambda: read(HEAD), b"")
    except DamagedError as error:
        raise InputError(path, str(error), "a whole file", "Export or copy it again.") from None


def _head(path: Path) -> bytes:
    """The first bytes, unpacked; of a workbook as they are."""
    with contextlib.suppress(FileNotFoundError, IsADirectoryError), path.open("rb") as file:
        start = file.read(4)
        if start in WORKBOOKS:
            return start
    head = b""
    for piece in _pieces(path):
        head += piece
        if len(head) >= HEAD:
            break
    return head[:HEAD]


def _encoding(path: Path, head: bytes) -> tuple[str, str]:
    """The encoding, and why."""
    for bom, name in BOMS:
        if head.startswith(bom):
            return name, f"it begins with the mark of {name}"
    if b"\x00" in head:
        zeros = head[1:2000:2].count(0), head[0:2000:2].count(0)
        if max(zeros) > 0.7 * len(head[:2000]) / 2 and min(zeros) < 0.05 * len(head[:2000]):
            return ("utf-16-le" if zeros[0] > zeros[1] else "utf-16-be"), "every other byte is zero"
        raise _no_table(path, "a binary file")
    strange = _lines_not_utf8(path)
    if not strange:
        return "utf-8", ""
    found = charset_normalizer.from_bytes(b"".join(strange), cp_isolation=ENCODINGS).best()
    if found is None or found.encoding == "cp1252" or "cp1252" in found.could_be_from_charset:
        return "cp1252", "it is not UTF-8; Windows wrote it, most likely"
    return codecs.lookup(found.encoding).name, f"it is not UTF-8, and reads as {found.encoding}"


def _lines_not_utf8(path: Path) -> list[bytes]:
    """Some of the lines with letters beyond ASCII, if the file is not UTF-8; else none."""
    strange: list[bytes] = []
    sound, seen, begun = True, 0, b""
    for piece in chain(_pieces(path), [b"\n"]):
        *lines, begun = (begun + piece).split(b"\n")
        found = [line for line in lines if not line.isascii()]
        sound = sound and all(map(is_utf8, found))
        strange = [*strange, *(line[:1000] for line in found)][-2000:]
        seen += len(piece)
        if seen > LOOKED_THROUGH or (not sound and len(strange) == 2000) or len(begun) > LONGEST_LINE:
            break
    return [] if sound else strange


def _text(head: bytes, encoding: str, path: Path) -> str:
    text = head.decode(encoding, errors="replace").removeprefix("\ufeff")
    odd = sum(1 for c in text[:20000] if (c < " " and c not in "\t\r\n\f\x1a") or c == "\ufffd")
    if odd > 0.02 * len(text[:20000]) + 2:
        raise _no_table(path, "a binary file")
    return text


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


def _dialect(path: Path, lines: list[str], encoding: str, why: str) -> Sniffed:
    ranked = []
    for rank, (delimiter, called) in enumerate(DELIMITERS.items()):
        records = _records(lines, delimiter)
        body = _body(records)
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
        return _with_header(records, body, written, said)
    split = [(n, line.split()) for n, line in enumerate(lines) if line.strip()]
    body = _body(split)
    if body is None or body + 1 == len(split):
        raise _no_table(path, "no lines of cells, as many in each")
    return _with_header(split, body, {"type": "whitespace", "encoding": encoding}, ["blanks part the cells", why])


_PARTING = {
    delimiter: re.compile(r"(?<!\d),|,(?!\d)" if delimiter == "," else re.escape(delimiter)) for delimiter in DELIMITERS
}
"""Delimiters where they may part cells: a comma between digits is a number's."""


def _body(records: list[Record]) -> int | None:
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


def _with_header(records: list[Record], body: int, written: Mapping[str, object], said: list[str]) -> Sniffed:
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


def _workbook(path: Path) -> Sniffed:
    """An Excel file: the first sheet that has a table."""
    try:
        book = python_calamine.CalamineWorkbook.from_path(str(path))
        names = book.sheet_names
        sheets = {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False, nrows=1000) for name in names}
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise _no_table(path, f"no workbook that can be read ({error})") from None
    for place, (name, rows) in enumerate(sheets.items()):
        records = [(n, [str(cell) for cell in row]) for n, row in enumerate(rows) if any(cell != "" for cell in row)]
        body = _body(records)
        if body is None:
            continue
        written = {"type": "excel"} | ({"sheet": name} if place else {})
        found = _with_header(records, body, written, [f"an Excel file; its sheet '{name}'"])
        others = sum(1 for rows in sheets.values() if len(rows) > 1) - 1
        also = f"{others} other sheet(s) with rows" if others else ""
        return Sniffed(found.format, found.why, "; ".join(filter(None, [found.unsure, also])), found.named)
    raise _no_table(path, "a workbook without a table")
