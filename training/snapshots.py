"""Feature rows and labels of one date, as the models take them."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.attributes import attribute_table
from features.batch import matrix, without, write_features
from features.catalogue import CATALOGUE, NAMES
from features.company import Company
from features.progress import Progress, silent
from features.tables.consents import read_consents
from features.texts import Texts, texts_by_name
from features.traits import trait_table
from features.workspace import Workspace, part_files, read_json, read_parquet, staged, write_json
from training.backtest import Cuts
from training.labels import closes, label_features, orders_name, spend_name

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Snapshot:
    """The base at `as_of`. ids (n,): pseudonyms; rows (n, features) in the catalogue's order, NaN for null;
    labels: label feature → (n,), for the horizons whose labels of this date are needed; texts: attribute or trait →
    a text each, for the date that is graded."""

    as_of: date
    ids: NDArray[np.object_]
    rows: Array
    labels: dict[str, Array]
    texts: Mapping[str, Texts] = field(default_factory=dict)


@dataclass(frozen=True)
class Origin:
    """What snapshots were computed from: the source, the key of its pseudonyms, the company.

    horizon_days: of churn, value and demand; active_days: the silence after which churn is not asked any more, None
    for everybody who ever bought.
    """

    source: str
    key: str
    company: Company
    horizon_days: int
    active_days: int | None


def write_snapshots(
    workspace: Workspace, origin: Origin, cuts: Cuts, potential_days: int, progress: Progress = silent
) -> None:
    """Compute features and labels of all dates of `cuts` into `workspace.features`, all or nothing; features also at
    the dates on which `potential` sees what has become of customers.

    Who objects to profiling today is left out, whatever the date.
    """
    company, dates = origin.company, sorted({*cuts.all, *cuts.closings(potential_days)})
    horizons = sorted({days for _, days in cuts.labelled})
    ends = sorted({closes(day, days) for day, days in cuts.labelled})
    objected = read_consents(workspace.tables).no_profiling
    with staged(workspace.features) as folder:
        write_features(workspace.tables, company, CATALOGUE, dates, folder / "features.parquet", progress, but=objected)
        labels = label_features(horizons or [origin.horizon_days])
        write_features(workspace.tables, company, labels, ends, folder / "labels.parquet", but=objected)
        attributes = without(attribute_table(workspace.tables, cuts.all), objected)
        pq.write_table(attributes, folder / "attributes.parquet", compression="zstd")
        traits = without(trait_table(workspace.tables, company, cuts.grade), objected)
        pq.write_table(traits, folder / "traits.parquet", compression="zstd")
        write_json(folder / "cuts.json", {**vars(origin), "company": company.model_dump(), **cuts.to_json()})


def read_cuts(workspace: Workspace) -> Cuts:
    """The dates that `write_snapshots` computed."""
    return Cuts.from_json(read_json(workspace.needs(workspace.features / "cuts.json", "scoring features")))


def read_origin(workspace: Workspace) -> Origin:
    """What `write_snapshots` computed from."""
    found = read_json(workspace.needs(workspace.features / "cuts.json", "scoring features"))
    said = {field.name: found[field.name] for field in fields(Origin)}
    return Origin(**said | {"company": Company.from_json(said["company"])})


def read_snapshots(workspace: Workspace, dates: Sequence[date]) -> list[Snapshot]:
    """The snapshots of `dates`, in their order, without those who objected to profiling since they were written."""
    folder = workspace.needs(workspace.features, "scoring features")
    needed = read_cuts(workspace).labelled
    objected = read_consents(workspace.tables).no_profiling
    features = without(read_parquet(folder / "features.parquet"), objected)
    labels = read_parquet(folder / "labels.parquet")
    return [_snapshot(day, features, labels, [days for date_, days in needed if date_ == day], folder) for day in dates]


def base_at(
    workspace: Workspace, company: Company, dates: Sequence[date], progress: Progress = silent
) -> list[Snapshot]:
    """The bases of some dates, in their order, computed from the tables as they are: without labels, with texts.

    Who objects to profiling today is left out, whatever the date.
    """
    objected = read_consents(workspace.tables).no_profiling
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "rows"
        write_features(workspace.tables, company, CATALOGUE, dates, folder, progress, but=objected)
        attributes = without(attribute_table(workspace.tables, dates), objected)
        return [
            _base_of(folder, day, _at(attributes, day), trait_table(workspace.tables, company, day)) for day in dates
        ]


def _base_of(folder: Path, day: date, attributes: pa.Table, traits: pa.Table) -> Snapshot:
    """One date of a folder of feature rows, a part file at a time."""
    ids, rows = [], []
    for part in part_files(folder):
        mine = _at(read_parquet(part), day)
        ids.append(mine["customer_id"].to_numpy(zero_copy_only=False))
        rows.append(matrix(mine, NAMES))
    everyone = np.concatenate(ids)
    return Snapshot(day, everyone, np.concatenate(rows), {}, texts_at(everyone, attributes, traits))


def read_facts(
    workspace: Workspace, names: Sequence[str], dates: Collection[date]
) -> dict[date, tuple[NDArray[np.object_], dict[str, Array]]]:
    """Some features of the bases of `dates`: date → pseudonyms (n,) and feature → (n,), NaN for null."""
    path = workspace.needs(workspace.features, "scoring features") / "features.parquet"
    objected = read_consents(workspace.tables).no_profiling
    table = without(read_parquet(path, columns=["customer_id", "as_of", *names]), objected)
    found = {}
    for day in sorted(dates):
        mine = _at(table, day)
        facts = {name: mine[name].to_numpy(zero_copy_only=False).astype(float) for name in names}
        found[day] = (mine["customer_id"].to_numpy(zero_copy_only=False), facts)
    return found


def _snapshot(day: date, features: pa.Table, labels: pa.Table, horizons: Sequence[int], folder: Path) -> Snapshot:
    mine = _at(features, day)
    ids = mine["customer_id"].to_numpy(zero_copy_only=False)
    found: dict[str, Array] = {}
    for days in horizons:
        then = _at(labels, closes(day, days))
        position = {id_: i for i, id_ in enumerate(then["customer_id"].to_pylist())}
        order = np.array([position[id_] for id_ in ids], int)
        for name in (orders_name(days), spend_name(days)):
            found[name] = then[name].to_numpy().astype(float)[order]
    attributes, traits = (_at(read_parquet(folder / f"{name}.parquet"), day) for name in ("attributes", "traits"))
    return Snapshot(day, ids, matrix(mine, NAMES), found, texts_at(ids, attributes, traits))


def texts_at(ids: NDArray[np.object_], attributes: pa.Table, traits: pa.Table) -> dict[str, Texts]:
    """What is known of customers as texts, from the attributes and the traits of one date."""
    return {**texts_by_name(attributes, ids, "attribute"), **texts_by_name(traits, ids, "trait")}


def _at(table: pa.Table, day: date) -> pa.Table:
    return table.filter(pa.compute.equal(table["as_of"], pa.scalar(day, pa.date32())))
