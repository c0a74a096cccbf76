"""Events that arrived, in Redis: as sure as the server is set to keep what it acknowledges.

`arrived:<id>` has them by event id; `waiting`, `taken` and `published` tell how far each has come, in the order in
which they came.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from features.stored import without_partner
from serving.store.redis_client import Script, Server, answering
from serving.store.state import Arrival

STAGES = ("waiting", "taken", "published")

ADD = Script("""
local new = 0
for i = 1, #ARGV, 4 do
    if redis.call('HSETNX', KEYS[1] .. 'arrived:' .. ARGV[i], ARGV[i + 1], ARGV[i + 3]) == 1 then
        redis.call('ZADD', KEYS[1] .. 'waiting', ARGV[i + 2], ARGV[i] .. ':' .. ARGV[i + 1])
        new = new + 1
    end
end
return new
""")

TAKEN = Script("""
for i = 1, #ARGV, 2 do
    if redis.call('ZREM', KEYS[1] .. 'waiting', ARGV[i + 1]) == 1 then
        redis.call('ZADD', KEYS[1] .. 'taken', ARGV[i], ARGV[i + 1])
    end
end
""")

PUBLISHED = Script("""
for _, member in ipairs(redis.call('ZRANGE', KEYS[1] .. 'published', 0, -1)) do
    local cut = string.find(member, ':', 1, true)
    redis.call('HDEL', KEYS[1] .. 'arrived:' .. string.sub(member, 1, cut - 1), string.sub(member, cut + 1))
end
redis.call('DEL', KEYS[1] .. 'published')
if redis.call('EXISTS', KEYS[1] .. 'taken') == 1 then
    redis.call('RENAME', KEYS[1] .. 'taken', KEYS[1] .. 'published')
end
""")

REPLACE = Script("""
if redis.call('HEXISTS', KEYS[1] .. 'arrived:' .. ARGV[1], ARGV[2]) == 1 then
    redis.call('HSET', KEYS[1] .. 'arrived:' .. ARGV[1], ARGV[2], ARGV[3])
end
""")

AT_ONCE = 1_000
"""Arrivals in a round trip, where they are many."""


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    event_id: str
    at: str
    event: bytes
    line: bytes


class RedisInbox:
    """The events of a source that arrived; safe to share between threads."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def add(self, arrivals: Sequence[Arrival]) -> int:
        """Keep them, all or none; how many were not there yet."""
        if not arrivals:
            return 0
        words = [(each.customer, each.event_id, _score(each), _pack(each)) for each in arrivals]
        return int(self._server.run(ADD, *(word for four in words for word in four)))

    def of(self, customers: Collection[str]) -> list[Arrival]:
        """The arrivals of some customers, in the order in which they came."""
        ids = list(customers)
        with answering(), self._server.db.pipeline(transaction=False) as pipe:
            for id_ in ids:
                pipe.hvals(self._key(id_))
            found = pipe.execute()
        each = [arrival for id_, mine in zip(ids, found, strict=True) for arrival in unpack(id_, mine)]
        return sorted(each, key=lambda arrival: (arrival.at, arrival.event_id))

    def waiting(self) -> list[Arrival]:
        """Those that the event table does not have yet, in the order in which they came."""
        keys = self._members("waiting")
        found = self._read(keys)
        return sorted(found, key=lambda each: (each.at, each.customer, each.event_id))

    def taken(self, arrivals: Sequence[Arrival]) -> None:
        """Note that the event table has them, or never will."""
        words = [(_score(each), f"{each.customer}:{each.event_id}") for each in arrivals]
        for some in _batches(words):
            self._server.run(TAKEN, *(word for two in some for word in two))

    def published(self) -> None:
        """Note that a published state has what was taken, and let go of what the one before it had."""
        self._server.run(PUBLISHED)

    def forget(self, customers: Collection[str]) -> None:
        """Let go of all that some customers have, and of their names in what others have."""
        gone, keys = frozenset(customers), {key for stage in STAGES for key in self._members(stage)}
        mine = [":".join(key) for key in keys if key[0] in gone]
        with answering(), self._server.db.pipeline() as pipe:
            for stage in STAGES if mine else ():
                pipe.zrem(f"{self._server.root}{stage}", *mine)
            for id_ in gone:
                pipe.unlink(self._key(id_))
            pipe.execute()
        for each in self._read([key for key in keys if key[0] not in gone]):
            if (event := without_partner(each.event, gone)) is not None:
                nameless = Arrival(each.customer, each.event_id, each.at, event, b"")
                self._server.run(REPLACE, each.customer, each.event_id, _pack(nameless))

    def close(self) -> None:
        """Let go of the connections."""
        self._server.close()

    def _members(self, stage: str) -> list[tuple[str, str]]:
        with answering():
            found = self._server.db.zrange(f"{self._server.root}{stage}", 0, -1)
        return [(id_, event_id) for id_, _, event_id in (member.decode().partition(":") for member in found)]

    def _read(self, keys: Sequence[tuple[str, str]]) -> list[Arrival]:
        found: list[Arrival] = []
        for some in _batches(keys):
            with answering(), self._server.db.pipeline(transaction=False) as pipe:
                for id_, event_id in some:
                    pipe.hget(self._key(id_), event_id)
                said = pipe.execute()
            for (id_, _), content in zip(some, said, strict=True):
                found += unpack(id_, [content] if content else [])
        return found

    def _key(self, id_: str) -> str:
        return f"{self._server.root}arrived:{id_}"


def unpack(customer: str, contents: Iterable[bytes]) -> list[Arrival]:
    """The arrivals of a customer, in the order in which they came."""
    said = sorted(map(_decode, contents), key=lambda each: (each.at, each.event_id))
    return [Arrival(customer, each.event_id, each.at, each.event, each.line) for each in said]


def _pack(arrival: Arrival) -> bytes:
    return _encode(_Packed(arrival.event_id, arrival.at, arrival.event, arrival.line))


def _score(arrival: Arrival) -> int:
    """Microseconds since 1970, which a float of the server holds exactly."""
    return round(datetime.fromisoformat(arrival.at).timestamp() * 1e6)


def _batches(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[i : i + AT_ONCE] for i in range(0, len(items), AT_ONCE)]


_decode = msgspec.msgpack.Decoder(_Packed).decode
_encode = msgspec.msgpack.Encoder().encode
