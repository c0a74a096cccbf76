"""The proposal for a table of events."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from features.tables.infer.amounts import money
from features.tables.infer.entries import Table, head, note_unused
from features.tables.infer.guess import Guess, shown
from features.tables.infer.kinds import Kinds, kinds, not_sales
from features.tables.infer.looked import Looked, time_guess
from features.tables.infer.profile import Column
from features.tables.infer.roles import NAME, Part, Parts, is_step, reading
from features.tables.infer.words import akin

FIRST_STEP = "2020-01-01"
"""The date that a clock which only counts is said to begin on."""

OPTIONAL = ("item", "country", "channel", "code", "score", "counterparty")


def event_tables(looked: Looked, parts: Parts, keys: set[str]) -> list[Table]:
    """The tables of events over a file; several where a row tells of several events, or rows of unlike ones."""
    measures = money(looked, parts)
    found = kinds(looked, parts, measures)
    tables = [_event_table(looked, parts, keys, measures, found)]
    if found.other:
        tables.append(_event_table(looked, parts, keys, measures, found.other))
    if "due_day" in parts and "invoice_due" in found.names:
        tables = _invoices(looked, parts, tables[0])
    return note_unused(looked, tables)


def _event_table(looked: Looked, parts: Parts, keys: set[str], measures: dict[str, Guess], found: Kinds) -> Table:
    table: Table = {
        **head(looked, "events"),
        "name": Guess(f"{looked.name} {found.called}".strip()),
        "customer": _customer(looked, parts["customer"], keys),
        "time": _time(looked, parts["time"].column),
        "kind": found.kind,
    }
    transfer = any(kind.startswith("transfer") for kind in found.names)
    left_out = {"counterparty": not transfer, "score": not found.names & {"survey", "complaint"}}
    table |= {field: parts[field].guess() for field in ("ref", "event_id") if field in parts} | measures
    table |= {field: parts[field].guess() for field in OPTIONAL if field in parts and not left_out.get(field)}
    if found.negative:
        table["negative"] = Guess(list(found.negative), "numbers without the sign that they are to have")
    if found.both_sides:
        table["both_sides"] = Guess(True, "the partner's row is the same row")
    drop: list[Any] = [*found.drop]
    if "item" in parts and "purchase" in found.names:
        proposed = not_sales(parts["item"].column, looked.texts(parts["item"].column).unique().to_pylist())
        drop += [proposed] if proposed else []
    return table | ({"drop": drop} if drop else {}) | ({"require": list(found.require)} if found.require else {})


def _time(looked: Looked, column: Column) -> Guess:
    read = reading(column)
    if read is None:
        if not is_step(column) or column.number is None:
            raise ValueError(f"{column.name} is no time")
        span = f"{column.number.low:.0f} to {column.number.high:.0f}"
        value = {"column": column.name, "steps": {"unit": "day", "start": FIRST_STEP}}
        return Guess(value, f"a clock that counts from {span}", "the length of a step, and the date of step 0")
    clock = next((c for c in looked.columns if c.clock and ":" not in str(read.format)), None)
    return time_guess(column, read, clock if read.format != "epoch" else None)


def _customer(looked: Looked, part: Part, keys: set[str]) -> Guess:
    others = sorted(key for key in keys if key != part.column.name and not akin(part.column.name, key))
    if others:
        unsure = f"are these the ids of {', '.join(map(shown, others))}? else the same id would be two customers' own"
    elif not looked.sniffed.named:
        unsure = "the columns have no names; which is what?"
    else:
        unsure = "" if part.points >= NAME else "is this the customer?"
    return replace(part.guess(), unsure=unsure)


def _invoices(looked: Looked, parts: Parts, table: Table) -> list[Table]:
    """Invoices and, where the table says when they were paid, their payments."""
    due = parts["due_day"].column
    invoices = table | {"due_day": time_guess(due, reading(due) or due.when[0])}
    if "settled" not in parts:
        return [invoices]
    settled = parts["settled"].column
    same: Table = {key: table[key] for key in ("files", "database", "format", "customer") if key in table}
    payments: Table = {
        "name": Guess(f"{looked.name} paid"),
        "gives": Guess("events"),
        **same,
        "time": time_guess(settled, reading(settled) or settled.when[0]),
        "kind": Guess("payment", "the same rows, on the day on which they were settled"),
        **{key: table[key] for key in ("ref", "amount") if key in table},
        "drop": [{"rule": Guess("open", "not paid yet"), "when": Guess({settled.name: {"empty": True}})}],
    }
    return [invoices, payments]
