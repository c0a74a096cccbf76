"""A graded base on disk: a folder per snapshot, written all at once, and read back as a live set."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from classification.caution import cautions
from classification.grade import BASES, RANKED, Graded, GradingSnapshot, LiveSet, score_base
from classification.months import months, read_earlier, write_notes
from classification.reasons import SCHEMA, reasons
from classification.rules import Classes
from classification.scheme import Scheme, read_scheme
from classification.stability import Decision
from features.catalogue import POSITION
from features.company import Company
from features.errors import InputError
from features.population import Ranks
from features.progress import Progress, silent
from features.tables.consents import read_consents
from features.workspace import Workspace, damaged, finite, read_json, staged, write_json
from training.release import SCHEME_FILE, Release
from training.snapshots import Origin, Snapshot

REPORTED = ("orders_365d", "margin_365d", "profit_365d", "service_cost_365d", "complaints_open", "recency_days")
"""Features that reports look at, beside those of the scheme."""

ROW_GROUP = 50_000
"""Rows are in order of pseudonym, so that one customer's are found without reading all."""


def classify(
    workspace: Workspace,
    release: Release,
    base: Snapshot,
    origin: Origin,
    decisions: Sequence[Decision] = (),
    progress: Progress = silent,
) -> tuple[LiveSet, Path]:
    """Grade a base with a release and write the snapshot's folder, all or nothing; same input, same bytes.

    The last monthly run before it is the grading that classes are held against.
    """
    scored = score_base(release, base, origin)
    live = scored.live
    earlier = read_earlier(workspace, base.as_of, base.ids)
    graded = live.grade(base.rows, base.texts, earlier, decisions, scored.scores)
    folder = workspace.grades / f"{base.as_of.isoformat()}-v{release.version}"
    with staged(folder) as new:
        write_snapshot(new, workspace, live, base, graded, progress)
    return live, folder


def write_snapshot(
    folder: Path,
    workspace: Workspace,
    live: LiveSet,
    base: Snapshot,
    graded: Graded,
    progress: Progress = silent,
    told: bool = True,
    why: pa.Table | None = None,
) -> None:
    """The files of a graded base, into a staged folder.

    grades.parquet has a row per customer, and says whether it objects to marketing today; reasons.parquet has the
    reasons of each score, where they are to be told (`told`). why: those, where they are at hand.
    """
    objected = read_consents(workspace.tables).no_marketing
    table = _as_table(live, base, graded)
    table = table.append_column("no_marketing", pa.array([id_ in objected for id_ in base.ids], pa.bool_()))
    pq.write_table(table, folder / "grades.parquet", compression="zstd", row_group_size=ROW_GROUP)
    if why is None:
        why = reasons(live.release, base, graded.scores, progress) if told else SCHEMA.empty_table()
    pq.write_table(why, folder / "reasons.parquet", compression="zstd", row_group_size=ROW_GROUP)
    arrays = {f"{name}.{part}": getattr(r, part) for name, r in live.snapshot.ranks.items() for part in _PARTS}
    np.savez(folder / "ranks.npz", **arrays)
    first_day = date.fromisoformat(read_json(workspace.tables / "report.json")["first_day"])
    said = {"cautions": cautions(live.scheme, first_day, base.as_of)}
    write_json(folder / "snapshot.json", _as_json(live, base, graded) | said)


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
    scheme = read_scheme(release.scheme, SCHEME_FILE)
    as_of, company = date.fromisoformat(found["as_of"]), Company.from_json(found["company"])
    cutoffs = snapshot_cutoffs(folder, scheme)
    snapshot = GradingSnapshot(found["id"], as_of, cutoffs, read_ranks(folder), found["key"], company)
    return LiveSet(release, scheme, snapshot)


def read_ranks(folder: Path) -> dict[str, Ranks]:
    """The ranks that a snapshot's folder keeps."""
    try:
        with np.load(folder / "ranks.npz", allow_pickle=False) as arrays:
            return {name: Ranks(*(arrays[f"{name}.{part}"] for part in _PARTS)) for name in BASES}
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise damaged(folder / "ranks.npz", error) from None


def snapshot_cutoffs(folder: Path, scheme: Scheme) -> dict[str, dict[str, float]]:
    """The cut-offs that a snapshot's folder keeps; null there is a bound that nobody reaches."""
    return {
        name: {class_: scheme.dimensions[name].nobody if cut is None else cut for class_, cut in cuts.items()}
        for name, cuts in read_json(folder / "snapshot.json")["cutoffs"].items()
        if name in scheme.dimensions
    }


def newest_snapshot(workspace: Workspace, version: int) -> Path:
    """The folder of the latest snapshot that a release graded: a monthly run's, or one between."""
    between = {path.name[:10]: path for path in workspace.grades.glob(f"????-??-??-v{version}")}
    monthly = {str(month.as_of): month.folder for month in months(workspace) if month.release == version}
    folders = [folder for _, folder in sorted({**between, **monthly}.items())]
    if not folders:
        raise InputError(
            workspace.grades, f"no snapshot graded by release {version}", "one", "Run `scoring classify` first."
        )
    return folders[-1]


_PARTS = ("values", "below", "sums")


def _as_table(live: LiveSet, base: Snapshot, graded: Graded) -> pa.Table:
    """A row per customer: scores, percentiles, the facts the scheme looks at, classes, code."""
    columns: dict[str, pa.Array] = {"customer_id": pa.array(base.ids, pa.string())}
    columns["as_of"] = pa.repeat(pa.scalar(base.as_of, pa.date32()), len(base.ids))
    numbers = {f"score_{name}": score for name, score in graded.scores.items()}
    numbers |= {f"percentile_{name}": rank for name, rank in graded.percentiles.items()}
    numbers |= graded.standing
    facts = sorted((live.scheme.facts | set(RANKED) | set(REPORTED)) & set(POSITION))
    numbers |= {name: base.rows[:, POSITION[name]] for name in facts}
    columns |= {name: pa.array(column, pa.float64(), from_pandas=True) for name, column in numbers.items()}
    columns |= {f"class_{name}": _letters(column) for name, column in graded.classes.items()}
    columns |= {f"text_{name}": base.texts[name].to_arrow() for name in sorted(live.scheme.texts & set(base.texts))}
    columns |= {f"raw_{name}": _letters(column) for name, column in graded.raw.items()}
    held = (name for name, dimension in live.scheme.dimensions.items() if dimension.hold and dimension.hold.months)
    columns |= {f"seen_{name}": pa.array(graded.seen[name]) for name in held}
    columns["notes"] = write_notes(graded.notes, len(graded.codes))
    columns["code"] = pa.array(graded.codes, pa.string())
    return pa.table(columns)


def _letters(column: Classes) -> pa.Array:
    """Classes as strings; those of one letter, which are nearly all, by their code points."""
    if column.dtype != "<U1" or not len(column):
        return pa.array(column, pa.string())
    points = np.ascontiguousarray(column).view(np.uint32)
    seen = np.flatnonzero(np.bincount(points))
    place = np.zeros(seen[-1] + 1, np.int32)
    place[seen] = np.arange(len(seen))
    names = pa.array([chr(point) if point else "" for point in seen.tolist()])
    return pa.DictionaryArray.from_arrays(place[points], names).cast(pa.string())


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
        "cutoffs": finite(snapshot.cutoffs),
        "classes": {
            name: {
                str(code): {"customers": int(mine.sum()), "spend_365d": float(spend[mine].sum())}
                for code in live.scheme.dimensions[name].all
                if (mine := column == code).any()
            }
            for name, column in graded.classes.items()
        },
    }
