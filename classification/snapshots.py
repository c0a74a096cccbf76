"""A graded base on disk: a folder per snapshot, written all at once, and read back as a live set."""

from __future__ import annotations

import json
import math
from datetime import date
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from classification.grade import BASES, RANKED, Graded, GradingSnapshot, LiveSet, take_snapshot
from classification.reasons import reasons
from classification.scheme import read_scheme
from features.catalogue import POSITION
from features.company import Company
from features.errors import InputError
from features.population import Ranks
from features.tables.consents import read_consents
from features.workspace import Workspace, damaged, read_json, staged, write_json
from training.release import SCHEME_FILE, Release
from training.snapshots import Origin, Snapshot


def classify(workspace: Workspace, release: Release, base: Snapshot, origin: Origin) -> tuple[LiveSet, Path]:
    """Grade a base with a release and write the snapshot's folder, all or nothing; same input, same bytes.

    grades.parquet has a row per customer, and says whether it objects to marketing today; reasons.parquet has the
    reasons of each score.
    """
    live = take_snapshot(release, base, origin)
    graded = live.grade(base.rows)
    folder = workspace.grades / f"{base.as_of.isoformat()}-v{release.version}"
    objected = read_consents(workspace.tables).no_marketing
    table = _as_table(live, base, graded)
    table = table.append_column("no_marketing", pa.array([id_ in objected for id_ in base.ids], pa.bool_()))
    with staged(folder) as new:
        pq.write_table(table, new / "grades.parquet", compression="zstd")
        pq.write_table(reasons(live, base, graded), new / "reasons.parquet", compression="zstd")
        arrays = {f"{name}.{part}": getattr(r, part) for name, r in live.snapshot.ranks.items() for part in _PARTS}
        np.savez(new / "ranks.npz", **arrays)
        write_json(new / "snapshot.json", _as_json(live, base, graded))
    return live, folder


def load_live_set(folder: Path, release: Release) -> LiveSet:
    """The live set of a snapshot folder and the release that graded it."""
    found = read_json(folder / "snapshot.json")
    if found["release"] != release.version or found["manifest"] != release.digest:
        raise InputError(
            folder,
            f"a snapshot graded by release {found['release']}",
            f"one graded by release {release.version}",
            "Run `scoring classify`.",
        )
    try:
        with np.load(folder / "ranks.npz", allow_pickle=False) as arrays:
            ranks = {name: Ranks(*(arrays[f"{name}.{part}"] for part in _PARTS)) for name in BASES}
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise damaged(folder / "ranks.npz", error) from None
    cutoffs = {
        dimension: {name: math.inf if cut is None else cut for name, cut in cuts.items()}
        for dimension, cuts in found["cutoffs"].items()
    }
    as_of = date.fromisoformat(found["as_of"])
    snapshot = GradingSnapshot(found["id"], as_of, cutoffs, ranks, found["key"], Company.from_json(found["company"]))
    return LiveSet(release, read_scheme(release.scheme, SCHEME_FILE), snapshot)


def newest_snapshot(workspace: Workspace, version: int) -> Path:
    """The folder of the latest snapshot that a release graded."""
    folders = sorted(workspace.grades.glob(f"????-??-??-v{version}"))
    if not folders:
        raise InputError(
            workspace.grades, f"no snapshot graded by release {version}", "one", "Run `scoring classify` first."
        )
    return folders[-1]


_PARTS = ("values", "below", "sums")


def _as_table(live: LiveSet, base: Snapshot, graded: Graded) -> pa.Table:
    """A row per customer: scores, percentiles, the facts the scheme looks at, classes, code."""
    columns: dict[str, pa.Array] = {"customer_id": pa.array(base.ids, pa.string())}
    columns["as_of"] = pa.array([base.as_of] * len(base.ids), pa.date32())
    numbers = {f"score_{name}": score for name, score in graded.scores.items()}
    numbers |= {f"percentile_{name}": rank for name, rank in graded.percentiles.items()}
    numbers |= graded.standing
    facts = sorted((live.scheme.facts | set(RANKED)) & set(POSITION))
    numbers |= {name: base.rows[:, POSITION[name]] for name in facts}
    columns |= {name: pa.array(column, pa.float64(), from_pandas=True) for name, column in numbers.items()}
    columns |= {f"class_{name}": pa.array(column, pa.string()) for name, column in graded.classes.items()}
    columns["code"] = pa.array(graded.codes, pa.string())
    return pa.table(columns)


def _as_json(live: LiveSet, base: Snapshot, graded: Graded) -> dict[str, Any]:
    spend = np.maximum(np.nan_to_num(base.rows[:, POSITION["spend_365d"]]), 0.0)
    snapshot = live.snapshot
    return {
        "id": snapshot.id,
        "as_of": snapshot.as_of.isoformat(),
        "company": snapshot.company.model_dump(),
        "source": live.release.about["source"],
        "release": live.release.version,
        "manifest": live.release.digest,
        "scheme": live.scheme.version,
        "key": snapshot.key,
        "customers": len(base.ids),
        "cutoffs": json.loads(json.dumps(snapshot.cutoffs).replace("Infinity", "null")),
        "classes": {
            name: {
                str(code): {"customers": int((column == code).sum()), "spend_365d": float(spend[column == code].sum())}
                for code in (*live.scheme.dimensions[name].rule.classes, live.scheme.dimensions[name].unknown)
                if (column == code).any()
            }
            for name, column in graded.classes.items()
        },
    }
