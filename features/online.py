"""The feature row of one customer from events at hand: the same kernel, no table, no data frame."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.calendar import DAY, FOREVER, START, Clock, clock, day_number, instants, local_time
from features.company import Company
from features.history import Histories, empty_histories
from features.kernel import compute
from features.pack import conditions, whole
from features.spec import Program
from features.tables.events import KINDS

KIND_CODE = {kind: code for code, kind in enumerate(KINDS)}
SPINE = np.array([0, 1])
SHOWN = START.replace(tzinfo=None)
"""What every clock shows once, wherever it is."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """An event as it arrives: the columns of the event table, without what follows from the others.

    A time without an offset is in the company's time zone; one at midnight says the day only.
    """

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


FIELDS = Event.__struct_fields__
TELLING = ("ts", "kind", "item", "amount", "ref")
"""What events without an id seldom say alike."""

_decoder = msgspec.json.Decoder(list[Event])


def read_events(body: bytes) -> list[Event]:
    """A JSON list of events; msgspec.ValidationError names the place of what is wrong."""
    return _decoder.decode(body)


@dataclass(frozen=True)
class Told:
    """The events of one customer, each id once. columns: field of `Event` → a value per event; shown (n,): what the
    company's clock showed then, in microseconds; day, known, until (n,): when it happened, was known, was replaced."""

    columns: Mapping[str, Sequence[Any]]
    shown: NDArray[np.int64]
    day: NDArray[np.int32]
    known: NDArray[np.int32]
    until: NDArray[np.int32]

    def visible(self, as_of: date) -> NDArray[np.bool_]:
        """Which events count: those that happened and were known before that day, and were not replaced before it."""
        limit = day_number(as_of)
        return (self.day < limit) & (self.known < limit) & (self.until >= limit)


def columns_of(events: Sequence[Event]) -> Mapping[str, Sequence[Any]]:
    """Field of `Event` → its value for each event."""
    if not events:
        return dict.fromkeys(FIELDS, ())
    return dict(zip(FIELDS, zip(*map(msgspec.structs.astuple, events), strict=True), strict=True))


def told_by(customer_id: str, events: Sequence[Event], company: Company) -> Told:
    """What one customer's events say. customer_id: its pseudonym.

    Events without an id get the digest of what they say; of events with one id, the one known first counts.
    """
    own, columns = clock(company.timezone), columns_of(events)
    if not _each_once(columns):
        columns = columns_of(_unique(customer_id, events, company.timezone))
    shown = local_time(_instants(columns["ts"], own), own)
    day = (shown // DAY).astype(np.int32)
    until = np.full(len(day), FOREVER, np.int32)
    known, until = _days(columns["known_at"], day, own), _days(columns["known_until"], until, own)
    return Told(columns, shown, day, known, until)


def feature_row(
    program: Program, customer_id: str, events: Sequence[Event], as_of: date, company: Company
) -> NDArray[np.float64]:
    """The features of one customer at `as_of`, shape (features,), NaN for null."""
    return row_of(program, told_by(customer_id, events, company), as_of, company)


def row_of(program: Program, told: Told, as_of: date, company: Company) -> NDArray[np.float64]:
    """The same of a customer whose events were read."""
    values, _ = compute(history_of(program, told, company), program, SPINE, np.array([day_number(as_of)], np.int32))
    return values[:, 0]


def history_of(program: Program, told: Told, company: Company) -> Histories:
    """One customer's events as the kernel wants them, sorted by day."""
    said, n, order = told.columns, len(told.day), np.argsort(told.day, kind="stable")
    h = empty_histories(program, 1, n)
    h.offsets[1] = n
    h.day[:] = told.day[order]
    h.known[:] = told.known[order]
    h.until[:] = told.until[order]
    kind = np.fromiter(map(KIND_CODE.__getitem__, said["kind"]), np.int8, n)[order]
    h.kind[:] = np.where((h.known > h.day) | (h.until != FOREVER), ~kind, kind)
    for i, name in enumerate(program.values):
        h.values[i] = whole(_floats(said[name]), name)[order]
    for i, name in enumerate(program.codes):
        h.codes[i] = _numbered(name, said[name], told.day)[order]
    if program.due and _given(said["due_day"]):
        due = [FOREVER if day is None else day_number(day) for day in said["due_day"]]
        h.due[:] = np.array(due, np.int32)[order]
    if program.conditions:
        risky = np.full(n, -1, np.int8)
        if company.high_risk_countries and _given(said["country"]):
            risky[:] = [-1 if c is None else c in company.high_risk_countries for c in said["country"]]
        named = np.fromiter((ref is not None for ref in said["ref"]), np.bool_, n)
        h.flags[:] = conditions(told.day, told.shown, _floats(said["amount"]), risky, named, company)[order]
    return h


def event_digest(customer_id: str, event: Event, timezone: str) -> str:
    """The id of an event that has none, as `features.tables.typed.event_id` gives it at ingest."""
    said = (
        customer_id,
        event.kind,
        *_instants([event.ts], clock(timezone)).tolist(),
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


def _each_once(columns: Mapping[str, Sequence[Any]]) -> bool:
    """Whether it is plain that no two events are one."""
    ids = set(columns["event_id"])
    if ids == {None}:  # no two that say something else have one digest
        return len(set(zip(*(columns[name] for name in TELLING), strict=True))) == len(columns["ts"])
    return len(ids) == len(columns["ts"]) and None not in ids


def _unique(customer_id: str, events: Sequence[Event], timezone: str) -> Sequence[Event]:
    """Each event once: of those with one id, the one known first."""
    own = clock(timezone)
    arrived = sorted(events, key=lambda event: _known(event, own), reverse=True)
    return list({event.event_id or event_digest(customer_id, event, timezone): event for event in arrived}.values())


def _known(event: Event, own: Clock) -> tuple[int, bool, int]:
    """When an event was learnt, then whether and when it was replaced."""
    until = event.known_until
    known, end = _instants([event.known_at or event.ts, until or event.ts], own).tolist()
    return known, until is not None, end


def _given(column: Sequence[object]) -> bool:
    return column.count(None) < len(column)


def _floats(column: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array(column, np.float64) if _given(column) else np.full(len(column), np.nan)


def _days(times: Sequence[datetime | None], default: NDArray[np.int32], own: Clock) -> NDArray[np.int32]:
    """The local day of each time, and the default where there is none."""
    days = default.copy()
    if _given(times):
        given = {i: time for i, time in enumerate(times) if time is not None}
        days[list(given)] = local_time(_instants(list(given.values()), own), own) // DAY
    return days


def _numbered(name: str, texts: Sequence[str | None], days: NDArray[np.int32]) -> NDArray[np.int32]:
    keys: Sequence[str | int | None] = texts
    if name != "ref" and not _given(texts):
        return np.full(len(texts), -1, np.int32)
    if name == "ref" and None in texts:
        keys = [day if text is None else text for text, day in zip(texts, days.tolist(), strict=True)]
    distinct = dict.fromkeys(keys)
    numbers = dict(zip(distinct, range(len(distinct)), strict=True))
    if None in numbers:
        numbers[None] = -1
    return np.fromiter(map(numbers.__getitem__, keys), np.int32, len(keys))


def _instants(times: Sequence[datetime], own: Clock) -> NDArray[np.int64]:
    """Microseconds since 1970; a time without an offset is what the clock `own` shows."""
    naive = [time.tzinfo is None for time in times]
    found = _microseconds([time - (SHOWN if alone else START) for time, alone in zip(times, naive, strict=True)])
    return np.where(naive, instants(found, own), found)


def _microseconds(since: Sequence[timedelta]) -> NDArray[np.int64]:
    seconds = np.array(list(map(timedelta.total_seconds, since)))
    if seconds.max(initial=0) < 2**32:  # to 2106 a float of seconds is right to the microsecond
        return np.rint(seconds * 1e6).astype(np.int64)
    return np.array([time // timedelta(microseconds=1) for time in since], np.int64)


def _thousandths(value: float | None) -> int | None:
    return None if value is None else math.floor(value * 1000 + 0.5)
