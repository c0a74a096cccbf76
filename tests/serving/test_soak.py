"""A service under steady load: about half of what it can do, all kinds of questions, for a minute and for half an hour.

Memory must not grow, nothing may fail, and a slow answer is not much slower than an ordinary one.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

from features.workspace import Workspace
from tests.conftest import Ran
from tests.serving.test_hostile import process_of
from tests.serving.test_service import start

CALLERS = 4
MEASURE_SECONDS = 5.0
WARM_UP = 0.3
"""Of the time: until then pools, caches and arenas fill up."""

MOST_MIB = 12.0
"""Growth of the resident memory after the warm-up, by the line fitted through it: a leak of 100 bytes a request would
be more in half an hour."""

MOST_RATIO = 40.0
"""p99 over p50 of single scores, on a machine that has other things to do."""

BOUGHT = {"ts": "2026-10-01T10:00:00Z", "kind": "purchase", "ref": "1", "amount": 5_000}
Ask = Callable[[httpx.Client, int], httpx.Response]


def _stored(client: httpx.Client, number: int) -> httpx.Response:
    return client.post(f"/v1/score/C{10006 + number % 3}")


def _sent(client: httpx.Client, number: int) -> httpx.Response:
    return client.post("/v1/score", json={"customer_id": "x", "as_of": "2026-11-01", "events": [BOUGHT] * 20})


def _kept(client: httpx.Client, number: int) -> httpx.Response:
    event = {**BOUGHT, "event_id": f"e{number % 50}"}
    return client.post("/v1/events", json={"customer_id": f"new-{number % 20}", "events": [event]})


def _batch(client: httpx.Client, number: int) -> httpx.Response:
    lines = "\n".join(json.dumps({"customer_id": f"C{10000 + (number + i) % 300}"}) for i in range(25))
    return client.post("/v1/score/batch", content=lines)


def _graded(client: httpx.Client, number: int) -> httpx.Response:
    return client.get("/v1/customers/C10006")


def _refused(client: httpx.Client, number: int) -> httpx.Response:
    found = client.post("/v1/score", content=b'{"customer_id": "x", "events": [{"kind": "buy"}]}')
    assert found.status_code == 422
    return client.get("/v1/scheme")


def _read(client: httpx.Client, number: int) -> httpx.Response:
    return client.get(("/readyz", "/metrics", "/v1/release", "/healthz")[number % 4])


MIXTURE: tuple[Ask, ...] = (*[_stored] * 8, *[_sent] * 4, *[_graded] * 3, _kept, _batch, _refused, _read)


@dataclass
class Load:
    """What callers found: seconds of single scores, and what failed."""

    url: httpx.URL
    seconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    done: int = 0

    def run(self, duration: float, pause: float) -> None:
        """CALLERS ask for `duration` seconds, each once in `pause` seconds, or without a pause."""
        end = time.monotonic() + duration
        callers = [threading.Thread(target=self._ask, args=(i, end, pause)) for i in range(CALLERS)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()

    def _ask(self, number: int, end: float, pause: float) -> None:
        due = time.monotonic()
        with httpx.Client(base_url=self.url, timeout=60) as client:
            while time.monotonic() < end:
                number += CALLERS
                ask, begun = MIXTURE[number // CALLERS % len(MIXTURE)], time.perf_counter()
                answer = ask(client, number)
                if ask is _stored and len(self.seconds) < 1_000_000:
                    self.seconds.append(time.perf_counter() - begun)
                if answer.status_code != 200:
                    self.failed.append(f"{ask.__name__}: {answer.status_code} {answer.text[:200]}")
                self.done += 1
                due = max(due + pause, time.monotonic() - 1)
                time.sleep(max(0.0, due - time.monotonic()))


def soak(client: httpx.Client, duration: float) -> str:
    """Runs it; what was found, in a line."""
    fastest = Load(client.base_url)
    fastest.run(MEASURE_SECONDS, 0.0)
    pause = 2 * CALLERS * MEASURE_SECONDS / fastest.done  # half as many
    load, process, memory = Load(client.base_url), process_of(client), list[tuple[float, float]]()
    thread = threading.Thread(target=load.run, args=(duration, pause))
    begun = time.monotonic()
    thread.start()
    while thread.is_alive():
        memory.append((time.monotonic() - begun, _mib(process)))
        time.sleep(0.5)
    warm = np.array([each for each in memory if each[0] > WARM_UP * duration])
    growth = float(np.polyfit(warm[:, 0], warm[:, 1], 1)[0]) * (1 - WARM_UP) * duration
    p50, p99 = np.percentile(load.seconds, [50, 99])
    said = (
        f"{load.done / duration:.0f} requests a second, about half of {fastest.done / MEASURE_SECONDS:.0f}; "
        f"p50 {1e3 * p50:.1f} ms, p99 {1e3 * p99:.1f} ms; "
        f"memory {warm[0, 1]:.0f} MiB, {growth:+.1f} MiB after the warm-up"
    )
    assert fastest.failed + load.failed == []
    assert load.done > 0.6 * duration * CALLERS / pause, said
    assert growth < MOST_MIB, said
    assert p99 < MOST_RATIO * p50, said
    return said


def _mib(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 2**20


@pytest.fixture
def client(sample: Ran, tmp_path: Path) -> Iterator[httpx.Client]:
    shutil.copytree(sample.workspace.home, tmp_path / "home")
    ran = replace(sample, job=replace(sample.job, workspace=Workspace(tmp_path / "home")))
    yield from start(ran, tmp_path / "log")


def test_a_minute_of_load(client: httpx.Client, record_property: Callable[[str, object], None]) -> None:
    """Nothing fails, and memory stays what it is."""
    record_property("soak", soak(client, 60))


@pytest.mark.long
def test_half_an_hour_of_load(client: httpx.Client, record_property: Callable[[str, object], None]) -> None:
    """The same for thirty minutes."""
    record_property("soak", soak(client, 1_800))
