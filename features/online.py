"""The feature row of one customer from events at hand: the same kernel, no table, no data frame."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.calendar import DAY, FOREVER, START, clock, day_number, local_time
from features.company import Company
from features.history import Histories, empty_histories
from features.kernel import compute
from features.pack import conditions, whole
from features.spec import Program
from features.tables.events import KINDS

KIND_CODE = {kind: code for code, kind in enumerate(KINDS)}
SPINE = np.array([0, 1])


class Event(msgspec.Struct, frozen=True):
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
_decoder = msgspec.json.Decoder(list[Event])


def read_events(body: bytes) -> list[Event]:
    """A JSON list of events; msgspec.ValidationError names the place of what is wrong."""
    return _decoder.decode(body)


def feature_row(
    program: Program, customer_id: str, events: Sequence[Event], as_of: date, company: Company
) -> NDArray[np.float64]:
    """The features of one customer at `as_of`, shape (features,), NaN for null.

    customer_id: its pseudonym. Events without an id get the digest of what they say; of events with one id, the one
    known first counts.
    """
    histories = history_of(program, customer_id, events, company)
    values, _ = compute(histories, program, SPINE, np.array([day_number(as_of)], np.int32))
    return values[:, 0]


def history_of(program: Program, customer_id: str, events: Sequence[Event], company: Company) -> Histories:
    """One customer's events as the kernel wants them: each id once, sorted by day."""
    histories = empty_histories(program, 1, 0)
    if not events:
        return histories
    zone, shown_by = ZoneInfo(company.timezone), clock(company.timezone)
    said = dict(
        zip(FIELDS, zip(*map(msgspec.structs.astuple, _unique(customer_id, events, zone)), strict=True), strict=True)
    )
    shown = local_time(_instants(said["ts"], zone), shown_by)
    days = (shown // DAY).astype(np.int32)
    order = np.argsort(days, kind="stable")
    histories = empty_histories(program, 1, len(order))
    histories.offsets[1] = len(order)
    day = histories.day
    day[:] = days[order]
    histories.known[:] = day
    for name, column in (("known_at", histories.known), ("known_until", histories.until)):
        given = [i for i, instant in enumerate(said[name]) if instant is not None]
        if given:
            unsorted = days.copy() if name == "known_at" else np.full(len(order), FOREVER, np.int32)
            unsorted[given] = local_time(_instants([said[name][i] for i in given], zone), shown_by) // DAY
            column[:] = unsorted[order]
    kind = np.array([KIND_CODE[kind] for kind in said["kind"]], np.int8)[order]
    late = (histories.known > day) | (histories.until != FOREVER)
    histories.kind[:] = np.where(late, ~kind, kind)
    for i, name in enumerate(program.values):
        histories.values[i] = whole(np.array(said[name], np.float64)[order], name)
    for i, name in enumerate(program.codes):
        histories.codes[i] = _numbered(name, said[name], days)[order]
    if program.due and any(said["due_day"]):
        due = [FOREVER if day is None else day_number(day) for day in said["due_day"]]
        histories.due[:] = np.array(due, np.int32)[order]
    if program.conditions:
        risky = [
            -1 if c is None or not company.high_risk_countries else c in company.high_risk_countries
            for c in said["country"]
        ]
        named = np.array([ref is not None for ref in said["ref"]])
        amount = np.array(said["amount"], np.float64)
        histories.flags[:] = conditions(days, shown, amount, np.array(risky, np.int8), named, company)[order]
    return histories


def event_digest(customer_id: str, event: Event, zone: ZoneInfo) -> str:
    """The id of an event that has none, as `features.tables.typed.event_id` gives it at ingest."""
    said = (
        customer_id,
        event.kind,
        *_instants([event.ts], zone).tolist(),
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


def _unique(customer_id: str, events: Sequence[Event], zone: ZoneInfo) -> Sequence[Event]:
    """Each event once: of those with one id, the one known first."""
    ids = {event.event_id for event in events}
    if len(ids) == len(events) and None not in ids:
        return events
    if ids == {None} and len({(e.ts, e.kind, e.item, e.amount, e.ref) for e in events}) == len(events):
        return events  # no two say the same, so no two have one digest
    arrived = sorted(events, key=lambda event: _known(event, zone), reverse=True)
    return list({event.event_id or event_digest(customer_id, event, zone): event for event in arrived}.values())


def _known(event: Event, zone: ZoneInfo) -> tuple[int, bool, int]:
    """When an event was learnt, then whether and when it was replaced."""
    until = event.known_until
    known, end = _instants([event.known_at or event.ts, until or event.ts], zone).tolist()
    return known, until is not None, end


def _numbered(name: str, texts: Sequence[str | None], days: NDArray[np.int32]) -> NDArray[np.int32]:
    numbers: dict[str | int | None, int] = {None: -1}
    if name == "ref":
        keys: Sequence[str | int | None] = [
            day if text is None else text for text, day in zip(texts, days.tolist(), strict=True)
        ]
    else:
        keys = texts
    return np.array([numbers.setdefault(key, len(numbers) - 1) for key in keys], np.int32)


def _instants(times: Sequence[datetime], zone: ZoneInfo) -> NDArray[np.int64]:
    instants = []
    for time in times:
        since = (time if time.tzinfo else time.replace(tzinfo=zone)) - START
        instants.append((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)
    return np.array(instants, np.int64)


def _thousandths(value: float | None) -> int | None:
    return None if value is None else math.floor(value * 1000 + 0.5)
