"""Scores of stored customers over HTTP: the same as the grading's; what arrives is kept, and counts at once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest

from features.catalogue import PROGRAM
from features.online import feature_row
from features.tables.audit import Audit
from features.tables.privacy import Pseudonyms
from features.workspace import Workspace
from serving.desk import Desk
from serving.forgetting import forget
from serving.steps import Job
from serving.store.arrivals import Arrivals
from serving.store.sqlite import SqliteStore, arrivals_path
from tests.conftest import Ran
from tests.serving.test_service import raw_ids, start
from training.snapshots import read_cuts, read_snapshots

BOUGHT = {"event_id": "shop-1", "ts": "2026-11-02T10:00:00", "kind": "purchase", "amount": 99_00, "ref": "R9"}


@pytest.fixture(scope="module")
def ran(sample: Ran, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The sample in a workspace of its own, which events may change."""
    home = tmp_path_factory.mktemp("scores") / "home"
    shutil.copytree(sample.workspace.home, home)
    return replace(sample, job=replace(sample.job, workspace=Workspace(home)))


@pytest.fixture(scope="module")
def client(ran: Ran, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    yield from start(ran, tmp_path_factory.mktemp("scores-server") / "log")


@pytest.fixture(scope="module")
def ids(ran: Ran, client: httpx.Client) -> list[str]:
    """Customers who are graded, by the company's own ids."""
    known = raw_ids(ran, f"{ran.workspace.simulated}/customers.csv", "customer_no")
    return [id_ for id_ in known if client.get(f"/v1/customers/{id_}").status_code == 200]


def test_a_stored_customer_is_scored_as_it_was_graded(client: httpx.Client, ids: list[str]) -> None:
    """Models, classes, code and play, by the stored features; every fifth customer."""
    for id_ in ids[::5]:
        assert client.post(f"/v1/score/{id_}").json() == client.get(f"/v1/customers/{id_}").json()


def test_a_batch_is_what_each_would_be(client: httpx.Client, ids: list[str]) -> None:
    """In the order that was asked, those who cannot be answered in their places."""
    asked = [*ids, "nobody", ids[0]]
    lines = [json.dumps({"customer_id": id_}) for id_ in asked]
    lines[3:3] = ["no json", '{"customer": 1}', "", json.dumps({"customer_id": "new", "events": [BOUGHT]})]
    found = client.post("/v1/score/batch", content="\n".join(lines)).raise_for_status()
    assert found.headers["content-type"] == "application/x-ndjson"
    told = [json.loads(line) for line in found.text.splitlines()]
    assert len(told) == len(asked) + 3
    assert [each["problem"]["status"] for each in told[3:5]] == [400, 422] and told[3]["line"] == 4
    assert told[5] == client.post("/v1/score", json={"customer_id": "new", "events": [BOUGHT]}).json()
    assert told[-2] == {"line": len(told) - 1, "problem": told[-2]["problem"]}
    assert told[-2]["problem"]["status"] == 404 and told[-1] == told[0]
    answers = [each for each in told if "customer_id" in each and each["customer_id"] != "new"]
    assert [each["customer_id"] for each in answers] == [*ids, ids[0]]
    for each in answers[::20]:
        assert each == client.post(f"/v1/score/{each['customer_id']}").json()


def test_a_batch_has_an_end(client: httpx.Client) -> None:
    """Line 10,001 is refused, and the 10,000 before it are answered."""
    found = client.post("/v1/score/batch", content='{"customer_id": "nobody"}\n' * 10_002)
    told = found.text.splitlines()
    assert len(told) == 10_001 and json.loads(told[-1])["problem"]["status"] == 413


def test_a_stored_history_gives_the_stored_features(sample: Ran) -> None:
    """For every customer of the snapshot, to the bit: what is kept is all that the kernel needs."""
    live, _, path = sample.job.live()
    store, base = SqliteStore(path), read_snapshots(sample.workspace, [read_cuts(sample.workspace).grade])[0]
    for id_, row in zip(base.ids, base.rows, strict=True):
        state = store.find(id_)
        again = feature_row(PROGRAM, id_, store.history(id_), live.snapshot.as_of, live.snapshot.company)
        assert state.row is not None and np.array_equal(state.row, row, equal_nan=True)
        assert np.array_equal(again, row, equal_nan=True)


def test_at_another_date_the_history_is_asked(client: httpx.Client, ids: list[str]) -> None:
    """`as_of` gives the features of that date."""
    now, then = (client.post(f"/v1/score/{ids[10]}", params=p).json() for p in ({}, {"as_of": "2026-03-01"}))
    assert then["as_of"] == "2026-03-01" and then["scores"] != now["scores"]
    assert client.post(f"/v1/score/{ids[10]}", params={"as_of": now["as_of"]}).json() == now


def test_reasons_are_those_of_the_grading(
    client: httpx.Client, ran: Ran, ids: list[str], pseudonyms: Pseudonyms
) -> None:
    """The three that the grading told, in the same words; none without being asked for."""
    told = pq.read_table(ran.folder / "reasons.parquet").to_pylist()
    for id_ in ids[:8]:
        answer = client.post(f"/v1/score/{id_}", params={"reasons": 3}).json()
        mine = [row for row in told if row["customer_id"] == pseudonyms.of(id_)]
        for task, reasons in answer["reasons"].items():
            wanted = [(row["feature"], row["reason"]) for row in mine if row["task"] == task]
            assert [(each["feature"], each["reason"]) for each in reasons] == wanted
    assert "reasons" not in client.post(f"/v1/score/{ids[0]}").json()
    assert client.post(f"/v1/score/{ids[0]}", params={"reasons": 21}).status_code == 422


def test_what_arrives_counts_at_once_and_is_one_event(client: httpx.Client, ids: list[str]) -> None:
    """The answer is by the whole history; sent again, nothing is new; the day after it became known is scored."""
    id_ = ids[20]
    before = client.post(f"/v1/score/{id_}").json()
    first, again = (client.post("/v1/events", json={"customer_id": id_, "events": [BOUGHT]}).json() for _ in range(2))
    assert (first.pop("kept"), again.pop("kept")) == ({"new": 1, "repeated": 0}, {"new": 0, "repeated": 1})
    assert first == again == client.post(f"/v1/score/{id_}").json() != before
    assert date.fromisoformat(first["as_of"]) >= datetime.now(UTC).date()
    assert client.get(f"/v1/customers/{id_}").json()["as_of"] == before["as_of"]  # what was graded stays what it was
    line = client.post("/v1/score/batch", content=json.dumps({"customer_id": id_})).json()
    assert line == first


def test_a_new_customer_may_begin_with_an_event(client: httpx.Client) -> None:
    """Nobody is known of that id before; then it is scored by what arrived."""
    assert client.post("/v1/score/brand-new-1").status_code == 404
    client.post("/v1/events", json={"customer_id": "brand-new-1", "events": [BOUGHT]}).raise_for_status()
    found = client.post("/v1/score/brand-new-1").json()
    assert found["classes"]["lifecycle"]["name"] == "first purchase" and found["customer_id"] == "brand-new-1"
    assert client.get("/v1/customers/brand-new-1").status_code == 404


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"ts": (datetime.now(UTC) + timedelta(days=2)).isoformat()}, 422),
        ({"known_at": "2026-01-01T00:00:00Z"}, 422),
        ({"kind": "purchase", "amount": -1}, 422),
        ({"kind": "buy"}, 422),
    ],
)
def test_an_event_that_cannot_be_is_not_kept(
    client: httpx.Client, ids: list[str], changed: dict[str, Any], status: int
) -> None:
    """Nor are those sent with it."""
    before = client.post(f"/v1/score/{ids[30]}").json()
    sent = {"customer_id": ids[30], "events": [{**BOUGHT, "event_id": "x-1"}, {**BOUGHT, "event_id": "x-2", **changed}]}
    answer = client.post("/v1/events", json=sent)
    assert answer.status_code == status and answer.headers["content-type"] == "application/problem+json"
    assert client.post(f"/v1/score/{ids[30]}").json() == before


def test_the_next_ingest_takes_in_what_arrived(
    client: httpx.Client, ran: Ran, ids: list[str], pseudonyms: Pseudonyms
) -> None:
    """With the id it was sent with, known since it arrived; once, however often ingest runs; and it still counts."""
    id_ = ids[40]
    client.post("/v1/events", json={"customer_id": id_, "events": [{**BOUGHT, "event_id": "shop-7"}]})
    before = client.post(f"/v1/score/{id_}").json()
    job = Job(ran.job.source, ran.workspace, ran.workspace.simulated)
    for _ in range(2):
        job.ingest()
    mine = [("customer_id", "==", pseudonyms.of(id_)), ("event_id", "==", "shop-7")]
    (row,) = pq.read_table(ran.workspace.tables / "events.parquet", filters=mine).to_pylist()
    assert row["amount"] == 99_00 and row["ref"] == "R9" and row["known_at"].date() == datetime.now(UTC).date()
    assert Arrivals(arrivals_path(ran.workspace)).waiting() == []
    assert client.post(f"/v1/score/{id_}").json() == before


def test_a_forgotten_customer_leaves_nothing_and_begins_nothing(
    client: httpx.Client, ran: Ran, ids: list[str], pseudonyms: Pseudonyms
) -> None:
    """Its arrivals go with the rest, sealed lines too; and nothing is kept of it again."""
    id_ = ids[50]
    client.post("/v1/events", json={"customer_id": id_, "events": [{**BOUGHT, "event_id": "shop-50"}]})
    desk = Desk(ran.job.source, ran.workspace, pseudonyms, Audit(ran.workspace.home / "audit.jsonl", "eva"))
    forget(desk, desk.person(id_), "asked for it", date(2026, 11, 30))
    left = b"".join(path.read_bytes() for path in arrivals_path(ran.workspace).parent.iterdir())
    assert b"shop-50" not in left and pseudonyms.of(id_).encode() not in left
    answer = client.post("/v1/events", json={"customer_id": id_, "events": [BOUGHT]})
    assert answer.status_code == 409 and client.post(f"/v1/score/{id_}").status_code == 404
