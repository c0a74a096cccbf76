"""Several processes behind one socket: one that is killed is started again, and what was begun is finished."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from serving.serve_commands import _config
from tests.conftest import Ran
from tests.serving.test_service import start

WORKERS = 2


@pytest.fixture
def client(sample: Ran, tmp_path: Path) -> Iterator[httpx.Client]:
    yield from start(sample, tmp_path / "log", more=("--workers", str(WORKERS)))


def serving(client: httpx.Client) -> list[psutil.Process]:
    """The processes that answer on the port: those that the one that listens has started."""
    port = client.base_url.port
    mine = [each for each in psutil.process_iter() if f"--port {port}" in " ".join(_words(each))]
    children = [child for each in mine for child in each.children(recursive=True)]
    return [each for each in children if "spawn_main" in " ".join(_words(each))]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_killed_worker_is_replaced_and_the_others_answer(client: httpx.Client) -> None:
    """Under load: requests that break with it are asked again; every answer is right, and all are counted together."""
    before = serving(client)
    assert len(before) == WORKERS
    wanted = client.post("/v1/score/C10006").json()
    stop, seen, wrong = threading.Event(), [0], list[object]()

    def call() -> None:
        while not stop.is_set():
            try:
                with httpx.Client(base_url=client.base_url, timeout=30) as own:
                    answer = own.post("/v1/score/C10006")
            except httpx.TransportError:
                continue  # it was with the one that was killed
            if answer.status_code != 200 or answer.json() != wanted:
                wrong.append(answer.text)
            seen[0] += 1

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    time.sleep(1)
    os.kill(before[0].pid, signal.SIGKILL)
    until = time.monotonic() + 120
    while len(serving(client)) < WORKERS or before[0].pid in {each.pid for each in serving(client)}:
        assert time.monotonic() < until
        time.sleep(0.2)
    at_once = seen[0]
    time.sleep(1)
    stop.set()
    for caller in callers:
        caller.join()
    assert wrong == [] and seen[0] > at_once > 10
    counted = [line for line in client.get("/metrics").text.splitlines() if "request_seconds_count" in line]
    assert sum(float(line.split()[-1]) for line in counted if "/v1/score/" in line) >= at_once / 2


def test_what_was_begun_is_finished(sample: Ran, tmp_path: Path) -> None:
    """A batch that is being answered when the service is told to end is answered whole; then it ends with 0."""
    lines = '{"customer_id": "C10006"}\n' * 8_000
    told = list[str]()
    for client in start(sample, tmp_path / "log"):

        def ask(url: str = str(client.base_url)) -> None:
            with (
                httpx.Client(base_url=url, timeout=120) as own,
                own.stream("POST", "/v1/score/batch", content=lines) as answer,
            ):
                told.extend(answer.iter_lines())

        caller = threading.Thread(target=ask)
        caller.start()
        while not told:
            time.sleep(0.01)
    caller.join()
    assert len(told) == 8_000 and all("classes" in json.loads(line) for line in told)


def test_a_process_that_starts_slowly_is_not_ended() -> None:
    """On a busy machine importing takes longer than the five seconds that uvicorn waits: no process ever got ready."""
    assert _config("serving.worker:create", WORKERS).timeout_worker_healthcheck >= 30
