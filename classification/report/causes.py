"""Why classes changed, in total: the shares of `classification.why`, summed up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SHARES = ("share_facts", "share_model", "share_cutoff", "share_scheme")
NAMES = ("own facts", "model", "cut-offs", "scheme")
"""What the shares are of, in the order of SHARES."""


@dataclass(frozen=True)
class Cause:
    """The changes of one dimension in a period. changes: rows of changes.parquet; raw: those whose raw class moved;
    shares: of `raw`, what is due to each of NAMES; unshared: of `raw`, those of which nobody can tell, because the
    release of the earlier month was lost; kinds: what the rows are, such as `moved` or `held` → how many."""

    dimension: str
    changes: int
    raw: int
    shares: tuple[float, ...]
    unshared: int
    kinds: Mapping[str, int]


def causes(changes: pa.Table, dimensions: Sequence[str]) -> tuple[Cause, ...]:
    """The sums of each dimension in which anything changed; shares and `unshared` add up to `raw`."""
    return tuple(
        _cause(name, mine)
        for name in dimensions
        if (mine := changes.filter(pc.equal(changes["dimension"], name))).num_rows
    )


def in_total(found: Sequence[Cause]) -> Cause:
    """The sums over all dimensions."""
    kinds: dict[str, int] = {}
    for each in found:
        for kind, count in each.kinds.items():
            kinds[kind] = kinds.get(kind, 0) + count
    shares = tuple(sum(each.shares[i] for each in found) for i in range(len(SHARES)))
    changes, raw, unshared = (sum(getattr(each, part) for each in found) for part in ("changes", "raw", "unshared"))
    return Cause("all dimensions", changes, raw, shares, unshared, kinds)


def _cause(name: str, mine: pa.Table) -> Cause:
    raw = pc.and_(pc.not_equal(mine["raw_before"], ""), pc.not_equal(mine["raw_before"], mine["raw_after"]))
    moved = mine.filter(raw)
    parts = np.column_stack([moved[each].to_numpy() for each in SHARES])
    known = ~np.isnan(parts[:, 0])
    kinds = {each["values"]: each["counts"] for each in mine["kind"].value_counts().to_pylist()}
    return Cause(
        name,
        mine.num_rows,
        moved.num_rows,
        tuple(float(each) for each in parts[known].sum(axis=0)),
        int((~known).sum()),
        dict(sorted(kinds.items())),
    )
