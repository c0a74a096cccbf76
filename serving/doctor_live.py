"""What `scoring doctor` asks of the data: tables, registry, release, grading, store, and what arrived."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from classification.snapshots import read_ranks
from features.errors import InputError
from features.workspace import damaged, part_files, read_json
from serving.patient import Patient, Said, letters
from serving.settings import load_serving
from serving.store.redis_client import shown
from serving.store.sqlite import arrivals_path
from serving.store.state import StoreError
from training import registry

OLDEST_REDIS = 6
"""The first version that speaks the client's protocol."""

WAITING_DAYS = 31
"""So long an event may wait for the next ingest."""

OUTDATED = "out-of-date database schema"
"""What MLflow says of a database of another version of it."""


def tables(patient: Patient) -> Iterator[Said]:
    """Events, customers and items, read to the end."""
    patient.job.report()
    folder, rows = patient.workspace.tables, dict[str, int]()
    yield from letters(lambda: patient.workspace.needs(folder / "events.parquet", "scoring ingest"))
    for name in ("events", "customers", "items"):
        for path in part_files(folder / f"{name}.parquet"):
            try:
                rows[name] = rows.get(name, 0) + _read_through(path)
            except InputError as error:
                yield InputError(
                    error.place, error.found, error.wanted, "Bring back a copy, or `scoring ingest --afresh`."
                )
    yield ", ".join(f"{count:,} {name}" for name, count in rows.items())


def _read_through(path: Path) -> int:
    """The rows of a Parquet file, every page read; InputError for a damaged one."""
    try:
        with pq.ParquetFile(path) as file:
            rows: int = sum(batch.num_rows for batch in file.iter_batches())
            if rows != file.metadata.num_rows:
                raise pa.ArrowInvalid(f"{rows:,} of {file.metadata.num_rows:,} rows")
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, error) from None
    return rows


def champion(patient: Patient) -> Iterator[Said]:
    """The registry answers, in the version that the installed MLflow speaks, and has a champion."""
    file = registry.store_file()
    if file and not file.exists():
        cure = f"Run `scoring run --source {patient.source}`, or look at MLFLOW_TRACKING_URI."
        raise InputError(file, "nothing", "an MLflow registry", cure)
    try:
        yield f"version {patient.champion} is the champion"
    except InputError as error:
        if OUTDATED not in error.found:
            raise
        cure = "Make a copy of the database, then run `mlflow db upgrade` with its address."
        raise InputError(error.place, "an outdated schema", "that of the installed MLflow", cure) from None


def release(patient: Patient) -> Iterator[Said]:
    """Every file of the champion as its manifest says, and the golden answers given again."""
    try:
        found = registry.fetch(patient.described.name, patient.champion)
    except InputError as error:
        cure = f"{error.cure} `scoring rollback` makes the release before it live again.".strip()
        raise InputError(error.place, error.found, error.wanted, cure) from None
    yield f"{len(found.models)} models as registered"


def snapshot(patient: Patient) -> Iterator[Said]:
    """The newest grading by the champion, all of it."""
    folder, name = patient.snapshot, patient.described.name
    about = read_json(folder / "snapshot.json")
    again = "Run `scoring classify`, or `scoring reclassify --restate` for a month."
    if about["manifest"] != registry.tags_of(name, patient.champion).get(registry.MANIFEST_TAG):
        yield InputError(folder, "a grading by another release", f"one by version {patient.champion}", again)
    rows = {"grades.parquet": -1, "reasons.parquet": -1}
    for each in rows:
        try:
            rows[each] = _read_through(folder / each)
        except InputError as error:
            yield InputError(error.place, error.found, "what was graded", again)
    yield from letters(lambda: read_ranks(folder))
    if rows["grades.parquet"] not in (-1, about["customers"]):
        found, wanted = f"{rows['grades.parquet']:,} customers", f"{about['customers']:,}, as were graded"
        yield InputError(folder / "grades.parquet", found, wanted, again)
    yield f"{about['customers']:,} customers graded at {about['as_of']}"


def store(patient: Patient) -> Iterator[Said]:
    """The SQLite files of states and of what arrived: SQLite finds no fault in them."""
    files = [*sorted(patient.workspace.store.glob("*.sqlite")), arrivals_path(patient.workspace)]
    there = [path for path in files if path.exists()]
    for path in there:
        if found := _fault(path):
            keep = path == files[-1]
            cure = "Keep the file, and bring back a copy." if keep else "Remove it, then run `scoring publish`."
            yield InputError(path, found, "a file in which SQLite finds no fault", cure)
    yield f"{len(there)} SQLite files"


def _fault(path: Path) -> str:
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            (said,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        return f"a damaged file ({error})"
    return "" if said == "ok" else "a damaged file (integrity_check)"


def redis(patient: Patient) -> Iterator[Said]:
    """The Redis answers, and is new enough; nothing where there is none."""
    address = load_serving().store
    try:
        found = patient.job.place.about()
    except StoreError as error:
        cure = "Start it, or look at CUSTOMER_SCORING_STORE and `store` in configs/serving.yaml."
        raise InputError(shown(address), str(error), "a Redis that answers", cure) from None
    if found is None:
        yield "none is set"
        return
    major = found.version.partition(".")[0]
    if major.isdigit() and int(major) < OLDEST_REDIS:
        yield InputError(shown(address), f"Redis {found.version}", f"version {OLDEST_REDIS} or later", "Renew it.")
    yield f"version {found.version or 'not told'}"


def durability(patient: Patient) -> Iterator[Said]:
    """A Redis that keeps every event that was answered."""
    for lack in patient.job.place.lacks():
        wanted = "`appendonly yes`, `appendfsync always`, `maxmemory-policy noeviction`"
        yield InputError(
            shown(load_serving().store), lack, wanted, "Set it in redis.conf: an answered event may be lost."
        )


def published(patient: Patient) -> Iterator[Said]:
    """What is live can be served."""
    id_ = str(read_json(patient.snapshot / "snapshot.json")["id"])
    try:
        patient.job.place.store(id_).close()
    except InputError as error:
        raise InputError(error.place, error.found, f"the states of snapshot {id_}", "Run `scoring publish`.") from None
    yield f"snapshot {id_}"


def waiting(patient: Patient) -> Iterator[Said]:
    """The events that arrived and are not in the tables yet: how many, since when."""
    with patient.job.place.inboxes() as inboxes:
        since = [each.at for inbox in inboxes for each in inbox.waiting()]
    if not since:
        yield "no event"
        return
    first = datetime.fromisoformat(min(since)).astimezone(UTC)
    found = f"{len(since):,} events, the first since {first:%Y-%m-%d %H:%M} UTC"
    if (datetime.now(UTC) - first).days > WAITING_DAYS:
        raise InputError(
            patient.workspace.arrivals, found, f"none for more than {WAITING_DAYS} days", "`scoring ingest`."
        )
    yield found
