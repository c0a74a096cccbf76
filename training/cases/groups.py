"""Groups of cases by a private column, none so small that it could single somebody out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa

from features.tables.table_source import CaseColumn
from training.cases.table import Array, Rows

YEARS = (25.0, 35.0, 45.0, 55.0, 65.0)
"""Where bands of years begin; a convention."""

NOT_KNOWN, OTHERS = "not known", "others"


def groups_of(cells: pa.ChunkedArray, column: CaseColumn, fewest: int) -> dict[str, Rows]:
    """Group → the numbers of its cases, every case in one; empty where all cases are one group.

    A category by its levels, a boolean as yes and no, years in bands from `YEARS`, other numbers by quartile; what is
    not known is a group of its own. Those of fewer than `fewest` cases are `others`, joined by the next smallest until
    they are enough.
    """
    names, code = _bands(cells, column) if column.type == "number" else _levels(cells)
    found = {name: np.flatnonzero(code == at) for at, name in enumerate(names)}
    found = {name: rows for name, rows in found.items() if len(rows)}
    small = _too_small({name: len(rows) for name, rows in found.items()}, fewest)
    kept = {name: rows for name, rows in found.items() if name not in small}
    if small:
        kept[OTHERS] = np.sort(np.concatenate([found[name] for name in small]))
    return kept if len(kept) > 1 else {}


def _too_small(sizes: dict[str, int], fewest: int) -> list[str]:
    """The groups to be merged: with fewer than `fewest` cases, and more of them until they have as many together."""
    small = [name for name, size in sizes.items() if size < fewest]
    for name in sorted(set(sizes) - set(small), key=lambda name: (sizes[name], name)):
        if not small or sum(sizes[each] for each in small) >= fewest:
            break
        small.append(name)
    return small


def _levels(cells: pa.ChunkedArray) -> tuple[list[str], Rows]:
    """Names of groups in order, and the place among them of each case's."""
    said = [{True: "yes", False: "no", None: NOT_KNOWN}.get(cell, cell) for cell in cells.to_pylist()]
    names = sorted(set(said), key=lambda name: (name == NOT_KNOWN, name))
    places = {name: at for at, name in enumerate(names)}
    return names, np.array([places[name] for name in said], np.intp)


def _bands(cells: pa.ChunkedArray, column: CaseColumn) -> tuple[list[str], Rows]:
    numbers = cells.cast(pa.float64()).to_numpy().astype(float)
    known = np.isfinite(numbers)
    edges = np.array(YEARS if column.unit == "years" else _quartiles(numbers[known]))
    names = [f"below {edges[0]:.15g}", *(f"{low:.15g} to below {high:.15g}" for low, high in pairwise(edges))]
    names += [f"{edges[-1]:.15g} and more", NOT_KNOWN]
    places = np.searchsorted(edges, np.where(known, numbers, 0), side="right")
    return names, np.where(known, places, len(names) - 1)


def _quartiles(numbers: Array) -> list[float]:
    """Rounded to about a tenth of the distance between the outer two, so that no edge is somebody's own number; 0
    where there is no number."""
    if not len(numbers):
        return [0.0]
    low, middle, high = np.quantile(numbers, (0.25, 0.5, 0.75))
    digits = -int(np.floor(np.log10((high - low) / 5))) if high > low else 0
    return sorted({round(float(edge), digits) for edge in (low, middle, high)})
