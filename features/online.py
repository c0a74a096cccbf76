"""The feature row of one customer from events at hand: the same kernel, no table, no data frame."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from features.history import FOREVER, Histories, add_calendar, empty_histories
from features.kernel import compute
from features.spec import CODES, COLUMNS, Program
from features.tables.events import KINDS

EPOCH = date(1970, 1, 1).toordinal()
KIND_CODE = {kind: code for code, kind in enumerate(KINDS)}
CODE_FIELDS = ("item", "channel", "counterparty", "country", "code")


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it arrives: the columns of the event table, without what follows from the others."""

    ts: datetime
    kind: str
    event_id: str | None = None
    ref: str | None = None
    amount: int | None = None
    cost: int | None = None
    quantity: float | None = None
    item: str | None = None
    channel: str | None = None
    counterparty: str | None = None
    country: str | None = None
    due_day: date | None = None
    code: str | None = None
    score: float | None = None
    known_at: datetime | None = None
    known_until: datetime | None = None


def feature_row(
    program: Program, customer_id: str, events: Sequence[Event], as_of: date, zone: ZoneInfo
) -> NDArray[np.float64]:
    """The features of one customer at `as_of`, shape (features,), NaN for null.

    customer_id: its pseudonym. Events without an id get the digest of what they say; of events with one id, the one
    known first counts.
    """
    histories = history_of(customer_id, events, zone)
    rows, _ = compute(histories, program, np.zeros(1, np.int64), np.array([as_of.toordinal() - EPOCH], np.int32))
    return np.asarray(rows[0])


def history_of(customer_id: str, events: Sequence[Event], zone: ZoneInfo) -> Histories:
    """One customer's events as the kernel wants them: each id once, sorted by day and id."""
    arrived = sorted(events, key=_known, reverse=True)
    unique = {event.event_id or event_digest(customer_id, event): event for event in arrived}
    days = {key: _day(event.ts, zone) for key, event in unique.items()}
    order = sorted(unique, key=lambda key: (days[key], key))
    histories = empty_histories(1, len(order))
    histories.offsets[1] = len(order)
    numbers: dict[str, dict[str, int]] = {name: {} for name in ("ref", *CODE_FIELDS)}
    for i, key in enumerate(order):
        event = unique[key]
        histories.day[i] = days[key]
        histories.known[i] = _day(event.known_at or event.ts, zone)
        histories.until[i] = _day(event.known_until, zone) if event.known_until else FOREVER
        histories.kind[i] = KIND_CODE[event.kind]
        for j, name in enumerate(COLUMNS):
            value = getattr(event, name)
            histories.values[j, i] = math.nan if value is None else value
        for name, seen in numbers.items():
            code = getattr(event, name)
            if name == "ref" and code is None:
                code = f"\x1f{days[key]}"
            if code is not None:
                histories.codes[CODES.index(name), i] = seen.setdefault(code, len(seen))
    add_calendar(histories)
    return histories


def event_digest(customer_id: str, event: Event) -> str:
    """The id of an event that has none, as `features.tables.typed.event_id` gives it at ingest."""
    said = (
        customer_id,
        event.kind,
        _microseconds(event.ts),
        event.ref,
        event.amount,
        event.cost,
        _thousandths(event.quantity),
        event.item,
        event.channel,
        event.counterparty,
        event.country,
        event.due_day,
        event.code,
        _thousandths(event.score),
    )
    text = "\x1f".join("" if part is None else str(part) for part in said)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _known(event: Event) -> tuple[datetime, bool, datetime]:
    """When an event was learnt, then whether and when it was replaced."""
    return event.known_at or event.ts, event.known_until is not None, event.known_until or event.ts


def _day(instant: datetime, zone: ZoneInfo) -> int:
    return instant.astimezone(zone).toordinal() - EPOCH


def _microseconds(instant: datetime) -> int:
    since = instant - datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _thousandths(value: float | None) -> int | None:
    return None if value is None else math.floor(value * 1000 + 0.5)
