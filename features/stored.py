"""A customer's events as the online store keeps them: read from the event table in bulk, one by one on a request."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import msgspec

from features.calendar import zone
from features.online import FIELDS, Event
from features.tables.sql import parquet
from features.workspace import damaged, part_files

AT_ONCE = 2_000_000
"""Events that are grouped by customer at a time."""

FAST = 1
"""Level of compression: a history shrinks to a fifth at the speed of a disk."""

DIGITS = 4
"""Of a pseudonym: enough to cut a base into parts of equal size."""


class _Row(Event, array_like=True, frozen=True, gc=False):
    """An event without the names of its fields."""


_encoder = msgspec.json.Encoder()
_rows = msgspec.json.Decoder(list[_Row])
_row = msgspec.json.Decoder(_Row)


def encode_event(event: Event, timezone: str) -> bytes:
    """An event as bytes, its times with their offset: one without is in the time zone."""
    said = dict(zip(FIELDS, msgspec.structs.astuple(event), strict=True))
    times = {name: _aware(said[name], timezone) for name in ("ts", "known_at", "known_until")}
    return _encoder.encode(_Row(**said | times))


def decode_event(content: bytes) -> Event:
    """What `encode_event` wrote."""
    return _row.decode(content)


def decode_events(content: bytes) -> Sequence[Event]:
    """A history that `histories` gave."""
    return _rows.decode(zlib.decompress(content))


def without_partner(content: bytes, ids: Collection[str]) -> bytes | None:
    """What `encode_event` wrote, without the partner, where that is one of `ids`; None where it is not."""
    event = _row.decode(content)
    return _encoder.encode(_nameless(event)) if event.counterparty in ids else None


def without_partners(content: bytes, ids: Collection[str]) -> bytes | None:
    """A history that `histories` gave, without those partners who are among `ids`; None where none is."""
    plain = zlib.decompress(content)
    if not any(id_.encode() in plain for id_ in ids):
        return None
    events = [_nameless(event) if event.counterparty in ids else event for event in _rows.decode(plain)]
    return zlib.compress(_encoder.encode(events), FAST)


def histories(tables: Path) -> Iterator[tuple[str, bytes]]:
    """Every customer who has events, and those events, in order of time, as bytes; a part of the base at a time.

    Raises InputError for a damaged table.
    """
    path = tables / "events.parquet"
    if not part_files(path):
        return
    try:
        with duckdb.connect() as db:
            db.execute("SET TimeZone = 'UTC'")
            source = parquet(path)
            (count,) = db.execute(f"SELECT count(*) FROM {source}").fetchall()[0]
            for first, end in _parts(1 + count // AT_ONCE):
                found = db.execute(f"{_grouped(source)}", {"first": first, "end": end})
                while rows := found.fetchmany(10_000):
                    yield from ((customer, zlib.compress(events.encode(), FAST)) for customer, events in rows)
    except duckdb.Error as error:
        raise damaged(path, error) from None


def _parts(count: int) -> Iterator[tuple[str, str]]:
    """Ranges of pseudonyms, from the first to before the end."""
    cuts = [f"{16**DIGITS * i // count:0{DIGITS}x}" for i in range(count)]
    return zip(cuts, [*cuts[1:], "g"], strict=True)  # "g" comes after all hexadecimal digits


def _grouped(source: str) -> str:
    instant = "strftime({}, '%Y-%m-%dT%H:%M:%S.%fZ')"
    columns = {name: instant.format(name) for name in ("ts", "known_at", "known_until")}
    columns["due_day"] = "strftime(due_day, '%Y-%m-%d')"
    cells = ", ".join(columns.get(name, name) for name in FIELDS)
    return f"""SELECT customer_id, CAST(to_json(list(json_array({cells}) ORDER BY ts, event_id)) AS VARCHAR)
        FROM {source} WHERE customer_id >= $first AND customer_id < $end GROUP BY customer_id ORDER BY customer_id"""


def _aware(time: datetime | None, timezone: str) -> datetime | None:
    return time if time is None or time.tzinfo else time.replace(tzinfo=zone(timezone)).astimezone(UTC)


def _nameless(event: _Row) -> _Row:
    return msgspec.structs.replace(event, counterparty=None)
