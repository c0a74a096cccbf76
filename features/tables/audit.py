"""The audit log of a workspace: who did what, when and why, in lines that hold one another.

What is done to a person's data is in it, and what is done to all that everybody is graded by. Each line carries the
SHA-256 of the line before it, so that a line that was changed, added or taken out is found. Persons appear by their
tombstones; a line about nobody in particular has none. That lines were cut off the end is seen only by who has noted
the last digest.
"""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from features.errors import InputError
from features.tables.person import Person

START = "0" * 64
"""What the first line carries in the place of a digest."""


@dataclass(frozen=True)
class Audit:
    """The log at `path`; `by`: who acts."""

    path: Path
    by: str

    def append(self, action: str, person: Person | None, reason: str = "", **said: Any) -> None:
        """Add a line, on the disk when this returns; person: None, when it is about nobody in particular.

        Writers wait for one another.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        mine = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(mine, "a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            lines = file.read().splitlines()
            line = dict(  # what is said cannot take the place of any of these
                before=_digest(lines[-1]) if lines else START,
                at=datetime.now(UTC).isoformat(timespec="seconds"),
                by=self.by,
                action=action,
                person=person.tombstones if person else [],
                reason=reason,
                **said,
            )
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def lines(self, person: Person) -> list[dict[str, Any]]:
        """What was done to a person's data, oldest first. Raises InputError for a log that does not hold."""
        mine = set(person.tombstones)
        return [line for line in read_lines(self.path) if mine & set(line["person"])]


def open_audit(home: Path, by: str | None = None) -> Audit:
    """The log of the workspace in the folder `home`; `by`: by default the user of this computer."""
    return Audit(home / "audit.jsonl", by or this_user())


def this_user() -> str:
    """Who acts when nobody is named: the user of this computer."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a process without a name, in a container
        return "unknown"


def read_lines(path: Path, since: date | None = None, action: str | None = None) -> list[dict[str, Any]]:
    """The lines of the log at `path`, oldest first; since: from that day (UTC) on; action: only what is called so.

    Raises InputError for a log that does not hold, whichever lines are asked for.
    """
    verify(path)
    found = [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
    first = since.isoformat() if since else ""
    return [line for line in found if line["at"] >= first and action in (None, line["action"])]


def verify(path: Path) -> tuple[int, str]:
    """How many lines the log has, and the digest of the last. Raises InputError for the first that does not hold."""
    before = START
    lines = path.read_bytes().splitlines() if path.exists() else []
    for number, line in enumerate(lines, 1):
        try:
            found = json.loads(line)["before"]
        except (ValueError, KeyError, TypeError):
            raise _broken(path, number, "no line of an audit log", "JSON with the digest of the line before") from None
        if found != before:
            raise _broken(path, number, f"'{found}' as the digest of the line before", before)
        before = _digest(line)
    return len(lines), before


def _broken(path: Path, number: int, found: str, wanted: str) -> InputError:
    cure = "The log was changed after it was written; bring back a copy of it, and ask who changed it."
    return InputError(f"{path}: line {number}", found, wanted, cure)


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
