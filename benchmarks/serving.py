"""Scores over HTTP beside peers that score the same models: `python -m benchmarks.serving [--quick] [--json]`.

All servers run on one core, the load comes from the other; they are asked in turn, and medians of CPU are compared.
`--quick` is a small run without the peers, to show that everything works.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import httpx
import numpy as np
from numpy.typing import NDArray

from benchmarks import load, serving_peers
from benchmarks.report import RESULTS, Target, machine, markdown, run_targets, say
from benchmarks.serving_company import BATCH, Company, company, company_of, forests_of, surroundings
from benchmarks.serving_servers import LOAD_CORE, Server, Start
from training.models.boosting import Forest
from training.models.inputs import inputs
from training.rhythm import COLUMNS

CONNECTIONS = (1, 16)
AT_LEAST = {"mlflow models serve": 25, "naive FastAPI": 30, "BentoML": 6, "LitServe": 3.5}
"""So many times our CPU each is to take."""
OURS, ECHO, EVENTS, MANY = "POST /v1/score/{id}", "echo", "200 raw events", "batch"
FIRST_BATCHES = 2
"""After so many batches the server holds what it needs for one."""
SLOWER = 40
"""A slow server is asked so many times less often: CPU is told in hundredths of a second."""
Servers = Mapping[str, Server]


@dataclass(frozen=True)
class Sizes:
    """rounds: in which all are asked in turn; count: requests a round; batches: in a row, for the memory; runs: of the
    tail, each with `tail` requests."""

    customers: int
    rounds: int
    count: int
    batches: int
    runs: int
    tail: int


FULL = Sizes(2_000, 5, 4_000, 10, 5, 2_000)
QUICK = Sizes(600, 1, 100, 3, 1, 200)


def measured(quick: bool) -> list[Target]:
    """All of it; in full size the page is written, too."""
    sizes, about = QUICK if quick else FULL, machine(["fastapi", "uvicorn", "mlflow", "lightgbm", "numba"])
    with tempfile.TemporaryDirectory() as scratch, surroundings(Path(scratch)), contextlib.ExitStack() as stack:
        sample = company_of(company(Path(scratch), sizes.customers))
        parts = _parts(sample, quick)
        os.sched_setaffinity(0, {LOAD_CORE})
        servers = {each.name: each for each in _own(sample, Path(scratch), stack)}
        alone = [*_batches(servers[MANY], sample, sizes), _tail(servers, sizes)]
        if not quick:
            servers |= {each.name: each for each in _peers(sample, Path(scratch), stack)}
        taken = {connections: _interleaved(servers, sizes, connections) for connections in CONNECTIONS}
        found = [target for each in CONNECTIONS for target in _targets(taken[each], each)] + alone + parts
    if not quick:
        (RESULTS / "serving.md").write_text(_page(found, taken, about) + "\n", encoding="utf-8")
    return found


def _parts(company: Company, quick: bool) -> list[Target]:
    """Without HTTP: scores and reasons by trees, and a whole release; as far as those parts are there."""
    found: list[Target] = []
    if find_spec("benchmarks.trees_part"):
        found += import_module("benchmarks.trees_part").measured(quick)
    if find_spec("benchmarks.scoring_part"):
        rows = np.stack(list(company.rows.values()))
        found += import_module("benchmarks.scoring_part").scoring(company.job.live()[0].release, rows, quick)[0]
    return found


def _own(company: Company, scratch: Path, stack: contextlib.ExitStack) -> Iterator[Server]:
    home = str(company.job.workspace.home)
    serve = [sys.executable, "-m", "serving.cli", "serve", "--source", "sample", "--home", home, "--port"]
    ours = Start(OURS, serve, "/readyz", company.by_path).run(stack)
    yield ours
    yield replace(ours, name=EVENTS, asks=company.by_events)
    yield replace(ours, name=MANY, asks=company.by_batch)
    answer = httpx.post(f"http://127.0.0.1:{ours.port}{company.by_path[0].path}", timeout=10).raise_for_status().content
    yield serving_peers.echo(company, answer, scratch).run(stack)


def _peers(company: Company, scratch: Path, stack: contextlib.ExitStack) -> Iterator[Server]:
    yield serving_peers.naive(company, scratch).run(stack)
    yield serving_peers.mlflow(company, scratch).run(stack)
    for start in serving_peers.frameworks(company):
        yield start.run(stack)


def _interleaved(servers: Servers, sizes: Sizes, connections: int) -> dict[str, float]:
    """Server → CPU milliseconds per request, the median of the rounds."""
    said: dict[str, list[float]] = {name: [] for name in servers if name != MANY}
    for _ in range(sizes.rounds):
        for name, each in said.items():
            count = max(connections, sizes.count // SLOWER) if servers[name].slow else sizes.count
            each.append(servers[name].cpu(count, connections))
    found = {name: statistics.median(each) for name, each in said.items()}
    say(f"{connections} connections, CPU ms: " + ", ".join(f"{name} {ms:.2f}" for name, ms in found.items()))
    return found


def _targets(taken: Mapping[str, float], connections: int) -> list[Target]:
    many = "1 connection" if connections == 1 else f"{connections} connections"
    return [
        *(
            Target(f"{name}, {many}", f"≥{bound}", taken[name] / taken[OURS], "times")
            for name, bound in AT_LEAST.items()
            if name in taken
        ),
        Target(f"ours beside an echo, {many}", "≤2.5", taken[OURS] / taken[ECHO], "times"),
        Target(f"200 raw events, {many}", "≤1.5", taken[EVENTS], "ms CPU"),
    ]


def _batches(server: Server, company: Company, sizes: Sizes) -> list[Target]:
    """How fast a batch of stored customers is, and what the server holds after some."""
    forests = list(forests_of(company.job.live()[0].release))
    table = _table(company)
    rates, alone, held = [], [], []
    for _ in range(sizes.batches):
        rates.append(1000 * BATCH / server.cpu(1, 1))
        held.append(server.memory())
        alone.append(_booster_rate(forests, table))
    say("MiB after each batch: " + ", ".join(f"{each:.0f}" for each in held))
    say(f"customers a CPU second: {statistics.median(rates):,.0f}, boosters {statistics.median(alone):,.0f}")
    times = statistics.median(rates) / statistics.median(alone)
    grown = held[-1] - held[FIRST_BATCHES - 1]
    return [
        Target(f"batch of {BATCH:,} beside Booster.predict alone", "≥4", times, "times"),
        Target(f"memory, batch {FIRST_BATCHES} to {sizes.batches}", "≤8", grown, "MiB"),
    ]


def _table(company: Company) -> NDArray[np.float64]:
    """What the models see of a batch; what the BTYD models say of it is drawn."""
    rows = np.stack(list(company.rows.values()))[np.arange(BATCH) % len(company.rows)]
    return inputs(rows, np.random.default_rng(7).lognormal(size=(BATCH, len(COLUMNS))))


def _booster_rate(forests: Sequence[Forest], table: NDArray[np.float64]) -> float:
    """Customers per CPU second whom LightGBM alone gives the raw scores of all models, in one thread."""
    begun = time.process_time()
    for forest in forests:
        forest.booster.predict(table, raw_score=True, num_threads=1)
    return len(table) / (time.process_time() - begun)


def _tail(servers: Servers, sizes: Sizes) -> Target:
    """p99/p50 of both at half of their highest rates, each the median of the runs."""
    ratios: dict[str, list[float]] = {OURS: [], ECHO: []}
    for _ in range(sizes.runs):
        for name, found in ratios.items():
            server = servers[name]
            begun = time.perf_counter()
            load.run(server.port, server.asks, sizes.tail, 16)
            most = sizes.tail / (time.perf_counter() - begun)
            took = np.array(load.run(server.port, server.asks, sizes.tail, 16, most / 2))
            found.append(float(np.quantile(took, 0.99) / np.quantile(took, 0.5)))
    said = {name: statistics.median(each) for name, each in ratios.items()}
    say(f"p99/p50: ours {said[OURS]:.2f}, echo {said[ECHO]:.2f}")
    return Target("p99/p50 at half the load beside the echo's", "≤1.5", said[OURS] / said[ECHO], "times")


def _page(found: list[Target], taken: Mapping[int, Mapping[str, float]], about: str) -> str:
    rows: list[dict[str, object]] = [
        {
            "target": each.name,
            "promised": f"{each.target} {each.unit}",
            "measured": each.measured,
            "": "holds" if each.holds else "**missed**",
        }
        for each in found
    ]
    cpu: list[dict[str, object]] = [
        {"server": name} | {f"{each} at once": taken[each][name] for each in CONNECTIONS} for name in taken[1]
    ]
    said = (
        "`make bench-serving`: servers on one core, the load from the other, asked in turn. BentoML and LitServe run "
        "our scorer on the same stored customers and answer the same record; MLflow's server and the naive one take "
        "ready feature rows and answer scores only."
    )
    return "\n\n".join([f"# Serving\n\n{said}\n\n{about}", markdown(rows), "## CPU ms per request", markdown(cpu)])


if __name__ == "__main__":
    run_targets(measured)
