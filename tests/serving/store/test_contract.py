"""What every store promises, wherever it keeps what it knows."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from datetime import UTC, date, datetime

import msgspec
import numpy as np
import pytest

from features.errors import InputError
from features.online import Event
from features.stored import encode_event
from features.tables.person import tombstone
from serving.desk import Desk
from serving.forgetting import forget
from serving.opt_out import opt_out
from serving.overrides import lift_override
from serving.store.state import Arrival, Store
from tests.serving.store.conftest import MERGED, SNAPSHOT
from tests.small_world import ANNA, BERT, CARL, SEVEN, UNTIL

TODAY = date(2026, 11, 23)


@pytest.fixture
def store(desk: Desk) -> Store:
    return desk.place.store(SNAPSHOT)


def arrival(desk: Desk, i: int, raw_id: str = ANNA, partner: str | None = None) -> Arrival:
    at = datetime(2026, 11, 1, 10, 0, i, tzinfo=UTC)
    named = None if partner is None else desk.pseudonyms.of(partner)
    event = Event(at, "transfer_out", f"shop:{i}", amount=100, counterparty=named, known_at=at)
    return Arrival(desk.pseudonyms.of(raw_id), f"shop:{i}", at.isoformat(), encode_event(event, "UTC"), b"sealed")


def test_a_customer_is_found_as_it_was_published(desk: Desk, store: Store) -> None:
    """Record, feature row, texts, what was held, what persons decided."""
    found = store.find(desk.pseudonyms.of(BERT))
    assert found.customer == desk.pseudonyms.of(BERT)
    assert msgspec.json.decode(store.record(found.customer) or b"")["code"] == "AL"
    assert found.row is not None and found.row.tobytes() == np.arange(3.0).tobytes()
    assert found.texts == {"region": "north"} and found.held == {"value": ("B", "A", "held")}
    (override,) = found.overrides
    assert (override.customer_id, override.dimension, override.class_, override.until) == (
        desk.pseudonyms.of(BERT),
        "value",
        "A",
        UNTIL,
    )
    assert (found.no_profiling, found.no_marketing, found.arrived, found.forgotten) == (False, False, False, False)


def test_a_merged_id_is_its_survivor(desk: Desk, store: Store) -> None:
    anna = store.find(desk.pseudonyms.of(ANNA))
    merged = store.find(desk.pseudonyms.of(MERGED))
    assert merged._replace(row=None) == anna._replace(row=None)


def test_a_row_is_one_for_the_loops_that_are_warm(desk: Desk, store: Store) -> None:
    """For rows that cannot be written into numba would compile them all once more, at the first request."""
    row = store.find(desk.pseudonyms.of(ANNA)).row
    assert row is not None and row.flags.writeable and row.flags.c_contiguous


def test_nobody_has_no_record_and_no_history(desk: Desk, store: Store) -> None:
    nobody = desk.pseudonyms.of("nobody")
    found = store.find(nobody)
    assert (found.customer, found.row, found.texts, found.overrides) == (nobody, None, {}, ())
    assert store.history(nobody) == [] and store.record(nobody) is None


def test_many_are_found_as_each_is(desk: Desk, store: Store) -> None:
    """In the order that was asked, more than go at once, some twice."""
    asked = [desk.pseudonyms.of(id_) for id_ in (CARL, MERGED, "nobody", ANNA, CARL)] * 201
    told = [each._replace(row=None) for each in store.find_many(asked)]
    assert told == [store.find(each)._replace(row=None) for each in asked[:5]] * 201
    assert store.find_many([]) == []


def test_a_history_is_what_the_table_has(desk: Desk, store: Store) -> None:
    events = store.history(desk.pseudonyms.of(BERT))
    assert sorted((event.kind, event.amount) for event in events) == [
        ("purchase", 1000),
        ("suspicious_report", 100),
        ("transfer_out", 500),
        ("transfer_out", 600),
    ]
    assert {event.counterparty for event in events} == {None, desk.pseudonyms.of(ANNA), desk.pseudonyms.of(CARL)}


def test_an_event_is_kept_once(desk: Desk, store: Store) -> None:
    """Against what arrived, and against what is published; other readers see it at once."""
    anna, before = desk.pseudonyms.of(ANNA), store.history(desk.pseudonyms.of(ANNA))
    published = replace(arrival(desk, 9), event_id=str(before[0].event_id))
    assert store.append(anna, [arrival(desk, 2), arrival(desk, 1), published]) == 2
    assert store.append(anna, [arrival(desk, 2), arrival(desk, 3)]) == 1
    assert store.append(anna, [published]) == 0 and store.append(anna, []) == 0
    other = desk.place.store(SNAPSHOT)
    assert [e.event_id for e in other.history(anna)] == [e.event_id for e in before] + ["shop:1", "shop:2", "shop:3"]
    assert other.find(anna).arrived and other.find(desk.pseudonyms.of(MERGED)).arrived
    assert not other.find(desk.pseudonyms.of(BERT)).arrived


def test_many_who_write_at_once_lose_nothing(desk: Desk, store: Store) -> None:
    """And of one event that all of them send, one is new."""
    anna, new = desk.pseudonyms.of(ANNA), []

    def write(first: int) -> None:
        new.extend(store.append(anna, [arrival(desk, i), arrival(desk, 59)]) for i in range(first, first + 8))

    threads = [threading.Thread(target=write, args=(first,)) for first in range(0, 32, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(new) == 33
    assert {e.event_id for e in store.history(anna)} >= {f"shop:{i}" for i in (*range(32), 59)}


def test_many_who_ask_at_once_get_their_own_answers(desk: Desk, store: Store) -> None:
    wrong: list[str] = []

    def ask(raw_id: str) -> None:
        mine = desk.pseudonyms.of(raw_id)
        wrong.extend(mine for _ in range(200) if store.find(mine).customer != mine or store.record(mine) is None)

    threads = [threading.Thread(target=ask, args=(raw_id,)) for raw_id in (ANNA, BERT, CARL, SEVEN)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_arrives_stays_until_two_publishes_had_it(desk: Desk, store: Store) -> None:
    """It waits, the table takes it, a state with it is published, and the one after that lets it go; what came in
    between stays."""
    store.append(desk.pseudonyms.of(ANNA), [arrival(desk, 1), arrival(desk, 2)])
    with desk.place.inboxes() as (*_, inbox):
        assert [each.event_id for each in inbox.waiting()] == ["shop:1", "shop:2"]
        assert inbox.waiting() == [arrival(desk, 1), arrival(desk, 2)]
        inbox.published()
        for _ in range(2):
            inbox.taken([arrival(desk, 1)])
        assert inbox.waiting() == [arrival(desk, 2)]
        inbox.published()
        inbox.taken([arrival(desk, 1)])  # said again, it does not go back
        assert len(inbox.of([desk.pseudonyms.of(ANNA)])) == 2
        for _ in range(2):
            inbox.published()
            assert inbox.of([desk.pseudonyms.of(ANNA)]) == inbox.waiting() == [arrival(desk, 2)]


def test_a_snapshot_that_was_never_published_is_said(desk: Desk) -> None:
    with pytest.raises(InputError):
        desk.place.store("s1999-01-01")


def test_an_objection_counts_at_once(desk: Desk, store: Store) -> None:
    """To marketing: it is said. To profiling: nothing computed is left, for an id that was merged neither."""
    opt_out(desk, BERT, ["no_marketing"], False, "asked", TODAY)
    found = store.find(desk.pseudonyms.of(BERT))
    assert found.no_marketing and not found.no_profiling and found.row is not None
    opt_out(desk, ANNA, ["no_profiling"], False, "asked", TODAY)
    for id_ in (ANNA, MERGED):
        found = store.find(desk.pseudonyms.of(id_))
        assert found.no_profiling and found.row is None and found.overrides == ()
        assert store.record(found.customer) is None
    assert store.history(desk.pseudonyms.of(ANNA)) == []
    assert {e.counterparty for e in store.history(desk.pseudonyms.of(BERT))} >= {desk.pseudonyms.of(ANNA)}


def test_an_override_that_is_lifted_is_gone_at_once(desk: Desk, store: Store) -> None:
    lift_override(desk, CARL, "value", "an error", TODAY)
    assert store.find(desk.pseudonyms.of(CARL)).overrides == ()
    assert len(store.find(desk.pseudonyms.of(BERT)).overrides) == 1


@pytest.mark.parametrize("who", [ANNA, BERT, SEVEN])
def test_of_who_is_forgotten_nothing_is_left(desk: Desk, store: Store, who: str) -> None:
    """Nor in what arrived, nor as the partner of others; that it was here is known still. Others keep all else."""
    mine, carl = desk.pseudonyms.of(who), desk.pseudonyms.of(CARL)
    store.append(mine, [arrival(desk, 1, who)])
    store.append(carl, [arrival(desk, 2, CARL, who), arrival(desk, 3, CARL, "partner")])
    with desk.place.inboxes() as inboxes:  # as if the table had them: their lines are no lines
        inboxes[-1].taken(inboxes[-1].waiting())
    before = store.history(carl)
    forget(desk, desk.person(who), "asked", TODAY)
    for each in (store, desk.place.store("s2026-03-01")):
        found = each.find(mine)
        assert found.forgotten and found.row is None and not found.arrived and found.overrides == ()
        assert each.history(mine) == [] and each.record(mine) is None
    assert [e.event_id for e in store.history(carl)] == [e.event_id for e in before]
    assert [e.counterparty for e in store.history(carl)] == [
        None if e.counterparty == mine else e.counterparty for e in before
    ]
    assert store.find(carl).forgotten is False and tombstone(carl) != tombstone(mine)


def test_readers_of_a_publish_see_all_old_or_all_new(desk: Desk, store: Store) -> None:
    """While it is published again and again with another code each time, no customer is missing, and no reader sees
    the code go back."""
    import sqlite3

    path, ids = desk.workspace.store / f"{SNAPSHOT}.sqlite", [desk.pseudonyms.of(each) for each in (ANNA, BERT, CARL)]
    seen: list[list[bytes | None]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append([store.record(each) for each in ids])

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(10, 20):
        new = path.with_suffix(".new")
        new.write_bytes(path.read_bytes())
        with contextlib.closing(sqlite3.connect(new)) as db, db:
            db.execute("UPDATE records SET record = ?", (str(i).encode(),))
        new.replace(path)
        desk.place.load(SNAPSHOT)
    done.set()
    reader.join()
    assert None not in [record for each in seen for record in each]
    order = [record for each in seen for record in each if record and len(record) == 2]
    assert order == sorted(order) and store.record(ids[0]) == b"19"
