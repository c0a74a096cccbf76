"""The last graded state of every customer, by pseudonym: one SQLite file per grading snapshot, read-only once made.

An id that is merged with another has no record of its own: it is an alias of its survivor.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from classification.grade import RANKED, Graded, LiveSet
from features.population import POPULATION
from features.progress import Progress, silent
from features.tables.merges import read_merges
from features.workspace import Workspace, damaged
from serving.scorer import record
from training.recipes import RECIPES

BATCH = 50_000

GET = "SELECT record FROM customers WHERE id = coalesce((SELECT survivor FROM aliases WHERE id = :id), :id)"


class Store:
    """Reads the records of one snapshot; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        try:
            self._db = sqlite3.connect(uri, uri=True, check_same_thread=False)
            self._db.execute("SELECT (SELECT count(*) FROM customers), (SELECT count(*) FROM aliases)").fetchone()
        except sqlite3.Error as error:
            raise damaged(path, error) from None

    def get(self, pseudonym: str) -> dict[str, object] | None:
        """The record of a customer, or None."""
        found = self._db.execute(GET, {"id": pseudonym}).fetchone()
        return json.loads(found[0]) if found else None

    def close(self) -> None:
        """Let the file go."""
        self._db.close()


def store_path(workspace: Workspace, live: LiveSet) -> Path:
    """The file of a live set's records."""
    return workspace.store / f"{live.snapshot.id}.sqlite"


def publish(workspace: Workspace, live: LiveSet, folder: Path, progress: Progress = silent) -> Path:
    """Write the records of a snapshot folder to the store; readers see all of them or none."""
    path = store_path(workspace, live)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}.new")
    new.unlink(missing_ok=True)
    try:
        with sqlite3.connect(new) as db:
            db.execute("PRAGMA journal_mode = OFF")
            db.execute("CREATE TABLE customers (id TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID")
            db.execute("CREATE TABLE aliases (id TEXT PRIMARY KEY, survivor TEXT NOT NULL) WITHOUT ROWID")
            db.executemany("INSERT INTO customers VALUES (?, ?)", _records(live, folder, progress))
            db.executemany("INSERT INTO aliases VALUES (?, ?)", read_merges(workspace.tables).items())
        db.close()
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    return path


def _records(live: LiveSet, folder: Path, progress: Progress) -> Iterator[tuple[str, bytes]]:
    file = pq.ParquetFile(folder / "grades.parquet")
    done, total = 0, file.metadata.num_rows
    for batch in file.iter_batches(BATCH):
        progress("publish to the store", done, total)
        graded = _graded(live, pa.table(batch))
        for i, customer in enumerate(batch["customer_id"].to_pylist()):
            yield customer, json.dumps(record(live, graded, i, live.snapshot.as_of)).encode()
        done += len(batch)
    progress("publish to the store", total, total)


def _graded(live: LiveSet, table: pa.Table) -> Graded:
    def numbers(prefix: str, names: tuple[str, ...]) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
        return {name: table[f"{prefix}_{name}"].to_numpy().astype(float) for name in names}

    classes = {n: table[f"class_{n}"].to_numpy(zero_copy_only=False).astype(str) for n in live.scheme.dimensions}
    scores = numbers("score", tuple(recipe.name for recipe in RECIPES))
    standing = {each.name: table[each.name].to_numpy().astype(float) for each in POPULATION}
    return Graded(scores, numbers("percentile", RANKED), standing, classes, table["code"].to_pylist())
