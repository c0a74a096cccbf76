"""A source file, proposed from tables that were looked at: each entry with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from features.errors import InputError
from features.tables.infer.company import company
from features.tables.infer.customers import customer_table, item_table
from features.tables.infer.entries import Table
from features.tables.infer.events import event_tables
from features.tables.infer.guess import Guess, shown
from features.tables.infer.looked import Looked
from features.tables.infer.roles import UNNAMED, Parts, cast, reading
from features.tables.infer.words import KIND_WORDS, WORDS, first_that_fits, says


@dataclass(frozen=True)
class Proposal:
    """tree: the source file as guesses; left_out: what is in no table, and why."""

    tree: dict[str, Any]
    left_out: tuple[str, ...]


def propose(name: str, tables: Sequence[Looked]) -> Proposal:
    """What the tables most likely mean. Raises InputError when none of them says what customers did, and when."""
    casts = [_cast(looked) for looked in tables]
    gives = [_gives(looked, parts) for looked, parts in casts]
    if "events" not in gives:  # a few rows, perhaps, in which no customer comes twice
        gives = [
            "events" if {"customer", "time"} <= set(parts) else what
            for what, (_, parts) in zip(gives, casts, strict=True)
        ]
    keys = {parts["customer"].column.name for what, (_, parts) in zip(gives, casts, strict=True) if what == "events"}
    found: list[Table] = []
    used: list[tuple[Looked, Parts]] = []
    left_out: list[str] = []
    for what, (looked, parts) in zip(gives, casts, strict=True):
        made = _tables(what, looked, parts, keys)
        found += made
        if made:
            used.append((looked, parts))
        else:
            left_out.append(f"{', '.join(looked.files) or looked.name}: {_lacks(looked, parts, keys)}")
    if not keys:
        raise InputError(
            ", ".join(file for looked in tables for file in looked.files or (looked.name,)),
            f"no table of events ({'; '.join(left_out)})",
            "a table with a column that says whose a row is, and one that says when it happened",
            "Add the table of orders, visits or transfers; rows without a date are `kind: table` sources.",
        )
    tree = {"name": Guess(name), "title": Guess(_title(name, used)), **company(used), "tables": _own_names(found)}
    return Proposal(tree, tuple(left_out))


def _tables(gives: str, looked: Looked, parts: Parts, keys: set[str]) -> list[Table]:
    """The entries of a table; none when it is of no use."""
    match gives:
        case "events":
            return event_tables(looked, parts, keys)
        case "items":
            return [item_table(looked, parts)]
        case "customers":
            return customer_table(looked, parts, keys)
    return []


def _own_names(tables: list[Table]) -> list[Table]:
    """The tables, each with a name of its own."""
    taken: set[str] = set()
    named = []
    for table in tables:
        name, number = table["name"].value, 1
        while name in taken:
            number += 1
            name = f"{table['name'].value} {number}"
        taken.add(name)
        named.append(table | {"name": Guess(name)})
    return named


def _cast(looked: Looked) -> tuple[Looked, Parts]:
    """The parts of the columns; those without a name get one."""
    if looked.sniffed.named:
        parts = cast(looked.columns)
        if "code" not in parts and "type" in parts:
            parts["code"] = parts["type"]
        if "settled" in parts and not {"time", "due_day"} & set(parts):
            parts["time"] = parts.pop("settled")  # payments in a table of their own
        return looked, parts
    parts = cast(looked.columns, UNNAMED)
    names = {part.column.name: field if field != "time" else "date" for field, part in parts.items()}
    renamed = looked.renamed(names)
    by_name = {column.name: column for column in renamed.columns}
    return renamed, {field: replace(part, column=by_name[names[part.column.name]]) for field, part in parts.items()}


def _gives(looked: Looked, parts: Parts) -> str:
    """What a table is of: events, customers, items, or nothing that is read (empty)."""
    if "customer" not in parts:
        return "items" if {"item", "category"} <= set(parts) and parts["item"].column.repeats < 1.1 else "customers"
    customer = parts["customer"].column
    called = first_that_fits(looked.name, KIND_WORDS)
    if called == "":
        return ""
    about_customers = says(looked.name, WORDS["customer"]) and customer.repeats < 1.1
    happened = called or {"amount", "unit_price", "ref", "counterparty", "due_day"} & set(parts)
    if "time" in parts and not about_customers and (not customer.unique or happened):
        return "events"
    return "customers" if customer.repeats < 1.1 or "valid_from" in parts else ""


def _lacks(looked: Looked, parts: Parts, keys: set[str]) -> str:
    """Why a table is of no use."""
    if first_that_fits(looked.name, KIND_WORDS) == "":
        return "loans are no kind of event"
    if "customer" not in parts:
        return "no column says whose the rows are"
    customer = parts["customer"].column
    if customer.repeats >= 1.1:
        many = f"a customer ({shown(customer.name)}) has many rows"
        return f"{many} of no kind of event" if "time" in parts else f"{many}, and no column says when"
    events = f"; the events are of {', '.join(map(shown, sorted(keys)))}" if keys else ""
    return f"a row per {shown(customer.name)}{events}"


def _title(name: str, used: Sequence[tuple[Looked, Parts]]) -> str:
    """The name, and from when to when its events go."""
    words = name.replace("-", " ").capitalize()
    reads = [reading(parts["time"].column) for _, parts in used if "time" in parts]
    days: list[date] = [day.date() for read in reads if read for day in (read.first, read.last)]
    return (
        f"{words}, {min(days):%Y-%m} to {max(days):%Y-%m}" if days and max(days) - min(days) > timedelta(0) else words
    )
