"""The real server over HTTP: the same numbers as the batch run, and no answer to nonsense."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pyarrow.parquet as pq
import pytest

from classification.grade import TRAIT_NAMES
from features.population import POPULATION
from features.tables.privacy import Pseudonyms
from features.tables.sources import load_source
from tests.conftest import Ran, real_data

SENT = (
    "event_id", "ts", "kind", "ref", "amount", "cost", "quantity", "item", "channel", "country", "known_at",
    "due_day", "code", "score",
)  # fmt: skip


def start(ran: Ran, log: Path, source: str | None = None, more: Sequence[str] = ()) -> Iterator[httpx.Client]:
    """A server on a free port, ended by its own pid; more: further words of its command."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "serving.cli", "serve", "--source", source or ran.job.source.name]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, "--home", str(ran.workspace.home), "--port", str(port), *more], stdout=output, stderr=output
        )
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
    try:
        for _ in range(2_400):
            try:
                if client.get("/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
            assert server.poll() is None, log.read_text()
        else:
            pytest.fail(f"never ready: {log.read_text()}")
        yield client
    finally:
        server.terminate()
        assert server.wait(20) in (0, 143)
        client.close()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server") / "log"


@pytest.fixture(scope="module")
def client(sample: Ran, log: Path) -> Iterator[httpx.Client]:
    yield from start(sample, log)


def raw_ids(ran: Ran, table: str, column: str) -> list[str]:
    with duckdb.connect() as db:
        rows = db.sql(f"SELECT DISTINCT CAST({column} AS VARCHAR) FROM '{table}' WHERE {column} IS NOT NULL ORDER BY 1")
        return [row[0] for row in rows.fetchall()]


def compare(
    ran: Ran, client: httpx.Client, ids: list[str], pseudonyms: Pseudonyms, partners: Sequence[str] = ()
) -> None:
    """`POST /v1/score` from a customer's events = `GET /v1/customers` = the row of the batch run, bit for bit.

    partners: the raw ids of all partners of transfers, which go to the service as a caller has them."""
    named = {pseudonyms.of(raw_id): raw_id for raw_id in partners}
    grades = {row["customer_id"]: row for row in pq.read_table(ran.folder / "grades.parquet").to_pylist()}
    events: dict[str, list[dict[str, Any]]] = {}
    for row in pq.read_table(ran.workspace.tables / "events.parquet").to_pylist():
        events.setdefault(row["customer_id"], []).append(row)
    for raw_id in ids:
        batch = grades[pseudonyms.of(raw_id)]
        sent = [
            {k: str(e[k]) if k in ("ts", "known_at", "due_day") else e[k] for k in SENT if e[k] is not None}
            | ({"counterparty": named[e["counterparty"]]} if e["counterparty"] else {})
            for e in events.get(pseudonyms.of(raw_id), [])
        ]
        known = {name.removeprefix("text_"): text for name, text in batch.items() if name.startswith("text_")}
        attributes = {
            name: text for name, text in known.items() if name not in TRAIT_NAMES
        }  # traits follow from events
        body = {"customer_id": raw_id, "as_of": str(batch["as_of"]), "events": sent, "attributes": attributes}
        online = client.post("/v1/score", json=body).raise_for_status().json()
        stored = client.get(f"/v1/customers/{raw_id}").raise_for_status().json()
        assert online == stored and online["customer_id"] == raw_id
        assert online["code"] == batch["code"]
        for task, score in online["scores"].items():
            assert score["value"] == batch[f"score_{task}"]
            assert score["percentile"] == batch.get(f"percentile_{task}")
        assert online["standing"] == {each.name: batch[each.name] for each in POPULATION}
        for part, key in (("class_", "code"), ("raw_", "raw")):
            assert {f"{part}{name}": c[key] for name, c in online["classes"].items()} == {
                name: code for name, code in batch.items() if name.startswith(part)
            }
        for event in body["events"]:  # ids that were digests at ingest are found again without being sent
            del event["event_id"]
        assert client.post("/v1/score", json=body).json() == online


def test_online_is_batch_for_the_whole_sample(sample: Ran, client: httpx.Client, pseudonyms: Pseudonyms) -> None:
    """All 618 numbers of 600 customers, leads without any event included; 9 of them objected, and get no score."""
    table = f"{sample.workspace.simulated}/customers.csv"
    ids = raw_ids(sample, table, "customer_no")
    objected = set(raw_ids(sample, table, "CASE WHEN no_profiling = 'yes' THEN customer_no END"))
    assert (len(ids), len(objected)) == (618, 9)
    assert {client.get(f"/v1/customers/{raw_id}").status_code for raw_id in objected} == {403}
    partners = ids + raw_ids(sample, f"{sample.workspace.simulated}/transfers.csv", "partner")
    compare(sample, client, [raw_id for raw_id in ids if raw_id not in objected], pseudonyms, partners)


@pytest.mark.real
def test_online_is_batch_on_online_retail(online_retail: Ran, pseudonyms: Pseudonyms, tmp_path: Path) -> None:
    """Every 60th real customer, by the shop's own number."""
    folder = real_data("online_retail/online_retail.parquet")
    graded = set(pq.read_table(online_retail.folder / "grades.parquet")["customer_id"].to_pylist())
    ids = [i for i in raw_ids(online_retail, f"{folder}/*.parquet", "CustomerID") if pseudonyms.of(i) in graded]
    for client in start(online_retail, tmp_path / "log"):
        compare(online_retail, client, ids[::60], pseudonyms)


def test_the_release_names_itself(sample: Ran, client: httpx.Client) -> None:
    """Release, scheme and snapshot, in every answer the same."""
    said = client.get("/v1/release").json()
    assert said["live"]["release"] == "sample.customer-scorer" and said["live"]["version"] == sample.version
    assert said["live"]["snapshot"] == json.loads((sample.folder / "snapshot.json").read_text())["id"]
    assert said["tasks"] == ["churn", "value", "demand", "intent", "potential", "segments"]
    assert set(said["rungs"]) == set(said["tasks"]) and said["rungs"]["churn"] == {"name": "lightgbm", "missing": ""}
    assert client.get("/readyz").json()["live"] == said["live"]
    assert client.get("/healthz").json()["status"] == "ok"


def test_the_documents_examples_are_answered(client: httpx.Client) -> None:
    """Every example in the OpenAPI document works as it stands."""
    document = client.get("/openapi.json").json()
    for path, schema in (("/v1/score", "ScoreRequest"), ("/v1/events", "EventsRequest")):
        for example in document["components"]["schemas"][schema]["examples"]:
            answer = client.post(path, json=example).raise_for_status().json()
            assert answer["classes"]["value"]["name"]
    assert set(document["paths"]) == {
        "/v1/score",
        "/v1/score/batch",
        "/v1/score/{customer_id}",
        "/v1/events",
        "/metrics",
        "/v1/customers/{customer_id}",
        "/v1/customers/{customer_id}/credit",
        "/v1/customers/{customer_id}/history",
        "/v1/customers/{customer_id}/laundering",
        "/v1/customers/{customer_id}/why",
        "/v1/decisions",
        "/v1/plays/{dimension}/{class}",
        "/v1/scheme",
        "/v1/scheme/decode/{code}",
        "/v1/release",
        "/healthz",
        "/readyz",
    }


def test_the_cut_off_is_shown_with_the_class(sample: Ran, client: httpx.Client) -> None:
    """A key customer's answer says from which spend on a customer is key."""
    cutoff = json.loads((sample.folder / "snapshot.json").read_text())["cutoffs"]["value"]["A"]
    big = {"ts": "2026-10-01T10:00:00Z", "kind": "purchase", "ref": "1", "amount": int(cutoff)}
    answers = [
        client.post("/v1/score", json={"customer_id": "x", "as_of": "2026-11-01", "events": [event]}).json()
        for event in (big, {**big, "amount": int(cutoff) - 1})
    ]
    assert [a["classes"]["value"]["code"] for a in answers] == ["A", "B"]
    assert answers[0]["classes"]["value"]["at_least"] == cutoff


EVENT = {"ts": "2026-01-01T00:00:00Z", "kind": "purchase", "amount": 1}
HOSTILE: dict[str, Any] = {
    "unknown kind": {"customer_id": "x", "events": [{**EVENT, "kind": "buy"}]},
    "amount as text": {"customer_id": "x", "events": [{**EVENT, "amount": "1"}]},
    "amount with a fraction": {"customer_id": "x", "events": [{**EVENT, "amount": 1.5}]},
    "amount beyond exactness": {"customer_id": "x", "events": [{**EVENT, "amount": 10**30}]},
    "purchase below 0": {"customer_id": "x", "events": [{**EVENT, "amount": -1}]},
    "return above 0": {"customer_id": "x", "events": [{**EVENT, "kind": "return"}]},
    "no time": {"customer_id": "x", "events": [{"kind": "visit"}]},
    "unknown field": {"customer_id": "x", "events": [], "force": True},
    "no customer": {"events": []},
    "empty customer": {"customer_id": "", "events": []},
    "long customer": {"customer_id": "x" * 10_000, "events": []},
    "too many events": {"customer_id": "x", "events": [EVENT] * 10_001},
    "quantity beyond all bounds": {"customer_id": "x", "events": [{**EVENT, "quantity": 1e308}]},
    "blank customer": {"customer_id": " \t", "events": []},
    "as_of as text": {"customer_id": "x", "as_of": "soon", "events": []},
    "not an object": [1, 2, 3],
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_request_that_does_not_fit_is_refused(case: str, client: httpx.Client) -> None:
    """422 and a problem document that names the place, without repeating what was sent."""
    answer = client.post("/v1/score", json=HOSTILE[case])
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["errors"][0]["place"].startswith("body")
    assert "xxxx" not in answer.text


def test_names_that_came_with_a_request_are_not_repeated(client: httpx.Client) -> None:
    """An unknown field or attribute may itself be private."""
    body = {"customer_id": "x", "events": [], "Jane Roe": 1, "attributes": {"Jane Roe's illness": 7}}
    answer = client.post("/v1/score", json=body)
    assert answer.status_code == 422 and "Jane" not in answer.text


@pytest.mark.parametrize(
    "body", [b"{", b"", b"\xff\xfe", b"[" * 100_000, b'{"customer_id":"x","events":[],"as_of":NaN}']
)
def test_bytes_that_are_no_request_are_refused(body: bytes, client: httpx.Client) -> None:
    """4xx, and the server lives on."""
    answer = client.post("/v1/score", content=body, headers={"content-type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    "ts", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59-23:59", 253402300799]
)
def test_ends_of_time_are_answered(ts: object, client: httpx.Client) -> None:
    """An event of the far past or future is answered or refused, never a crash."""
    for as_of in ("0001-01-01", "2026-11-01", "9999-12-31"):
        body = {"customer_id": "x", "as_of": as_of, "events": [{**EVENT, "ts": ts}]}
        assert client.post("/v1/score", json=body).status_code in (200, 422)


def test_an_unknown_customer_is_not_found(client: httpx.Client) -> None:
    """404 as a problem document, for ids of every shape."""
    for id_ in ("nobody", "%00", "ü", "a%2Fb", "a/b", "x" * 200):
        answer = client.get(f"/v1/customers/{id_}")
        assert answer.status_code == 404, id_
        assert answer.headers["content-type"] == "application/problem+json"


def test_no_id_in_the_log(client: httpx.Client, log: Path) -> None:
    """Neither answers nor refusals leave the id of a customer in the server's output."""
    client.get("/v1/customers/CANARY-4711")
    client.post("/v1/score", json={"customer_id": "CANARY-4712", "events": [{"kind": "CANARY"}]})
    time.sleep(0.2)
    assert "CANARY" not in log.read_text()


def test_a_service_without_a_release_says_so(tmp_path: Path) -> None:
    """Exit code 2 and the cure."""
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    command = [sys.executable, "-m", "serving.cli", "serve", "--home", str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "champion" in done.stderr and "scoring run" in done.stderr and "Traceback" not in done.stderr
    assert load_source("sample").name == "sample"
