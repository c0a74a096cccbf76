"""Scores over HTTP: CPU per request beside peers that score the same models, and beside an echo of the same bytes.

All servers run on one core, the load comes from the other; they are asked in turn, and medians are compared. BentoML
and LitServe are not measured yet.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil

from benchmarks import load
from benchmarks.load import Ask
from benchmarks.peers import serving_pyfunc
from benchmarks.peers.serving_apps import ANSWER, MODELS
from benchmarks.report import Target, run_targets, say
from features.catalogue import NAMES
from features.tables.sources import load_source
from features.workspace import Workspace
from serving.steps import Job
from serving.store.sqlite import SqliteStore
from training.models.boosting import Forest
from training.models.inputs import INPUTS
from training.release import Release

SERVER_CORE, LOAD_CORE = 0, 1
CUSTOMERS = 2_000
BATCH = 10_000
KEY = "benchmarks only: thirty-two characters or more"


@dataclass(frozen=True)
class Server:
    """A running server, its port, and what it is asked."""

    name: str
    process: psutil.Process
    port: int
    asks: Sequence[Ask]

    def cpu(self, count: int, connections: int) -> float:
        """CPU milliseconds per request of the server and all its processes."""
        before = self._seconds()
        load.run(self.port, self.asks, count, connections)
        return 1000 * (self._seconds() - before) / count

    def _seconds(self) -> float:
        family = [self.process, *self.process.children(recursive=True)]
        return sum(sum(each.cpu_times()[:2]) for each in family)


def measured(quick: bool) -> list[Target]:
    """The targets of issue and README."""
    with tempfile.TemporaryDirectory() as scratch, _surroundings(Path(scratch)):
        job = _company(Path(scratch), 600 if quick else CUSTOMERS)
        os.sched_setaffinity(0, {LOAD_CORE})
        with contextlib.ExitStack() as stack:
            servers = {each.name: each for each in _servers(job, Path(scratch), stack, quick)}
            return _targets(job, servers, quick)


def _targets(job: Job, servers: dict[str, Server], quick: bool) -> list[Target]:
    rounds, count = (1, 100) if quick else (5, 1_000)
    found = []
    for connections in (1, 16):
        said = _interleaved(servers, rounds, count, connections)
        ours = said["ours"]
        say(f"{connections} connections, CPU ms: " + ", ".join(f"{name} {ms:.2f}" for name, ms in said.items()))
        for name, bound in (("mlflow models serve", 25), ("naive FastAPI", 30)):
            if name in said:
                found.append(Target(f"{name}, {connections} connections", f"≥{bound}", said[name] / ours, "times"))
        found.append(Target(f"ours beside an echo, {connections} connections", "≤2.5", ours / said["echo"], "times"))
        found.append(Target(f"200 raw events, {connections} connections", "≤1.5", said["200 raw events"], "ms CPU"))
    rate = _batch_rate(servers["batch"], 1 if quick else 5) / _booster_rate(job.live()[0].release, job)
    found.append(Target("batch of 10,000 beside Booster.predict alone", "≥4", rate, "times"))
    found.append(Target("p99/p50 at half the load beside the echo's", "≤1.5", _tail(servers, quick), "times"))
    return found


def _interleaved(servers: dict[str, Server], rounds: int, count: int, connections: int) -> dict[str, float]:
    said: dict[str, list[float]] = {name: [] for name in servers if name != "batch"}
    for _ in range(rounds):
        for name, each in said.items():
            slow = name in ("mlflow models serve", "naive FastAPI")
            each.append(servers[name].cpu(max(connections, count // 10) if slow else count, connections))
    return {name: statistics.median(each) for name, each in said.items()}


def _tail(servers: dict[str, Server], quick: bool) -> float:
    """The ratio of our p99/p50 to the echo's, each at half of its highest rate; median of the runs."""
    count, runs = (200, 1) if quick else (2_000, 5)
    ratios: dict[str, list[float]] = {"ours": [], "echo": []}
    for _ in range(runs):
        for name, found in ratios.items():
            server = servers[name]
            begun = time.perf_counter()
            load.run(server.port, server.asks, count, 16)
            most = count / (time.perf_counter() - begun)
            took = np.array(load.run(server.port, server.asks, count, 16, most / 2))
            found.append(float(np.quantile(took, 0.99) / np.quantile(took, 0.5)))
    return statistics.median(ratios["ours"]) / statistics.median(ratios["echo"])


def _batch_rate(server: Server, runs: int) -> float:
    """Customers per second of CPU."""
    return statistics.median(1000 * BATCH / server.cpu(1, 1) for _ in range(runs))


def _booster_rate(release: Release, job: Job) -> float:
    """Customers per second of CPU whom LightGBM alone gives the raw scores of all models, in one thread."""
    forests = list(_forests(release))
    table = np.random.default_rng(7).normal(size=(BATCH, len(INPUTS)))
    begun = time.process_time()
    for forest in forests:
        forest.booster.predict(table, raw_score=True, num_threads=1)
    return BATCH / (time.process_time() - begun)


def _forests(part: object) -> Iterator[Forest]:
    """Every forest in a model, whatever it is made of."""
    if isinstance(part, Forest):
        yield part
    elif isinstance(part, dict):
        for each in part.values():
            yield from _forests(each)
    elif isinstance(part, tuple):
        for each in part:
            yield from _forests(each)
    elif hasattr(part, "__dataclass_fields__"):
        for name in part.__dataclass_fields__:
            yield from _forests(getattr(part, name))


def _company(scratch: Path, customers: int) -> Job:
    say("the sample company")
    job = Job(load_source("sample"), Workspace(scratch / "home"))
    job.ingest(customers)
    job.features()
    job.train()
    job.promote(job.evaluate()[0], approve="the benchmark")
    job.classify()
    return job


def _servers(job: Job, scratch: Path, stack: contextlib.ExitStack, quick: bool) -> Iterator[Server]:
    live, pseudonyms, path = job.live()
    store = SqliteStore(path)
    people = (job.workspace.simulated / "customers.csv").read_text().splitlines()[1:]
    known = {line.partition(",")[0]: store.find(pseudonyms.of(line.partition(",")[0])) for line in people}
    known = {id_: state for id_, state in known.items() if state.row is not None and not state.no_profiling}
    ids = list(known)[:500]
    by_id = [Ask(f"/v1/score/{id_}", has=b'"classes"') for id_ in ids]

    def start(name: str, command: Sequence[str], asks: Sequence[Ask], ready: str) -> Server:
        return _start(stack, name, [sys.executable, "-m", *command], asks, ready)

    serve = ["serving.cli", "serve", "--source", "sample", "--home", str(job.workspace.home), "--port"]
    ours = start("ours", serve, by_id, "/readyz")
    yield ours
    events = [{"ts": f"2026-{1 + i % 9:02d}-{1 + i % 28:02d}T10:15:00", "kind": "purchase", "ref": f"R{i // 3}",
               "amount": 1000 + i, "item": f"PA{i % 30:02d}", "channel": "web"} for i in range(200)]  # fmt: skip
    body = json.dumps({"customer_id": "new", "as_of": "2026-11-01", "events": events}).encode()
    yield Server("200 raw events", ours.process, ours.port, [Ask("/v1/score", body, b'"classes"')])
    lines = "\n".join(json.dumps({"customer_id": list(known)[i % len(known)]}) for i in range(BATCH)).encode()
    yield Server("batch", ours.process, ours.port, [Ask("/v1/score/batch", lines, b'"classes"')])
    answer = scratch / "answer"
    answer.write_bytes(_post(f"http://127.0.0.1:{ours.port}/v1/score/{ids[0]}"))
    os.environ[ANSWER] = str(answer)
    yield start("echo", ["benchmarks.peers.serving_apps", "echo"], by_id, "/docs")
    if quick:
        return
    release = job.workspace.training / "release"
    rows = [_as_json(state.row) for state in known.values() if state.row is not None][:200]
    for task in live.release.models:
        serving_pyfunc.save(release, scratch / "tasks" / task, task)
    os.environ[MODELS] = str(scratch / "tasks")
    asks = [Ask("/score", json.dumps(dict(zip(NAMES, row, strict=True))).encode(), b"churn") for row in rows]
    yield start("naive FastAPI", ["benchmarks.peers.serving_apps", "naive"], asks, "/docs")
    serving_pyfunc.save(release, scratch / "all")
    split = [{"dataframe_split": {"columns": list(NAMES), "data": [row]}} for row in rows]
    asks = [Ask("/invocations", json.dumps(each).encode(), b"predictions") for each in split]
    command = ["mlflow", "models", "serve", "-m", str(scratch / "all"), "--env-manager", "local", "-p"]
    yield start("mlflow models serve", command, asks, "/ping")


def _start(stack: contextlib.ExitStack, name: str, command: list[str], asks: Sequence[Ask], ready: str) -> Server:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    say(f"start {name}")
    log = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 the stack closes it
    pin: Callable[[], None] = lambda: os.sched_setaffinity(0, {SERVER_CORE})  # noqa: E731 runs in the child
    process = subprocess.Popen([*command, str(port)], stdout=log, stderr=log, preexec_fn=pin, start_new_session=True)
    stack.callback(_stop, process)
    for _ in range(600):
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}{ready}", timeout=5)
            break
        if process.poll() is not None:
            log.seek(0)
            raise RuntimeError(f"{name} ended: {log.read()[-2000:]!r}")
        time.sleep(0.2)
    server = Server(name, psutil.Process(process.pid), port, asks)
    load.run(port, asks, 20, 2)
    return server


def _stop(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.terminate()
    process.wait(40)


def _post(url: str) -> bytes:
    return httpx.post(url, timeout=10).raise_for_status().content


def _as_json(row: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in row]


@contextlib.contextmanager
def _surroundings(scratch: Path) -> Iterator[None]:
    """A key and a registry of the benchmark's own."""
    own = {"CUSTOMER_SCORING_KEY": KEY, "MLFLOW_TRACKING_URI": f"sqlite:///{scratch / 'mlflow.db'}"}
    before = dict(os.environ)
    os.environ.update(own)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


if __name__ == "__main__":
    run_targets(measured)
