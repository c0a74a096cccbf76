"""Which files were read, and when: the same file is not read twice."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from features.tables.sources import Source
from features.workspace import read_json


@dataclass(frozen=True)
class File:
    """A file of a table, by its content."""

    table: str
    name: str
    sha256: str


@dataclass(frozen=True)
class Received:
    """The runs of ingest so far. mapping: digest of what the source file says of its tables; runs: the instant of each
    (ISO 8601, UTC) with its files."""

    mapping: str
    runs: tuple[tuple[str, tuple[File, ...]], ...] = ()

    @property
    def files(self) -> frozenset[tuple[str, str]]:
        """Table and content of every file that was read."""
        return frozenset((file.table, file.sha256) for _, files in self.runs for file in files)

    def plus(self, now: datetime, files: list[File]) -> Received:
        """With one run more."""
        return Received(self.mapping, (*self.runs, (now.isoformat(), tuple(files))))

    def to_json(self) -> dict[str, Any]:
        """For `received.json`."""
        runs = [{"at": at, "files": [asdict(file) for file in files]} for at, files in self.runs]
        return {"mapping": self.mapping, "runs": runs}


def load_received(tables: Path, source: Source) -> Received:
    """What `tables` says was read; nothing, where there is no table yet."""
    path = tables / "received.json"
    if not path.exists():
        return Received(mapping_digest(source))
    found = read_json(path)
    runs = tuple((run["at"], tuple(File(**file) for file in run["files"])) for run in found["runs"])
    return Received(found["mapping"], runs)


def mapping_digest(source: Source) -> str:
    """A digest of all that decides how a line is read."""
    said = source.model_dump(mode="json", exclude={"title", "monitoring"})
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
