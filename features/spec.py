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

FOLDS = {
    "events": (
        "count", "sum", "complete_sum", "mean", "max", "min", "std",
        "days_since_last", "days_since_first", "active_days", "active_months", "recurring_months",
        "gap_mean", "gap_std", "gap_cv", "gap_median", "gap_max", "burstiness", "silence_before",
    ),
    "codes": ("nunique", "top_share", "entropy"),
    "shares": ("share",),
    "invoices": ("days_late_mean", "days_late_max", "late_share", "overdue_balance", "overdue_days_max"),
}  # fmt: skip
"""What can be asked of the events of one customer in one window, by the loop of the kernel that answers it.

complete_sum: the sum, null when an event lacks the value. silence_before: days from the last event before the window
to the first in it. burstiness: (σ − μ) / (σ + μ) of the gaps (Goh & Barabási 2008, EPL 81, eq. 1): −1 is a clock, 0
is chance, 1 is all at once. share: share of the events that meet a condition among those where that can be known.
The ops of invoices look at those that fell due in the window; one still open counts as late up to as_of.
"""

OPS = tuple(op for ops in FOLDS.values() for op in ops)
"""The position is the op's code in the kernel."""

COLUMNS = {"amount": 1, "cost": 1, "quantity": 1000, "score": 1000}
"""The columns that can be summed, and what one unit is in the kernel: amounts and costs are whole minor units,
quantities and scores whole thousandths, so that sums are exact and depend on no order."""

CODES = ("ref", "item", "channel", "counterparty", "country", "code")
"""The columns whose distinct values can be counted. `ref` is the day where an event has none."""

CALENDAR = ("month", "quarter", "weekday")
"""What else can be counted: it follows from the day (0 = January, January to March, Monday)."""

CONDITIONS = ("night", "weekend", "just_below", "round", "high_risk")
"""What `share` can ask of an event; `features.company.Company` says what each means."""

COUNTING = ("count", "active_days", "active_months", "recurring_months", "nunique")
"""Ops that answer 0 when there is no event."""

COMBINATIONS = ("ratio", "difference", "overlap")
"""How two features make a third: a / b (null unless b > 0), a − b, min(a, b) / max(a, b) (null unless both ≥ 0 and
one > 0)."""

NULL_MEANS = {
    "sum": "there are events, but none says it",
    "complete_sum": "an event does not say it",
    "mean": "no event says it",
    "max": "no event says it",
    "min": "no event says it",
    "std": "no event says it",
    "days_since_last": "there is no event",
    "days_since_first": "there is no event",
    "gap_mean": "there are fewer than two days with an event",
    "gap_std": "there are fewer than two days with an event",
    "gap_median": "there are fewer than two days with an event",
    "gap_max": "there are fewer than two days with an event",
    "gap_cv": "there are fewer than three days with an event",
    "burstiness": "there are fewer than three days with an event",
    "silence_before": "there is no event in the window, or none before it",
    "top_share": "no event has the code, or a weight above 0",
    "entropy": "no event has the code",
    "share": "of no event it can be known",
    "days_late_mean": "no invoice fell due",
    "days_late_max": "no invoice fell due",
    "late_share": "no invoice fell due",
    "ratio": "either is null, or the second is not above 0",
    "difference": "either is null",
    "overlap": "either is null or below 0, or both are 0",
}
"""What it means that an op gives null; ops that are not named never do."""

NEEDS_RHYTHM, NEEDS_STD, NEEDS_MEDIAN = 1, 2, 4


def kinds(*names: str) -> int:
    """The kinds of events as a bit set."""
    return sum(1 << KINDS.index(name) for name in names)


@dataclass(frozen=True)
class Feature:
    """One number about one customer, from its events of `kinds` in a window of days before `as_of`.

    The window holds the days [as_of − skip − days, as_of − skip); `days` = 0 is all history. `column` is what is
    summed or weighs (None: each event weighs 1). `by` names the codes of nunique, top_share and entropy, or the
    condition of share. `empty` is the value when the window has no event (None: null); a window with events none of
    which can answer gives null.
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
        wanted = {"codes": (*CODES, *CALENDAR), "shares": CONDITIONS}.get(self.fold, (None,))
        _check(self.by in wanted, self.name, f"by {self.by}")
        _check(self.column is not None or self.op not in FOLDS["events"][1:7], self.name, "no column")
        _check(self.column is None or self.op not in ("entropy", "nunique"), self.name, "column")
        _check(self.fold != "invoices" or self.kinds == kinds("invoice_due", "payment"), self.name, "kinds")
        _check(self.days >= 0 and self.skip >= 0 and self.kinds > 0, self.name, "window or kinds")
        _check(self.fold != "invoices" or self.skip == 0, self.name, "skip")

    @property
    def fold(self) -> str:
        """The loop that answers it."""
        return next(fold for fold, ops in FOLDS.items() if self.op in ops)


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


class Tables(NamedTuple):
    """A list of features, compiled: features that look at the same events share one pass over them.

    windows (w, 2): days, skip; groups (g, 6): window, kinds, fold, value column (−1: none), what the codes are or the
    condition (−1: none), what else must be kept (NEEDS_… bits); starts (g + 1,): where a group's features begin in
    ops and columns (f,): op, output column; units (v,): of each value column; combined (c, 4): op, a, b, output
    column; empty, nothing (f + c,): the value without an answer, and without any event; NaN for null.
    """

    windows: NDArray[np.int64]
    groups: NDArray[np.int64]
    starts: NDArray[np.int64]
    ops: NDArray[np.int64]
    columns: NDArray[np.int64]
    units: NDArray[np.float64]
    combined: NDArray[np.int64]
    empty: NDArray[np.float64]
    nothing: NDArray[np.float64]


@dataclass(frozen=True)
class Program:
    """What to read of the events, and how to compute. values, codes: the columns in the kernel's order; conditions,
    due: whether it asks for the conditions of events, or for due days."""

    values: tuple[str, ...]
    codes: tuple[str, ...]
    conditions: bool
    due: bool
    tables: Tables

    @property
    def features(self) -> int:
        """How many numbers make a row."""
        return int(self.tables.empty.size)


def compile_features(features: Sequence[AnyFeature]) -> Program:
    """The kernel's tables for `features`; output columns in the order of the list."""
    position = {feature.name: i for i, feature in enumerate(features)}
    _check(len(position) == len(features), "(list)", "two features of one name")
    plain = [feature for feature in features if isinstance(feature, Feature)]
    asked = {f.column for f in plain} | {column for f in plain if f.fold == "invoices" for column in ("amount", "ref")}
    asked |= {f.by for f in plain if f.fold == "codes"}
    values = tuple(column for column in COLUMNS if column in asked)
    codes = tuple(column for column in CODES if column in asked)
    windows = sorted({(f.days, f.skip) for f in plain})
    keys = [_group(f, plain, windows, values, (*codes, *CALENDAR)) for f in plain]
    groups = sorted(set(keys))
    rows = sorted((groups.index(k), OPS.index(f.op), position[f.name]) for k, f in zip(keys, plain, strict=True))
    table = np.array(rows, np.int64).reshape(-1, 3)
    needs = [_needs([OPS[op] for group, op, _ in rows if group == g]) for g in range(len(groups))]
    tables = Tables(
        windows=np.array(windows, np.int64).reshape(-1, 2),
        groups=np.array([(*key, need) for key, need in zip(groups, needs, strict=True)], np.int64).reshape(-1, 6),
        starts=np.searchsorted(table[:, 0], np.arange(len(groups) + 1)).astype(np.int64),
        ops=table[:, 1].copy(),
        columns=table[:, 2].copy(),
        units=np.array([COLUMNS[column] for column in values], float),
        combined=np.array(_combinations(features, position), np.int64).reshape(-1, 4),
        empty=np.array([np.nan if f.empty is None else f.empty for f in features]),
        nothing=np.array([0.0 if f.op in COUNTING else np.nan if f.empty is None else f.empty for f in features]),
    )
    folds = {f.fold for f in plain}
    return Program(values, codes, bool(folds & {"shares", "invoices"}), "invoices" in folds, tables)


def _group(
    feature: Feature,
    among: Sequence[Feature],
    windows: Sequence[tuple[int, int]],
    values: Sequence[str],
    codes: Sequence[str],
) -> tuple[int, int, int, int, int]:
    """The pass that answers a feature. Counts and rhythms, which need no value, join a pass that has one."""
    fold, column = feature.fold, feature.column
    if fold == "events" and column is None:
        same = {f.column for f in among if (f.fold, f.days, f.skip, f.kinds) == _window_of(feature) and f.column}
        column = min(same, key=values.index) if same else None
    by = {"codes": codes, "shares": CONDITIONS}.get(fold, ()).index(feature.by) if feature.by else -1
    if fold == "invoices":
        column, by = "amount", codes.index("ref")
    value = values.index(column) if column else -1
    return windows.index((feature.days, feature.skip)), feature.kinds, list(FOLDS).index(fold), value, by


def _window_of(feature: Feature) -> tuple[str, int, int, int]:
    return feature.fold, feature.days, feature.skip, feature.kinds


def _needs(ops: Sequence[str]) -> int:
    rhythm = NEEDS_RHYTHM if set(ops) & set(FOLDS["events"][7:]) else 0
    return rhythm | (NEEDS_STD if "std" in ops else 0) | (NEEDS_MEDIAN if "gap_median" in ops else 0)


def _combinations(features: Sequence[AnyFeature], position: dict[str, int]) -> list[tuple[int, int, int, int]]:
    found = []
    for feature in features:
        if isinstance(feature, Combined):
            a, b = (position[name] for name in feature.of)
            _check(max(a, b) < position[feature.name], feature.name, "of features that stand before it")
            found.append((COMBINATIONS.index(feature.op), a, b, position[feature.name]))
    return found


def fingerprint(features: Sequence[AnyFeature]) -> str:
    """Changes when any definition of the list does. A release names it; a scorer with another one refuses."""
    text = json.dumps([{"type": type(f).__name__, **asdict(f)} for f in features], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
