"""The SQL that gives a raw line its types: what a source file says, written out column by column."""

from __future__ import annotations

from features.errors import InputError
from features.tables.customers import cells_needed, value_of
from features.tables.numbers import Reading, narrowed, read_number
from features.tables.raw import clean, need_column, sql_condition
from features.tables.reading import Product, Time
from features.tables.rules import LARGEST_AMOUNT, LARGEST_NUMBER
from features.tables.sources import CustomerTable, EventTable, ItemTable, Source
from features.tables.sql import text

LOCAL_TIME = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?"
WITH_OFFSET = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-](0\d|1[0-4])(:?[0-5]\d)?)"
"""ISO 8601, without and with the distance from UTC; whatever else a cell says is not guessed at."""

SERIAL = r"[2-5]\d{4}(\.\d+)?"
"""A spreadsheet's days since 1899-12-30, from 1954 to 2064."""

FIRST_INSTANT, LAST_INSTANT = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999, in microseconds since 1970."""

OTHER_DATE = "other-date-form"
TEXTS = ("ref", "item", "channel", "country", "code")
NUMBERS = ("amount", "cost", "quantity", "score")
NOTHING = "CAST(NULL AS VARCHAR)"


def instant(time: Time, zone: str) -> Reading:
    """A cell as an instant. Times without an offset are in the company's zone."""
    written = clean(time.column)
    if time.clock is not None:
        written = f"({written} || coalesce(' ' || {clean(time.clock)}, ''))"
    if time.steps is not None:
        counted = f"CASE WHEN regexp_full_match({written}, '-?[0-9]{{1,7}}') THEN CAST({written} AS INTEGER) END"
        moved = f"TIMESTAMP '{time.steps.start}' + ({counted}) * INTERVAL 1 {time.steps.unit}"
        return Reading(f"timezone({text(zone)}, {moved})", NOTHING)
    match time.format:
        case "epoch" | "epoch_ms":
            factor = 1_000_000 if time.format == "epoch" else 1_000
            passed = f"TRY_CAST(TRY_CAST({written} AS DECIMAL(28, 3)) * {factor} AS BIGINT)"
            sound = f"CASE WHEN {passed} BETWEEN {FIRST_INSTANT} AND {LAST_INSTANT} THEN {passed} END"
            return Reading(f"make_timestamptz({sound})", NOTHING)
        case "excel":
            return Reading(_serial(written, zone), NOTHING)
    declared, narrow = _declared(time, written, zone), _declared(time, narrowed(written), zone)
    others = [] if time.format is None else [_iso(written, zone)]
    if time.format is None or not _digits_only(time.format):
        others.append(_serial(written, zone))
    other = f"coalesce({', '.join(others)})"
    fix = (
        f"CASE WHEN {written} IS NULL OR ({declared}) IS NOT NULL THEN NULL WHEN {narrow} IS NOT NULL "
        f"THEN 'unicode-form' WHEN {other} IS NOT NULL THEN '{OTHER_DATE}' END"
    )
    mended = f"CASE WHEN {written} IS NOT NULL THEN coalesce({narrow}, {other}) END"
    return Reading(f"coalesce({declared}, {mended})", fix)


def _declared(time: Time, written: str, zone: str) -> str:
    """The instant, read as the source file says."""
    if time.format is None:
        return _iso(written, zone)
    parsed = f"try_strptime({written}, {text(time.format)})"
    return parsed if "%z" in time.format or "%Z" in time.format else f"timezone({text(zone)}, {parsed})"


def _iso(written: str, zone: str) -> str:
    return (
        f"CASE WHEN regexp_full_match({written}, '{LOCAL_TIME}') "
        f"THEN timezone({text(zone)}, TRY_CAST({written} AS TIMESTAMP)) "
        f"WHEN regexp_full_match({written}, '{WITH_OFFSET}') THEN TRY_CAST({written} AS TIMESTAMPTZ) END"
    )


def _serial(written: str, zone: str) -> str:
    seconds = f"CAST(round(TRY_CAST({written} AS DOUBLE) * 86400) AS BIGINT)"
    moved = f"TIMESTAMP '1899-12-30' + to_seconds({seconds})"
    return f"CASE WHEN regexp_full_match({written}, '{SERIAL}') THEN timezone({text(zone)}, {moved}) END"


def _digits_only(form: str) -> bool:
    """Whether a date of this format may itself be a bare number."""
    return not form.replace("%", "").strip("YymdHMSj")


def local_day(time: Time, zone: str) -> str:
    """A cell as a day in the company's zone."""
    return f"CAST(timezone({text(zone)}, {instant(time, zone).value}) AS DATE)"


def has_time_of_day(time: Time) -> str:
    """Whether the cell says more than a day."""
    if time.steps is not None:
        return str(time.steps.unit == "hour").lower()
    if time.clock is not None:
        return f"{clean(time.clock)} IS NOT NULL"
    match time.format:
        case "epoch" | "epoch_ms":
            return "true"
        case "excel":
            return f"contains({clean(time.column)}, '.')"
        case None:
            return f"contains({clean(time.column)}, ':')"
        case _:
            return str(any(letters in time.format for letters in ("%H", "%I", "%c", "%X"))).lower()


def minor_units(of: str | Product, source: Source, decimal: str) -> Reading:
    """A cell, or a product of two, in minor units, rounded half away from zero; null when it is no exact number."""
    cells = of.multiply if isinstance(of, Product) else (of,)
    exact = "DECIMAL(19, 6)" if len(cells) > 1 else f"DECIMAL(18, {source.decimals})"
    read = [read_number(clean(c), decimal, exact, source.currency) for c in cells]
    value = " * ".join(each.value for each in read)
    units = f"TRY_CAST(TRY_CAST({value} AS DECIMAL(28, {source.decimals})) * {10**source.decimals} AS BIGINT)"
    fixes = ", ".join(each.fix for each in read)
    return Reading(f"CASE WHEN abs({units}) <= {LARGEST_AMOUNT} THEN {units} END", f"coalesce({fixes}, NULL)")


def number(column: str, source: Source, decimal: str) -> Reading:
    """A cell as a number; null when it is none, or out of all bounds."""
    read = read_number(clean(column), decimal, "DOUBLE", source.currency)
    return Reading(f"CASE WHEN abs({read.value}) <= {LARGEST_NUMBER:.0f} THEN {read.value} END", read.fix)


def kind_of(table: EventTable, source: Source, columns: list[str], place: str) -> str:
    """The kind of a line, by the first rule it meets."""
    rules, written = table.kind_rules, (table.format.decimal, source.currency)
    cases = [
        f"WHEN {sql_condition(rule.when, columns, f'{place}.kind', *written)} THEN {text(rule.is_)}"
        for rule in rules
        if rule.when
    ]
    return f"CASE {' '.join(cases)} ELSE {text(rules[-1].is_)} END" if cases else text(rules[-1].is_)


def event_columns(table: EventTable, source: Source, columns: list[str], place: str) -> dict[str, str]:
    """Name → SQL of every typed column of a raw line; the unmapped ones are null.

    A reading may need mending: `fix` is the id of the first such rule, null when the line was read as it came.
    """
    _check_mapping(table, columns, place)
    zone, decimal = source.timezone, table.format.decimal
    ts = instant(table.time, zone)
    known = instant(table.known_at, zone) if table.known_at else Reading("CAST(NULL AS TIMESTAMPTZ)", NOTHING)
    typed = {
        "customer": clean(table.customer),
        "counterparty": clean(table.counterparty) if table.counterparty else NOTHING,
        "time_given": f"{clean(table.time.column)} IS NOT NULL",
        "ts": ts.value,
        "has_time": has_time_of_day(table.time),
        "known_at": known.value,
        "known_at_mapped": str(table.known_at is not None).lower(),
        "kind": kind_of(table, source, columns, place),
        "given_id": given_id(table.event_id),
        "due_day": local_day(table.due_day, zone) if table.due_day else "CAST(NULL AS DATE)",
        "due_day_given": f"{clean(table.due_day.column)} IS NOT NULL" if table.due_day else "false",
        "amount_mapped": str(table.amount is not None).lower(),
    }
    for name in TEXTS:
        column = getattr(table, name)
        typed[name] = clean(column) if column else NOTHING
    fixes = [ts.fix, known.fix]
    for name in NUMBERS:
        of = getattr(table, name)
        whole = name in ("amount", "cost")
        sign = "-" if name in table.negative else ""
        cells = () if of is None else of.multiply if isinstance(of, Product) else (of,)
        typed[f"{name}_given"] = " AND ".join(f"{clean(c)} IS NOT NULL" for c in cells) or "false"
        if of is None:
            typed[name] = f"CAST(NULL AS {'BIGINT' if whole else 'DOUBLE'})"
        else:
            read = minor_units(of, source, decimal) if whole else number(of, source, decimal)
            typed[name] = f"{sign}({read.value})"
            fixes.append(read.fix)
    return typed | {"fix": f"coalesce({', '.join(fixes)})"}


def given_id(of: str | tuple[str, ...] | None) -> str:
    """The id that a line gives its event: a cell, or several with a slash between them; null when one is empty."""
    cells = () if of is None else (of,) if isinstance(of, str) else of
    return " || '/' || ".join(map(clean, cells)) or NOTHING


def customer_columns(table: CustomerTable, source: Source, columns: list[str], place: str) -> dict[str, str]:
    """Name → SQL of every typed column of a raw line of a customer table."""
    needed = cells_needed(table)
    for column in (table.customer, *needed):
        need_column(column, columns, place)
    typed = {"customer": clean(table.customer)} | {value_of(column): clean(column) for column in needed}
    for name, time in (("valid_from", table.valid_from), ("signed_up", table.signed_up)):
        typed[name], typed[f"{name}_given"] = "CAST(NULL AS DATE)", "false"
        if time is not None:
            need_column(time.column, columns, f"{place}.{name}")
            typed[name] = local_day(time, source.timezone)
            typed[f"{name}_given"] = f"{clean(time.column)} IS NOT NULL"
    return typed | {"fix": NOTHING}


def item_columns(table: ItemTable, columns: list[str], place: str) -> dict[str, str]:
    """Name → SQL of every typed column of a raw line of an item table."""
    for column in (table.item, table.category):
        need_column(column, columns, place)
    return {"item": clean(table.item), "category": clean(table.category), "fix": NOTHING}


def mapped_cell(table: object, field: str) -> str | None:
    """The column whose cell is to blame when a rule about `field` is broken."""
    of = getattr(table, field, None)
    if isinstance(of, Time):
        return of.column
    return of.multiply[0] if isinstance(of, Product) else of


def event_id() -> str:
    """SQL of an event's id where the source gives none: a digest of all that the event says.

    `features.online.event_id` gives the same digest to an event that arrives in a request.
    """
    parts = (
        "customer_id",
        "kind",
        "epoch_us(ts)",
        "ref",
        "amount",
        "cost",
        _thousandths("quantity"),
        "item",
        "channel",
        "counterparty",
        "country",
        "due_day",
        "code",
        _thousandths("score"),
    )
    said = f", {text(chr(31))}, ".join(f"coalesce(CAST({part} AS VARCHAR), '')" for part in parts)
    return f"left(sha256(concat({said})), 32)"


def _thousandths(column: str) -> str:
    return f"TRY_CAST(floor({column} * 1000 + 0.5) AS BIGINT)"


def _check_mapping(table: EventTable, columns: list[str], place: str) -> None:
    mapped: dict[str, str | None] = {
        field: mapped_cell(table, field)
        for field in ("customer", "time", "known_at", "due_day", *TEXTS, "counterparty")
    }
    clocks = ("time", "known_at", "due_day")
    mapped |= {f"{field}.clock": of.clock for field in clocks if (of := getattr(table, field)) is not None}
    ids = (table.event_id,) if isinstance(table.event_id, str) else table.event_id or ()
    mapped |= {f"event_id.{i}" if len(ids) > 1 else "event_id": column for i, column in enumerate(ids)}
    for field in NUMBERS:
        of = getattr(table, field)
        cells = of.multiply if isinstance(of, Product) else (of,)
        mapped |= {f"{field}.multiply.{i}" if len(cells) > 1 else field: c for i, c in enumerate(cells)}
    for field, column in mapped.items():
        if column is not None:
            need_column(column, columns, f"{place}.{field}")
    named = sorted({table.customer, table.counterparty} & set(ids), key=str)
    if named:
        raise InputError(
            f"{place}.event_id",
            f"'{named[0]}', which names a customer",
            "columns that name nobody: ids of events are kept as they are",
            "Without event_id an event is known by all it says.",
        )
