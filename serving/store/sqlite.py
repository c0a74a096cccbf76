"""The last graded state of every customer, by pseudonym, who objects to what, and what persons decided about classes:
one SQLite file per grading snapshot.

An id that is merged with another has no record of its own: it is an alias of its survivor. A file is never written
into: a newer one takes its place, and an open store turns to it at the next question.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from classification.decisions import Override, read_overrides
from classification.grade import RANKED, Graded, LiveSet
from classification.months import read_notes
from features.population import POPULATION
from features.progress import Progress, silent
from features.tables.consents import Consents, read_consents
from features.tables.merges import read_merges
from features.tables.rewrite import Rewritten, digest
from features.workspace import Workspace, damaged
from serving.scorer import record
from training.recipes import OUTPUTS

BATCH = 50_000

SCHEMA = """
CREATE TABLE customers (id TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE aliases (id TEXT PRIMARY KEY, survivor TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE consents (id TEXT PRIMARY KEY, no_profiling INT, no_marketing INT) WITHOUT ROWID;
CREATE TABLE overrides (
    id TEXT, dimension TEXT, class TEXT, until TEXT, said_by TEXT, reason TEXT, PRIMARY KEY (id, dimension)
) WITHOUT ROWID;
"""
KNOWN = "SELECT 1 FROM customers WHERE id = :id UNION ALL SELECT 1 FROM aliases WHERE :id IN (id, survivor)"

SURVIVOR = "coalesce((SELECT survivor FROM aliases WHERE id = :id), :id)"
GET = f"SELECT record FROM customers WHERE id = {SURVIVOR}"
DECIDED = f"SELECT * FROM overrides WHERE id = {SURVIVOR} ORDER BY dimension"


class Store:
    """Reads the records of one snapshot; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path.resolve(), Lock()
        self._file = _identity(self._path)
        self._db = _open(self._path)

    def get(self, pseudonym: str) -> dict[str, Any] | None:
        """The record of a customer, or None."""
        found = self._current().execute(GET, {"id": pseudonym}).fetchone()
        return json.loads(found[0]) if found else None

    def survivor(self, pseudonym: str) -> str:
        """The id that a merged id's record is under; of any other itself."""
        return str(self._current().execute(f"SELECT {SURVIVOR}", {"id": pseudonym}).fetchone()[0])

    def consents(self, pseudonym: str) -> tuple[bool, bool]:
        """Whether a customer objects to profiling, and to marketing."""
        asked = "SELECT no_profiling, no_marketing FROM consents WHERE id = ?"
        found = self._current().execute(asked, (pseudonym,)).fetchone()
        return (bool(found[0]), bool(found[1])) if found else (False, False)

    def overrides(self, pseudonym: str) -> list[Override]:
        """What persons decided about a customer, run out or not, by dimension."""
        return [_override(row) for row in self._current().execute(DECIDED, {"id": pseudonym})]

    def close(self) -> None:
        """Let the file go."""
        self._db.close()

    def _current(self) -> sqlite3.Connection:
        """The file that is there now; while one takes the place of another, the one that was."""
        with self._lock, contextlib.suppress(FileNotFoundError):
            there = _identity(self._path)
            if there != self._file:
                self._db, self._file = _open(self._path), there
        return self._db


def _open(path: Path) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
        for table in ("customers", "aliases", "consents", "overrides"):
            db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()
    except sqlite3.Error as error:
        raise damaged(path, error) from None
    return db


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


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
            db.executescript(SCHEMA)
            db.executemany("INSERT INTO customers VALUES (?, ?)", _records(live, folder, progress))
            db.executemany("INSERT INTO aliases VALUES (?, ?)", read_merges(workspace.tables).items())
            db.executemany("INSERT INTO consents VALUES (?, ?, ?)", _said(read_consents(workspace.tables)))
            db.executemany("INSERT INTO overrides VALUES (?, ?, ?, ?, ?, ?)", map(_row, overrides_by_id(workspace)))
        db.close()
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    return path


def overrides_by_id(workspace: Workspace) -> list[Override]:
    """Every override that was not lifted, under each id of its customer, by id and dimension."""
    under = read_merges(workspace.tables)
    ids: dict[str, list[str]] = {}
    for id_, survivor in under.items():
        ids.setdefault(survivor, []).append(id_)
    found = [
        replace(each, customer_id=id_)
        for each in read_overrides(workspace)
        for id_ in (each.customer_id, *ids.get(each.customer_id, ()))
    ]
    return sorted(found, key=lambda each: (each.customer_id, each.dimension))


def revise(path: Path, gone: frozenset[str], consents: Consents, overrides: Iterable[Override]) -> Rewritten | None:
    """Put a file in the place of a store that lacks what it had of `gone`, freed pages too, and knows `consents` and
    the `overrides` of the others.

    None, and the file is as it was, when it says so already.
    """
    decided = [_row(each) for each in overrides if each.customer_id not in gone]
    count = "SELECT count(*) FROM customers"
    with contextlib.closing(_open(path)) as db:
        rows: int = db.execute(count).fetchone()[0]
        known = [id_ for id_ in gone if db.execute(KNOWN, {"id": id_}).fetchone()]
        said = [db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in ("consents", "overrides")]
        if not known and said == [_said(consents), decided]:
            return None
    before = digest(path)
    new = path.with_suffix(f".{os.getpid()}.new")
    try:
        shutil.copyfile(path, new)
        with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = OFF")
            db.execute("PRAGMA secure_delete = ON")
            for column in ("customers WHERE id", "aliases WHERE id", "aliases WHERE survivor"):
                db.executemany(f"DELETE FROM {column} = ?", [(id_,) for id_ in gone])
            db.execute("DELETE FROM consents")
            db.executemany("INSERT INTO consents VALUES (?, ?, ?)", _said(consents))
            db.execute("DELETE FROM overrides")
            db.executemany("INSERT INTO overrides VALUES (?, ?, ?, ?, ?, ?)", decided)
            left: int = db.execute(count).fetchone()[0]
            db.execute("VACUUM")
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    return Rewritten(path.name, before, digest(path), rows, left)


def _row(each: Override) -> tuple[str, ...]:
    return each.customer_id, each.dimension, each.class_, each.until.isoformat(), each.by, each.reason


def _override(row: tuple[str, ...]) -> Override:
    id_, dimension, class_, until, by, reason = row
    return Override(id_, dimension, class_, date.fromisoformat(until), by, reason)


def _said(consents: Consents) -> list[tuple[str, int, int]]:
    ids = sorted(consents.no_profiling | consents.no_marketing)
    return [(id_, int(id_ in consents.no_profiling), int(id_ in consents.no_marketing)) for id_ in ids]


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

    classes, raw = (
        {n: table[f"{part}_{n}"].to_numpy(zero_copy_only=False).astype(str) for n in live.scheme.dimensions}
        for part in ("class", "raw")
    )
    none = np.zeros(len(table), "<U8")
    notes = dict.fromkeys(live.scheme.dimensions, none) | read_notes(table["notes"])
    scores = numbers("score", OUTPUTS)
    standing = {each.name: table[each.name].to_numpy().astype(float) for each in POPULATION}
    codes = np.array(table["code"].to_pylist(), str)
    return Graded(scores, numbers("percentile", RANKED), standing, raw, classes, notes, {}, codes)
