"""Feature rows and labels of one date, as the models take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta

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
from features.workspace import Workspace, read_json, read_parquet, staged, write_json
from training.backtest import Cuts
from training.labels import closes, label_features

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Snapshot:
    """The base at `as_of`. ids (n,): pseudonyms; rows (n, features) in the catalogue's order, NaN for null;
    labels: label feature → (n,), empty for a date whose labels have not closed."""

    as_of: date
    ids: NDArray[np.object_]
    rows: Array
    labels: dict[str, Array]


@dataclass(frozen=True)
class Origin:
    """What snapshots were computed from: the source, the key of its pseudonyms, the company, the labels' horizon."""

    source: str
    key: str
    company: Company
    horizon_days: int


def write_snapshots(workspace: Workspace, origin: Origin, cuts: Cuts, progress: Progress = silent) -> None:
    """Compute features and labels of all dates of `cuts` into `workspace.features`, all or nothing.

    Who objects to profiling today is left out, whatever the date.
    """
    company, horizon_days = origin.company, origin.horizon_days
    labels = label_features(horizon_days)
    ends = [closes(day, horizon_days) for day in cuts.labelled]
    objected = read_consents(workspace.tables).no_profiling
    with staged(workspace.features) as folder:
        write_features(
            workspace.tables, company, CATALOGUE, cuts.all, folder / "features.parquet", progress, but=objected
        )
        write_features(workspace.tables, company, labels, ends, folder / "labels.parquet", but=objected)
        attributes = without(attribute_table(workspace.tables, cuts.all), objected)
        pq.write_table(attributes, folder / "attributes.parquet", compression="zstd")
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
    horizon = timedelta(days=read_json(folder / "cuts.json")["horizon_days"])
    objected = read_consents(workspace.tables).no_profiling
    features = without(read_parquet(folder / "features.parquet"), objected)
    labels = read_parquet(folder / "labels.parquet")
    return [_snapshot(day, _at(features, day), _at(labels, day + horizon)) for day in dates]


def _snapshot(day: date, features: pa.Table, labels: pa.Table) -> Snapshot:
    ids = features["customer_id"].to_numpy(zero_copy_only=False)
    names = labels.column_names[2:] if labels.num_rows else []
    found = {name: labels[name].to_numpy().astype(float) for name in names}
    position = {id_: i for i, id_ in enumerate(labels["customer_id"].to_pylist())} if names else {}
    order = np.array([position[id_] for id_ in ids]) if names else None
    return Snapshot(day, ids, matrix(features, NAMES), {name: column[order] for name, column in found.items()})


def _at(table: pa.Table, day: date) -> pa.Table:
    return table.filter(pa.compute.equal(table["as_of"], pa.scalar(day, pa.date32())))
