"""A source file, proposed from tables that were looked at: each entry with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from features.errors import InputError
from features.tables.infer.amounts import money
from features.tables.infer.attributes import known_of_customers
from features.tables.infer.company import company
from features.tables.infer.guess import Guess, shown
from features.tables.infer.kinds import Kinds, kinds, not_sales
from features.tables.infer.looked import Looked, time_guess
from features.tables.infer.profile import Column
from features.tables.infer.roles import UNNAMED, Part, cast, is_step, reading
from features.tables.infer.words import KIND_WORDS, WORDS, first_that_fits, says, tokens

FIRST_STEP = "2020-01-01"
"""The date that a clock which only counts is said to begin on."""

Parts = dict[str, Part]
Table = dict[str, Any]


@dataclass(frozen=True)
class Proposal:
    """tree: the source file as guesses; left_out: what is in no table, and why."""

    tree: dict[str, Any]
    left_out: tuple[str, ...]


def propose(name: str, tables: Sequence[Looked]) -> Proposal:
    """What the tables most likely mean. Raises InputError when none of them says what customers did, and when."""
    casts = [_cast(looked) for looked in tables]
    keys = {parts["customer"].column.name for looked, parts in casts if _gives(looked, parts) == "events"}
    found: list[Table] = []
    used: list[tuple[Looked, Parts]] = []
    left_out: list[str] = []
    for looked, parts in casts:
        gives = _gives(looked, parts)
        if gives == "events":
            made = _event_tables(looked, parts)
        elif gives == "items":
            made = [_item_table(looked, parts)]
        else:
            made = _customer_table(looked, parts, keys) if gives == "customers" else []
        if made:
            found += made
            used.append((looked, parts))
        else:
            left_out.append(f"{', '.join(looked.files)}: {_lacks(looked, parts, keys)}")
    if not keys:
        raise InputError(
            ", ".join(file for looked in tables for file in looked.files),
            f"no table of events ({'; '.join(left_out) or 'none says what happened'})",
            "a table with a column that says whose a row is, and one that says when it happened",
            "Add the table of orders, visits or transfers; rows without a date are `kind: table` sources.",
        )
    return Proposal({"name": Guess(name), "title": Guess(_title(name, used)), **company(used), "tables": found},
                    tuple(left_out))  # fmt: skip


def _cast(looked: Looked) -> tuple[Looked, Parts]:
    """The parts of the columns; those without a name get one."""
    if looked.sniffed.named:
        parts = cast(looked.columns)
        if "code" not in parts and "type" in parts:
            parts["code"] = parts["type"]
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
    if first_that_fits(looked.name, KIND_WORDS) == "":
        return ""
    about_customers = says(looked.name, WORDS["customer"]) and customer.repeats < 1.1
    happened = {"amount", "unit_price", "ref", "counterparty", "due_day"} & set(parts)
    if "time" in parts and not about_customers and (not customer.unique or happened):
        return "events"
    return "customers" if customer.repeats < 1.1 or "valid_from" in parts else ""


def _lacks(looked: Looked, parts: Parts, keys: set[str]) -> str:
    if "customer" not in parts:
        return "no column says whose the rows are"
    name = shown(parts["customer"].column.name)
    if _gives(looked, parts) == "customers":
        return f"its key {name} is not the customer of the events ({', '.join(map(shown, sorted(keys)))})"
    return f"a customer ({name}) has many rows, and no column says when" if "time" not in parts else "no kind of event"


def _head(looked: Looked, gives: str) -> Table:
    """The first entries of a table."""
    found: Table = {"name": Guess(looked.name), "gives": Guess(gives)}
    if looked.database:
        return found | {"database": Guess(looked.database.model_dump())}
    found["files"] = Guess(list(looked.files))
    form = looked.sniffed.format
    if looked.decimal == "," and form.type in ("csv", "whitespace", "excel"):
        form = form.model_copy(update={"decimal": ","})
    written = form.model_dump(exclude_defaults=True, mode="json")
    if written:
        found["format"] = Guess(written, looked.sniffed.why, looked.sniffed.unsure)
    return found


def _event_tables(looked: Looked, parts: Parts) -> list[Table]:
    """The tables of events over a file; several where a row tells of several events, or rows of unlike ones."""
    measures = money(looked, parts)
    found = kinds(looked, parts, measures)
    tables = [_event_table(looked, parts, measures, found)]
    if found.other:
        tables.append(_event_table(looked, parts, measures, found.other))
    if "due_day" in parts and "invoice_due" in found.names:
        tables = _invoices(looked, parts, tables[0])
    return _note_unused(looked, tables)


OPTIONAL = ("item", "country", "channel", "code", "score", "counterparty")


def _event_table(looked: Looked, parts: Parts, measures: dict[str, Guess], found: Kinds) -> Table:
    head = _head(looked, "events")
    table: Table = {
        **head,
        "name": Guess(f"{looked.name} {found.called}".strip()),
        "customer": _customer(looked, parts["customer"]),
        "time": _time(looked, parts["time"].column),
        "kind": found.kind,
    }
    transfer = any(kind.startswith("transfer") for kind in found.names)
    left_out = {"counterparty": not transfer, "score": not found.names & {"survey", "complaint"}}
    table |= {field: _of(parts[field]) for field in ("ref", "event_id") if field in parts} | measures
    table |= {field: _of(parts[field]) for field in OPTIONAL if field in parts and not left_out.get(field)}
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


def _of(part: Part) -> Guess:
    column = part.column
    often = f"{column.distinct:,} different in {column.filled:,} rows"
    return Guess(column.name, "; ".join(filter(None, (part.why, often))))


def _customer(looked: Looked, part: Part) -> Guess:
    guess = _of(part)
    if looked.sniffed.named and part.points >= 5:
        return guess
    unsure = "is this the customer?" if looked.sniffed.named else "the columns have no names; which is what?"
    return replace(guess, unsure=unsure)


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


def _customer_table(looked: Looked, parts: Parts, keys: set[str]) -> list[Table]:
    """The table of customers, if its key is that of the events."""
    customer = _key(looked, keys)
    if customer is None:
        return []
    taken = [customer]
    table = _head(looked, "customers") | {"customer": Guess(customer.name, f"{customer.distinct:,} different")}
    for field in ("valid_from", "signed_up"):
        part = parts.get(field) or (parts.get("time") if field == "signed_up" else None)
        if part and part.column not in taken and (read := reading(part.column)):
            taken.append(part.column)
            table[field] = time_guess(part.column, read)
    known = known_of_customers([column for column in looked.columns if column not in taken])
    entries = known.entries()
    if not entries and "signed_up" not in table:
        return []
    table |= entries
    return _note_unused(looked, [table], known.unused)


def _key(looked: Looked, keys: set[str]) -> Column | None:
    """The column of a table that is the customer of the events: of the same name, a mere id, or of a name that says
    no less or no more."""
    if found := next((column for column in looked.columns if column.name in keys), None):
        return found
    unique = [column for column in looked.columns if column.filled and column.repeats < 1.1]
    return next((column for column in unique if any(_akin(column.name, key) for key in keys)), None)


def _akin(name: str, key: str) -> bool:
    if all(says(token, WORDS["identifier"]) for token in tokens(name)):
        return True
    one, other = sorted(("".join(tokens(name)), "".join(tokens(key))), key=len)
    return (len(one) >= 4 and one in other) or (says(name, WORDS["customer"]) and says(key, WORDS["customer"]))


def _item_table(looked: Looked, parts: Parts) -> Table:
    return _head(looked, "items") | {"item": _of(parts["item"]), "category": _of(parts["category"])}


def _note_unused(looked: Looked, tables: list[Table], why: dict[str, str] | None = None) -> list[Table]:
    """The last table with a note of the columns that no table uses."""
    said = str([_values({key: each for key, each in table.items() if key != "format"}) for table in tables])
    unused = [f"{shown(c.name)}{f' ({why[c.name]})' if why and c.name in why else ''}"
              for c in looked.columns if repr(c.name) not in said]  # fmt: skip
    if unused:
        first = tables[0]["gives"]
        tables[0] = tables[0] | {"gives": replace(first, why=f"not used: {', '.join(unused)}")}
    return tables


def _values(tree: Any) -> Any:
    if isinstance(tree, Guess):
        return tree.value
    return [_values(each) for each in (tree.values() if isinstance(tree, dict) else tree)]


def _title(name: str, used: Sequence[tuple[Looked, Parts]]) -> str:
    """The name, and from when to when its events go."""
    words = name.replace("-", " ").capitalize()
    reads = [reading(parts["time"].column) for _, parts in used if "time" in parts]
    days: list[date] = [day.date() for read in reads if read for day in (read.first, read.last)]
    return (
        f"{words}, {min(days):%Y-%m} to {max(days):%Y-%m}" if days and max(days) - min(days) > timedelta(0) else words
    )
