"""What a feature is: data. And how a list of them becomes the small tables that the kernel interprets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.tables.events import FAMILIES, KINDS

OPS = (
    "count",
    "sum",
    "mean",
    "max",
    "min",
    "std",
    "days_since_last",
    "days_since_first",
    "active_days",
    "active_months",
    "recurring_months",
    "gap_mean",
    "gap_std",
    "gap_cv",
    "gap_median",
    "gap_max",
    "nunique",
    "top_share",
    "entropy",
)
"""What can be asked of the events of one customer in one window. The position is the op's code in the kernel."""

COLUMNS = ("amount", "cost", "quantity", "score")
"""The columns that can be summed."""

CODES = ("ref", "item", "channel", "counterparty", "country", "code", "month", "weekday")
"""The columns whose distinct values can be counted. `ref` is the day where an event has none; month and weekday are
the calendar's (0 = January, 0 = Monday)."""

COMBINATIONS = ("ratio", "difference")
"""How two features make a third: a / b (null unless b > 0), a − b."""


def kinds(*names: str) -> int:
    """The kinds of events as a bit set."""
    return sum(1 << KINDS.index(name) for name in names)


@dataclass(frozen=True)
class Feature:
    """One number about one customer, from its events of `kinds` in a window of days before `as_of`.

    The window holds the days [as_of − skip − days, as_of − skip); `days` = 0 is all history. `column` is what is
    summed or weighs (None: each event weighs 1). `by` names the codes of nunique, top_share and entropy. `empty` is
    the value when nothing in the window can answer (None: null).
    """

    name: str
    op: str
    kinds: int
    family: str
    unit: str
    doc: str
    column: str | None = None
    days: int = 0
    skip: int = 0
    by: str | None = None
    empty: float | None = None

    def __post_init__(self) -> None:
        _check(self.op in OPS, self.name, f"op {self.op}")
        _check(self.family in FAMILIES and self.family != "private", self.name, f"family {self.family}")
        _check(self.column is None or self.column in COLUMNS, self.name, f"column {self.column}")
        _check((self.by in CODES) == (self.op in ("nunique", "top_share", "entropy")), self.name, f"by {self.by}")
        _check(self.column is not None or self.op not in ("sum", "mean", "max", "min", "std"), self.name, "no column")
        _check(self.days >= 0 and self.skip >= 0 and self.kinds > 0, self.name, "window or kinds")


@dataclass(frozen=True)
class Combined:
    """A feature made of two others of the same list, named in `of`."""

    name: str
    op: str
    of: tuple[str, str]
    family: str
    unit: str
    doc: str
    empty: float | None = None

    def __post_init__(self) -> None:
        _check(self.op in COMBINATIONS, self.name, f"op {self.op}")
        _check(self.family in FAMILIES and self.family != "private", self.name, f"family {self.family}")


AnyFeature = Feature | Combined


def _check(holds: bool, name: str, what: str) -> None:
    if not holds:
        raise ValueError(f"feature {name}: {what}")


class Program(NamedTuple):
    """A list of features, compiled: features that look at the same window share one pass over it.

    groups (g, 4): days, skip, kinds, column (−1: none) of a pass; starts (g + 1,): where its features begin in
    ops, codes and columns (f,): op, code column (−1: none), output column; combined (c, 4): op, a, b, output column;
    empty (f + c,): the value when there is no answer, NaN for null.
    """

    groups: NDArray[np.int64]
    starts: NDArray[np.int64]
    ops: NDArray[np.int64]
    codes: NDArray[np.int64]
    columns: NDArray[np.int64]
    combined: NDArray[np.int64]
    empty: NDArray[np.float64]


def compile_features(features: Sequence[AnyFeature]) -> Program:
    """The kernel's tables for `features`; output columns in the order of the list."""
    position = {feature.name: i for i, feature in enumerate(features)}
    _check(len(position) == len(features), "(list)", "two features of one name")
    plain = [feature for feature in features if isinstance(feature, Feature)]
    groups = sorted({_group(feature) for feature in plain})
    rows = sorted(
        (groups.index(_group(f)), OPS.index(f.op), CODES.index(f.by) if f.by else -1, position[f.name]) for f in plain
    )
    table = np.array(rows, np.int64).reshape(-1, 4)
    combined = []
    for feature in features:
        if isinstance(feature, Combined):
            a, b = (position[name] for name in feature.of)
            _check(max(a, b) < position[feature.name], feature.name, "of features that stand before it")
            combined.append((COMBINATIONS.index(feature.op), a, b, position[feature.name]))
    return Program(
        groups=np.array(groups, np.int64).reshape(-1, 4),
        starts=np.searchsorted(table[:, 0], np.arange(len(groups) + 1)).astype(np.int64),
        ops=table[:, 1].copy(),
        codes=table[:, 2].copy(),
        columns=table[:, 3].copy(),
        combined=np.array(combined, np.int64).reshape(-1, 4),
        empty=np.array([np.nan if f.empty is None else f.empty for f in features]),
    )


def _group(feature: Feature) -> tuple[int, int, int, int]:
    return feature.days, feature.skip, feature.kinds, COLUMNS.index(feature.column) if feature.column else -1


def code_columns(program: Program) -> list[str]:
    """The code columns the program looks at."""
    return [CODES[i] for i in sorted(set(program.codes.tolist()) - {-1})]


def fingerprint(features: Sequence[AnyFeature]) -> str:
    """Changes when any definition of the list does. A release names it; a scorer with another one refuses."""
    text = json.dumps([{"type": type(f).__name__, **asdict(f)} for f in features], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
