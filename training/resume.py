"""What a run has computed so far, kept on disk: a run that was killed goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.workspace import Workspace, read_parquet


class Kept:
    """Results of one run, by name. A result that is there is not computed again; `clear` removes them all.

    They are another run's, and are removed, when `says` (anything JSON), the feature rows or this software differ.
    """

    def __init__(self, workspace: Workspace, says: Any) -> None:
        self.folder = workspace.home / "training-kept"
        key = _key(workspace.features, says)
        if self.folder.exists() and not (self.folder / key).exists():
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / key).touch()

    def table(self, name: str, make: Callable[[], pa.Table]) -> pa.Table:
        """The table of that name."""
        path = self.folder / f"{name}.parquet"
        if not path.exists():
            new = path.with_suffix(f".{os.getpid()}.new")
            pq.write_table(make(), new, compression="zstd")
            new.replace(path)
        return read_parquet(path)

    def files(self, name: str, make: Callable[[Path], None]) -> Path:
        """The folder of that name, which `make` fills."""
        path = self.folder / name
        if not path.exists():
            new = path.with_name(f".{name}.{os.getpid()}.new")
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            make(new)
            new.rename(path)
        return path

    def clear(self) -> None:
        """The run is over."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _key(features: Path, says: Any) -> str:
    rows = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(features.rglob("*.parquet"))]
    code = [path.read_bytes() for path in sorted(Path(__file__).parent.rglob("*.py"))]
    digest = hashlib.sha256(json.dumps([says, rows]).encode())
    for each in code:
        digest.update(each)
    return digest.hexdigest()[:16]
