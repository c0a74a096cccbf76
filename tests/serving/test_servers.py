"""The registry in PostgreSQL, the states in Redis, both real: each is killed and comes back under a running service."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import mlflow
import pytest

from features.tables.sources import load_source
from features.workspace import Workspace
from serving.steps import Job
from tests.conftest import Ran, run_job
from tests.postgres import PASSWORD, PostgresServer, postgres_server
from tests.redis_server import RedisServer, redis_running, redis_server
from tests.serving.test_drift import told
from tests.serving.test_service import start
from training import registry
from training.manifest import MLFLOW_FILES
from training.recipes import RECIPES

__all__ = ["postgres_server", "redis_running", "redis_server"]

SECONDS = 120


@pytest.fixture
def elsewhere(
    tmp_path: Path, postgres_server: PostgresServer, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """An empty folder, with the registry in PostgreSQL, its files below the folder, and the states in Redis."""
    where = postgres_server.url.replace("postgresql:", "postgresql+psycopg:")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", where)
    monkeypatch.setenv("CUSTOMER_SCORING_STORE", redis_server.address)
    client = registry.connect()
    if client.get_experiment_by_name("sample") is None:
        client.create_experiment("sample", (tmp_path / "artifacts").as_uri())
    yield tmp_path
    monkeypatch.undo()
    registry.connect()


@pytest.fixture
def released(sample: Ran, tmp_path: Path) -> tuple[Path, dict[str, str], list[str]]:
    """The files of the sample's release, its tags and its outputs, from the tests' ordinary registry."""
    source = sample.job.source.name
    with registry.downloaded(source, registry.SCORER, sample.version) as (files, tags):
        shutil.copytree(files, tmp_path / "release", ignore=shutil.ignore_patterns(*MLFLOW_FILES))
    tasks = registry.fetch(source, sample.version).about["tasks"]
    return tmp_path / "release", tags, [name for recipe in RECIPES if recipe.name in tasks for name in recipe.outputs]


@pytest.fixture
def ran(released: tuple[Path, dict[str, str], list[str]], sample: Ran, elsewhere: Path) -> Ran:
    """The sample's release, registered anew in PostgreSQL, with what it graded."""
    source, (files, tags, outputs) = sample.job.source.name, released
    with registry.open_run(source, "the sample's"):
        version = registry.register_release(source, files, outputs, tags, "the sample's")
    assert version == sample.version
    registry.promote(source, version)
    shutil.copytree(sample.workspace.home, elsewhere / "home")
    found = replace(sample, job=replace(sample.job, workspace=Workspace(elsewhere / "home")))
    found.job.place.load(found.job.graded()[0].snapshot.id)
    return found


def until(true: Callable[[], bool]) -> None:
    """Wait for it."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def both_go_and_come_back(ran: Ran, postgres: PostgresServer, redis: RedisServer, log: Path) -> None:
    """A service over both, which is never started again."""
    for client in start(ran, log, more=("--watch", "0.3", "--log")):
        wanted = client.post("/v1/score/C10006").raise_for_status().json()
        live = client.get("/readyz").json()["live"]
        postgres.kill()
        until(lambda client=client: "stale" in client.get("/readyz").json())  # type: ignore[misc]
        assert client.get("/readyz").json()["live"] == live
        assert client.post("/v1/score/C10006").json() == wanted
        assert told(client.get("/metrics").text, "stale") == {"": 1}
        sent = {"customer_id": "new", "events": [{"event_id": "e", "ts": "2026-11-02", "kind": "visit"}]}
        assert client.post("/v1/events", json=sent).json()["kept"] == {"new": 1, "repeated": 0}
        postgres.start()
        until(lambda client=client: "stale" not in client.get("/readyz").json())  # type: ignore[misc]
        assert client.post("/v1/score/C10006").json() == wanted
        redis_goes_and_comes_back(client, redis)
        assert client.post("/v1/score/C10006").json() == wanted
        assert client.post("/v1/events", json=sent).json()["kept"] == {"new": 0, "repeated": 1}
    assert PASSWORD not in log.read_text() and '"event":"stale"' in log.read_text()


def redis_goes_and_comes_back(client: httpx.Client, redis: RedisServer) -> None:
    """503 with its reason while it is away; every event that was acknowledged is there afterwards."""
    kept, refused, stop = list[int](), list[httpx.Response](), threading.Event()

    def event(number: int) -> dict[str, object]:
        return {
            "customer_id": f"new-{number % 7}",
            "events": [{"event_id": f"kill-{number}", "ts": "2026-11-02T10:00:00", "kind": "visit"}],
        }

    def post() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            answer = client.post("/v1/events", json=event(number))
            if answer.status_code == 200:
                kept.append(number)
            else:
                refused.append(answer)

    caller = threading.Thread(target=post)
    caller.start()
    until(lambda: len(kept) > 20)
    redis.kill()
    until(lambda: len(refused) > 3)
    with httpx.Client(base_url=client.base_url, timeout=30) as other:
        for answer in (other.post("/v1/score/C10006"), other.get("/readyz"), other.get("/v1/customers/C10006")):
            assert answer.status_code == 503 and "store does not answer" in answer.json()["title"]
        assert told(other.get("/metrics").text, "store_up") == {"": 0}
        before = len(kept)
        redis.start()
        until(lambda: len(kept) > before + 20)
    stop.set()
    caller.join()
    assert {answer.status_code for answer in refused} == {503}
    assert all("store does not answer" in answer.json()["title"] for answer in refused)
    for number in kept:
        assert client.post("/v1/events", json=event(number)).json()["kept"] == {"new": 0, "repeated": 1}, number


def test_both_go_and_come_back(
    ran: Ran, postgres_server: PostgresServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    """Answers go on without the registry, and are refused without the store; no restart, and no event lost."""
    both_go_and_come_back(ran, postgres_server, redis_server, tmp_path / "log")


@pytest.mark.long
def test_the_whole_job_with_both(elsewhere: Path, postgres_server: PostgresServer, redis_server: RedisServer) -> None:
    """From raw tables to answers: trained, judged, promoted and graded with PostgreSQL and Redis."""
    ran = run_job(Job(load_source("sample"), Workspace(elsewhere / "home")), customers=300)
    both_go_and_come_back(ran, postgres_server, redis_server, elsewhere / "log")
    assert mlflow.get_tracking_uri().startswith("postgresql")
