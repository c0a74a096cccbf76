"""Grading: a release and a base give a snapshot; release and snapshot together grade anyone, the same way every time.

The *live set* is a release and a grading snapshot: cut-offs and ranks of that month's base. Batch and service hold the
same live set and call the same function, so that they cannot disagree.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from classification.past import VALUE_DIMENSION
from classification.rules import Classes
from classification.scheme import Scheme, check_facts, read_scheme
from features.catalogue import NAMES, POSITION
from features.company import Company
from features.errors import InputError
from features.population import POPULATION, Ranks, population_features
from features.tables.consents import read_consents
from features.workspace import Workspace, damaged, read_json, staged, write_json
from training.recipes import CHURN, DEMAND, OUTPUTS, POTENTIAL, SEGMENTS, VALUE
from training.release import SCHEME_FILE, Release
from training.segments import SegmentModel
from training.snapshots import Origin, Snapshot

Array = NDArray[np.float64]

RANKED = (CHURN.name, VALUE.name, DEMAND.name, POTENTIAL.name, "spend_365d")
"""The facts whose percentile is told."""

_BASES = tuple(dict.fromkeys((*RANKED, *(each.of for each in POPULATION))))
"""The facts whose ranks a snapshot keeps."""

FACTS = frozenset(NAMES) | set(OUTPUTS) | {each.name for each in POPULATION}


@dataclass(frozen=True)
class Graded:
    """Some customers' scores, percentiles (0 to 100), population features, classes and codes; each array has a place
    per customer."""

    scores: dict[str, Array]
    percentiles: dict[str, Array]
    standing: dict[str, Array]
    classes: dict[str, Classes]
    codes: list[str]


@dataclass(frozen=True)
class GradingSnapshot:
    """What a base taught: the cut-offs of its shares (dimension → class → smallest fact) and its ranks.

    id: digest of all that went into it; key: fingerprint of the key of its pseudonyms.
    """

    id: str
    as_of: date
    cutoffs: dict[str, dict[str, float]]
    ranks: dict[str, Ranks]
    key: str
    company: Company


@dataclass(frozen=True)
class LiveSet:
    """A release, its scheme, and a grading snapshot: everything an answer depends on."""

    release: Release
    scheme: Scheme
    snapshot: GradingSnapshot

    def grade(self, rows: Array) -> Graded:
        """Grade feature rows (n, features); one row and many give the same bits."""
        scores = scores_of(self.release, self.scheme, rows, self.snapshot.cutoffs)
        facts = facts_of(rows, scores, self.snapshot.ranks)
        percentiles = {name: self.snapshot.ranks[name].percentile(facts[name]) for name in RANKED}
        classes = self.scheme.classify(facts, self.snapshot.cutoffs, len(rows))
        coding = self.scheme.coding
        codes = [coding.encode({name: str(column[i]) for name, column in classes.items()}) for i in range(len(rows))]
        standing = {each.name: facts[each.name] for each in POPULATION}
        return Graded(scores, percentiles, standing, classes, codes)


def class_name(live: LiveSet, dimension: str, code: str) -> str:
    """What a person calls a class: of learned segments what the release calls them, else what the scheme says."""
    found, model = live.scheme.dimensions[dimension], live.release.models.get(SEGMENTS.name)
    if found.given and found.given.fact == SEGMENTS.name and isinstance(model, SegmentModel):
        number = found.given.numbers.get(code)
        named = {each.number: each.name for each in model.profile}
        return named.get(int(number), found.name_of(code)) if number is not None else found.name_of(code)
    return found.name_of(code)


def scores_of(
    release: Release, scheme: Scheme, rows: Array, cutoffs: Mapping[str, Mapping[str, float]] | None = None
) -> dict[str, Array]:
    """A release's scores, `potential` only of the lowest class of value. cutoffs: those of a snapshot; by default the
    rows are a whole base, and have cut-offs of their own."""
    scores = release.score(rows)
    dimension = scheme.dimensions.get(VALUE_DIMENSION)
    if dimension is None or not dimension.rule.facts <= set(NAMES):
        return scores | {POTENTIAL.name: np.full(len(rows), np.nan)}
    facts = {name: rows[:, POSITION[name]] for name in dimension.rule.facts}
    cuts = dimension.cutoffs(facts) if cutoffs is None else cutoffs.get(VALUE_DIMENSION, {})
    lowest = dimension.rule.classify(facts, cuts, len(rows)) == dimension.rule.classes[-1]
    return scores | {POTENTIAL.name: np.where(lowest, scores[POTENTIAL.name], np.nan)}


def facts_of(rows: Array, scores: Mapping[str, Array], ranks: Mapping[str, Ranks]) -> dict[str, Array]:
    """Everything a scheme may look at: features, scores and population features by name, (n,) each."""
    facts = _own_facts(rows, scores)
    return facts | population_features(facts, ranks)


def _own_facts(rows: Array, scores: Mapping[str, Array]) -> dict[str, Array]:
    return {name: rows[:, i] for name, i in POSITION.items()} | dict(scores)


def take_snapshot(release: Release, base: Snapshot, origin: Origin) -> LiveSet:
    """Grade-ready: score the whole base once, and keep its cut-offs and ranks."""
    scheme = read_scheme(release.scheme, SCHEME_FILE)
    check_facts(scheme, FACTS, SCHEME_FILE)
    scores = scores_of(release, scheme, base.rows)
    ranks = {name: Ranks.of(column) for name, column in _own_facts(base.rows, scores).items() if name in _BASES}
    facts = facts_of(base.rows, scores, ranks)
    cutoffs = scheme.cutoffs(facts)
    said = "\n".join([base.as_of.isoformat(), release.digest, origin.key, origin.company.model_dump_json(), *base.ids])
    id_ = hashlib.sha256(said.encode() + base.rows.tobytes()).hexdigest()[:12]
    return LiveSet(release, scheme, GradingSnapshot(id_, base.as_of, cutoffs, ranks, origin.key, origin.company))


def classify(workspace: Workspace, release: Release, base: Snapshot, origin: Origin) -> tuple[LiveSet, Path]:
    """Grade a base with a release and write the snapshot's folder, all or nothing; same input, same bytes.

    Each grade says whether the customer objects to marketing today.
    """
    live = take_snapshot(release, base, origin)
    graded = live.grade(base.rows)
    folder = workspace.grades / f"{base.as_of.isoformat()}-v{release.version}"
    objected = read_consents(workspace.tables).no_marketing
    table = _as_table(live, base, graded)
    table = table.append_column("no_marketing", pa.array([id_ in objected for id_ in base.ids], pa.bool_()))
    with staged(folder) as new:
        pq.write_table(table, new / "grades.parquet", compression="zstd")
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
            ranks = {name: Ranks(*(arrays[f"{name}.{part}"] for part in _PARTS)) for name in _BASES}
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
