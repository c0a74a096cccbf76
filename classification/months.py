"""The months that were graded, in order: the history of everybody's classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from classification.stability import Earlier, Notes
from features.errors import InputError
from features.workspace import Workspace, damaged, read_json

CLASS, RAW, SEEN, NOTES = "class_", "raw_", "seen_", "notes"
"""How the columns of grades.parquet begin, or are called, that a later grading looks at."""

ALERTS, EXPECTED, REFUSALS = "alerts.parquet", "expected.parquet", "refusals.parquet"
"""Files of a month beside its grades and changes: early warning, purchases that were announced, refusals counted."""


@dataclass(frozen=True)
class Month:
    """A month that was graded. id: digest of all that went into it, the month before included; as_of: the day after its
    last; release, scheme: which versions graded it; before: the id of the month before it, None for the first."""

    folder: Path
    id: str
    as_of: date
    release: int
    scheme: str
    before: str | None

    @property
    def name(self) -> str:
        """As in `2026-10`."""
        return self.folder.name


def months(workspace: Workspace) -> list[Month]:
    """Every month that was graded, in order."""
    return [_read(path) for path in sorted(workspace.months.glob("????-??/month.json"))]


def find_month(workspace: Workspace, name: str | None = None) -> Month:
    """A month that was graded, by default the last. Raises InputError where it was not."""
    known = months(workspace)
    found = [month for month in known if name in (None, month.name)]
    if not found:
        there = ", ".join(month.name for month in known) or "none"
        raise InputError(
            workspace.months, f"no month {name or ''}".rstrip(), f"one of: {there}", "Run `scoring reclassify`."
        )
    return found[-1]


def month_before(workspace: Workspace, as_of: date) -> Month | None:
    """The last month that was graded before a date."""
    return next((month for month in reversed(months(workspace)) if month.as_of < as_of), None)


def months_between(earlier: date, later: date) -> int:
    """Whole months from one date to a later one, at least 1."""
    return max(1, round((later - earlier).days / 30.4375))


def read_earlier(workspace: Workspace, as_of: date, ids: NDArray[np.object_]) -> Earlier | None:
    """What the last monthly run before a date said of these customers; None when there was none."""
    month = month_before(workspace, as_of)
    return earlier_of(month, as_of, ids) if month else None


def earlier_of(month: Month, as_of: date, ids: NDArray[np.object_]) -> Earlier:
    """What a month said of these customers, from the view of a later date."""
    path = month.folder / "grades.parquet"
    wanted = [name for name in pq.read_schema(path).names if name.startswith((CLASS, RAW, SEEN))]
    table = read_rows(path, ids, [*wanted, NOTES])
    texts = {name: read_classes(table[name]) for name in wanted if not name.startswith(SEEN)}
    seen = {n: pc.fill_null(table[n], 0).to_numpy().astype(np.int8) for n in wanted if n.startswith(SEEN)}
    return Earlier(
        months_between(month.as_of, as_of),
        {n.removeprefix(CLASS): column for n, column in texts.items() if n.startswith(CLASS)},
        {n.removeprefix(RAW): column for n, column in texts.items() if n.startswith(RAW)},
        {n.removeprefix(SEEN): column for n, column in seen.items()},
        read_notes(table[NOTES]),
    )


def write_notes(notes: Mapping[str, Notes], size: int) -> pa.Array:
    """Per customer `churn held, value override`; null for most, whose classes are their raw ones."""
    said: dict[int, list[str]] = {}
    for name, column in notes.items():
        for i in np.flatnonzero(column != ""):
            said.setdefault(int(i), []).append(f"{name} {column[i]}")
    return pa.array([", ".join(said[i]) if i in said else None for i in range(size)], pa.string())


def read_notes(column: pa.ChunkedArray) -> dict[str, Notes]:
    """What `write_notes` wrote: the dimensions that are noted of anybody."""
    found: dict[str, Notes] = {}
    for i in np.flatnonzero(column.is_valid().to_numpy()):
        for each in column[int(i)].as_py().split(", "):
            name, _, note = each.partition(" ")
            found.setdefault(name, np.zeros(len(column), "<U8"))[i] = note
    return found


def read_rows(path: Path, ids: NDArray[np.object_], columns: Sequence[str]) -> pa.Table:
    """The rows of some customers in the order of `ids`, null where the file has none. A customer has at most one.

    A column at a time, so that no second copy of them all is ever in memory.
    """
    try:
        with pq.ParquetFile(path) as file:
            known = file.read(["customer_id"])["customer_id"].combine_chunks()
            places = pc.index_in(pa.array(ids, pa.string()), known)
            return pa.table({name: file.read([name])[name].take(places) for name in columns})
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, error) from None


def read_classes(column: pa.ChunkedArray) -> NDArray[np.str_]:
    """Classes as they were written, empty for null."""
    coded = column.combine_chunks().dictionary_encode()
    names = np.array([*coded.dictionary.to_pylist(), ""], dtype="<U2")
    places = pc.fill_null(coded.indices, len(coded.dictionary)).to_numpy(zero_copy_only=False)
    return np.asarray(names[places])


def _read(path: Path) -> Month:
    found: dict[str, Any] = read_json(path)
    try:
        as_of = date.fromisoformat(found["as_of"])
        return Month(path.parent, found["id"], as_of, found["release"], found["scheme"], found["before"])
    except (KeyError, ValueError, TypeError) as error:
        raise damaged(path, error) from None
