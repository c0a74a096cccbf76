"""A process that serves: what it is told by the environment, opened, guarded and watched."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
from fastapi import FastAPI

from features.tables.privacy import load_pseudonyms
from features.tables.sources import load_source
from features.workspace import Workspace
from serving.app import create_app
from serving.keys import KeyRing, keys_path
from serving.logs import to_stdout
from serving.opening import open_service, sign_of
from serving.service import Service
from serving.steps import Job
from serving.watch import Trouble, Watch

VARIABLE = "CUSTOMER_SCORING_SERVE"


@dataclass(frozen=True)
class Served:
    """What is served: source and home of its workspace; playbook: a version, or None for that in use; keys: whether
    API keys are asked for; log: whether requests are logged; watch_seconds: between two looks at what is to be live."""

    source: str
    home: str
    playbook: str | None
    keys: bool
    log: bool
    watch_seconds: float

    @property
    def job(self) -> Job:
        """The steps of the source."""
        return Job(load_source(self.source), Workspace(Path(self.home)))

    def open(self) -> Service:
        """The live set, as it is to be now."""
        return open_service(self.job, self.playbook)

    def tell(self) -> None:
        """Put it where the processes that serve look for it."""
        os.environ[VARIABLE] = msgspec.json.encode(asdict(self)).decode()


def create() -> FastAPI:
    """The application of one process, of what the environment says."""
    return application(Served(**msgspec.json.decode(os.environ[VARIABLE])))


def application(served: Served) -> FastAPI:
    """The service with its guard, which turns to another release or snapshot as soon as that is to be live.

    Raises InputError where nothing can be served.
    """
    job = served.job
    sign, service = sign_of(job), served.open()
    log = to_stdout(load_pseudonyms()) if served.log else None

    def watch(adopt: Callable[[Service], None], tell: Callable[[Trouble | None], None]) -> Watch:
        return Watch(lambda: sign_of(job), served.open, adopt, tell, served.watch_seconds, sign)

    ring = KeyRing(keys_path(job.workspace)) if served.keys else None
    return create_app(service, ring, log, watch)
