"""What a grading leaves for later comparisons, and how customers are counted against it one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from features.errors import InputError
from features.workspace import damaged, read_json, write_json
from training.drift.alarm import Compared, Movement, judge
from training.drift.bins import Bins, Counts, psi, read_bins

FILE = "drift-reference.json"

LONGEST = 24
"""Past periods that are kept."""


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

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in the order of `Counter.add`."""
        return tuple(self.columns)

    def only(self, names: Sequence[str]) -> Reference:
        """The same of some columns, in their order: for a service that does not know the others."""
        return replace(self, columns={name: self.columns[name] for name in names})

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

    def judge(self, counter: Counter, disjoint: bool = False) -> list[Movement]:
        """The verdict on what was counted since; disjoint: none of those counted is in the reference."""
        return judge([
            Compared(name, column.counts, counter.counts(name), column.history, disjoint)
            for name, column in self.columns.items()
        ])  # fmt: skip

    def after(self, counter: Counter, as_of: date, compared: bool = True) -> Reference:
        """The reference of the next period: the same bins, the counts of the period that has ended, its PSI added to
        the history unless the two periods were not alike (`compared` False: such as a grading and the first requests).
        """
        columns = {}
        for name, old in self.columns.items():
            counts = counter.counts(name)
            moved = psi(old.counts, counts)
            history = (*old.history, moved)[-LONGEST:] if compared and np.isfinite(moved) else old.history
            columns[name] = replace(old, counts=counts, history=history)
        return replace(self, as_of=as_of, columns=columns)


class Counter:
    """Customers counted into the bins of a reference, one by one. Not locked: one per thread, added up by `merge`."""

    def __init__(self, reference: Reference) -> None:
        self.names = reference.names
        self._bins: list[Any] = [column.bins for column in reference.columns.values()]
        self._places = [[0] * bins.places for bins in self._bins]

    def add(self, row: Sequence[float | str | None]) -> None:
        """Count one customer: a value per column in the order of `Reference.names`; None and NaN are null.

        Raises InputError when the row has another length.
        """
        if len(row) != len(self._bins):
            raise InputError("a row to count", f"{len(row)} values", f"{len(self._bins)}, one per column")
        for places, bins, value in zip(self._places, self._bins, row, strict=True):
            places[bins.place(value)] += 1

    def merge(self, other: Counter) -> None:
        """Add what another counter of the same reference has counted."""
        for own, others in zip(self._places, other._places, strict=True):
            own[:] = [a + b for a, b in zip(own, others, strict=True)]

    def counts(self, name: str) -> Counts:
        """The counts of a column, shape (bins.places,)."""
        return np.array(self._places[self.names.index(name)], np.int64)


def _as_json(column: Column) -> dict[str, Any]:
    return column.bins.to_json() | {"counts": column.counts.tolist(), "history": list(column.history)}


def _column(found: dict[str, Any]) -> Column:
    bins, counts = read_bins(found), np.array(found["counts"], np.int64)
    if counts.shape != (bins.places,):
        raise ValueError(f"{counts.size} counts for {bins.places} bins")
    return Column(bins, counts, tuple(found["history"]))
