"""The SQL that gives a raw line its types: what a source file says, written out column by column."""

from __future__ import annotations

from features.tables.raw import clean, need_column, sql_condition
from features.tables.rules import LARGEST_AMOUNT, LARGEST_NUMBER
from features.tables.sources import CustomerTable, EventTable, ItemTable, Product, Time
from features.tables.sql import text

LOCAL_TIME = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?"
WITH_OFFSET = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-](0\d|1[0-4])(:?[0-5]\d)?)"
"""ISO 8601, without and with the distance from UTC; whatever else a cell says is not guessed at."""

TEXTS = ("ref", "item", "channel", "country", "code")


def instant(time: Time, zone: str) -> str:
    """A cell as an instant; null when it cannot be read. Times without an offset are in the company's zone."""
    written = clean(time.column)
    if time.format is not None:
        parsed = f"try_strptime({written}, {text(time.format)})"
        says_zone = "%z" in time.format or "%Z" in time.format
        return parsed if says_zone else f"timezone({text(zone)}, {parsed})"
    return (
        f"CASE WHEN regexp_full_match({written}, '{LOCAL_TIME}') "
        f"THEN timezone({text(zone)}, TRY_CAST({written} AS TIMESTAMP)) "
        f"WHEN regexp_full_match({written}, '{WITH_OFFSET}') THEN TRY_CAST({written} AS TIMESTAMPTZ) END"
    )


def local_day(time: Time, zone: str) -> str:
    """A cell as a day in the company's zone."""
    return f"CAST(timezone({text(zone)}, {instant(time, zone)}) AS DATE)"


def has_time_of_day(time: Time) -> str:
    """Whether the cell says more than a day."""
    if time.format is not None:
        return str(any(letters in time.format for letters in ("%H", "%I", "%c", "%X"))).lower()
    return f"contains({clean(time.column)}, ':')"


def minor_units(of: str | Product, decimals: int) -> str:
    """A cell, or a product of two, in minor units, rounded half away from zero; null when it is no exact number."""
    cells = of.multiply if isinstance(of, Product) else (of,)
    exact = "DECIMAL(18, 6)" if len(cells) > 1 else f"DECIMAL(28, {decimals})"
    value = " * ".join(f"TRY_CAST({clean(c)} AS {exact})" for c in cells)
    units = f"TRY_CAST(TRY_CAST({value} AS DECIMAL(28, {decimals})) * {10**decimals} AS BIGINT)"
    return f"CASE WHEN abs({units}) <= {LARGEST_AMOUNT} THEN {units} END"


def number(column: str) -> str:
    """A cell as a number; null when it is none, or out of all bounds."""
    value = f"TRY_CAST({clean(column)} AS DOUBLE)"
    return f"CASE WHEN abs({value}) <= {LARGEST_NUMBER:.0f} THEN {value} END"


def kind_of(table: EventTable, columns: list[str], place: str) -> str:
    """The kind of a line, by the first rule it meets."""
    rules = table.kind_rules
    cases = [
        f"WHEN {sql_condition(rule.when, columns, f'{place}.kind')} THEN {text(rule.is_)}"
        for rule in rules
        if rule.when
    ]
    return f"CASE {' '.join(cases)} ELSE {text(rules[-1].is_)} END" if cases else text(rules[-1].is_)


def event_columns(table: EventTable, zone: str, decimals: int, columns: list[str], place: str) -> dict[str, str]:
    """Name → SQL of every typed column of a raw line; the unmapped ones are null."""
    _check_mapping(table, columns, place)
    ts = instant(table.time, zone)
    local = f"timezone({text(zone)}, {ts})"
    typed = {
        "customer": clean(table.customer),
        "counterparty": clean(table.counterparty) if table.counterparty else "CAST(NULL AS VARCHAR)",
        "time_given": f"{clean(table.time.column)} IS NOT NULL",
        "ts": ts,
        "day": f"CAST({local} AS DATE)",
        "hour": f"CASE WHEN {has_time_of_day(table.time)} THEN CAST(hour({local}) AS TINYINT) END",
        "known_at": instant(table.known_at, zone) if table.known_at else ts,
        "kind": kind_of(table, columns, place),
        "given_id": given_id(table.event_id),
        "due_day": local_day(table.due_day, zone) if table.due_day else "CAST(NULL AS DATE)",
        "due_day_given": f"{clean(table.due_day.column)} IS NOT NULL" if table.due_day else "false",
        "amount_mapped": str(table.amount is not None).lower(),
    }
    for name in TEXTS:
        column = getattr(table, name)
        typed[name] = clean(column) if column else "CAST(NULL AS VARCHAR)"
    for name in ("amount", "cost", "quantity", "score"):
        of = getattr(table, name)
        sign = "-" if name in table.negative else ""
        cells = () if of is None else of.multiply if isinstance(of, Product) else (of,)
        typed[f"{name}_given"] = " AND ".join(f"{clean(c)} IS NOT NULL" for c in cells) or "false"
        if of is None:
            typed[name] = "CAST(NULL AS DOUBLE)" if name in ("quantity", "score") else "CAST(NULL AS BIGINT)"
        else:
            typed[name] = sign + f"({number(of) if name in ('quantity', 'score') else minor_units(of, decimals)})"
    return typed


def given_id(of: str | tuple[str, ...] | None) -> str:
    """The id that a line gives its event: a cell, or several with a slash between them; null when one is empty."""
    cells = () if of is None else (of,) if isinstance(of, str) else of
    return " || '/' || ".join(map(clean, cells)) or "CAST(NULL AS VARCHAR)"


def customer_columns(table: CustomerTable, zone: str, columns: list[str], place: str) -> dict[str, str]:
    """Name → SQL of every typed column of a raw line of a customer table."""
    for attribute in (table.customer, *(a.column for a in table.attributes.values())):
        need_column(attribute, columns, place)
    if table.valid_from is None:
        return {"customer": clean(table.customer), "time_given": "false", "valid_from": "CAST(NULL AS DATE)"}
    need_column(table.valid_from.column, columns, f"{place}.valid_from")
    given = f"{clean(table.valid_from.column)} IS NOT NULL"
    day = local_day(table.valid_from, zone)
    return {"customer": clean(table.customer), "time_given": given, "valid_from": day}


def item_columns(table: ItemTable, columns: list[str], place: str) -> dict[str, str]:
    """Name → SQL of every typed column of a raw line of an item table."""
    for column in (table.item, table.category):
        need_column(column, columns, place)
    return {"item": clean(table.item), "category": clean(table.category)}


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
    ids = (table.event_id,) if isinstance(table.event_id, str) else table.event_id or ()
    mapped |= {f"event_id.{i}" if len(ids) > 1 else "event_id": column for i, column in enumerate(ids)}
    for field in ("amount", "cost", "quantity", "score"):
        of = getattr(table, field)
        cells = of.multiply if isinstance(of, Product) else (of,)
        mapped |= {f"{field}.multiply.{i}" if len(cells) > 1 else field: c for i, c in enumerate(cells)}
    for field, column in mapped.items():
        if column is not None:
            need_column(column, columns, f"{place}.{field}")
