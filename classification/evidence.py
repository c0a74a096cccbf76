"""What the gate looks at: each task's predictions on the test cuts, and which slice of the base a row belongs to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.workspace import Workspace, read_parquet
from training.bootstrap import Resampled
from training.metrics import METRICS

Array = NDArray[np.float64]
Kind = Literal["probability", "amount", "count"]

CANDIDATE = "candidate"
KEYS = ("test", "customer_id", "actual")
RELEASE = re.compile(r"v(\d+)")
"""The column of a released recipe, fitted again at the same cuts."""


@dataclass(frozen=True)
class Evidence:
    """One task's answers, a place per customer and test cut.

    test (n,): number of the cut; customer (n,): number of the customer, the same at every cut; columns: candidate,
    baselines by name, recipes of releases as `v<version>` → (n,); slices: attribute → (n,) values, None for unknown.
    """

    task: str
    predicts: Kind
    test: NDArray[np.integer[Any]]
    customer: NDArray[np.integer[Any]]
    actual: Array
    columns: Mapping[str, Array]
    slices: Mapping[str, NDArray[np.object_]] = field(default_factory=dict)

    @property
    def metric(self) -> str:
        """The metric that decides."""
        return next(iter(METRICS[self.predicts]))

    @property
    def baselines(self) -> list[str]:
        """The columns that are simple methods."""
        return [name for name in self.columns if name != CANDIDATE and not RELEASE.fullmatch(name)]

    @property
    def releases(self) -> dict[int, str]:
        """Version → the column of its recipe, without recipes that answer exactly as the candidate does."""
        found = {int(match[1]): name for name in self.columns if (match := RELEASE.fullmatch(name))}
        same = self.columns[CANDIDATE]
        return {version: name for version, name in found.items() if not np.array_equal(self.columns[name], same)}

    def resampled(self, resamples: int, seed: int, rows: NDArray[np.bool_] | None = None) -> Resampled:
        """The bootstrap of these customers, or of those of some rows."""
        kept = np.ones(len(self.actual), bool) if rows is None else rows
        columns = {name: column[kept] for name, column in self.columns.items()}
        return Resampled.of(self.test[kept], self.customer[kept], self.actual[kept], columns, resamples, seed)

    def members(self, fewest: int) -> dict[str, NDArray[np.bool_]]:
        """Slice (`region north`) → its rows, of slices with at least so many customers that are not everybody."""
        found = {}
        for attribute, values in self.slices.items():
            for value in sorted({each for each in values if each is not None}):
                rows = values == value
                if not rows.all() and len(np.unique(self.customer[rows])) >= fewest:
                    found[f"{attribute} {value}"] = rows
        return found


def read_evidence(workspace: Workspace, predicts: Mapping[str, Kind], slices: Sequence[str]) -> list[Evidence]:
    """The predictions that training left for the tasks of `predicts` (those without a file were skipped), with the
    attributes of the customers at the test cuts."""
    folder = workspace.training / "predictions"
    found = {task: read_parquet(path) for task in predicts if (path := folder / f"{task}.parquet").exists()}
    path = workspace.features / "attributes.parquet"
    known = read_parquet(path) if path.exists() else None
    return [_evidence(task, predicts[task], table, known, slices) for task, table in found.items()]


def _evidence(task: str, predicts: Kind, table: pa.Table, known: pa.Table | None, slices: Sequence[str]) -> Evidence:
    test, ids = (pc.dictionary_encode(table[name].combine_chunks()) for name in ("test", "customer_id"))
    columns = {name: table[name].to_numpy() for name in table.column_names if name not in KEYS}
    valued = {} if known is None else {name: _values(table, known, name) for name in slices}
    return Evidence(
        task,
        predicts,
        test.indices.to_numpy(),
        ids.indices.to_numpy(),
        table["actual"].to_numpy(),
        columns,
        {name: values for name, values in valued.items() if (values != None).any()},  # noqa: E711 element by element
    )


def _values(table: pa.Table, known: pa.Table, attribute: str) -> NDArray[np.object_]:
    """The attribute of each row's customer at its test cut; None where nothing is known."""
    mine = known.filter(pc.equal(known["attribute"], attribute)).to_pandas()
    rows = table.select(["customer_id", "test"]).to_pandas()
    found = rows.merge(mine, how="left", left_on=["customer_id", "test"], right_on=["customer_id", "as_of"])["value"]
    values: NDArray[np.object_] = found.astype(object).where(found.notna(), None).to_numpy()
    return values
