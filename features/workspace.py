"""One company's folder: where each step finds what the step before it left."""

from __future__ import annotations

import fcntl
import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import InputError


@dataclass(frozen=True)
class Workspace:
    """The folder `home` of one source: raw tables → tables → features → training → grades → store."""

    home: Path

    @property
    def simulated(self) -> Path:
        """Where the simulator of the sample company puts its raw tables."""
        return self.home / "simulated"

    @property
    def tables(self) -> Path:
        """events.parquet/ and customers.parquet/ (folders of part files), items.parquet, vault/, report.json,
        received.json (which files were read, and when)."""
        return self.home / "tables"

    @property
    def features(self) -> Path:
        """features.parquet and labels.parquet (one row per customer and as_of), attributes.parquet and cuts.json."""
        return self.home / "features"

    @property
    def training(self) -> Path:
        """The last candidate: evaluated and refitted models, and every prediction on the test rows."""
        return self.home / "training"

    @property
    def laundering_model(self) -> Path:
        """The ranking of accounts that was learnt last, and its judgement: nothing of any one customer."""
        return self.home / "laundering-model"

    @property
    def grades(self) -> Path:
        """One folder per grading snapshot between the monthly runs."""
        return self.home / "grades"

    @property
    def months(self) -> Path:
        """One folder per monthly run, `2026-10`: its grading snapshot, who changed class and why. Never changed."""
        return self.home / "months"

    @property
    def decisions(self) -> Path:
        """overrides.parquet: what persons decided about customers' classes, a row per act."""
        return self.home / "decisions"

    @property
    def arrears(self) -> Workspace:
        """A workspace of its own, whose cases are the company's invoices: tables/cases.parquet, training/, grades/."""
        return Workspace(self.home / "arrears")

    @property
    def laundering(self) -> Path:
        """The laundering register, reviews and alerts, each file sealed with the key of a role of its own."""
        return self.home / "laundering"

    @property
    def exports(self) -> Path:
        """What was handed over to other systems: a ledger per target. The files themselves lie elsewhere."""
        return self.home / "exports"

    @property
    def store(self) -> Path:
        """The online store, one file per grading snapshot."""
        return self.home / "store"

    @property
    def live(self) -> Path:
        """A copy of the release that was served last, to start from while the registry does not answer."""
        return self.home / "live"

    @property
    def arrivals(self) -> Path:
        """The events that arrived over HTTP and are not yet in the event table."""
        return self.home / "arrivals"

    @property
    def reports(self) -> Path:
        """One folder per report of a month; `scoring report` makes them again."""
        return self.home / "reports"

    def needs(self, path: Path, command: str) -> Path:
        """`path` if it is there; else an InputError that names the command which makes it."""
        if not path.exists():
            raise InputError(path, "nothing", "what an earlier step leaves there", f"Run `{command}` first.")
        return path


@contextmanager
def staged(folder: Path, keep: bool = False) -> Iterator[Path]:
    """A new folder that takes the place of `folder` when the block ends well, and vanishes when it does not.

    It is empty, or with `keep` has every file that `folder` has: the same files under a second name, so replace or
    unlink them, and never write into them. Those who keep what is there wait for one another, so that nobody's change
    gets lost.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with alone(folder.parent) if keep else nullcontext():
        clear_up(folder)
        new = folder.with_name(f".{folder.name}.new-{os.getpid()}")
        old = folder.with_name(f".{folder.name}.old-{os.getpid()}")
        new.mkdir(mode=0o700)
        try:
            if keep and folder.exists():
                shutil.copytree(folder, new, copy_function=_link, dirs_exist_ok=True)
            yield new
            if folder.exists():
                folder.rename(old)
            new.rename(folder)
        finally:
            if old.exists() and not folder.exists():
                old.rename(folder)
            shutil.rmtree(new, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Holds `folder`, which is there, against all others who want it so: other processes, and other threads of this
    one. Those who are `staged` with `keep` hold the folder around theirs."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks of folders
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _link(old: str, new: str) -> None:
    try:
        os.link(old, new)
    except OSError:  # a file system without second names
        shutil.copy2(old, new)


def clear_up(folder: Path) -> None:
    """What a killed run left: bring back the old folder if it was on its way out, remove what was half made."""
    for left in sorted(folder.parent.glob(f".{folder.name}.*-*")):
        pid = left.name.rpartition("-")[2]
        if pid.isdigit() and int(pid) != os.getpid() and _lives(int(pid)):
            continue
        if left.name.startswith(f".{folder.name}.old-") and not folder.exists():
            left.rename(folder)
        else:
            shutil.rmtree(left, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON, keys in their order, the same bytes for the same value; all of it or nothing.

    The file is a new one, so that a second name of the old one (`staged`) keeps what it had.
    """
    new = path.with_name(f".{path.name}.new")
    new.write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    new.replace(path)


def finite(value: Any) -> Any:
    """`value` as JSON can hold it, which has no NaN: a number that is undefined is null."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_json(path: Path) -> Any:
    """What `write_json` wrote; InputError when it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, FileNotFoundError) as error:
        raise damaged(path, error) from None


def read_parquet(path: Path, **options: Any) -> pa.Table:
    """A table of the workspace; InputError when it is damaged."""
    try:
        return pq.read_table(path, **options)
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, error) from None


def part_files(table: Path) -> list[Path]:
    """The Parquet files of a table: itself, or all files of the folder, in order of name. Empty: there is none."""
    return sorted(table.glob("*.parquet")) if table.is_dir() else [table] if table.exists() else []


def damaged(path: Path, error: Exception) -> InputError:
    """A file of the workspace that cannot be read."""
    return InputError(
        path, f"a damaged file ({str(error)[:120]})", "what a step wrote", "Run the step that writes it again."
    )
