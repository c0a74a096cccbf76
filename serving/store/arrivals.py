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
COLUMNS = "customer, event_id, at, event, line"
INSERT = f"INSERT OR IGNORE INTO arrivals ({COLUMNS}) VALUES (?, ?, ?, ?, ?)"


class Arrivals:
    """The file of a workspace; it is made with the first event."""

    def __init__(self, path: Path) -> None:
        self.path, self._lock = path, Lock()
        self._db: sqlite3.Connection | None = None

    def add(self, arrivals: Sequence[Arrival]) -> int:
        """Keep them on the disk, all or none; how many were not there yet. StoreError where that cannot be done."""
        with self._answering(), self._lock:
            db = self._open()
            with db:
                db.execute("BEGIN IMMEDIATE")
                before = db.total_changes
                db.executemany(INSERT, map(_row, arrivals))
                return db.total_changes - before

    def of(self, customers: Collection[str]) -> list[Arrival]:
        """The arrivals of some customers, in the order in which they came."""
        marks = ", ".join("?" * len(customers))
        return self._found(f"WHERE customer IN ({marks}) ORDER BY at, event_id", tuple(customers))

    def waiting(self) -> list[Arrival]:
        """Those that the event table does not have yet, in the order in which they came."""
        return self._found("WHERE NOT taken ORDER BY at, customer, event_id", ())

    def taken(self, arrivals: Sequence[Arrival]) -> None:
        """Note that the event table has them, or never will."""
        with self._answering(), self._lock, self._open() as db:
            keys = [(each.customer, each.event_id) for each in arrivals]
            db.executemany("UPDATE arrivals SET taken = 1 WHERE customer = ? AND event_id = ?", keys)

    def prune(self, before: str) -> None:
        """Let go of what the event table has and what came before an instant (ISO 8601, UTC): the states that were
        published since have it, too."""
        self._delete("taken AND at < ?", [(before,)])

    def forget(self, customers: Collection[str]) -> None:
        """Let go of all that some customers have, so that no byte of it stays in the file."""
        self._delete("customer = ?", [(customer,) for customer in customers])

    def _delete(self, which: str, values: Sequence[tuple[str]]) -> None:
        if not self.path.exists():
            return
        with self._answering(), self._lock:
            db = self._open()
            with db:
                db.executemany(f"DELETE FROM arrivals WHERE {which}", values)
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def _found(self, where: str, values: tuple[str, ...]) -> list[Arrival]:
        if not self.path.exists():
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
