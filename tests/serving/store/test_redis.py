"""What is to be known of the store in Redis beyond what every store promises: what happens when Redis fails."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from features.errors import InputError
from features.tables.merges import write_merges
from features.tables.privacy import Pseudonyms
from serving.desk import Desk
from serving.forgetting import forget
from serving.store import redis_publish
from serving.store.place import Place
from serving.store.redis_client import Server, shown
from serving.store.state import Store, StoreError
from tests.redis_server import DURABLE, PASSWORD, RedisServer
from tests.serving.store.conftest import SNAPSHOT
from tests.serving.store.test_contract import TODAY, arrival
from tests.small_world import ANNA, CARL, small_world


@pytest.fixture
def desk(tmp_path: Path, redis_server: RedisServer, pseudonyms: Pseudonyms) -> Desk:
    """A small world, published."""
    found = replace(small_world(tmp_path, pseudonyms), redis=redis_server.address)
    write_merges(found.workspace.tables, {})
    found.place.load(SNAPSHOT)
    return found


@pytest.fixture
def store(desk: Desk) -> Iterator[Store]:
    found = desk.place.store(SNAPSHOT)
    yield found
    found.close()


def test_no_byte_of_who_is_forgotten_is_left(desk: Desk, store: Store, redis_server: RedisServer) -> None:
    """In no key and no value, half of a publish included."""
    mine, carl = desk.pseudonyms.of(ANNA), desk.pseudonyms.of(CARL)
    store.append(mine, [arrival(desk, 1)])
    store.append(carl, [arrival(desk, 2, CARL, ANNA)])
    with desk.place.inboxes() as (*_, inbox):
        inbox.taken(inbox.waiting())
    server = Server(redis_server.address, desk.source.name)
    redis_publish._put(server, redis_publish._begin(server), [(mine, {"record": b"{}"})])
    assert redis_server.everything().count(mine.encode()) >= 6
    forget(desk, desk.person(ANNA), "asked", TODAY)
    assert mine.encode() not in redis_server.everything() and carl.encode() in redis_server.everything()


def test_when_redis_is_down_it_is_said_soon_and_over_when_it_is_back(
    desk: Desk, store: Store, redis_server: RedisServer
) -> None:
    """Every question is answered within a second, by an error; after a restart the same store answers again, with all
    that was acknowledged."""
    anna = desk.pseudonyms.of(ANNA)
    assert store.append(anna, [arrival(desk, 1)]) == 1
    redis_server.kill()
    asked: list[Callable[[], object]] = [
        lambda: store.find(anna),
        lambda: store.find_many([anna, anna]),
        lambda: store.record(anna),
        lambda: store.history(anna),
        lambda: store.append(anna, [arrival(desk, 2)]),
        store.check,
    ]
    for ask in asked:
        began = time.monotonic()
        with pytest.raises(StoreError) as told:
            ask()
        assert time.monotonic() - began < 1
        assert PASSWORD not in str(told.value) and anna not in str(told.value)
    with pytest.raises(InputError) as letter:
        desk.place.load(SNAPSHOT)
    assert PASSWORD not in letter.value.letter()
    redis_server.start()
    store.check()
    assert store.find(anna).arrived and store.append(anna, [arrival(desk, 1), arrival(desk, 2)]) == 1
    assert {"shop:1", "shop:2"} <= {event.event_id for event in store.history(anna)}


def test_a_redis_that_hangs_is_not_waited_for(desk: Desk, store: Store, redis_server: RedisServer) -> None:
    """Longer than SECONDS; once it goes on, so does the store."""
    store.check()
    with redis_server.client() as client:
        client.client_pause(600)
    began = time.monotonic()
    with pytest.raises(StoreError):
        store.find(desk.pseudonyms.of(ANNA))
    assert time.monotonic() - began < 0.5
    time.sleep(0.7)
    assert store.find(desk.pseudonyms.of(ANNA)).row is not None


def test_a_redis_that_is_full_or_reads_only_keeps_nothing_and_says_so(
    desk: Desk, store: Store, redis_server: RedisServer
) -> None:
    """All or none of what was sent; what is there is read still; with room it goes on."""
    anna = desk.pseudonyms.of(ANNA)
    with redis_server.client() as client:
        client.config_set("maxmemory", "1mb")
        try:
            with pytest.raises(StoreError, match="OutOfMemory"):
                store.append(anna, [arrival(desk, i) for i in range(20)])
            assert store.find(anna).row is not None and not store.find(anna).arrived
        finally:
            client.config_set("maxmemory", "0")
        client.replicaof("127.0.0.1", "1")
        try:
            with pytest.raises(StoreError):
                store.append(anna, [arrival(desk, 1)])
        finally:
            client.replicaof("NO", "ONE")
    assert store.append(anna, [arrival(desk, i) for i in range(20)]) == 20


def test_a_redis_that_lost_everything_is_no_empty_base(desk: Desk, store: Store, redis_server: RedisServer) -> None:
    """Nobody is told to be unknown; `scoring publish` brings all back."""
    with redis_server.client() as client:
        client.flushall()
    for ask in (lambda: store.find(desk.pseudonyms.of(ANNA)), store.check):
        with pytest.raises(StoreError):
            ask()
    with pytest.raises(InputError, match="scoring publish"):
        desk.place.store(SNAPSHOT)
    desk.place.load(SNAPSHOT)
    assert store.find(desk.pseudonyms.of(ANNA)).row is not None


def test_a_publish_that_was_killed_changes_nothing_and_is_cleared_away(
    desk: Desk, store: Store, redis_server: RedisServer
) -> None:
    """Readers have what was there; the next publish removes the half of it, once nothing is heard of it."""
    anna, server = desk.pseudonyms.of(ANNA), Server(redis_server.address, desk.source.name)
    half = redis_publish._begin(server)
    redis_publish._put(server, half, [(anna, {"kept": b"half"})])
    assert store.find(anna).texts == {"region": "north"}
    desk.place.load(SNAPSHOT)
    with redis_server.client() as client:
        assert client.exists(f"{server.root}{half}:c:{anna}")  # it may be at work still
        client.delete(f"{server.root}{half}:alive")
        desk.place.load(SNAPSHOT)
        assert not list(client.scan_iter(f"{server.root}{half}:*"))
        assert client.zcard(f"{server.root}generations") == 1
    with pytest.raises(StoreError):  # should it wake up, it cannot publish what was removed
        server.run(redis_publish.FLIP, half, SNAPSHOT)
    assert store.find(anna).texts == {"region": "north"}


def test_the_last_two_snapshots_stay(desk: Desk, store: Store, redis_server: RedisServer) -> None:
    """And one that is published again is once there."""
    path, ids = desk.workspace.store, ("s1", "s2", "s2")
    for id_ in ids:
        (path / f"{id_}.sqlite").write_bytes((path / f"{SNAPSHOT}.sqlite").read_bytes())
        desk.place.load(id_)
    with redis_server.client() as client:
        assert sorted(client.hkeys(f"{Server(redis_server.address, desk.source.name).root}snapshots")) == [b"s1", b"s2"]
        keys = list(client.scan_iter("*:c:*"))
    assert len(keys) == 2 * 4
    with pytest.raises(StoreError):
        store.find(desk.pseudonyms.of(ANNA))


def test_sources_do_not_see_each_other(desk: Desk, redis_server: RedisServer) -> None:
    other = Place(desk.workspace, "another", redis_server.address)
    with pytest.raises(InputError):
        other.store(SNAPSHOT)
    with other.inboxes() as (*_, inbox):
        assert inbox.waiting() == []


def test_what_may_lose_an_event_is_told(desk: Desk, redis_server: RedisServer) -> None:
    assert desk.place.lacks() == []
    with redis_server.client() as client:
        client.config_set("appendfsync", "everysec")
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            assert desk.place.lacks() == [
                "appendfsync everysec, not always",
                "maxmemory-policy allkeys-lru, not noeviction",
            ]
        finally:
            client.config_set("appendfsync", "always")
            client.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize("address", [f"http://u:{PASSWORD}@x", f"redis://:{PASSWORD}@host:port/0", PASSWORD])
def test_an_address_that_cannot_be_read_is_not_repeated(desk: Desk, address: str) -> None:
    with pytest.raises(InputError) as told:
        Place(desk.workspace, "bank", address).store(SNAPSHOT)
    assert PASSWORD not in told.value.letter()
    assert PASSWORD not in repr(Place(desk.workspace, "bank", address)) + repr(desk)


def test_an_address_is_shown_without_its_password() -> None:
    assert shown(f"redis://u:{PASSWORD}@[::1]:6379/2") == "redis://[::1]:6379/2"
    assert shown(f"unix://:{PASSWORD}@/run/redis?db=1&password={PASSWORD}") == "unix:///run/redis"


WRITER = """
import sys
from datetime import UTC, datetime
from serving.store.redis_client import Server
from serving.store.redis_inbox import RedisInbox
from serving.store.state import Arrival, StoreError
inbox = RedisInbox(Server(sys.argv[1], "bank"))
for i in range(10**6):
    try:
        inbox.add([Arrival("c1", f"e{i}", "2026-11-01T10:00:00+00:00", b"[]", b"")])
    except StoreError:
        break
    print(i, flush=True)
"""


def test_nothing_acknowledged_is_lost_when_redis_is_killed(redis_server: RedisServer) -> None:
    """It is set to write before it answers."""
    words = [sys.executable, "-c", WRITER, redis_server.address]
    writer = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=os.environ)
    assert writer.stdout is not None and writer.stdout.readline() == "0\n"
    killer = threading.Timer(0.3, redis_server.kill)
    killer.start()
    said = len(writer.communicate()[0].splitlines()) + 1
    killer.join()
    redis_server.start(DURABLE)
    with redis_server.client() as client:
        kept = client.hkeys("{scoring:bank}:arrived:c1")
    assert said > 1 and {f"e{i}".encode() for i in range(said)} <= set(kept)
