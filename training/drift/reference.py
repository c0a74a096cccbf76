"""What a grading leaves for later comparisons: its columns, counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from features.workspace import damaged, read_json, write_json
from training.drift.bins import Bins, Counts, read_bins

FILE = "drift-reference.json"


@dataclass(frozen=True)
class Column:
    """A column of the reference. counts (bins.places,): the reference's own; history: PSI of past periods, oldest
    first."""

    bins: Bins
    counts: Counts
    history: tuple[float, ...] = ()


@dataclass(frozen=True)
class Reference:
    """A base at `as_of`, counted: column name → its bins and counts. release: digest of the manifest of the release
    that scored it; features: fingerprint of the feature list. It holds no customer and no value that fewer than
    twenty share, but for the edges of bins."""

    as_of: date
    release: str
    features: str
    columns: dict[str, Column]

    def save(self, path: Path) -> None:
        """As JSON, under its name only when it is whole."""
        said = {"as_of": self.as_of.isoformat(), "release": self.release, "features": self.features}
        new = path.with_name(f".{path.name}.new")
        write_json(new, said | {"columns": {name: _as_json(column) for name, column in self.columns.items()}})
        new.replace(path)

    @staticmethod
    def load(path: Path) -> Reference:
        """What `save` wrote; InputError when it is damaged."""
        found = read_json(path)
        try:
            columns = {name: _column(each) for name, each in found["columns"].items()}
            return Reference(date.fromisoformat(found["as_of"]), found["release"], found["features"], columns)
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(path, error) from None


def _as_json(column: Column) -> dict[str, Any]:
    return column.bins.to_json() | {"counts": column.counts.tolist(), "history": list(column.history)}


def _column(found: dict[str, Any]) -> Column:
    bins, counts = read_bins(found), np.array(found["counts"], np.int64)
    if counts.shape != (bins.places,):
        raise ValueError(f"{counts.size} counts for {bins.places} bins")
    return Column(bins, counts, tuple(found["history"]))
