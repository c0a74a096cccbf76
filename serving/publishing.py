"""Publishing a base that was graded before: into the store again, or into another one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from classification.months import find_month
from classification.snapshots import load_live_set, newest_snapshot
from features.errors import InputError
from features.workspace import Workspace, read_json
from serving.steps import Job
from serving.store.place import Place
from serving.store.sqlite import store_path
from training import registry
from training.snapshots import base_at


def find_snapshot(job: Job, month: str | None = None, snapshot: str | None = None) -> Path:
    """The folder of a month's grading, of the one with an id, or by default of what is live."""
    if month is not None:
        return find_month(job.workspace, month).folder
    if snapshot is None:
        return newest_snapshot(job.workspace, registry.live_version(job.source.name))
    known = {read_json(path)["id"]: path.parent for path in _abouts(job.workspace)}
    if snapshot not in known:
        there = ", ".join(sorted(known)) or "none"
        raise InputError("--snapshot", f"'{snapshot}'", f"one of: {there}", "Answers name theirs in `live.snapshot`.")
    return known[snapshot]


def publish_again(job: Job, place: Place, folder: Path) -> str:
    """Put a graded snapshot where `place` is served; returns its id.

    The workspace's file of it is loaded as it is; where there is none, it is made anew from the grades and the tables.
    Raises InputError where the tables no longer have all who were graded.
    """
    about = read_json(folder / "snapshot.json")
    if store_path(job.workspace, about["id"]).exists():
        place.load(about["id"], job.progress)
        return str(about["id"])
    live = load_live_set(folder, registry.fetch(job.source.name, about["release"]))
    (base,) = base_at(job.workspace, live.snapshot.company, [live.snapshot.as_of], job.progress)
    graded = pq.read_table(folder / "grades.parquet", columns=["customer_id"])["customer_id"].to_pylist()
    if lost := int((~np.isin(graded, base.ids.astype(str))).sum()):
        raise InputError(folder, f"{lost} customers whom the tables no longer have", "none", "Run `scoring classify`.")
    place.publish(live, folder, base, job.progress)
    return live.snapshot.id


def _abouts(workspace: Workspace) -> list[Path]:
    return [path for each in (workspace.grades, workspace.months) for path in sorted(each.glob("*/snapshot.json"))]
