"""The online store in one SQLite file per grading snapshot, beside one of the events that arrived since.

An id that is merged with another has no record of its own: it is an alias of its survivor. A file is never written
into: a newer one takes its place, and an open store turns to it at the next question.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Lock

import msgspec

from classification.decisions import Override
from features.online import Event
from features.stored import decode_event, decode_events
from features.tables.person import tombstone
from features.workspace import Workspace, damaged
from serving.store.arrivals import FILE, Arrivals
from serving.store.state import Arrival, Kept, State, StoreError

SCHEMA = """
CREATE TABLE customers (id TEXT PRIMARY KEY, kept BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE records (id TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE histories (id TEXT PRIMARY KEY, events BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE aliases (id TEXT PRIMARY KEY, survivor TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE consents (id TEXT PRIMARY KEY, no_profiling INT, no_marketing INT) WITHOUT ROWID;
CREATE TABLE overrides (
    id TEXT, dimension TEXT, class TEXT, until TEXT, said_by TEXT, reason TEXT, PRIMARY KEY (id, dimension)
) WITHOUT ROWID;
CREATE TABLE tombstones (id TEXT PRIMARY KEY) WITHOUT ROWID;
"""
TABLES = ("customers", "records", "histories", "aliases", "consents", "overrides", "tombstones")

NOBODY: frozenset[str] = frozenset()
MAPPED = 2**40
"""Of a file is read as memory: all of it."""


@dataclass(frozen=True)
class _File:
    """An open file, with what it says of few customers in memory; which: what it was when it was opened."""

    which: tuple[int, int]
    db: sqlite3.Connection
    aliases: dict[str, str]
    consents: dict[str, tuple[bool, bool]]
    overrides: dict[str, tuple[Override, ...]]
    tombstones: frozenset[str]

    @staticmethod
    def open(path: Path) -> _File:
        """Read it."""
        which, db = identity(path), open_file(path)
        overrides: dict[str, tuple[Override, ...]] = {}
        for row in db.execute("SELECT * FROM overrides ORDER BY id, dimension"):
            overrides[row[0]] = (*overrides.get(row[0], ()), _override(row))
        consents = {id_: (bool(profiling), bool(marketing)) for id_, profiling, marketing in db.execute(CONSENTS)}
        stones = frozenset(stone for (stone,) in db.execute("SELECT id FROM tombstones"))
        return _File(which, db, dict(db.execute("SELECT id, survivor FROM aliases")), consents, overrides, stones)


CONSENTS = "SELECT id, no_profiling, no_marketing FROM consents"


class SqliteStore:
    """The states of one snapshot; safe to share between threads."""

    local = True

    def __init__(self, path: Path, arrivals: Path | None = None) -> None:
        self.snapshot = path.stem
        self._path, self._lock = path.resolve(), Lock()
        self._file = _File.open(self._path)
        self._arrivals = Arrivals(arrivals) if arrivals else None

    def find(self, pseudonym: str) -> State:
        """What is known of a customer."""
        file = self._current()
        customer = file.aliases.get(pseudonym, pseudonym)
        try:
            found = file.db.execute("SELECT kept FROM customers WHERE id = ?", (customer,)).fetchone()
        except sqlite3.Error as error:
            raise _silent(error) from None
        return _state(file, pseudonym, customer, found[0] if found else None, self._arrived((customer,)))

    def find_many(self, pseudonyms: Sequence[str]) -> list[State]:
        """The same of many, in their order."""
        file = self._current()
        customers = [file.aliases.get(each, each) for each in pseudonyms]
        arrived = self._arrived(customers)
        with _answering():
            marks = ", ".join("?" * len(customers))
            kept = dict(file.db.execute(f"SELECT id, kept FROM customers WHERE id IN ({marks})", customers))
        pairs = zip(pseudonyms, customers, strict=True)
        return [_state(file, each, customer, kept.get(customer), arrived) for each, customer in pairs]

    def record(self, customer: str) -> bytes | None:
        """As the grading left it."""
        with _answering():
            found = self._current().db.execute("SELECT record FROM records WHERE id = ?", (customer,)).fetchone()
        return found[0] if found else None

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
            self._current().db.execute("SELECT 1 FROM customers LIMIT 1").fetchone()

    def close(self) -> None:
        """Let the files go."""
        self._file.db.close()
        if self._arrivals:
            self._arrivals.close()

    def _published(self, customer: str) -> Sequence[Event]:
        with _answering():
            found = self._current().db.execute("SELECT events FROM histories WHERE id = ?", (customer,)).fetchone()
        return decode_events(found[0]) if found else ()

    def _arrived(self, customers: Sequence[str]) -> frozenset[str]:
        """To whom something happened that the snapshot does not know."""
        if self._arrivals is None or not self._arrivals.begun:
            return NOBODY
        new: dict[str, set[str]] = {}
        for each in self._arrivals.of(customers):
            new.setdefault(each.customer, set()).add(each.event_id)
        known = {customer: {event.event_id for event in self._published(customer)} for customer in new}
        return frozenset(customer for customer, ids in new.items() if not ids <= known[customer])

    def _current(self) -> _File:
        """The file that is there now; while one takes the place of another, the one that was."""
        try:
            if identity(self._path) != self._file.which:
                with self._lock:
                    if identity(self._path) != self._file.which:
                        self._file = _File.open(self._path)
        except FileNotFoundError:
            return self._file
        return self._file


def open_file(path: Path) -> sqlite3.Connection:
    """A file to read from; InputError for one that is damaged, or of another version of this software."""
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
        db.execute(f"PRAGMA mmap_size = {MAPPED}")
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


def _state(file: _File, pseudonym: str, customer: str, found: bytes | None, arrived: frozenset[str]) -> State:
    said = _kept.decode(found) if found else None
    no_profiling, no_marketing = file.consents.get(pseudonym, (False, False))
    return State(
        customer,
        said.features if said else None,
        said.texts if said else {},
        said.held if said else {},
        no_profiling,
        no_marketing,
        file.overrides.get(customer, ()),
        customer in arrived,
        bool(file.tombstones) and tombstone(customer) in file.tombstones,
    )


def _override(row: Sequence[str]) -> Override:
    id_, dimension, class_, until, by, reason = row
    return Override(id_, dimension, class_, date.fromisoformat(until), by, reason)


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _silent(error) from None


def _silent(error: sqlite3.Error) -> StoreError:
    return StoreError(f"the store does not answer: {error}")
