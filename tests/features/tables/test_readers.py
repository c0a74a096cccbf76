"""Files as companies write them: every record is a row or a misfit, with its line, and none is altered."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import lzma
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import astuple
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.errors import InputError
from features.tables.readers import Block, Misfit, columns_of, read_blocks, table_files
from features.tables.reading import FileTable, Format
from tests.conftest import real_data
from tests.workbooks import Cell, packed, sheet_xml, workbook

Row = tuple[int, tuple[Any, ...]]
"""Line and cells."""

Write = Callable[[bytes], Path]
BLOCK = 16 << 20


@pytest.fixture(scope="session")
def write(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Writes a file, the same one each time; its name says nothing of its format."""
    path = tmp_path_factory.mktemp("files") / "table"

    def write(content: bytes) -> Path:
        path.write_bytes(content)
        return path

    return write


def read(path: Path, size: int = BLOCK, **written: Any) -> tuple[list[Row], list[Misfit]]:
    """All rows and misfits of a file."""
    blocks = list(read_blocks(path, Format.model_validate(written), size))
    return rows_of(blocks), [misfit for block in blocks for misfit in block.misfits]


def rows_of(blocks: list[Block]) -> list[Row]:
    """The rows of blocks; what a Block promises is checked on the way."""
    assert all(block.total == blocks[0].total and block.cells.schema == blocks[0].cells.schema for block in blocks)
    assert [block.done for block in blocks] == sorted(block.done for block in blocks)
    assert not blocks or blocks[-1].done == blocks[-1].total
    assert all(block.lines.type == pa.int64() and len(block.lines) == len(block.cells) for block in blocks)
    for block in blocks:
        block.cells.validate(full=True)
    cells = [tuple(row.values()) for block in blocks for row in block.cells.to_pylist()]
    return list(zip([line for block in blocks for line in block.lines.to_pylist()], cells, strict=True))


def names(width: int) -> tuple[str, ...]:
    return tuple(f"c{i}" for i in range(width))


# --- well-formed CSV -------------------------------------------------------------------------------------------------

ALPHABET = st.sampled_from(list("abé€😀\"',;\t |\n\r\0\ufeff\x1c\u2028"))
CELLS = st.text(ALPHABET, max_size=5) | st.text(ALPHABET, max_size=2).map(lambda text: text * 9)
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\r\n\r\n"])


@st.composite
def well_formed(draw: st.DrawFn) -> tuple[str, str, int]:
    """A CSV text, its delimiter and its width. Cells are quoted where they must be, and where the writer likes."""
    delimiter, width = draw(st.sampled_from(",;\t|§")), draw(st.integers(1, 4))
    text = ""
    for row in draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=12)):
        cells = []
        for cell in row:
            needed = cell.startswith(('"', "\ufeff")) or any(sign in cell for sign in (delimiter, "\n", "\r"))
            quoted = needed or draw(st.booleans())
            cells.append('"' + cell.replace('"', '""') + '"' if quoted else cell)
        text += delimiter.join(cells) + draw(ENDS)
    text = text if draw(st.booleans()) else text.rstrip("\r\n")
    return draw(st.sampled_from(["", "\ufeff"])) + text, delimiter, width


def by_csv_module(text: str, delimiter: str) -> Iterator[Row]:
    """What Python's own reader makes of it."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    for cells in reader:
        if cells:
            yield line, tuple(cells)
        line = reader.line_num + 1


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(well_formed(), st.integers(1, 60) | st.just(BLOCK))
def test_well_formed_csv_reads_as_the_csv_module_reads_it(
    write: Write, written: tuple[str, str, int], size: int
) -> None:
    """Whatever is quoted, whatever ends a line, and wherever a block is cut."""
    text, delimiter, width = written
    expected = list(by_csv_module(text.removeprefix("\ufeff"), delimiter))
    path = write(text.encode())
    form = {"delimiter": delimiter, "header": False, "columns": names(width)}
    if not expected:
        with pytest.raises(InputError, match="no rows"):
            read(path, size, **form)
        return
    assert read(path, size, **form) == (expected, [])


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80) | st.text('ab,"\n\r', max_size=80).map(str.encode), st.integers(1, 40))
def test_where_a_block_is_cut_changes_nothing(write: Write, content: bytes, size: int) -> None:
    """Of any file, well-formed or not."""

    def outcome(size: int) -> object:
        try:
            return read(path, size, header=False, columns=names(2))
        except InputError as error:
            return error.found

    path = write(content)
    assert outcome(size) == outcome(BLOCK)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text('ab,;"é ', max_size=7), min_size=1, max_size=30), st.integers(1, 3), st.integers(1, 99))
def test_every_line_is_in_one_record(write: Write, lines: list[str], width: int, size: int) -> None:
    """A row or a misfit, in the order of the file: nothing is lost, nothing is there twice."""
    path = write("\n".join(lines).encode())
    if not any(lines):
        return
    rows, misfits = read(path, size, header=False, columns=names(width))
    check_lines([line.encode() for line in lines], rows, misfits)


def check_lines(lines: list[bytes], rows: list[Row], misfits: list[Misfit]) -> None:
    """Each line that is not blank is in exactly one row or misfit."""
    taken = [line + i for line, cells in rows for i in range(1 + sum(line_ends(cell) for cell in cells))]
    taken += [misfit.line + i for misfit in misfits for i in range(1 + line_ends(misfit.text))]
    assert len(set(taken)) == len(taken)
    written = {number for number, line in enumerate(lines, 1) if line}
    assert written <= set(taken)
    assert all(not lines[number - 1] for number in set(taken) - written), "a line that is none"


def line_ends(text: str) -> int:
    return len(re.findall("\r\n|\n|\r", text))


# --- CSV that is not well-formed -------------------------------------------------------------------------------------

MISFITS: dict[str, tuple[bytes, list[Row], list[tuple[int, str, str]]]] = {
    "too few cells": (b"a,b\nc\nd,e\n", [(1, ("a", "b")), (3, ("d", "e"))], [(2, "c", "1 cell instead of 2")]),
    "too many, and blank lines": (
        b"\n\na,b\r\n\r\nc,d,e\r\n\nf,g",
        [(3, ("a", "b")), (7, ("f", "g"))],
        [(5, "c,d,e", "3 cells instead of 2")],
    ),
    "too many, quoted over lines": (
        b'"a\nb",c,d\r\ne,f\n',
        [(3, ("e", "f"))],
        [(1, '"a\nb",c,d', "3 cells instead of 2")],
    ),
    "a quote closed within a cell": (b'a,"q"r\nb,c\n', [(2, ("b", "c"))], [(1, 'a,"q"r', "closed within a cell")]),
    "a blank before a quote": (b'a, "q"\n"b" ,c\nd,e', [(1, ("a", ' "q"')), (3, ("d", "e"))], [(2, '"b" ,c', "quote")]),
    "an open quote": (b'a,"b\nc,d\ne,f\n', [(2, ("c", "d")), (3, ("e", "f"))], [(1, 'a,"b', "not closed")]),
    "an open quote at the end": (b'a,b\nc,"d\n', [(1, ("a", "b"))], [(2, 'c,"d', "not closed")]),
    "an inch and an open quote": (b'5" nail,b\nc,"d\n', [(1, ('5" nail', "b"))], [(2, 'c,"d', "not closed")]),
    "a quote in a cell that is not quoted": (b'5" nail,b"\nc,d\n', [(1, ('5" nail', 'b"')), (2, ("c", "d"))], []),
    "inches beside quoted cells": (b'5" nail,"b"\n"c",d\n', [(1, ('5" nail', "b")), (2, ("c", "d"))], []),
    "bytes that are no UTF-8": (
        b"a,b\nc\xff,d\n\"e\n\xff\",f\ng,h\n",
        [(1, ("a", "b")), (5, ("g", "h"))],
        [(2, "c\ufffd,d", "no utf-8"), (3, '"e\n\ufffd",f', "no utf-8")],
    ),
    "zero bytes": (b"a\0b,\0\n\0,c\n", [(1, ("a\0b", "\0")), (2, ("\0", "c"))], []),
    "a mark of order in the middle": (b"a,b\n\xef\xbb\xbfc,d\n", [(1, ("a", "b")), (2, ("\ufeffc", "d"))], []),
    "an old Mac's lines": (b'a,b\rc,"d\re"\r\rf,g', [(1, ("a", "b")), (2, ("c", "d\re")), (5, ("f", "g"))], []),
    "empty cells": (b',""\n"",\n,\n', [(1, ("", "")), (2, ("", "")), (3, ("", ""))], []),
}  # fmt: skip


@pytest.mark.parametrize("size", [1, 8, BLOCK])
@pytest.mark.parametrize("case", MISFITS)
def test_a_misfit_costs_no_other_line(case: str, size: int, write: Write) -> None:
    content, rows, misfits = MISFITS[case]
    found = read(write(content), size, header=False, columns=names(2))
    assert found[0] == rows
    assert [(misfit.line, misfit.text) for misfit in found[1]] == [(line, text) for line, text, _ in misfits]
    assert all(why in misfit.found for misfit, (_, _, why) in zip(found[1], misfits, strict=True))


@pytest.mark.parametrize("size", [1, 3000, BLOCK])
def test_a_quoted_cell_has_a_hundred_lines_at_most(size: int, write: Write) -> None:
    """A quote that is open for longer was never meant: only its own line is lost."""
    note = 'x,"' + "\n".join("abc" for _ in range(100)) + '"\ny,1\n'
    assert [line for line, _ in read(write(note.encode()), size, header=False, columns=names(2))[0]] == [1, 101]
    note = note.replace('x,"abc', 'x,"abc\nabc')
    rows, misfits = read(write(note.encode()), size, header=False, columns=names(2))
    assert [line for line, _ in rows] == [102]
    assert (misfits[0].line, misfits[0].rule, len(misfits)) == (1, "broken-quotes", 101)


def test_an_open_quote_does_not_hold_up_a_file(write: Write) -> None:
    """What follows it comes block by block, and not when the file has been searched for its end."""
    path = write(b'a,"b\n' + b"1,2\n" * 500_000)
    blocks = read_blocks(path, Format(header=False, columns=names(2)), 1 << 16)
    first = next(blocks)
    assert first.misfits[0].line == 1
    assert first.done < first.total / 2
    assert len(first.cells) + sum(len(block.cells) for block in blocks) == 500_000


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_large_file_has_lines_whatever_ends_them(end: bytes, write: Write) -> None:
    rows, misfits = read(write(b"a,b" + end + (b"some text,more" + end) * 400_000), 1 << 20)
    assert (len(rows), misfits, rows[-1]) == (400_000, [], (400_001, ("some text", "more")))


def test_a_cell_of_many_kilobytes_is_a_cell(write: Write) -> None:
    for cell in ("x" * 300_000, '"' + "x" * 300_000 + '"', '"' + "x\n" * 90 + "y" * 200_000 + '"'):
        rows, misfits = read(write(f'a,{cell}\nb,"c"\nd,5"\n'.encode()), header=False, columns=names(2))
        assert (len(rows), misfits) == (3, [])
        assert rows[0][1][1] == cell.strip('"')


# --- headers, encodings, compression ---------------------------------------------------------------------------------


def test_a_header_names_the_columns(write: Write) -> None:
    path = write('\ufeffid , "full\nname",id2\n1,2,3\n'.replace(', "', ',"').encode())
    assert columns_of(path, Format()) == ["id", "full\nname", "id2"]
    assert read(path) == ([(3, ("1", "2", "3"))], [])


@pytest.mark.parametrize(
    ("content", "written", "rows"),
    [
        (b"a,b\n1,2\n", {}, [(2, ("1", "2"))]),
        (b"report of May\n\n\na,b\n1,2\n", {"skip": 1}, [(5, ("1", "2"))]),
        (b"a,b\n1,2\n", {"columns": ("x", "y")}, [(2, ("1", "2"))]),
        (b"a,b\n1,2\n", {"columns": ("x", "y"), "header": False}, [(1, ("a", "b")), (2, ("1", "2"))]),
        (b"skip\nthis\n1,2\n", {"columns": ("x", "y"), "header": False, "skip": 2}, [(3, ("1", "2"))]),
    ],
)
@pytest.mark.parametrize("size", [1, BLOCK])
def test_lines_before_the_rows_are_none(
    size: int, content: bytes, written: dict[str, Any], rows: list[Row], write: Write
) -> None:
    assert read(write(content), size, **written) == (rows, [])


@pytest.mark.parametrize(
    ("content", "written", "found"),
    [
        (b"", {}, "no rows"),
        (b"\n\n", {}, "no rows"),
        (b"a,b\n", {}, "no rows"),
        (b"a,b", {"skip": 7}, "no rows"),
        (b"a,b\n\n\n", {}, "no rows"),
        (b"a,a\n1,2\n", {}, "line 1\n.*empty or repeated"),
        (b"x\na,\n1,2\n", {"skip": 1}, "line 2\n.*empty or repeated"),
        (b'a,"b\n1,2\n', {}, "line 1\n.*unexpected end"),
        (b"a,\xff\n1,2\n", {}, "line 1\n.*no utf-8"),
        ("a,b\n1,2\n".encode("utf-16"), {}, "line 1\n.*no utf-8"),
        (b"a,b\n1,2\n", {"delimiter": '"'}, "delimiter"),
        (b"a,b\n1,2\n", {"encoding": "hex"}, "cannot be read as hex"),
        (b"PK\x03\x04.......", {}, "an archive or an Excel workbook"),
        (b"a,b\n" + b"x" * (5 << 20), {}, "a line of more than 4 MB"),
        (b"", {"type": "whitespace", "columns": ("a",)}, "no rows"),
        (b"", {"type": "parquet"}, "found"),
        (b"PAR1 no parquet at all PAR1", {"type": "parquet"}, "found"),
        (b"", {"type": "excel"}, "a workbook that cannot be read"),
        (b"PK\x03\x04.......", {"type": "excel"}, "a workbook that cannot be read"),
    ],
)
def test_a_file_that_is_no_table_is_refused(content: bytes, written: dict[str, Any], found: str, write: Write) -> None:
    with pytest.raises(InputError, match=f"(?s)table.*{found}"):
        read(write(content), **written)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize("size", [1, 5, BLOCK])
def test_an_encoding_changes_nothing(encoding: str, size: int, write: Write) -> None:
    text = 'name,city\r\n"Müller\r\nSöhne",Köln\r\nŽižka,€\r\n'
    path = write(text.encode(encoding))
    assert columns_of(path, Format(encoding=encoding)) == ["name", "city"]
    assert read(path, size, encoding=encoding)[0] == [(2, ("Müller\r\nSöhne", "Köln")), (4, ("Žižka", "€"))]


def test_a_mark_of_order_is_no_text(write: Write) -> None:
    for encoding, mark in (
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
    ):
        path = write(mark + '"a",b\n1,2\n'.encode(encoding))
        assert columns_of(path, Format(encoding=encoding)) == ["a", "b"]
        form = {"encoding": encoding, "header": False, "columns": names(2)}
        assert read(path, 1, **form)[0] == [(1, ("a", "b")), (2, ("1", "2"))]


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("cp1252", b"a,b\n1,2\n\x81,3\n4,5\n"),
        ("utf-16-le", "a,b\n1,2\n".encode("utf-16-le") + b"\x00\xd8" + ",3\n4,5\n".encode("utf-16-le")),
        ("gbk", b"a,b\n1,2\n\xff,3\n4,5\n"),
    ],
)
@pytest.mark.parametrize("size", [1, BLOCK])
def test_bytes_without_meaning_cost_their_line(encoding: str, content: bytes, size: int, write: Write) -> None:
    rows, misfits = read(write(content), size, encoding=encoding)
    assert rows == [(2, ("1", "2")), (4, ("4", "5"))]
    assert [astuple(m) for m in misfits] == [(3, "\ufffd,3", f"bytes that are no {encoding}", "undecodable")]


def zstd(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


PACKERS = {"gzip": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zstd": zstd}


@pytest.mark.parametrize("packer", PACKERS)
def test_compression_is_seen_from_the_file(packer: str, write: Write) -> None:
    """Also when the file is several streams, one after the other, as tools append them."""
    lines = [f"{i},{i * i}" for i in range(20_000)]
    first, second = ("\n".join(lines[:9000]) + "\n").encode(), "\n".join(lines[9000:]).encode()
    path = write(PACKERS[packer](b"a,b\n" + first) + PACKERS[packer](second))
    for size in (1 << 12, BLOCK):
        rows, misfits = read(path, size)
        assert rows == [(i + 2, (str(i), str(i * i))) for i in range(20_000)]
        assert misfits == []


@pytest.mark.parametrize("packer", PACKERS)
def test_a_cut_off_file_is_refused_after_what_it_has(packer: str, write: Write) -> None:
    lines = "".join(f"{i * 7919 % 100_003},{i}\n" for i in range(200_000))
    whole = PACKERS[packer](("a,b\n" + lines).encode())
    for damaged in (whole[:-3], whole + b"garbage", whole[: len(whole) // 2]):
        with pytest.raises(InputError, match=rf"a damaged {packer} file \(.*\), after [\d,]+ records"):
            read(write(damaged), 1 << 16)


def test_a_bomb_does_not_go_off(write: Write) -> None:
    """400 MB of one line, and 40 MB of no lines, in a few hundred kilobytes."""
    zeros = gzip.compress(bytes(1 << 20), 9)
    with pytest.raises(InputError, match="a line of more than 4 MB"):
        read(write(gzip.compress(b"a,b\n1,2\n") + zeros * 400))
    blank = gzip.compress(b"\n" * (1 << 20), 9)
    assert read(write(gzip.compress(b"a,b\n1,2\n") + blank * 40))[0] == [(2, ("1", "2"))]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """150 MB of quoted text, some of it over several lines, in blocks of 16 MB: less than 200 MB more than before."""
    lines = b"".join(b'"C%07d","2026-03-10","a note\nof two lines",12.50,"x ""y"""\n' % i for i in range(100_000))
    with (tmp_path / "big.csv").open("wb") as file:
        file.write(b"a,b,c,d,e\n")
        for _ in range(25):
            file.write(lines)
    program = """if True:
        import resource, sys
        from pathlib import Path
        import pandas  # which Arrow imports by itself
        from features.tables.readers import read_blocks
        from features.tables.reading import Format
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rows = sum(len(block.cells) for block in read_blocks(Path(sys.argv[1]), Format()))
        print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
    """
    run = [sys.executable, "-c", program, str(tmp_path / "big.csv")]
    rows, megabytes = map(int, subprocess.run(run, check=True, capture_output=True, text=True).stdout.split())
    assert rows == 2_500_000
    assert megabytes < 200


# --- other formats ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, BLOCK])
def test_runs_of_blanks_part_cells(size: int, write: Write) -> None:
    path = write(b" id  day\r\n\r\n  007   19970101 \r\n\t8\t9\n1\n1 2 3\n\xff 4\n5 6")
    rows, misfits = read(path, size, type="whitespace", columns=("id", "day"))
    assert rows == [(3, ("007", "19970101")), (4, ("8", "9")), (8, ("5", "6"))]
    assert [(m.line, m.text, m.found, m.rule) for m in misfits] == [
        (5, "1", "1 cell instead of 2", "wrong-width"),
        (6, "1 2 3", "3 cells instead of 2", "wrong-width"),
        (7, "\ufffd 4", "bytes that are no utf-8", "undecodable"),
    ]


SHEET: dict[int, list[Cell]] = {
    2: ["id", "when", "what "],
    3: [12, date(2026, 3, 1), "a"],
    4: [12.5, datetime(2026, 3, 1, 14, 30), True],
    5: [],
    6: [None, time(14, 30), " x "],
    7: [1e22, timedelta(hours=30, minutes=5), -3.0],
    8: ["007", None, None],
    9: ["1", "2", "3", "4"],
    10: [None, None, None],
}


def test_a_sheet_is_text(write: Write) -> None:
    """Whole numbers without .0, dates and times in ISO 8601; empty rows are none, and no cell is dropped."""
    path = write(workbook({"May": SHEET, "June": {1: ["other"], 2: ["x"]}}))
    assert columns_of(path, Format(type="excel")) == ["id", "when", "what"]
    rows, misfits = read(path, type="excel")
    assert rows == [
        (3, ("12", "2026-03-01", "a")),
        (4, ("12.5", "2026-03-01T14:30:00", "true")),
        (6, ("", "14:30:00", " x ")),
        (7, ("1e+22", "30:05:00", "-3")),
        (8, ("007", "", "")),
    ]
    assert [(m.line, m.text, m.found, m.rule) for m in misfits] == [
        (9, "1,2,3,4", "4 cells instead of 3", "wrong-width")
    ]


def test_a_sheet_has_a_name(write: Write) -> None:
    path = write(workbook({"May": SHEET, "June": {1: ["title"], 3: ["a"], 4: ["b"]}}))
    assert read(path, type="excel", sheet="June", skip=1) == ([(4, ("b",))], [])
    assert read(path, type="excel", sheet="June", header=False, columns=("x", "y"))[0][0] == (1, ("title", ""))
    with pytest.raises(InputError, match="no sheet 'July'; wanted one of the sheets: May, June"):
        read(path, type="excel", sheet="July")
    for rows in ({}, {1: ["a", "b"]}):
        with pytest.raises(InputError, match="no rows"):
            read(write(workbook({"Empty": rows})), type="excel")


def test_a_sheet_too_large_to_hold_is_refused(write: Write) -> None:
    """One cell far from the others stretches a sheet; the memory for it would end the process."""
    sheet = sheet_xml({1: ["a"], 2: ["b"]}, dimension="A1:XFD1048576")
    with pytest.raises(InputError, match="1,048,576 rows and 16,384 columns"):
        read(write(packed({"xl/worksheets/sheet1.xml": sheet}, ["One"])), type="excel")


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    """Except that text is plain text, whatever it was kept as; rows are numbered from 1."""
    texts = ["a", None, "c"]
    table = pa.table(
        {
            "n": pa.array([1, 2, 3], pa.int32()),
            "t": pa.array([0, 1, 2], pa.timestamp("us", "UTC")),
            "list": pa.array([[1], [], None], pa.list_(pa.int64())),
            "plain": pa.array(texts),
            "large": pa.array(texts, pa.large_string()),
            "view": pa.array(texts, pa.string_view()),
            "few": pa.array(texts).dictionary_encode(),
            "numbers": pa.array([7, 7, None]).dictionary_encode(),
        }
    )
    path = tmp_path / "t.parquet"
    pq.write_table(table, path)
    for size in (1, BLOCK):
        blocks = list(read_blocks(path, Format(type="parquet"), size))
        found = pa.concat_tables([block.cells for block in blocks])
        assert rows_of(blocks) == [(i, tuple(row.values())) for i, row in enumerate(table.to_pylist(), 1)]
        assert found.schema.types[:3] == table.schema.types[:3]
        assert [str(t) for t in found.schema.types[3:]] == ["string"] * 4 + ["int64"]
    assert columns_of(path, Format(type="parquet")) == table.column_names
    pq.write_table(table[:0], path)
    with pytest.raises(InputError, match="no rows"):
        read(path, type="parquet")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError):
        columns_of(path, Format(type="parquet"))


# --- which files -----------------------------------------------------------------------------------------------------


def table(*files: str) -> FileTable:
    return FileTable(name="orders", files=files)


def test_a_folder_stands_for_its_files(tmp_path: Path) -> None:
    (tmp_path / "daily" / "more").mkdir(parents=True)
    for name in ("b.csv", "a.csv", ".hidden.csv", "[1]*.csv"):
        (tmp_path / "daily" / name).touch()
    (tmp_path / "all[1]*.csv").touch()
    files = table_files(table("all[1]*.csv", "daily/"), tmp_path)
    assert [str(file.relative_to(tmp_path)) for file in files] == [
        "all[1]*.csv",
        "daily/[1]*.csv",
        "daily/a.csv",
        "daily/b.csv",
    ]


def test_a_file_that_is_not_there_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"(?s)orders\.csv.*Name the folder of the files with --raw\."):
        table_files(table("orders.csv"), tmp_path)
    (tmp_path / "order.csv").touch()
    (tmp_path / "daily").mkdir()
    (tmp_path / "daily" / ".hidden").touch()
    for name in ("orders.csv", "*.csv", "daily"):
        with pytest.raises(InputError, match=r"no such file; wanted a file of table 'orders'(?s:.*)order\.csv"):
            table_files(table(name), tmp_path)
    for name in ("daily/", "weekly/"):
        with pytest.raises(InputError, match="no files; wanted the files of table 'orders'"):
            table_files(table(name), tmp_path)


# --- real files ------------------------------------------------------------------------------------------------------

REAL = {
    "accounts_receivable/WA_Fn-UseC_-Accounts-Receivable.csv.gz": ",",
    "bank_marketing/bank-additional-full.csv.gz": ";",
    "berka/district.asc.gz": ";",
    "berka/trans_head_1993-01_1994-03.asc.gz": ";",
    "credit_card_default_taiwan/default_of_credit_card_clients.csv.gz": ",",
    "grocery_elog/groceryElog.csv.gz": ",",
    "online_shoppers/online_shoppers_intention.csv.gz": ",",
    "telco_churn/Telco-Customer-Churn.csv.gz": ",",
}


@pytest.mark.real
@pytest.mark.parametrize("file", REAL)
def test_real_files_read_as_pandas_reads_them(file: str) -> None:
    path = real_data(file) / Path(file).name
    expected = pd.read_csv(path, sep=REAL[file], dtype=str, keep_default_na=False)
    blocks = list(read_blocks(path, Format(delimiter=REAL[file]), 1 << 16))
    found = pa.concat_tables([block.cells for block in blocks])
    assert not any(block.misfits for block in blocks)
    assert found.column_names == list(expected.columns)
    assert all(found[name].to_pylist() == expected[name].tolist() for name in expected.columns)
    assert rows_of(blocks)[-1][0] == len(expected) + 1


@pytest.mark.real
def test_real_files_of_other_formats_read_whole() -> None:
    cdnow = read(real_data("cdnow/CDNOW_master.txt.gz") / "CDNOW_master.txt.gz", type="whitespace", columns=names(4))
    assert (len(cdnow[0]), cdnow[1], cdnow[0][0]) == (69_659, [], (2, ("00001", "19970101", "1", "11.77")))
    retail = real_data("online_retail/online_retail.parquet") / "online_retail.parquet"
    assert sum(len(block.cells) for block in read_blocks(retail, Format(type="parquet"), 1 << 20)) == 541_909


def test_a_parquet_file_with_a_damaged_text_is_refused(tmp_path: Path) -> None:
    """One byte that makes a text no UTF-8, in a page without a checksum: Parquet itself does not notice."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": ["abc", "bcd", "cde"]}), path, compression="none", use_dictionary=False)
    assert b"bcd" in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(b"bcd", b"\xffcd", 1))
    with pytest.raises(InputError, match="UTF8"):
        list(read_blocks(path, Format(type="parquet"), 1000))
