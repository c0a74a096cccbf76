"""The rules a raw line must keep. Each has an id, what happens to a line that breaks it, and what was wanted.

`drop`: counted and left out. `quarantine`: set aside with its reason, for a person to look at. `stop`: nothing is
ingested, because such a line usually means that the source file reads the table wrongly. A source file may change
what happens under `rules:`.
"""

from __future__ import annotations

from dataclasses import dataclass

from features.tables.sources import Severity

LARGEST_AMOUNT = 2**53
"""Amounts up to here are exact in the kernel's float64, and so are sums of them up to here, in whatever order."""

LARGEST_NUMBER = 1e12
"""Bound of quantities and of scores."""


@dataclass(frozen=True)
class Rule:
    """`broken`: SQL over a typed line, true where the rule is broken; `field`: the mapped field whose cell is shown."""

    id: str
    severity: Severity
    broken: str
    wanted: str
    field: str


def _number(field: str) -> Rule:
    return Rule(
        f"unreadable-{field}",
        "stop",
        f"{field}_given AND {field} IS NULL",
        "a number with a decimal point" if field in ("amount", "cost") else f"a number up to {LARGEST_NUMBER:.0e}",
        field,
    )


REPEATED_LINE = Rule("repeated-line", "drop", "repetition > 1", "each line once", "customer")
MISSING_CUSTOMER = Rule("missing-customer", "quarantine", "customer IS NULL", "a customer", "customer")
REPEATED_EVENT = "repeated-event"
ITEM_DEFINED_TWICE = "item-defined-twice"

EVENT_RULES = (
    REPEATED_LINE,
    MISSING_CUSTOMER,
    Rule("missing-time", "quarantine", "NOT time_given", "a time", "time"),
    Rule("unreadable-time", "stop", "ts IS NULL", "a time as `time` in the source file describes it", "time"),
    Rule("implausible-day", "quarantine", "day < DATE '1900-01-01'", "a day from 1900 on", "time"),
    Rule("future-day", "stop", "day > $today", "a day that has come", "time"),
    Rule("unreadable-known_at", "stop", "known_at IS NULL", "a time", "known_at"),
    Rule("unreadable-due_day", "stop", "due_day_given AND due_day IS NULL", "a day", "due_day"),
    _number("amount"),
    _number("cost"),
    _number("quantity"),
    _number("score"),
    Rule("missing-amount", "quarantine", "amount_mapped AND amount IS NULL", "an amount", "amount"),
    Rule("amount-sign", "quarantine", "kind = 'purchase' AND amount < 0", "a purchase of 0 or more", "amount"),
    Rule("return-sign", "quarantine", "kind = 'return' AND amount > 0", "a return of 0 or less", "amount"),
)
"""In this order: a line is counted under the first rule it breaks."""

CUSTOMER_RULES = (
    REPEATED_LINE,
    MISSING_CUSTOMER,
    Rule("unreadable-time", "stop", "time_given AND valid_from IS NULL", "a day", "valid_from"),
)

ITEM_RULES = (REPEATED_LINE, Rule("missing-item", "quarantine", "item IS NULL", "an item", "item"))

RULE_IDS = frozenset(rule.id for rule in (*EVENT_RULES, *CUSTOMER_RULES, *ITEM_RULES)) | {
    REPEATED_EVENT,
    ITEM_DEFINED_TWICE,
}
