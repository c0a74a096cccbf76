"""A service over Redis: what is published is answered, while Redis goes and comes back, and while persons object."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

from features.catalogue import PROGRAM
from features.online import feature_row
from features.tables.privacy import Pseudonyms
from features.workspace import Workspace
from serving.desk import open_desk
from serving.forgetting import forget
from serving.opt_out import opt_out
from serving.store.place import Place
from serving.store.sqlite import store_path
from tests.conftest import Ran
from tests.redis_server import PASSWORD, RedisServer
from tests.serving.test_scores import BOUGHT
from tests.serving.test_service import raw_ids, start
from training.snapshots import read_cuts, read_snapshots

TODAY = date(2026, 11, 23)
Scoring = Callable[..., tuple[int, str]]


@pytest.fixture
def ran(sample: Ran, tmp_path: Path, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Ran:
    """The sample in a workspace of its own, to be served from Redis, which has nothing yet."""
    shutil.copytree(sample.workspace.home, tmp_path / "home")
    monkeypatch.setenv("CUSTOMER_SCORING_STORE", redis_server.address)
    return replace(sample, job=replace(sample.job, workspace=Workspace(tmp_path / "home")))


@pytest.fixture
def client(ran: Ran, tmp_path: Path, scoring: Scoring) -> Iterator[httpx.Client]:
    code, said = scoring("serve", "--home", ran.workspace.home, "--port", 1)
    assert code == 2 and "scoring publish" in said and PASSWORD not in said
    code, said = scoring("publish", "--home", ran.workspace.home)
    assert code == 0 and PASSWORD not in said
    yield from start(ran, tmp_path / "log")


def test_answers_and_events_by_redis(
    client: httpx.Client, ran: Ran, redis_server: RedisServer, pseudonyms: Pseudonyms
) -> None:
    """The same answers as from the files; 503 while Redis is away, and nothing lost when it is back."""
    known = raw_ids(ran, f"{ran.workspace.simulated}/customers.csv", "customer_no")
    ids = [id_ for id_ in known if client.get(f"/v1/customers/{id_}").status_code == 200]
    for id_ in ids[::25]:
        assert client.post(f"/v1/score/{id_}").json() == client.get(f"/v1/customers/{id_}").json()
    sent = {"customer_id": ids[3], "events": [BOUGHT]}
    first = client.post("/v1/events", json=sent).raise_for_status().json()
    assert first.pop("kept") == {"new": 1, "repeated": 0}
    redis_server.kill()
    for answer in (client.post(f"/v1/score/{ids[3]}"), client.post("/v1/events", json=sent), client.get("/readyz")):
        assert answer.status_code == 503 and PASSWORD not in answer.text
    redis_server.start()
    assert client.get("/readyz").status_code == 200
    assert client.post(f"/v1/score/{ids[3]}").json() == first
    assert client.post("/v1/events", json=sent).json()["kept"] == {"new": 0, "repeated": 1}
    replace(ran.job, raw=ran.workspace.simulated).ingest()
    mine = [("customer_id", "==", pseudonyms.of(ids[3])), ("event_id", "==", BOUGHT["event_id"])]
    (row,) = pq.read_table(ran.workspace.tables / "events.parquet", filters=mine).to_pylist()
    assert row["amount"] == BOUGHT["amount"]
    assert client.post(f"/v1/score/{ids[3]}").json() == first


def test_a_stored_history_gives_the_stored_row(sample: Ran, redis_server: RedisServer) -> None:
    """Bit for bit, of every customer, from either store, which know the same."""
    (base,) = read_snapshots(sample.workspace, [read_cuts(sample.workspace).grade])
    live, _ = sample.job.graded()
    places = (Place(sample.workspace, "sample"), Place(sample.workspace, "sample", redis_server.address))
    places[1].load(live.snapshot.id)
    files, redis = (place.store(live.snapshot.id) for place in places)
    for i, id_ in enumerate(base.ids):
        history, found = redis.history(id_), redis.find(id_)
        row = feature_row(PROGRAM, id_, history, base.as_of, live.snapshot.company)
        assert found.row is not None and row.tobytes() == found.row.tobytes() == base.rows[i].tobytes()
        assert history == files.history(id_) and redis.record(id_) == files.record(id_)
        assert found._replace(row=None) == files.find(id_)._replace(row=None)


def test_what_is_said_while_it_is_published_is_not_lost(ran: Ran, pseudonyms: Pseudonyms) -> None:
    """Objections and an erasure, while the file is written and while it is loaded, count in both when that is done."""
    job = ran.job
    live, _ = job.graded()
    (base,) = read_snapshots(ran.workspace, [read_cuts(ran.workspace).grade])
    desk, graded = open_desk(job, "eva"), set(base.ids.tolist())
    known = raw_ids(ran, f"{ran.workspace.simulated}/customers.csv", "customer_no")
    one, two, three = [id_ for id_ in known if pseudonyms.of(id_) in graded][:3]
    to_say = {
        "publish to the store": lambda: opt_out(desk, one, ["no_profiling"], False, "asked", TODAY),
        "publish to Redis": lambda: (
            opt_out(desk, two, ["no_profiling"], False, "asked", TODAY),
            forget(desk, desk.person(three), "asked", TODAY),
        ),
    }

    def progress(doing: str, done: int, total: int) -> None:
        if doing in to_say:
            to_say.pop(doing)()

    job.place.publish(live, ran.folder, base, progress)
    assert not to_say
    for place in (Place(ran.workspace, "sample"), job.place):
        store = place.store(live.snapshot.id)
        for raw_id in (one, two, three):
            found = store.find(pseudonyms.of(raw_id))
            assert found.row is None and store.record(found.customer) is None and store.history(found.customer) == []
            assert (found.no_profiling, found.forgotten) == (raw_id != three, raw_id == three)
    assert pseudonyms.of(three) not in str(sorted(ran.workspace.home.rglob("*"))) and not desk.known(desk.person(three))


def test_a_snapshot_without_its_file_is_published_from_its_grades(
    ran: Ran, redis_server: RedisServer, scoring: Scoring
) -> None:
    """To the bit what the grading published."""
    live, _ = ran.job.graded()
    path = store_path(ran.workspace, live.snapshot.id)
    was = path.read_bytes()
    path.unlink()
    assert scoring("publish", "--home", ran.workspace.home, "--snapshot", live.snapshot.id)[0] == 0
    assert path.read_bytes() == was
    ran.job.place.store(live.snapshot.id).check()
    code, said = scoring("publish", "--home", ran.workspace.home, "--snapshot", "none-such")
    assert code == 2 and live.snapshot.id in said
    assert scoring("publish", "--home", ran.workspace.home, "--month", "1999-01")[0] == 2
