"""Random event histories, and the event table they make."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from features.online import Event, event_digest
from features.tables.events import CUSTOMERS, EVENTS

ZONE = ZoneInfo("America/New_York")
START = datetime(2020, 1, 1, tzinfo=UTC)
AS_OF = date(2021, 7, 1)

_names = st.none() | st.sampled_from(["a", "b", "ü", "day 2020-01-01"])


@st.composite
def events(draw: st.DrawFn, first: int = 0, last: int = 700) -> Event:
    """One event between two days after START; amounts as the contract wants them."""
    kind = draw(st.sampled_from(["purchase", "purchase", "return", "visit", "complaint"]))
    ts = START + timedelta(days=draw(st.integers(first, last)), minutes=draw(st.integers(0, 1439)))
    amount = draw(st.none() | st.integers(0, 10**7))
    late = draw(st.sampled_from([0, 0, 0, 3, 200]))
    replaced = draw(st.sampled_from([None, None, None, 1, 90]))
    known = ts + timedelta(days=late)
    return Event(
        ts=ts,
        kind=kind,
        ref=draw(_names),
        amount=None
        if amount is None or kind not in ("purchase", "return")
        else amount * (-1 if kind == "return" else 1),
        cost=draw(st.none() | st.integers(-(10**6), 10**6)),
        quantity=draw(st.none() | st.floats(-1000, 1000, allow_nan=False)),
        item=draw(_names),
        channel=draw(_names),
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
    return f"{i * 0x9E3779B97F4A7C15 % 2**128:032x}"


def write_tables(folder: Path, base: Sequence[Sequence[Event]]) -> None:
    """The event table of customers 0, 1, … and an empty customer table, as ingest would leave them."""
    rows = []
    for i, history in enumerate(base):
        unique = {event_digest(customer(i), event): event for event in sorted(history, key=first_known, reverse=True)}
        for id_, event in unique.items():
            local = event.ts.astimezone(ZONE)
            said = {name: getattr(event, name) for name in Event.__slots__}
            rows.append(said | {"event_id": id_, "customer_id": customer(i), "day": local.date(), "hour": local.hour})
    table = pa.Table.from_pylist(rows, EVENTS) if rows else EVENTS.empty_table()
    pq.write_table(table, folder / "events.parquet")
    pq.write_table(CUSTOMERS.empty_table(), folder / "customers.parquet")
