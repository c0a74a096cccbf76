"""Small .xlsx files for tests, written part by part (ECMA-376)."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from io import BytesIO
from xml.sax.saxutils import escape

Cell = str | bool | int | float | date | time | timedelta | None

FORMATS = {date: 14, time: 21, datetime: 22, timedelta: 46}
"""Type → the built-in number format that shows it (ECMA-376, 18.8.30)."""

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SHEETS = "application/vnd.openxmlformats-officedocument.spreadsheetml"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def workbook(sheets: Mapping[str, Mapping[int, Sequence[Cell]]]) -> bytes:
    """A workbook: name of a sheet → number of a row, from 1 → cells of the row from column A, None for an empty one."""
    return packed({f"xl/worksheets/sheet{i}.xml": sheet_xml(rows) for i, rows in enumerate(sheets.values(), 1)}, sheets)


def packed(parts: Mapping[str, str], names: Sequence[str] | Mapping[str, object]) -> bytes:
    """A workbook of ready sheets: part → its XML, in the order of the sheets' names."""
    types = "".join(
        f'<Override PartName="/{part}" ContentType="{SHEETS}.{kind}"/>'
        for part, kind in [("xl/workbook.xml", "sheet.main+xml"), *((part, "worksheet+xml") for part in parts)]
    )
    sheets = "".join(f'<sheet name="{escape(n)}" sheetId="{i}" r:id="r{i}"/>' for i, n in enumerate(names, 1))
    links = {f"r{i}": ("worksheet", part.removeprefix("xl/")) for i, part in enumerate(parts, 1)}
    default = "application/vnd.openxmlformats-package.relationships+xml"
    content = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
        f'ContentType="{default}"/><Default Extension="xml" ContentType="application/xml"/>{types}</Types>',
        "_rels/.rels": _links({"r1": ("officeDocument", "xl/workbook.xml")}),
        "xl/workbook.xml": f'<workbook {MAIN} xmlns:r="{OFFICE}"><sheets>{sheets}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": _links(links | {"styles": ("styles", "styles.xml")}),
        "xl/styles.xml": f"<styleSheet {MAIN}><cellXfs>"
        + "".join(f'<xf numFmtId="{number}"/>' for number in (0, *FORMATS.values()))
        + "</cellXfs></styleSheet>",
        **parts,
    }
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in content.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{text}')
    return file.getvalue()


def sheet_xml(rows: Mapping[int, Sequence[Cell]], dimension: str = "") -> str:
    """A sheet; `dimension` is what it says of its size, e.g. A1:C7."""
    lines = "".join(
        f'<row r="{number}">{"".join(_cell(f"{chr(65 + i)}{number}", cell) for i, cell in enumerate(cells))}</row>'
        for number, cells in rows.items()
    )
    size = f'<dimension ref="{dimension}"/>' if dimension else ""
    return f"<worksheet {MAIN}>{size}<sheetData>{lines}</sheetData></worksheet>"


def _cell(place: str, cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>'
    if isinstance(cell, bool):
        return f'<c r="{place}" t="b"><v>{int(cell)}</v></c>'
    style = list(FORMATS).index(type(cell)) + 1 if type(cell) in FORMATS else 0
    return f'<c r="{place}" s="{style}"><v>{_number(cell)!r}</v></c>'


def _number(cell: Cell) -> float:
    match cell:
        case datetime():
            return (cell - datetime(1899, 12, 30)) / timedelta(days=1)
        case date():
            return (cell - date(1899, 12, 30)).days
        case time():
            return (cell.hour * 3600 + cell.minute * 60 + cell.second) / 86400
        case timedelta():
            return cell / timedelta(days=1)
        case int() | float():
            return cell
    raise TypeError(cell)


def _links(links: Mapping[str, tuple[str, str]]) -> str:
    return (
        f'<Relationships xmlns="{PACKAGE}/relationships">'
        + "".join(
            f'<Relationship Id="{key}" Type="{OFFICE}/{kind}" Target="{target}"/>'
            for key, (kind, target) in links.items()
        )
        + "</Relationships>"
    )
