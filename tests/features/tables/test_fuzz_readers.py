"""Whatever a file holds, reading it ends soon, with rows or with a message. FUZZ_SECONDS of tries."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import re
import signal
from collections.abc import Iterator
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.errors import InputError
from features.tables.readers import columns_of, read_blocks
from features.tables.reading import Format
from tests.features.tables.test_readers import Row, Write, check_lines, names, rows_of, write
from tests.workbooks import packed, sheet_xml, workbook

__all__ = ["write"]

SECONDS = float(os.environ.get("FUZZ_SECONDS", "60"))
HANGS = 20
"""Seconds after which reading a file of some hundred bytes hangs."""


def tries(share: float, each: float) -> settings:
    """As many examples, of `each` so many seconds, as fit into a share of the time; by default always the same."""
    return settings(
        max_examples=max(10, int(SECONDS * share / each)),
        derandomize="FUZZ_SECONDS" not in os.environ,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


CSV = (
    'customer,at,amount,note\r\n"C1",2026-03-01,12.50,"a ""good"" one"\r\nC2,2026-03-02,"1,5","two\r\nlines"\r\n'
    'Müller,2026-03-03,,5" nail\r\n\r\nC4,2026-03-04,7,\r\n'
).encode()
TSV = "id\tname\n1\tÅsa\n2\t\n3\tJosé\n" * 3
BLANKS = b" id  date n\r\n 007 19970101  2\r\n 008 19970102  1\r\n"
SHEET = {1: ["id", "day", "sum"], 2: ["a", date(2026, 3, 1), 1.5], 3: ["b", None, True], 5: ["c", date(2026, 3, 2), -2]}
EXCEL = workbook({"One": SHEET, "Two": {1: ["x"], 2: [1]}})


def parquet() -> bytes:
    sink = io.BytesIO()
    days = pa.array([20_000, 20_001, None], pa.date32())
    pq.write_table(pa.table({"id": ["a", "b", "c"], "n": [1, 2, 3], "day": days, "tags": [["x"], [], None]}), sink)
    return sink.getvalue()


FILES = [
    (CSV, {}),
    (TSV.encode(), {"delimiter": "\t"}),
    (TSV.encode("utf-16"), {"delimiter": "\t", "encoding": "utf-16"}),
    (TSV.encode("cp1252"), {"delimiter": "\t", "encoding": "cp1252"}),
    (BLANKS, {"type": "whitespace", "columns": names(3)}),
    (gzip.compress(CSV), {}),
    (gzip.compress(CSV[:90]) + gzip.compress(CSV[90:]), {}),
    (bz2.compress(CSV), {}),
    (lzma.compress(CSV), {}),
    (bytes(pa.compress(CSV, codec="zstd", asbytes=True)), {}),
    (EXCEL, {"type": "excel"}),
    (parquet(), {"type": "parquet"}),
]

ENCODINGS = (
    "utf-8 utf-8-sig ascii latin-1 cp1252 utf-16 utf-16-le utf-32 utf-7 gbk shift_jis iso2022_jp big5 koi8-r "
    + ("unicode_escape raw_unicode_escape punycode idna undefined hex zlib rot13 cp037")
)
SIGNS = st.sampled_from([b'"', b",", b"\n", b"\r", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xe2\x82", b"a", b" ", b'"\n'])
TEXTS = st.lists(SIGNS | st.binary(max_size=3), max_size=60).map(b"".join)
SIZES = st.integers(1, 64) | st.just(16 << 20)


@st.composite
def formats(draw: st.DrawFn) -> dict[str, Any]:
    """Any Format that a source file may hold."""
    columns = draw(st.just(()) | st.integers(1, 5).map(names) | st.tuples(st.text(max_size=2), st.text(max_size=2)))
    kind = draw(st.sampled_from(["csv", "csv", "csv", "whitespace", "parquet", "excel"]))
    kind = kind if columns else kind.replace("whitespace", "csv")
    return {
        "type": kind,
        "delimiter": draw(st.sampled_from(list(',;\t| "\n\r\0x§€')) | st.characters(codec="utf-8")),
        "encoding": draw(st.sampled_from(ENCODINGS.split())),
        "header": draw(st.booleans()) or (kind != "parquet" and not columns),
        "skip": draw(st.sampled_from([0, 0, 0, 1, 2, 1000])),
        "columns": columns,
        "sheet": draw(st.sampled_from([None, None, "One", "None"])),
    }


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """The file with some bytes changed, cut out or put in, and perhaps its end cut off."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.sampled_from([0, 1, 1, 2, 30]))] = draw(SIGNS | st.binary(max_size=4))
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.integers(0, 5)) == 0 else content)


@contextlib.contextmanager
def soon() -> Iterator[None]:
    """Fails where its block goes on and on."""

    def hangs(*_: object) -> None:
        raise TimeoutError(f"still reading after {HANGS} seconds")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.setitimer(signal.ITIMER_REAL, HANGS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def read_anything(path: Path, written: dict[str, Any], size: int) -> None:
    """Rows or an InputError, and nothing else; of a text file, each line in one record."""
    form = Format.model_validate(written)
    rows: list[Row] = []
    misfits = []
    with soon():
        with contextlib.suppress(InputError):
            columns_of(path, form)
        try:
            blocks = list(read_blocks(path, form, size))
        except InputError as error:
            assert error.place.startswith(str(path))
            return
        rows, misfits = rows_of(blocks), list(chain.from_iterable(block.misfits for block in blocks))
    assert rows or misfits
    content = path.read_bytes()
    if (
        form.type == "csv"
        and form.encoding == "utf-8"
        and not content.startswith((b"\x1f\x8b", b"BZh", b"\xfd7z", b"\x28\xb5"))
    ):
        first = min([line for line, _ in rows] + [misfit.line for misfit in misfits])
        lines = re.split(b"\r\n|\n|\r", content.removeprefix(b"\xef\xbb\xbf"))
        check_lines([b""] * (first - 1) + lines[first - 1 :], rows, misfits)


@tries(0.3, 0.008)
@given(TEXTS | st.binary(max_size=200), formats(), SIZES)
def test_any_bytes_in_any_format_end_well(write: Write, content: bytes, written: dict[str, Any], size: int) -> None:
    read_anything(write(content), written, size)


@tries(0.2, 0.008)
@given(TEXTS, st.integers(1, 3), SIZES)
def test_any_text_is_rows_and_misfits(write: Write, content: bytes, width: int, size: int) -> None:
    read_anything(write(content), {"header": False, "columns": names(width)}, size)


@pytest.mark.parametrize("file", range(len(FILES)))
@tries(0.4 / len(FILES), 0.01)
@given(data=st.data(), size=SIZES)
def test_a_damaged_file_ends_well(file: int, write: Write, data: st.DataObject, size: int) -> None:
    content, written = FILES[file]
    any_format = data.draw(st.booleans()) and data.draw(formats())
    read_anything(write(data.draw(damaged(content))), any_format or written, size)


@tries(0.1, 0.02)
@given(st.lists(st.tuples(st.integers(0, 600), st.text('<>/"&;#=crtv -.\0é', max_size=3)), max_size=4), SIZES)
def test_a_damaged_sheet_in_a_sound_workbook_ends_well(write: Write, changes: list[tuple[int, str]], size: int) -> None:
    xml = sheet_xml(SHEET)
    for at, text in changes:
        xml = xml[:at] + text + xml[at + 1 :]
    read_anything(write(packed({"xl/worksheets/sheet1.xml": xml}, ["One"])), {"type": "excel"}, size)
