"""Whom the servers are asked about: the sample company, and the same customer's request in the form of each server."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.load import Ask
from benchmarks.report import say
from features.catalogue import NAMES
from features.tables.sources import load_source
from features.workspace import Workspace
from serving.steps import Job
from serving.store.sqlite import SqliteStore
from training.models.boosting import Forest

ASKED = 500
"""Customers who are asked for in turn."""
BATCH, EVENTS = 10_000, 200
CLASSES = b'"classes"'
"""What our answer has in it, whoever gives it."""
KEY = "benchmarks only: thirty-two characters or more"


@dataclass(frozen=True)
class Company:
    """A workspace with a live set. rows: the company's own id → feature row, of all who are answered."""

    job: Job
    rows: Mapping[str, NDArray[np.float64]]

    @property
    def ids(self) -> list[str]:
        """Those who are asked for."""
        return list(self.rows)[:ASKED]

    @cached_property
    def by_path(self) -> list[Ask]:
        """`POST /v1/score/{id}`."""
        return [Ask(f"/v1/score/{id_}", has=CLASSES) for id_ in self.ids]

    def by_body(self, path: str) -> list[Ask]:
        """The id in a body of JSON."""
        return [Ask(path, json.dumps({"customer_id": id_}).encode(), CLASSES) for id_ in self.ids]

    @property
    def by_events(self) -> list[Ask]:
        """`POST /v1/score` with EVENTS raw events."""
        events = [{"ts": f"2026-{1 + i % 9:02d}-{1 + i % 28:02d}T10:15:00", "kind": "purchase", "ref": f"R{i // 3}",
                   "amount": 1000 + i, "item": f"PA{i % 30:02d}", "channel": "web"} for i in range(EVENTS)]  # fmt: skip
        body = {"customer_id": "new", "as_of": "2026-11-01", "events": events}
        return [Ask("/v1/score", json.dumps(body).encode(), CLASSES)]

    @property
    def by_batch(self) -> list[Ask]:
        """`POST /v1/score/batch` with BATCH customers, some of them more than once."""
        ids = list(self.rows)
        lines = [json.dumps({"customer_id": ids[i % len(ids)]}) for i in range(BATCH)]
        return [Ask("/v1/score/batch", "\n".join(lines).encode(), CLASSES, "application/x-ndjson", lines=BATCH)]

    @property
    def by_split(self) -> list[Ask]:
        """Feature rows as `mlflow models serve` takes them."""
        bodies = [{"dataframe_split": {"columns": list(NAMES), "data": [_as_json(self.rows[id_])]}} for id_ in self.ids]
        return [Ask("/invocations", json.dumps(body).encode(), b'"churn"') for body in bodies]

    @property
    def by_name(self) -> list[Ask]:
        """Feature rows as an object of names and numbers."""
        bodies = [dict(zip(NAMES, _as_json(self.rows[id_]), strict=True)) for id_ in self.ids]
        return [Ask("/score", json.dumps(body).encode(), b'"churn"') for body in bodies]


def company(scratch: Path, customers: int) -> Job:
    """The sample company, made, learnt, promoted and graded."""
    say("the sample company")
    job = Job(load_source("sample"), Workspace(scratch / "home"))
    job.ingest(customers)
    job.features()
    job.train()
    job.promote(job.evaluate()[0], approve="the benchmark")
    job.classify()
    return job


def company_of(job: Job) -> Company:
    """The customers whom a live set of the sample company answers."""
    _, pseudonyms, path = job.live()
    store = SqliteStore(path)
    people = (job.workspace.simulated / "customers.csv").read_text().splitlines()[1:]
    states = {id_: store.find(pseudonyms.of(id_)) for id_ in (line.partition(",")[0] for line in people)}
    store.close()
    rows = {id_: state.row for id_, state in states.items() if state.row is not None and not state.no_profiling}
    return Company(job, rows)


def forests_of(part: object) -> Iterator[Forest]:
    """Every forest in a release or a model, whatever it is made of."""
    if isinstance(part, Forest):
        yield part
    elif isinstance(part, Mapping):
        for each in part.values():
            yield from forests_of(each)
    elif isinstance(part, tuple):
        for each in part:
            yield from forests_of(each)
    elif hasattr(part, "__dataclass_fields__"):
        for name in part.__dataclass_fields__:
            yield from forests_of(getattr(part, name))


@contextlib.contextmanager
def surroundings(scratch: Path) -> Iterator[None]:
    """A key and a registry of the benchmark's own; MLflow looks for uvicorn on the path."""
    own = {"CUSTOMER_SCORING_KEY": KEY, "MLFLOW_TRACKING_URI": f"sqlite:///{scratch / 'mlflow.db'}"}
    own["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    before = dict(os.environ)
    os.environ.update(own)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _as_json(row: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in row]
