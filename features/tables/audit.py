"""The audit log of a workspace: who did what to a person's data, when and why, in lines that hold one another.

Each line carries the SHA-256 of the line before it, so that a line that was changed, added or taken out is found.
Persons appear by their tombstones. That lines were cut off the end is seen only by who has noted the last digest.
"""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
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
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            lines = file.read().splitlines()
            line = {
                "before": _digest(lines[-1]) if lines else START,
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "by": self.by,
                "action": action,
                "person": person.tombstones if person else [],
                "reason": reason,
                **said,
            }
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def lines(self, person: Person) -> list[dict[str, Any]]:
        """What was done to a person's data, oldest first. Raises InputError for a log that does not hold."""
        verify(self.path)
        mine = set(person.tombstones)
        found = self.path.read_bytes().splitlines() if self.path.exists() else []
        return [line for line in map(json.loads, found) if mine & set(line["person"])]


def open_audit(home: Path, by: str | None) -> Audit:
    """The log of the workspace in the folder `home`; `by`: by default the user of this computer."""
    return Audit(home / "audit.jsonl", by or getpass.getuser())


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
