"""A workspace of four customers, and the address of each store that it may be served from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from features.tables.merges import write_merges
from features.tables.privacy import Pseudonyms
from serving.desk import Desk
from tests.redis_server import redis_running, redis_server
from tests.small_world import ANNA, small_world

__all__ = ["redis_running", "redis_server"]

SNAPSHOT = "s2026-04-01"
MERGED = "anna-2"

Stored = Callable[[], Desk]


@pytest.fixture(params=["sqlite", "redis"])
def desk(request: pytest.FixtureRequest, tmp_path: Path, pseudonyms: Pseudonyms) -> Desk:
    """A small world whose two snapshots are published; `MERGED` is merged with Anna."""
    address = request.getfixturevalue("redis_server").address if request.param == "redis" else ""
    found = replace(small_world(tmp_path, pseudonyms), redis=address)
    write_merges(found.workspace.tables, {pseudonyms.of(MERGED): pseudonyms.of(ANNA)})
    merge(found)
    for snapshot in ("s2026-03-01", SNAPSHOT):
        found.place.load(snapshot)
    return found


def merge(desk: Desk) -> None:
    """Put the merge into the files of the store, which the small world made without it."""
    import sqlite3

    for path in sorted(desk.workspace.store.glob("*.sqlite")):
        with sqlite3.connect(path) as db:
            db.execute("INSERT INTO aliases VALUES (?, ?)", (desk.pseudonyms.of(MERGED), desk.pseudonyms.of(ANNA)))
        db.close()
