"""Events that arrived over HTTP and are not yet in the event table: kept until they are, whatever is killed.

They lie in one SQLite file of the workspace, which outlives the snapshots. Each is on the disk before it is answered;
several processes may write at once.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from threading import Lock

from features.stored import without_partner
from serving.store.state import Arrival, StoreError

FILE = "arrivals.sqlite"
WAIT_SECONDS = 5.0
"""How long a writer waits for another."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS arrivals (
    customer TEXT, event_id TEXT, at TEXT NOT NULL, event BLOB NOT NULL, line BLOB NOT NULL, taken INT DEFAULT 0,
    PRIMARY KEY (customer, event_id)
) WITHOUT ROWID
"""
"""taken: 0 it waits, 1 the event table has it, 2 so has a state that was published since."""

COLUMNS = "customer, event_id, at, event, line"
INSERT = f"INSERT OR IGNORE INTO arrivals ({COLUMNS}) VALUES (?, ?, ?, ?, ?)"


class Arrivals:
    """The file of a workspace; it is made with the first event."""

    def __init__(self, path: Path) -> None:
        self.path, self._lock = path, Lock()
        self._db: sqlite3.Connection | None = None

    def add(self, arrivals: Sequence[Arrival]) -> int:
        """Keep them on the disk, all or none; how many were not there yet. StoreError where that cannot be done."""
        with self._answering(), self._lock, self._changing() as db:
            before = db.total_changes
            db.executemany(INSERT, map(_row, arrivals))
            return db.total_changes - before

    @property
    def begun(self) -> bool:
        """Whether there is anything to look into. StoreError where that cannot be seen."""
        if self._db is not None:
            return True
        try:
            self.path.stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(f"the events that arrived cannot be read: {error}") from None
        return True

    def of(self, customers: Collection[str]) -> list[Arrival]:
        """The arrivals of some customers, in the order in which they came."""
        marks = ", ".join("?" * len(customers))
        return self._found(f"WHERE customer IN ({marks}) ORDER BY at, event_id", tuple(customers))

    def waiting(self) -> list[Arrival]:
        """Those that the event table does not have yet, in the order in which they came."""
        return self._found("WHERE NOT taken ORDER BY at, customer, event_id", ())

    def taken(self, arrivals: Sequence[Arrival]) -> None:
        """Note that the event table has them, or never will."""
        with self._answering(), self._lock, self._changing() as db:
            keys = [(each.customer, each.event_id) for each in arrivals]
            db.executemany("UPDATE arrivals SET taken = 1 WHERE customer = ? AND event_id = ? AND NOT taken", keys)

    def published(self) -> None:
        """Note that a published state has what was taken, and let go of what the one before it had."""
        if self.path.exists():
            with self._answering(), self._lock, self._changing() as db:
                db.execute("DELETE FROM arrivals WHERE taken = 2")
                db.execute("UPDATE arrivals SET taken = 2 WHERE taken = 1")

    def forget(self, customers: Collection[str]) -> None:
        """Let go of all that some customers have, and of their names in what others have, so that no byte of them
        stays in the file or its log."""
        if not self.path.exists():
            return
        with self._answering(), self._lock:
            with self._changing() as db:
                db.executemany("DELETE FROM arrivals WHERE customer = ?", [(each,) for each in customers])
                others = db.execute("SELECT event, customer, event_id FROM arrivals").fetchall()
                named = [(new, *key) for event, *key in others if (new := without_partner(event, customers))]
                db.executemany("UPDATE arrivals SET event = ?, line = '' WHERE customer = ? AND event_id = ?", named)
            db.execute("VACUUM")
            (busy, *_) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StoreError("the events that arrived are being read, so that their log keeps what was removed")

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def _found(self, where: str, values: tuple[str, ...]) -> list[Arrival]:
        if not self.begun:
            return []
        with self._answering(), self._lock:
            rows = self._open().execute(f"SELECT {COLUMNS} FROM arrivals {where}", values)
            return [Arrival(*row) for row in rows]

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            db = sqlite3.connect(self.path, WAIT_SECONDS, isolation_level=None, check_same_thread=False)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")  # what was answered survives a power cut, too
            db.execute("PRAGMA secure_delete = ON")
            db.execute(SCHEMA)
            self._db = db
        return self._db

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """The file, alone with it; all of a change or nothing."""
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            yield db

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        """A file that cannot be used is a StoreError, and is opened again the next time."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if not isinstance(error, sqlite3.IntegrityError):
                with contextlib.suppress(sqlite3.Error):
                    self.close()
            raise StoreError(f"the events that arrived cannot be kept: {error}") from None


def _row(arrival: Arrival) -> tuple[str, str, str, bytes, bytes]:
    return arrival.customer, arrival.event_id, arrival.at, arrival.event, arrival.line
