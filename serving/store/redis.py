"""The online store in Redis, for several servers: a copy of the files of the workspace, and the events that arrive.

Keys, after `{scoring:<source>}:`. A snapshot that is published is a generation, and the last step of publishing is to
name it, so that readers see all of it or none:

- `snapshots`: snapshot → its generation; `generations`: all, half made ones, too, by number
- `<generation>:c:<id>`: record, kept and events of a customer; `<generation>:aliases`: merged id → survivor
- `consents`, `overrides`, `tombstones`: what holds of persons now, whatever the snapshot
- `arrived:<id>`, `waiting`, `taken`, `published`: `serving.store.redis_inbox`
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec

from classification.decisions import Override
from features.online import Event
from features.stored import decode_event, decode_events
from features.tables.person import tombstone
from serving.store.redis_client import Script, Server, answering
from serving.store.redis_inbox import RedisInbox, unpack
from serving.store.state import Arrival, Kept, State, StoreError

AT_ONCE = 500
"""Customers that are asked for together."""

_BASE = """
local root, asked = KEYS[1], ARGV[2]
local generation = redis.call('HGET', root .. 'snapshots', ARGV[1])
if not generation then return redis.error_reply('NOSNAPSHOT it is not published') end
local base = root .. generation .. ':'
"""

FIND = Script(
    _BASE
    + """
local id = redis.call('HGET', base .. 'aliases', asked) or asked
local kept = redis.call('HGET', base .. 'c:' .. id, 'kept')
local arrived = redis.call('HKEYS', root .. 'arrived:' .. id)
local events = #arrived > 0 and redis.call('HGET', base .. 'c:' .. id, 'events')
local said, decided = redis.call('HGET', root .. 'consents', asked), redis.call('HGET', root .. 'overrides', id)
local forgotten = redis.call('SISMEMBER', root .. 'tombstones', ARGV[3])
if id == asked and not said and not decided and forgotten == 0 and #arrived == 0 then return kept end
return {id, kept, said, forgotten, decided, arrived, events}
"""
)

RECORD = Script(_BASE + "return redis.call('HGET', base .. 'c:' .. asked, 'record')")

HISTORY = Script(
    _BASE
    + "return {redis.call('HGET', base .. 'c:' .. asked, 'events'), redis.call('HVALS', root .. 'arrived:' .. asked)}"
)


class RedisStore:
    """The states of one snapshot; safe to share between threads."""

    local = False

    def __init__(self, server: Server, snapshot: str) -> None:
        self.snapshot, self._server = snapshot, server
        self._inbox = RedisInbox(server)

    def find(self, pseudonym: str) -> State:
        """What is known of a customer."""
        return _state(pseudonym, self._server.run(FIND, self.snapshot, pseudonym, tombstone(pseudonym)))

    def find_many(self, pseudonyms: Sequence[str]) -> list[State]:
        """The same of many, in their order."""
        found: list[State] = []
        for i in range(0, len(pseudonyms), AT_ONCE):
            calls = [(self.snapshot, each, tombstone(each)) for each in pseudonyms[i : i + AT_ONCE]]
            answers = self._server.run_many(FIND, calls)
            found += [_state(call[1], answer) for call, answer in zip(calls, answers, strict=True)]
        return found

    def record(self, customer: str) -> bytes | None:
        """As the grading left it."""
        found: bytes | None = self._server.run(RECORD, self.snapshot, customer)
        return found

    def history(self, customer: str) -> list[Event]:
        """The events of the snapshot, then those that arrived since."""
        published, arrived = self._server.run(HISTORY, self.snapshot, customer)
        events = list(decode_events(published)) if published else []
        known = {event.event_id for event in events}
        return events + [decode_event(each.event) for each in unpack(customer, arrived) if each.event_id not in known]

    def append(self, customer: str, arrivals: Sequence[Arrival]) -> int:
        """Keep events as surely as the server is set to; how many were new."""
        published, _ = self._server.run(HISTORY, self.snapshot, customer)
        known = {event.event_id for event in decode_events(published)} if published else set()
        return self._inbox.add([each for each in arrivals if each.event_id not in known])

    def check(self) -> None:
        """Whether the server answers, and has the snapshot."""
        with answering():
            there = self._server.db.hexists(f"{self._server.root}snapshots", self.snapshot)
        if not there:
            raise StoreError("Redis has lost the snapshot; `scoring publish` puts it there again")

    def close(self) -> None:
        """Let go of the connections."""
        self._server.close()


def _state(asked: str, found: Any) -> State:
    """What `FIND` answers; of most customers `kept` is all there is to say."""
    if found is None or isinstance(found, bytes):
        found = asked.encode(), found, None, 0, None, (), None
    customer, kept, said, forgotten, overrides, arrived, events = found
    mine = _kept.decode(kept) if kept is not None else None
    known = {event.event_id for event in decode_events(events)} if events else set()
    return State(
        customer.decode(),
        mine.features if mine else None,
        mine.texts if mine else {},
        mine.held if mine else {},
        said is not None and said[:1] == b"1",
        said is not None and said[1:] == b"1",
        tuple(map(_override, msgspec.json.decode(overrides))) if overrides else (),
        any(each.decode() not in known for each in arrived),
        bool(forgotten),
    )


def _override(row: Sequence[str]) -> Override:
    id_, dimension, class_, until, by, reason = row
    return Override(id_, dimension, class_, date.fromisoformat(until), by, reason)


_kept = msgspec.msgpack.Decoder(Kept)
