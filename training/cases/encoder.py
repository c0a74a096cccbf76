"""A table of typed cases → a matrix of numbers, by what was seen among the training cases and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.errors import InputError
from features.tables.table_source import Trend
from training.cases.question import Kind

Array = NDArray[np.float64]

MISSING, OTHER, FIRST = 0, 1, 2
"""Codes of a category: not known; a level that was rare among the training cases, or never seen; the first level."""

NONE: Mapping[str, Trend] = MappingProxyType({})
"""No column has a trend."""

_TYPES = {"number": pa.float64(), "category": pa.string(), "boolean": pa.bool_()}


@dataclass(frozen=True)
class Encoder:
    """kinds: column → its kind, in the order of the matrix; levels: category → its levels, in order of code; usual:
    number of which no training case lacked → its median there, which stands for null; trends: number → how the
    probability of yes may go with it."""

    kinds: dict[str, Kind]
    levels: dict[str, tuple[str, ...]]
    usual: dict[str, float]
    trends: dict[str, Trend] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the matrix."""
        return tuple(self.kinds)

    @property
    def categories(self) -> list[int]:
        """Where the categories stand."""
        return [at for at, kind in enumerate(self.kinds.values()) if kind == "category"]

    @property
    def directions(self) -> list[int]:
        """Per column how the probability of yes may go with it: 1 rising, -1 falling, 0 either way."""
        return [{"rising": 1, "falling": -1}.get(self.trends.get(name, ""), 0) for name in self.kinds]

    def matrix(self, table: pa.Table) -> Array:
        """Shape (cases, columns). Numbers as they are, yes and no 1 and 0, NaN = null; categories by their code.

        A number that is not finite is unknown. Raises InputError for a column that is not there or of another type.
        """
        found = np.empty((table.num_rows, len(self.kinds)))
        for at, (name, kind) in enumerate(self.kinds.items()):
            column = typed(table, name, kind)
            cells = self._codes(name, column) if kind == "category" else _numbers(column)
            found[:, at] = np.where(np.isnan(cells), self.usual.get(name, np.nan), cells)
        return found

    def _codes(self, name: str, column: pa.ChunkedArray) -> Array:
        place = pc.index_in(column, pa.array(self.levels[name], pa.string())).to_numpy().astype(float) + FIRST
        place[np.isnan(place)] = OTHER
        place[column.is_null().to_numpy()] = MISSING
        return np.asarray(place)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        levels = {name: list(levels) for name, levels in self.levels.items()}
        return {"kinds": self.kinds, "levels": levels, "usual": self.usual, "trends": self.trends}

    @staticmethod
    def from_json(found: dict[str, Any]) -> Encoder:
        """What `to_json` gave."""
        levels = {name: tuple(levels) for name, levels in found["levels"].items()}
        return Encoder(found["kinds"], levels, found["usual"], found.get("trends", {}))


def fit_encoder(table: pa.Table, kinds: Mapping[str, Kind], rare: int, trends: Mapping[str, Trend] = NONE) -> Encoder:
    """Look at training cases: which columns differ between them at all, and the levels with at least `rare` cases.

    Levels stand in order of their number of cases, then of their name. A column that reads the same in all cases, or
    nothing, is left out.
    """
    kept = {name: kind for name, kind in kinds.items() if not tells_nothing(typed(table, name, kind))}
    levels = {name: _levels(typed(table, name, kind), rare) for name, kind in kept.items() if kind == "category"}
    numbers = {name: _numbers(typed(table, name, kind)) for name, kind in kept.items() if kind != "category"}
    usual = {name: float(np.median(cells)) for name, cells in numbers.items() if not np.isnan(cells).any()}
    return Encoder(kept, levels, usual, {name: trend for name, trend in trends.items() if name in kept})


def typed(table: pa.Table, name: str, kind: Kind) -> pa.ChunkedArray:
    """A column as its kind is read; InputError where it is not there, or cannot be read so."""
    place = f"the table of cases: {name}"
    if name not in table.column_names:
        raise InputError(place, "no such column", f"a column of type {kind}")
    column = table[name]
    number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    right = {"number": number, "category": text, "boolean": pa.types.is_boolean(column.type)}[kind]
    if not right and not pa.types.is_null(column.type):
        raise InputError(place, f"the type {column.type}", f"a {kind} ({_TYPES[kind]})", "Ingest the table again.")
    return column.cast(_TYPES[kind])


def tells_nothing(column: pa.ChunkedArray) -> bool:
    """Whether all cells read the same, null being one reading."""
    return len(column.unique()) < 2


def _numbers(column: pa.ChunkedArray) -> Array:
    values = column.cast(pa.float64()).to_numpy().astype(float)
    return np.where(np.isfinite(values), values, np.nan)


def _levels(column: pa.ChunkedArray, rare: int) -> tuple[str, ...]:
    counts = [(each["values"], each["counts"]) for each in column.drop_null().value_counts().to_pylist()]
    return tuple(level for level, count in sorted(counts, key=lambda each: (-each[1], each[0])) if count >= rare)
