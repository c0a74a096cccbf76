"""The online store in one SQLite file per grading snapshot, beside one of the events that arrived since.

An id that is merged with another has no record of its own: it is an alias of its survivor. A file is never written
into: a newer one takes its place, and an open store turns to it at the next question.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from threading import Lock

import msgspec
import numpy as np

from classification.decisions import Override
from features.online import Event
from features.stored import decode_event, decode_events
from features.tables.person import tombstone
from features.workspace import Workspace, damaged
from serving.store.arrivals import FILE, Arrivals
from serving.store.state import Arrival, Kept, State, StoreError

SCHEMA = """
CREATE TABLE customers (id TEXT PRIMARY KEY, record BLOB NOT NULL, kept BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE histories (id TEXT PRIMARY KEY, events BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE aliases (id TEXT PRIMARY KEY, survivor TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE consents (id TEXT PRIMARY KEY, no_profiling INT, no_marketing INT) WITHOUT ROWID;
CREATE TABLE overrides (
    id TEXT, dimension TEXT, class TEXT, until TEXT, said_by TEXT, reason TEXT, PRIMARY KEY (id, dimension)
) WITHOUT ROWID;
CREATE TABLE tombstones (id TEXT PRIMARY KEY) WITHOUT ROWID;
"""
TABLES = ("customers", "histories", "aliases", "consents", "overrides", "tombstones")

FIND = """
WITH asked(id) AS (SELECT coalesce((SELECT survivor FROM aliases WHERE id = :id), :id))
SELECT asked.id, record, kept, no_profiling, no_marketing, EXISTS (SELECT 1 FROM tombstones WHERE id = :stone),
    (SELECT json_group_array(json_array(id, dimension, class, until, said_by, reason))
        FROM (SELECT * FROM overrides WHERE id = asked.id ORDER BY dimension))
FROM asked LEFT JOIN customers USING (id) LEFT JOIN consents ON consents.id = :id
"""


class SqliteStore:
    """The states of one snapshot; safe to share between threads."""

    local = True

    def __init__(self, path: Path, arrivals: Path | None = None) -> None:
        self.snapshot = path.stem
        self._path, self._lock = path.resolve(), Lock()
        self._file = identity(self._path)
        self._db = open_file(self._path)
        self._arrivals = Arrivals(arrivals) if arrivals else None

    def find(self, pseudonym: str) -> State:
        """What is known of a customer."""
        with _answering():
            asked = {"id": pseudonym, "stone": tombstone(pseudonym)}
            (row,) = self._current().execute(FIND, asked).fetchall()
        customer, record, kept, no_profiling, no_marketing, forgotten, overrides = row
        said = _kept.decode(kept) if kept is not None else None
        return State(
            customer,
            record,
            np.frombuffer(said.row) if said else None,
            said.texts if said else {},
            said.held if said else {},
            bool(no_profiling),
            bool(no_marketing),
            tuple(map(_override, msgspec.json.decode(overrides))) if overrides != "[]" else (),
            self._arrived(customer),
            bool(forgotten),
        )

    def find_many(self, pseudonyms: Sequence[str]) -> list[State]:
        """The same of many, in their order."""
        return [self.find(each) for each in pseudonyms]

    def history(self, customer: str) -> list[Event]:
        """The events of the snapshot, then those that arrived since."""
        events = list(self._published(customer))
        known = {event.event_id for event in events}
        arrived = self._arrivals.of([customer]) if self._arrivals else []
        return events + [decode_event(each.event) for each in arrived if each.event_id not in known]

    def append(self, customer: str, arrivals: Sequence[Arrival]) -> int:
        """Keep events on the disk; how many were new."""
        if self._arrivals is None:
            raise StoreError("a store without a place for events")
        known = {event.event_id for event in self._published(customer)}
        new = [each for each in arrivals if each.event_id not in known]
        return self._arrivals.add(new) if new else 0

    def check(self) -> None:
        """Whether the file can be read."""
        with _answering():
            self._current().execute("SELECT 1 FROM customers LIMIT 1").fetchone()

    def close(self) -> None:
        """Let the files go."""
        self._db.close()
        if self._arrivals:
            self._arrivals.close()

    def _published(self, customer: str) -> Sequence[Event]:
        with _answering():
            found = self._current().execute("SELECT events FROM histories WHERE id = ?", (customer,)).fetchone()
        return decode_events(found[0]) if found else ()

    def _arrived(self, customer: str) -> bool:
        arrived = self._arrivals.of([customer]) if self._arrivals else []
        if not arrived:
            return False
        known = {event.event_id for event in self._published(customer)}
        return any(each.event_id not in known for each in arrived)

    def _current(self) -> sqlite3.Connection:
        """The file that is there now; while one takes the place of another, the one that was."""
        with self._lock, contextlib.suppress(FileNotFoundError):
            there = identity(self._path)
            if there != self._file:
                self._db, self._file = open_file(self._path), there
        return self._db


def open_file(path: Path) -> sqlite3.Connection:
    """A file to read from; InputError for one that is damaged, or of another version of this software."""
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
        for table in TABLES:
            db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()
    except sqlite3.Error as error:
        raise damaged(path, error) from None
    return db


def identity(path: Path) -> tuple[int, int]:
    """Which file is there."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


def store_path(workspace: Workspace, snapshot: str) -> Path:
    """The file of a snapshot's states."""
    return workspace.store / f"{snapshot}.sqlite"


def arrivals_path(workspace: Workspace) -> Path:
    """The file of the events that arrived."""
    return workspace.arrivals / FILE


_kept = msgspec.msgpack.Decoder(Kept)


def _override(row: Sequence[str]) -> Override:
    id_, dimension, class_, until, by, reason = row
    return Override(id_, dimension, class_, date.fromisoformat(until), by, reason)


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"the store does not answer: {error}") from None
