"""The SQL that types a table source's rows, and the rules they must keep."""

from __future__ import annotations

from features.errors import InputError
from features.tables.numbers import Reading, read_number
from features.tables.raw import clean, sql_condition
from features.tables.rules import LARGEST_NUMBER, RESERVED, Rule
from features.tables.sql import ident, text
from features.tables.table_source import CaseColumn, DateSplit, Label, Split, TableSource
from features.tables.typed import instant, local_day

YES, NO = ("1", "true", "t", "yes", "y"), ("0", "false", "f", "no", "n")
"""How a boolean may be written, in letters of either case."""

REPEATED_KEY = Rule("repeated-key", "quarantine", "", "one row of each key", "")
"""Which of two rows of a key is right, nothing says: the first one stays."""

MISSING_KEY = Rule("missing-key", "quarantine", "case_id IS NULL", "a key", "")

ZONE = "UTC"
"""In which the day of a split is read; it matters only where a cell says how far from UTC it is."""

WANTED = {"number": f"a number up to {LARGEST_NUMBER:.0e}", "boolean": f"one of {', '.join(YES + NO)}"}


def case_columns(source: TableSource) -> dict[str, str]:
    """Name → SQL of the label, the split and every column; null where a cell is empty, unknown or unreadable.

    `_fix` is the id of the first rule that mended a cell, null when the line was read as it came.
    """
    coded = {"label": source.label, "split": source.split}
    typed = {name: _side(part) if part else "NULL" for name, part in coded.items()}
    read = {name: _read(column, source) for name, column in source.columns.items()}
    mended = [instant(source.split, ZONE).fix] if isinstance(source.split, DateSplit) else []
    fixes = ", ".join([*mended, *(each.fix for each in read.values())])
    return (
        {"label": f"CAST({typed['label']} AS TINYINT)", "split": f"CAST({typed['split']} AS VARCHAR)"}
        | {name: each.value for name, each in read.items()}
        | {"_fix": f"coalesce({fixes}, NULL)"}
    )


def case_rules(source: TableSource, columns: list[str], place: str) -> tuple[Rule, ...]:
    """The rules of a row, in the order in which they count. field: the column whose cell may be shown, or nothing."""
    rules, written = [MISSING_KEY] if source.key is not None else [], (source.format.decimal, source.currency)
    for own in source.require:
        if own.rule in RESERVED | {MISSING_KEY.id, REPEATED_KEY.id}:
            raise InputError(f"{place}: require", f"the rule '{own.rule}'", "a name not yet in use")
        holds = sql_condition(own.that, columns, f"{place}: require", *written)
        asked = sql_condition(own.when, columns, f"{place}: require", *written) if own.when else "true"
        wanted = f"what `require` says of {', '.join(own.that)}"
        rules.append(Rule(own.rule, own.otherwise, f"{asked} AND NOT ({holds})", wanted, ""))
    for name, part in {"label": source.label, "split": source.split}.items():
        if part is not None:
            wanted = _wanted(part)
            broken = f"{clean(part.column)} IS NOT NULL AND {ident(name)} IS NULL"
            rules.append(Rule(f"unknown-{name}", "quarantine", broken, wanted, part.column, reading=True))
    for name, column in source.columns.items():
        if column.type in WANTED:
            broken = f"{_known(column)} IS NOT NULL AND {ident(name)} IS NULL"
            field = "" if column.family == "private" else column.column
            rules.append(Rule(f"unreadable-{name}", "quarantine", broken, WANTED[column.type], field, reading=True))
    return tuple(rules)


def _known(column: CaseColumn) -> str:
    """The cell, null where it is empty or says that the value is unknown."""
    cell = clean(column.column)
    return f"CASE WHEN {_among(cell, column.unknown)} THEN NULL ELSE {cell} END" if column.unknown else cell


def _read(column: CaseColumn, source: TableSource) -> Reading:
    known, nothing = _known(column), "CAST(NULL AS VARCHAR)"
    match column.type:
        case "number":
            read = read_number(f"({known})", source.format.decimal, "DOUBLE", source.currency)
            return Reading(f"CASE WHEN abs({read.value}) <= {LARGEST_NUMBER:.0f} THEN {read.value} END", read.fix)
        case "boolean":
            said = f"lower({known})"
            return Reading(f"CASE WHEN {_among(said, YES)} THEN true WHEN {_among(said, NO)} THEN false END", nothing)
        case "category":
            return Reading(known, nothing)


def _side(part: Label | Split | DateSplit) -> str:
    """The answer, or the side of the split."""
    if isinstance(part, DateSplit):
        day = local_day(part, ZONE)
        return f"CASE WHEN {day} >= DATE '{part.test_from}' THEN 'test' WHEN {day} IS NOT NULL THEN 'train' END"
    cases = " ".join(
        f"WHEN {_among(clean(part.column), cells)} THEN {text(code)}" for code, cells in part.codes.items()
    )
    return f"CASE {cases} END"


def _wanted(part: Label | Split | DateSplit) -> str:
    if isinstance(part, DateSplit):
        return "a day as `split` in the source file describes it"
    return f"one of {', '.join(code for codes in part.codes.values() for code in codes)}"


def _among(value: str, codes: tuple[str, ...]) -> str:
    return f"{value} IN ({', '.join(map(text, codes))})"
