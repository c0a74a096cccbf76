"""Our scorer, as the peers that are frameworks of serving are given it: no HTTP of ours is around it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from features.tables.sources import load_source
from features.workspace import Workspace
from serving.answers import of_customer
from serving.opening import open_service
from serving.steps import Job

HOME = "BENCH_HOME"


def open_scorer() -> Callable[[str], dict[str, Any]]:
    """Customer → its whole answer, the one that `POST /v1/score/{id}` gives; all of it warm. The frameworks write what
    they are given as JSON themselves, so that it is read for them."""
    service = open_service(Job(load_source("sample"), Workspace(Path(os.environ[HOME]))))
    return lambda customer_id: msgspec.json.decode(of_customer(service, customer_id).body)
