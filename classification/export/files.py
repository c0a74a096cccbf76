"""Writing the files of an export: CSV, workbooks and lines of JSON, readable by their owner only."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from classification.export.cells import BATCH, written
from classification.export.target import Target
from features.progress import Progress, silent

WHEN = (1980, 1, 1, 0, 0, 0)
"""The date of all parts of a workbook, so that the same rows are the same bytes."""

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType='
    '"application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{TYPES}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{TYPES}.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook {MAIN} xmlns:r="{OFFICE}"><sheets>'
    '<sheet name="Sheet1" sheetId="1" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="r1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}
"""What a workbook of one sheet has beside its sheet (ECMA-376, part 1)."""


def write_cells(folder: Path, name: str, cells: pa.Table, target: Target, progress: Progress = silent) -> list[str]:
    """Write cells into new files of `folder`, as many as the target wants; returns their names. None without rows."""
    most = target.rows or (1_000_000 if target.file == "xlsx" else max(1, cells.num_rows))
    parts = range(0, cells.num_rows, most)
    ending = {"csv": "csv", "xlsx": "xlsx", "json": "jsonl"}[target.file]
    names = [f"{name}.{ending}" if len(parts) == 1 else f"{name}-{i:03d}.{ending}" for i in range(1, len(parts) + 1)]
    for start, each in zip(parts, names, strict=True):
        with _private(folder / each) as file:
            for done in WRITERS[target.file](file, cells.slice(start, most), target):
                progress(f"write {name}", start + done, cells.num_rows)
    return names


def _write_csv(file: BinaryIO, cells: pa.Table, target: Target) -> Iterator[int]:
    """RFC 4180: texts in quotation marks, those in them doubled; what is null and written as nothing has none."""
    done = 0
    file.write(b"\xef\xbb\xbf" if target.encoding == "utf-8-sig" else b"")
    for texts in written(cells, target):
        if target.null:
            texts = pa.table({name: pc.fill_null(texts[name], target.null) for name in texts.column_names})
        options = csv.WriteOptions(
            include_header=not done, delimiter=target.delimiter, quoting_style="all_valid", batch_size=BATCH
        )
        lines = io.BytesIO()
        csv.write_csv(texts, lines, options)
        file.write(lines.getvalue().replace(b"\n", target.line_end.encode()))  # a cell has no end of line
        done += texts.num_rows
        yield done


def _write_json(file: BinaryIO, cells: pa.Table, target: Target) -> Iterator[int]:
    """A line per customer: header → text, number, true or false, day as 2026-11-01, null."""
    days = [name for name in cells.column_names if pa.types.is_date(cells[name].type)]
    for name in days:
        cells = cells.set_column(cells.column_names.index(name), name, pc.strftime(cells[name], format="%Y-%m-%d"))
    for start in range(0, cells.num_rows, BATCH):
        rows = cells.slice(start, BATCH).to_pylist()
        file.write("".join(f"{json.dumps(row, ensure_ascii=False, allow_nan=False)}\n" for row in rows).encode())
        yield start + len(rows)


def _write_xlsx(file: BinaryIO, cells: pa.Table, target: Target) -> Iterator[int]:
    """A workbook of one sheet. Texts are cells of text, which no spreadsheet computes; numbers are numbers."""
    numbers = {each.name for each in cells.schema if pa.types.is_floating(each.type) or pa.types.is_integer(each.type)}
    header, done = pa.table({name: [name] for name in cells.column_names}), 0
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, text in PARTS.items():
            archive.writestr(_part(name), _xml(text))
        with archive.open(_part("xl/worksheets/sheet1.xml"), "w", force_zip64=True) as sheet:
            sheet.write(_xml(f"<worksheet {MAIN}><sheetData>"))
            sheet.write(_rows(header, 1, set(), target.null))
            for texts in written(cells, target):
                sheet.write(_rows(texts, done + 2, numbers, target.null))
                done += texts.num_rows
                yield done
            sheet.write(b"</sheetData></worksheet>")


WRITERS = {"csv": _write_csv, "json": _write_json, "xlsx": _write_xlsx}


def _rows(texts: pa.Table, first: int, numbers: set[str], null: str) -> bytes:
    """Rows of a sheet as XML; first: the number of the first row."""
    row = pa.array(range(first, first + texts.num_rows), pa.int64()).cast(pa.string())
    pieces: list[pa.Array | str] = ['<row r="', row, '">']
    for i, name in enumerate(texts.column_names):
        column = texts[name].combine_chunks()
        column = pc.fill_null(column, null) if null and name not in numbers else column
        for letter in "&<>":
            column = pc.replace_substring(column, letter, escape(letter))
        before, after = ("<v>", "</v></c>") if name in numbers else ('<is><t xml:space="preserve">', "</t></is></c>")
        kind = '">' if name in numbers else '" t="inlineStr">'
        cell = pc.binary_join_element_wise(f'<c r="{_letters(i)}', row, kind + before, column, after, "")
        pieces.append(pc.fill_null(cell, ""))
    return "\n".join(pc.binary_join_element_wise(*pieces, "</row>", "").to_pylist()).encode()


def _letters(place: int) -> str:
    """What a spreadsheet calls the column at a place, from 0: A … Z, AA …"""
    return (_letters(place // 26 - 1) if place >= 26 else "") + chr(ord("A") + place % 26)


def _part(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, WHEN)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _xml(text: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()


@contextmanager
def _private(path: Path) -> Iterator[BinaryIO]:
    """A new file that only its owner may read, on the disk when the block ends."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
