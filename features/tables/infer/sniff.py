"""How a file is written, seen from its first bytes: what it is, how it is packed, in which encoding."""

from __future__ import annotations

import codecs
import contextlib
import io
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import charset_normalizer
import pyarrow as pa
import python_calamine

from features.errors import InputError
from features.tables.files.block import DamagedError
from features.tables.files.lines import LONGEST_LINE, is_utf8, unpacked
from features.tables.infer.dialect import Sniffed, body_of, dialect, with_header
from features.tables.reading import Format

HEAD = 1 << 18
"""Bytes from which the dialect is guessed."""
LOOKED_THROUGH = 64 << 20
"""Bytes that are tried for their encoding."""

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
    found = dialect(lines, encoding, why)
    if found is None:
        raise _no_table(path, "no lines of cells, as many in each")
    return found


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
    """Some of the lines with letters beyond ASCII, if they are not UTF-8; none, if all but a few damaged ones are."""
    strange: list[bytes] = []
    sound, total, seen, begun = 0, 0, 0, b""
    for piece in chain(_pieces(path), [b"\n"]):
        *lines, begun = (begun + piece).split(b"\n")
        found = [line for line in lines if not line.isascii()]
        sound, total = sound + sum(map(is_utf8, found)), total + len(found)
        strange = [*strange, *(line[:1000] for line in found)][-2000:]
        seen += len(piece)
        if seen > LOOKED_THROUGH or (sound < 0.9 * total and total > 2000) or len(begun) > LONGEST_LINE:
            break
    return strange if sound < 0.9 * total else []


def _text(head: bytes, encoding: str, path: Path) -> str:
    text = head.decode(encoding, errors="replace").removeprefix("\ufeff")
    odd = sum(1 for c in text[:20000] if (c < " " and c not in "\t\r\n\f\x1a") or c == "\ufffd")
    if odd > 0.02 * len(text[:20000]) + 2:
        raise _no_table(path, "a binary file")
    return text


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
        body = body_of(records)
        if body is None:
            continue
        written = {"type": "excel"} | ({"sheet": name} if place else {})
        found = with_header(records, body, written, [f"an Excel file; its sheet '{name}'"])
        others = sum(1 for rows in sheets.values() if len(rows) > 1) - 1
        also = f"{others} other sheet(s) with rows" if others else ""
        return Sniffed(found.format, found.why, "; ".join(filter(None, [found.unsure, also])), found.named)
    raise _no_table(path, "a workbook without a table")
