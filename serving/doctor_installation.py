"""What `scoring doctor` asks of the machine: libraries, keys, settings, disk, who may read what, the clock."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import stat
import time
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from classification.laundering.role import KEY_FILE
from features.errors import InputError
from features.tables.privacy import KEY_VARIABLE, check_same_key, key_file, load_pseudonyms
from features.workspace import read_json
from serving.keys import keys_path, read_keys
from serving.patient import Patient, Said, letters
from serving.settings import load_serving
from serving.store.redis_client import shown
from serving.store.state import StoreError
from training import registry

LOCK, PROJECT = Path("requirements.lock"), Path("pyproject.toml")
PIN = re.compile(r"^([A-Za-z0-9].*?)(?: \\)?$", re.MULTILINE)

SOON_DAYS = 30
"""So long before its end a key is told."""

LEAST_FREE = 1_000_000_000
"""Bytes; and at least as many as the workspace has: what is written anew takes the place of the old once it is whole.
"""

AHEAD_SECONDS = 300
"""By so much clocks may differ."""

OTHERS_READ, OTHERS_ENTER = stat.S_IROTH, stat.S_IXOTH
NOT_OWNER = stat.S_IRWXG | stat.S_IRWXO


def libraries(_: Patient) -> Iterator[Said]:
    """Python, and the libraries beside their pins: those of the lock, or of pyproject.toml where there is none."""
    if not PROJECT.exists():
        raise InputError(PROJECT, "nothing", "the project's folder as the working directory", "Change to it first.")
    project, mine = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"], platform.python_version()
    wanted, place = project["requires-python"], LOCK if LOCK.exists() else PROJECT
    if not SpecifierSet(wanted).contains(mine, prereleases=True):
        yield InputError("Python", mine, wanted, "Run `make setup PYTHON=python3.12`, or with another that fits.")
    lines = PIN.findall(LOCK.read_text(encoding="utf-8")) if LOCK.exists() else project["dependencies"]
    pins = [pin for pin in map(Requirement, lines) if pin.marker is None or pin.marker.evaluate()]
    for pin in pins:
        found = _installed(pin.name)
        if not found or not pin.specifier.contains(found, prereleases=True):
            cure = "Run `make setup`."
            yield InputError(f"{place}: {pin.name}", found or "nothing installed", str(pin.specifier), cure)
    yield f"Python {mine}, {len(pins)} libraries of {place}"


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def source(patient: Patient) -> Iterator[Said]:
    """The description of the company's tables."""
    yield f"{patient.described.name}, in {patient.workspace.home}"


def key(patient: Patient) -> Iterator[Said]:
    """The key of the pseudonyms: it is there, and the one that the tables were made with."""
    file = key_file()
    if KEY_VARIABLE not in os.environ and not file.exists():
        wanted = f"the key of the pseudonyms, in this file or in {KEY_VARIABLE}"
        raise InputError(
            file, "nothing", wanted, "Bring it back from your backup; with a new one nobody is found again."
        )
    pseudonyms, report = load_pseudonyms(), patient.workspace.tables / "report.json"
    if report.exists():
        with contextlib.suppress(InputError, KeyError, TypeError):  # of a damaged one `tables` tells
            made_with = str(read_json(report)["key"])
            yield from letters(lambda: check_same_key(pseudonyms, made_with, patient.workspace.tables))


def settings(_: Patient) -> Iterator[Said]:
    """configs/serving.yaml."""
    store = load_serving().store
    yield f"served from {shown(store) if store else 'SQLite in the workspace'}"


def api_keys(patient: Patient) -> Iterator[Said]:
    """keys.json: for its owner only, and no key in it that is over or soon will be, unless it was revoked."""
    path, today = keys_path(patient.workspace), datetime.now(UTC).date()
    if not path.exists():
        yield "no API key"
        return
    yield from _owners(path)
    known = read_keys(path)
    for each in known:
        days = (date.fromisoformat(each.until) - today).days if each.until and not each.revoked else SOON_DAYS + 1
        if days <= SOON_DAYS:
            found = f"that its last day was {each.until}" if days < 0 else f"that its last day is {each.until}"
            cure = f"Make its successor with `scoring key add`, then run `scoring key revoke {each.id}`."
            yield InputError(
                f"{path}: key {each.id} ({each.name})", found, f"more than {SOON_DAYS} days from now", cure
            )
    yield f"{sum(each.good(today) for each in known)} good API keys"


def disk(patient: Patient) -> Iterator[Said]:
    """Room for what the next run writes."""
    size = sum(said.st_size for _, said in patient.files if stat.S_ISREG(said.st_mode))
    store = registry.store_file()
    folders = [patient.workspace.home, *([store.parent] if store else [])]
    wanted = max(LEAST_FREE, size)
    for folder in filter(Path.exists, folders):
        free = shutil.disk_usage(folder).free
        if free < wanted:
            cure = "Make room: old months, reports and grades may be kept elsewhere."
            yield InputError(folder, f"{free / 1e9:.1f} GB free", f"{wanted / 1e9:.1f} GB", cure)
    yield f"the workspace has {size / 1e9:.1f} GB"


def access(patient: Patient) -> Iterator[Said]:
    """What others on this machine may read: none of the keys, no file of the workspace; of keys.json `keys` tells."""
    for name in (key_file(), key_file(KEY_FILE)):
        if name.exists():
            yield from _owners(name)
    home, closed, told = patient.workspace.home, set[Path](), keys_path(patient.workspace)
    if home.exists() and not home.stat().st_mode & OTHERS_ENTER:
        return
    for path, said in patient.files:
        if path.parent in closed or (stat.S_ISDIR(said.st_mode) and not said.st_mode & OTHERS_ENTER):
            closed.add(path)
        elif stat.S_ISREG(said.st_mode) and said.st_mode & OTHERS_READ and path != told:
            wanted = "a file for its owner, or in a folder for its owner"
            yield InputError(path, "a file that everybody may read", wanted, f"Run `chmod o-rwx {path}`.")


def _owners(path: Path) -> Iterator[InputError]:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & NOT_OWNER:
        yield InputError(path, f"permissions {mode:o}", "600, for its owner only", f"Run `chmod 600 {path}`.")


def clock(patient: Patient) -> Iterator[Said]:
    """No file is of the future, and a Redis shows the same time."""
    now = time.time()
    last = max(patient.files, key=lambda each: each[1].st_mtime, default=None)
    if last and last[1].st_mtime > now + AHEAD_SECONDS:
        found = f"that it was written {(last[1].st_mtime - now) / 60:.0f} minutes from now"
        yield InputError(last[0], found, "a clock that is right", "Set this machine's clock, by NTP.")
    with contextlib.suppress(InputError, StoreError):  # of these other checks tell
        there = patient.job.place.about()
        if there and abs(ahead := there.seconds - time.time()) > AHEAD_SECONDS:
            place, found = shown(load_serving().store), f"a clock that differs by {abs(ahead) / 60:.0f} minutes"
            yield InputError(place, found, "this machine's time", "Set both clocks, by NTP.")
    yield f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
