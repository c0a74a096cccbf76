"""The three tables every company's data become, and the contract they keep.

The schema is the same for every source. A column that a source does not have is null, never absent.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from features.tables.sql import parquet
from features.workspace import part_files

KINDS = (
    "purchase",
    "return",
    "visit",
    "quote",
    "complaint",
    "complaint_closed",
    "service_request",
    "survey",
    "campaign",
    "campaign_response",
    "refusal",
    "invoice_due",
    "payment",
    "service_cost",
    "transfer_in",
    "transfer_out",
    "list_hit",
    "suspicious_report",
    "due_diligence_refused",
    "contact_changed",
    "contact",  # a talk with the customer by the company's people
)
"""What can happen. The position is the code of the kind inside the kernel: only ever append."""

CONFIDENTIAL_KINDS = ("list_hit", "suspicious_report", "due_diligence_refused")
"""What a customer must not learn of: no answer to it, and no score, may depend on these."""

FAMILIES = ("social", "behavioural", "value", "demand", "risk", "occupational", "discipline", "private", "consent")
"""What a feature or an attribute speaks of. `private` reaches no model, no log and not MLflow; `consent` no model."""

CONSENTS = ("no_profiling", "no_marketing")
"""Attributes of the family `consent`, with the value `yes` from the day a customer said no, and `no` from the day it
took that back."""

INSTANT = pa.timestamp("us", tz="UTC")

EVENTS = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),  # the source's own id, else a digest of the event
        pa.field("customer_id", pa.string(), nullable=False),  # pseudonym, 32 hexadecimal digits
        pa.field("ts", INSTANT, nullable=False),  # when it happened
        pa.field("day", pa.date32(), nullable=False),  # the same in the source's time zone; every window uses it
        pa.field("hour", pa.int8()),  # 0–23 in the source's time zone; null: the time of day is unknown
        pa.field("known_at", INSTANT, nullable=False),  # when the company learnt of it
        pa.field("known_until", INSTANT),  # when another row replaced it; null: still valid
        pa.field("kind", pa.string(), nullable=False),  # one of KINDS
        pa.field("ref", pa.string()),  # order or invoice; a return or payment carries the one it settles
        pa.field("amount", pa.int64()),  # minor currency units; a return's is ≤ 0
        pa.field("cost", pa.int64()),  # minor currency units: cost of the goods or of the service
        pa.field("quantity", pa.float64()),
        pa.field("item", pa.string()),
        pa.field("channel", pa.string()),
        pa.field("counterparty", pa.string()),  # pseudonym of the partner of a transfer
        pa.field("country", pa.string()),
        pa.field("due_day", pa.date32()),  # of an invoice; of a contact the day on which the customer expects to buy
        pa.field("code", pa.string()),  # reason, outcome, status or campaign
        pa.field("score", pa.float64()),  # answer to a survey
        pa.field("merged_from", pa.string()),  # the pseudonym it came under, where that is another's today
    ]
)

CUSTOMERS = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("attribute", pa.string(), nullable=False),
        pa.field("value", pa.string()),  # null: known to be unknown
        pa.field("valid_from", pa.date32()),  # null: since ever
        pa.field("family", pa.string(), nullable=False),  # one of FAMILIES but `private`: those are in the vault
        pa.field("merged_from", pa.string()),  # the pseudonym it came under, where that is another's today
    ]
)
"""Attributes, a row each time one changes; the valid one at `as_of` is the last with `valid_from` < `as_of`."""

ITEMS = pa.schema([pa.field("item", pa.string(), nullable=False), pa.field("category", pa.string())])

_kinds = ", ".join(f"'{kind}'" for kind in KINDS)
_families = ", ".join(f"'{family}'" for family in FAMILIES)

CONTRACT = {
    "versions of an event follow one another": "event_id IN (SELECT event_id FROM events GROUP BY event_id, known_at "
    "HAVING count(*) > 1) OR event_id IN (SELECT event_id FROM events WHERE known_until IS NULL GROUP BY event_id "
    "HAVING count(*) > 1)",
    "customer_id is a pseudonym": "NOT regexp_full_match(customer_id, '[0-9a-f]{32}')",
    "counterparty is a pseudonym": "NOT regexp_full_match(counterparty, '[0-9a-f]{32}')",
    "kind is one of KINDS": f"kind NOT IN ({_kinds})",
    "hour is 0 to 23": "hour NOT BETWEEN 0 AND 23",
    "a row is replaced after it was known": "known_until <= known_at",
    "a purchase's amount is not negative": "kind = 'purchase' AND amount < 0",
    "a return's amount is not positive": "kind = 'return' AND amount > 0",
}
"""Rule → the SQL condition of a row of `events` that breaks it."""


def broken_rules(events: Path) -> dict[str, int]:
    """The rules of the contract that the event table breaks, each with the number of rows that break it.

    The schema counts as a rule of its own: a wrong, missing or additional column gives `{"schema": 1}`.
    """
    for file in part_files(events):
        if [(f.name, f.type) for f in pq.read_schema(file)] != [(f.name, f.type) for f in EVENTS]:
            return {"schema": 1}
    with duckdb.connect() as db:
        db.execute(f"CREATE VIEW events AS FROM {parquet(events)}")
        required = {f"{f.name} is not null": f"{f.name} IS NULL" for f in EVENTS if not f.nullable}
        counts = {
            rule: db.sql(f"SELECT count(*) FROM events WHERE {broken}").fetchall()[0][0]
            for rule, broken in {**required, **CONTRACT}.items()
        }
    return {rule: count for rule, count in counts.items() if count}
