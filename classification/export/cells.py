"""From graded customers to the cells of a file, as its target wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from classification.export.base import Base
from classification.export.target import Column, File, Target
from classification.months import CLASS

CONTROLS = r"[\x00-\x1f\x7f-\x9f\x{2028}\x{2029}\x{fffe}\x{ffff}]"
"""What would end a line, or cannot stand in XML: a cell is one line of text."""

FORMULA = r"^[=+\-@＝＋－＠]"
"""How a text begins that a spreadsheet takes for a formula, in the letters of Chinese and Japanese keyboards too; a tab
and a line's end are blanks by then. OWASP, CSV injection."""

DATES = {"yyyy-MM-dd": "%Y-%m-%d", "dd.MM.yyyy": "%d.%m.%Y", "MM/dd/yyyy": "%m/%d/%Y"}
WIDEST = {"csv": None, "json": None, "xlsx": 32_767}
"""The most characters in a cell of each kind of file."""

BATCH = 50_000
"""Rows that are written together."""

FIXED = pa.decimal128(38, 6)
"""Numbers as they are written, never with an exponent."""

DECIMALS = 2
"""Digits after the point of a number of which nothing is said."""


def cells(base: Base, file: File, target: Target) -> pa.Table:
    """The rows of a file, a column per header: texts, numbers, days and yes or no, null for none.

    A column of plays is left out where nobody says what the plays are.
    """
    objects = base.grades["no_marketing"].combine_chunks()
    found = {}
    for column in file.columns:
        if column.kind == "play" and column.name not in base.plays:
            continue
        values = _values(column, base)
        if pa.types.is_string(values.type) and column.source != "id":
            values = _each(values, partial(_fitted, column=column, target=target))
        found[column.header] = pc.if_else(objects, pa.scalar(None, values.type), values) if column.marketing else values
    return pa.table(found)


def can_hold(ids: pa.Array, target: Target, column: Column | None = None) -> pa.Array:
    """Whether a column can hold each id as it is; not where it is null. An id is never changed, for the target knows
    the customer by it."""
    kept = pc.equal(_fitted(ids, column, target), ids)
    return pc.fill_null(pc.and_(kept, pc.not_equal(ids, "")), False)


def clean(texts: pa.Array, target: Target) -> pa.Array:
    """Texts as the target takes them: one line, without the characters it refuses, and no formulas. JSON takes all."""
    if target.file == "json":
        return texts
    texts = pc.replace_substring_regex(texts, CONTROLS, " ")
    for letter in target.refused:
        texts = pc.replace_substring(texts, letter, " ")
    texts = pc.utf8_trim_whitespace(texts)
    if target.file == "csv" and target.formulas == "prefix":
        risky = pc.match_substring_regex(texts, FORMULA)
        texts = pc.if_else(risky, pc.binary_join_element_wise("'", texts, ""), texts)
    return texts


def written(table: pa.Table, target: Target) -> Iterator[pa.Table]:
    """Cells as texts, BATCH rows at a time: numbers with a point, days and yes or no as the target writes them; null
    stays null. One empty table for none."""
    for start in range(0, max(1, table.num_rows), BATCH):
        rows = table.slice(start, BATCH)
        yield pa.table({name: _text(rows[name], target) for name in rows.column_names})


def _values(column: Column, base: Base) -> pa.Array:
    match column.kind:
        case "id":
            return base.ids
        case "other_ids":
            return base.other_ids
        case "play":
            values = base.plays[column.name]
            return values if column.values is None else _each(values, lambda texts: _words(texts, column.values, texts))
        case "class" | "name":
            return _class(column, base)
        case "score" | "percentile":
            return _number(base.grades[f"{column.kind}_{column.name}"].combine_chunks(), column, base.decimals)
        case "month" | "release" | "scheme":
            said = {"month": base.month.name, "release": base.month.release, "scheme": base.month.scheme}
            return pa.repeat(said[column.source], len(base.ids))
        case _:
            return base.grades[column.source].combine_chunks()


def _class(column: Column, base: Base) -> pa.Array:
    dimension = base.scheme.dimensions[column.name]
    classes = base.grades[f"{CLASS}{column.name}"].combine_chunks()
    if column.kind == "name":
        return _each(classes, lambda codes: pa.array(map(dimension.name_of, codes.to_pylist()), pa.string()))
    return classes if column.values is None else _each(classes, lambda codes: _words(codes, column.values, None))


def _words(texts: pa.Array, words: Mapping[str, str] | None, other: pa.Array | None) -> pa.Array:
    """The target's word for each text, `other` or null where it has none."""
    found = pa.array([(words or {}).get(text) for text in texts.to_pylist()], pa.string())
    return found if other is None else pc.coalesce(found, other)


def _number(values: pa.Array, column: Column, decimals: int) -> pa.Array:
    """Rounded as it is written, so that what is the same on paper is no change."""
    values = pc.if_else(pc.is_finite(values), values, pa.scalar(None, pa.float64()))
    match column.unit:
        case "percent":
            values = pc.multiply(values, 100.0)
        case "money":
            values = pc.divide(values, 10.0**decimals)
    return pc.round(values, ndigits=_digits(column, decimals))


def _digits(column: Column, decimals: int) -> int:
    return column.digits if column.digits is not None else decimals if column.unit == "money" else DECIMALS


def _text(values: pa.ChunkedArray, target: Target) -> pa.ChunkedArray:
    if pa.types.is_boolean(values.type):
        return pc.if_else(values, target.yes, target.no)
    if pa.types.is_date(values.type):
        return pc.strftime(values, format=DATES[target.dates])
    if pa.types.is_floating(values.type):
        return pc.replace_substring_regex(values.cast(FIXED).cast(pa.string()), r"\.?0+$", "")
    return values.cast(pa.string())


def _fitted(texts: pa.Array, column: Column | None, target: Target) -> pa.Array:
    """Texts as the target takes them, none longer than the column."""
    texts, widths = clean(texts, target), (column.length if column else None, WIDEST[target.file])
    most = min((width for width in widths if width), default=None)
    if most is None:
        return texts
    short = pc.binary_join_element_wise(pc.utf8_slice_codeunits(texts, 0, most - 1), "…", "")
    return pc.if_else(pc.greater(pc.utf8_length(texts), most), short, texts)


def _each(texts: pa.Array, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """`change` of every distinct text, once."""
    coded = texts.dictionary_encode()
    return change(coded.dictionary).take(coded.indices)
