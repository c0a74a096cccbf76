"""Publishing to Redis: a file of the online store → a generation of keys, named last, so that readers see all of it or
none; and what holds of persons now, in every generation at once."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec

from features.progress import Progress, silent
from features.stored import without_partners
from features.tables.person import tombstone
from features.workspace import Workspace, alone
from serving.store.publish import Standing, decided, objections, standing, to_take_out
from serving.store.redis_client import Script, Server, answering
from serving.store.sqlite import open_file

KEPT = 2
"""Snapshots that stay: readers of the last one turn to the next in their own time."""

ALIVE_SECONDS = 120
"""A generation of which nothing is heard for so long was left half made."""

SECONDS = 30.0
"""How long publishing waits for an answer."""

AT_ONCE = 500

FIELDS = ("kept", "record", "events")
ROWS = """
SELECT id, kept, record, events FROM customers JOIN records USING (id) LEFT JOIN histories USING (id)
UNION ALL SELECT id, NULL, NULL, events FROM histories WHERE id NOT IN (SELECT id FROM customers)
"""

FLIP = Script("""
local root, generation, snapshot = KEYS[1], ARGV[1], ARGV[2]
if redis.call('EXISTS', root .. generation .. ':alive') == 0 then return redis.error_reply('LATE it was removed') end
redis.call('HSET', root .. 'snapshots', snapshot, generation)
redis.call('DEL', root .. generation .. ':alive')
""")

T = TypeVar("T")


def load(server: Server, path: Path, workspace: Workspace, progress: Progress = silent) -> None:
    """Publish a file of the workspace's store, with what holds of persons when it is done.

    Memory does not grow with the base. StoreError where the server does not take it all; readers then see what was
    there before, and the next one who publishes removes the half.
    """
    with contextlib.closing(open_file(path)) as file:
        generation = _begin(server)
        done, total = 0, file.execute("SELECT count(*) FROM customers").fetchone()[0]
        for rows in _batches(_rows(file)):
            progress("publish to Redis", min(done, total), total)
            _put(server, generation, rows)
            done += len(rows)
        for merged in _batches(file.execute("SELECT id, survivor FROM aliases")):
            with answering():
                server.db.hset(f"{server.root}{generation}:aliases", mapping=dict(merged))
        with alone(workspace.home):  # so that nothing that is said meanwhile is lost
            held = standing(workspace)
            _take_out(server, [generation], to_take_out(file, held), held)
            _put_standing(server, held)
            server.run(FLIP, generation, path.stem)
    progress("publish to Redis", total, total)
    _clear(server)


def revise(server: Server, gone: Collection[str], workspace: Workspace) -> None:
    """Take customers out of every generation, and tell what holds of the others; twice does no harm.

    Of those who were forgotten the histories of others lose the name, too. StoreError where the server does not answer.
    """
    with alone(workspace.home):
        held = standing(workspace).without_overrides(gone)
        with answering():
            generations = [each.decode() for each in server.db.zrange(f"{server.root}generations", 0, -1)]
        _take_out(server, generations, gone, held)
        _put_standing(server, held)


def _begin(server: Server) -> str:
    """A generation of which nobody reads yet."""
    with answering():
        generation = str(server.db.incr(f"{server.root}counter"))
        server.db.set(f"{server.root}{generation}:alive", b"", ex=ALIVE_SECONDS)
        server.db.zadd(f"{server.root}generations", {generation: int(generation)})
    return generation


def _rows(file: sqlite3.Connection) -> Iterator[tuple[str, dict[str, bytes]]]:
    for id_, *contents in file.execute(ROWS):
        yield id_, {field: content for field, content in zip(FIELDS, contents, strict=True) if content is not None}


def _put(server: Server, generation: str, rows: Iterable[tuple[str, Mapping[str, bytes]]]) -> None:
    with answering(), server.db.pipeline() as pipe:  # all at once, so that the server writes to its disk once
        pipe.expire(f"{server.root}{generation}:alive", ALIVE_SECONDS)
        for id_, fields in rows:
            pipe.hset(f"{server.root}{generation}:c:{id_}", mapping=fields)
        pipe.execute()


def _take_out(server: Server, generations: Collection[str], gone: Collection[str], held: Standing) -> None:
    nameless = frozenset(id_ for id_ in gone if tombstone(id_) in held.tombstones)
    for base in (f"{server.root}{generation}:" for generation in generations if gone):
        for ids in _batches(sorted(gone)):
            with answering():
                server.db.unlink(*(f"{base}c:{id_}" for id_ in ids))
        with answering():
            pairs = [(id_.decode(), of.decode()) for id_, of in server.db.hscan_iter(f"{base}aliases", count=1_000)]
            if merged := [id_ for id_, survivor in pairs if id_ in gone or survivor in gone]:
                server.db.hdel(f"{base}aliases", *merged)
        if nameless:
            _without_partners(server, base, nameless)


def _without_partners(server: Server, base: str, ids: frozenset[str]) -> None:
    for keys in server.keys(f"{base.removeprefix(server.root)}c:"):
        with answering(), server.db.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hget(key, "events")
            told = zip(keys, pipe.execute(), strict=True)
        for key, events in told:
            if events and (new := without_partners(events, ids)) is not None:
                with answering():
                    server.db.hset(key, "events", new)


def _put_standing(server: Server, held: Standing) -> None:
    """All of it at once, in place of what was said before."""
    told = {id_: f"{profiling}{marketing}".encode() for id_, profiling, marketing in objections(held)}
    acts = defaultdict(list)
    for act in decided(held):
        acts[act[0]].append(act)
    overrides = {id_: msgspec.json.encode(mine) for id_, mine in acts.items()}
    new = f"{server.root}new:{_number(server)}:"
    with answering():
        for name, said in (("consents", told), ("overrides", overrides)):
            for some in _batches(said.items()):
                server.db.hset(f"{new}{name}", mapping=dict(some))
        for stones in _batches(held.tombstones):
            server.db.sadd(f"{new}tombstones", *stones)
        with server.db.pipeline() as pipe:
            for name, any_ in (("consents", told), ("overrides", overrides), ("tombstones", held.tombstones)):
                if any_:
                    pipe.rename(f"{new}{name}", f"{server.root}{name}")
                else:
                    pipe.unlink(f"{server.root}{name}")
            pipe.execute()


def _number(server: Server) -> int:
    with answering():
        return int(server.db.incr(f"{server.root}counter"))


def _clear(server: Server) -> None:
    """Let go of the snapshots before the last ones, of what was replaced, and of what was left half made."""
    with answering():
        found = server.db.hgetall(f"{server.root}snapshots")
        pointed = {int(generation): snapshot for snapshot, generation in found.items()}
        for old in sorted(pointed)[:-KEPT]:
            server.db.hdel(f"{server.root}snapshots", pointed.pop(old))
        there = [int(each) for each in server.db.zrange(f"{server.root}generations", 0, -1)]
        dead = [each for each in there if each not in pointed and not server.db.exists(f"{server.root}{each}:alive")]
    for generation in dead:
        for keys in server.keys(f"{generation}:"):
            with answering():
                server.db.unlink(*keys)
        with answering():
            server.db.zrem(f"{server.root}generations", generation)


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while some := list(islice(rest, AT_ONCE)):
        yield some
