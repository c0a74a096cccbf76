"""Random event histories, and the event table they make."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from features.company import Company
from features.online import FIELDS, Event, event_digest
from features.tables.events import CUSTOMERS, EVENTS, KINDS

COMPANY = Company(
    timezone="America/New_York", just_below=(9_000, 10_000), round_to=1_000, high_risk_countries=("a", "ü")
)
ZONE = ZoneInfo(COMPANY.timezone)
START = datetime(2020, 1, 1, tzinfo=UTC)
AS_OF = date(2021, 7, 1)

_names = st.none() | st.sampled_from(["a", "b", "ü", "day 2020-01-01"])
_kinds = st.sampled_from(["purchase", "purchase", "return", "visit", "invoice_due", "payment", "transfer_in", *KINDS])
_amounts = st.none() | st.integers(0, 10**7) | st.sampled_from([0, 8_999, 9_000, 9_999, 10_000, 50_000])


@st.composite
def events(draw: st.DrawFn, first: int = 0, last: int = 700) -> Event:
    """One event between two days after START; amounts as the contract wants them."""
    kind = draw(_kinds)
    minute = draw(st.sampled_from([300, 301, *range(0, 1440, 37)]))  # 300: midnight in New York, in winter
    ts = START + timedelta(days=draw(st.integers(first, last)), minutes=minute)
    amount = draw(_amounts)
    late = draw(st.sampled_from([0, 0, 0, 3, 200]))
    replaced = draw(st.sampled_from([None, None, None, 1, 90]))
    known = ts + timedelta(days=late)
    due = draw(st.none() | st.integers(-30, 90))
    return Event(
        ts=ts,
        kind=kind,
        ref=draw(_names),
        amount=-amount if amount and kind == "return" else amount,
        cost=draw(st.none() | st.integers(-(10**6), 10**6)),
        quantity=draw(st.none() | st.floats(-1000, 1000, allow_nan=False)),
        item=draw(_names),
        channel=draw(_names),
        counterparty=draw(st.none() | st.sampled_from([f"{k:032x}" for k in range(3)])),
        country=draw(_names),
        due_day=None if due is None else ts.date() + timedelta(days=due),
        score=draw(st.none() | st.floats(0, 10, allow_nan=False)),
        known_at=known,
        known_until=None if replaced is None else known + timedelta(days=replaced),
    )


def histories(most: int = 30) -> st.SearchStrategy[list[Event]]:
    """One customer's events, in no order."""
    return st.lists(events(), max_size=most)


def first_known(event: Event) -> tuple[datetime, bool, datetime]:
    """Of events with one id, the smallest of these counts."""
    return event.known_at or event.ts, event.known_until is not None, event.known_until or event.ts


def customer(i: int) -> str:
    """A pseudonym."""
    return f"{i * 0x9E3779B97F4A7C15F39CC0605CEDC834 % 2**128:032x}"


def unique(i: int, history: Sequence[Event]) -> dict[str, Event]:
    """The events of customer `i`, each once, by their ids."""
    arrived = sorted(history, key=first_known, reverse=True)
    return {event_digest(customer(i), event, COMPANY.timezone): event for event in arrived}


def write_tables(folder: Path, base: Sequence[Sequence[Event]], row_group_size: int = 100_000) -> None:
    """The event table of customers 0, 1, … and an empty customer table, as ingest would leave them."""
    rows = []
    for i, history in enumerate(base):
        for id_, event in unique(i, history).items():
            local = event.ts.astimezone(ZONE)
            said = dict(zip(FIELDS, msgspec.structs.astuple(event), strict=True))
            rows.append(said | {"event_id": id_, "customer_id": customer(i), "day": local.date(), "hour": local.hour})
    table = pa.Table.from_pylist(rows, EVENTS) if rows else EVENTS.empty_table()
    pq.write_table(table, folder / "events.parquet", row_group_size=row_group_size)
    pq.write_table(CUSTOMERS.empty_table(), folder / "customers.parquet")
