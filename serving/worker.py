"""A process that serves: what it is told by the environment, opened, guarded and watched."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from fastapi import FastAPI

from features.errors import InputError
from features.tables.privacy import load_pseudonyms
from features.tables.sources import load_source
from features.workspace import Workspace
from serving.app import create_app
from serving.keys import KeyRing, keys_path
from serving.logs import to_stdout
from serving.opening import Sign, open_service, open_spare, sign_of
from serving.service import Service
from serving.steps import Job
from serving.watch import Trouble, Watch
from training.registry import AwayError

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

    Where the registry does not answer, it begins with the release that was served last. Raises InputError where nothing
    can be served.
    """
    job = served.job
    sign, service, trouble = _begin(served)
    log = to_stdout(load_pseudonyms()) if served.log else None

    def watch(adopt: Callable[[Service], None], tell: Callable[[Trouble | None], None]) -> Watch:
        return Watch(lambda: sign_of(job), served.open, adopt, tell, served.watch_seconds, sign, trouble)

    ring = KeyRing(keys_path(job.workspace)) if served.keys else None
    app = create_app(service, ring, log, watch)
    gc.collect()
    gc.freeze()  # what is loaded stays: to look through all of it for cycles again would hold up requests
    return app


def _begin(served: Served) -> tuple[Sign | None, Service, Trouble | None]:
    """What is live at first, its sign in the registry, and why something newer may be missing."""
    try:
        return sign_of(served.job), served.open(), None
    except AwayError as error:
        try:
            service = open_spare(served.job, served.playbook)
        except InputError as missing:
            said = f"{error.cure} Nor can it start from a copy.\n{missing.letter()}"
            raise InputError(error.place, error.found, error.wanted, said) from None
        return None, service, Trouble(f"{error.place}: {error.found}", datetime.now(UTC), 1)
