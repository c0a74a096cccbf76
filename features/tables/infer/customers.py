"""The proposal for a table of customers, and for one of items."""

from __future__ import annotations

from features.tables.infer.attributes import known_of_customers
from features.tables.infer.entries import Table, head, note_unused
from features.tables.infer.guess import Guess
from features.tables.infer.looked import Looked, time_guess
from features.tables.infer.profile import Column
from features.tables.infer.roles import Parts, reading
from features.tables.infer.words import akin


def customer_table(looked: Looked, parts: Parts, keys: set[str]) -> list[Table]:
    """The table of customers, if its key is that of the events."""
    customer = _key(looked, keys)
    if customer is None or (customer.repeats >= 1.1 and "valid_from" not in parts):
        return []
    taken = [customer]
    table = head(looked, "customers") | {"customer": Guess(customer.name, f"{customer.distinct:,} different")}
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
    return note_unused(looked, [table], known.unused)


def _key(looked: Looked, keys: set[str]) -> Column | None:
    """The column of a table that is the customer of the events: of the same name, a mere id, or of a name that says
    no less or no more."""
    if found := next((column for column in looked.columns if column.name in keys), None):
        return found
    unique = [column for column in looked.columns if column.filled and column.repeats < 1.1]
    return next((column for column in unique if any(akin(column.name, key) for key in keys)), None)


def item_table(looked: Looked, parts: Parts) -> Table:
    """The table of items with their categories."""
    return head(looked, "items") | {"item": parts["item"].guess(), "category": parts["category"].guess()}
