"""The rules a raw line must keep. Each has an id, what happens to a line that breaks it, and what was wanted.

`keep`: counted, and taken in all the same. `drop`: counted and left out. `quarantine`: set aside with its reason, for a
person to look at. `stop`: nothing is ingested. A source file may change what happens under `rules:`.

A *reading* rule is about a cell that cannot be read. Where more lines than the share `unreadable` of the source file
break such rules, the source file reads the table wrongly, and nothing is ingested.
"""

from __future__ import annotations

from dataclasses import dataclass

from features.tables.reading import Severity

LARGEST_AMOUNT = 2**53
"""Amounts up to here are exact in the kernel's float64, and so are sums of them up to here, in whatever order."""

LARGEST_NUMBER = 1e12
"""Bound of quantities and of scores."""


@dataclass(frozen=True)
class Rule:
    """`broken`: SQL over a typed line, true where the rule is broken; `field`: the mapped field whose cell is shown;
    `reading`: whether it is about a cell that cannot be read; `waivable`: whether a person may let a line pass."""

    id: str
    severity: Severity
    broken: str
    wanted: str
    field: str
    reading: bool = False
    waivable: bool = False


def _unreadable(field: str, broken: str, wanted: str) -> Rule:
    return Rule(f"unreadable-{field}", "quarantine", broken, wanted, field, reading=True)


def _number(field: str) -> Rule:
    wanted = "a number" if field in ("amount", "cost") else f"a number up to {LARGEST_NUMBER:.0e}"
    return _unreadable(field, f"{field}_given AND {field} IS NULL", wanted)


MISSING_CUSTOMER = Rule("missing-customer", "quarantine", "customer IS NULL", "a customer", "customer")

EVENT_RULES = (
    MISSING_CUSTOMER,
    Rule("missing-time", "quarantine", "NOT time_given", "a time", "time"),
    _unreadable("time", "ts IS NULL", "a time as `time` in the source file describes it"),
    Rule("implausible-day", "quarantine", "ts < $first", "a day from 1900 on", "time"),
    Rule("future-day", "quarantine", "ts >= $tomorrow", "a day that has come", "time", reading=True),
    _unreadable("known_at", "known_at_mapped AND known_at IS NULL", "a time"),
    _unreadable("due_day", "due_day_given AND due_day IS NULL", "a day"),
    _number("amount"),
    _number("cost"),
    _number("quantity"),
    _number("score"),
    Rule("missing-amount", "quarantine", "amount_mapped AND amount IS NULL", "an amount", "amount", waivable=True),
    Rule("amount-sign", "quarantine", "kind = 'purchase' AND amount < 0", "a purchase of 0 or more", "amount"),
    Rule("return-sign", "quarantine", "kind = 'return' AND amount > 0", "a return of 0 or less", "amount"),
)
"""In this order, after the source file's own: a line is counted under the first rule it breaks."""

CUSTOMER_RULES = (
    MISSING_CUSTOMER,
    _unreadable("valid_from", "valid_from_given AND valid_from IS NULL", "a day"),
    _unreadable("signed_up", "signed_up_given AND signed_up IS NULL", "a day"),
)

ITEM_RULES = (Rule("missing-item", "quarantine", "item IS NULL", "an item", "item"),)

MISFITS = {
    "wrong-width": "as many cells as the table has columns",
    "broken-quotes": "quotes that close",
    "undecodable": "text in the encoding of `format`",
}
"""Reading rules that the readers judge: the line is no row at all."""

REPEATED_LINE, REPEATED_EVENT, FORGOTTEN = "repeated-line", "repeated-event", "forgotten-customer"
"""Dropped, whatever a source file says."""

BY_HAND = "by-hand"
"""Dropped from quarantine by a person."""

RETURN_FIRST = Rule(
    "return-before-purchase", "quarantine", "", "a return no earlier than what it returns", "time", waivable=True
)
NO_INVOICE = Rule("payment-without-invoice", "quarantine", "", "a payment of an invoice we know", "ref", waivable=True)
BEFORE_SIGN_UP = Rule(
    "before-sign-up", "quarantine", "", "an event after the customer signed up", "time", waivable=True
)
CONFLICT = Rule(
    "conflicting-event", "quarantine", "", "one event of this id, or `known_at` to tell which is newer", "ref"
)
LATER_RULES = (CONFLICT, RETURN_FIRST, NO_INVOICE, BEFORE_SIGN_UP)
"""Rules that take more than the line itself: they are judged when all lines are read."""

ITEM_DEFINED_TWICE = Rule("item-defined-twice", "quarantine", "", "one definition of an item", "item")

RULES = {rule.id: rule for rule in (*EVENT_RULES, *CUSTOMER_RULES, *ITEM_RULES, *LATER_RULES, ITEM_DEFINED_TWICE)} | {
    id_: Rule(id_, "quarantine", "", wanted, "", reading=True) for id_, wanted in MISFITS.items()
}
"""What a source file may change, by id."""

RESERVED = {*RULES, REPEATED_LINE, REPEATED_EVENT, FORGOTTEN, BY_HAND}
"""Names that a source file's own rules may not take."""
