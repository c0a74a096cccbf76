"""The swap set: who would change class if a challenger took the champion's place, and what they are worth."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from classification.grade import Graded, LiveSet
from classification.scheme import Scheme
from features.catalogue import POSITION
from features.workspace import Workspace
from training.recipes import SEGMENTS
from training.snapshots import Snapshot

Array = NDArray[np.float64]

FEWEST_TOLD = 5
"""Of fewer customers than this no revenue is told: it would be somebody's."""
ANY = "any dimension"


@dataclass(frozen=True)
class Move:
    """Customers of class `before` under the champion and `after` under the challenger; of everybody, the same twice
    included. share: of all customers; revenue: spend of 365 days in major units, None below FEWEST_TOLD customers."""

    dimension: str
    before: str
    after: str
    customers: int
    share: float
    revenue: float | None


@dataclass(frozen=True)
class Total:
    """Who changes in a dimension. revenue_share: of the spend of all customers."""

    dimension: str
    customers: int
    share: float
    revenue: float | None
    revenue_share: float


@dataclass(frozen=True)
class SwapSet:
    """Two releases' classes of one base. reassigned: share of customers with a segment whose number changes, None
    where one of them has no segments; people: the customers who change, with both classes of each dimension and their
    spend in major units; it stays in the workspace."""

    champion: int
    challenger: int
    customers: int
    moves: tuple[Move, ...]
    totals: tuple[Total, ...]
    reassigned: float | None
    people: pa.Table
    names: dict[str, dict[str, str]]

    def to_json(self) -> dict[str, Any]:
        """For swap.json: counts and sums, nobody's id."""
        said = {"champion": self.champion, "challenger": self.challenger, "customers": self.customers}
        moves, totals = ([asdict(each) for each in rows] for rows in (self.moves, self.totals))
        return {**said, "reassigned": self.reassigned, "totals": totals, "moves": moves}

    def markdown(self) -> str:
        """Totals per dimension, and every change of class, the largest first."""
        lines = [f"Of {self.customers:,} customers, version {self.challenger} against {self.champion}:", ""]
        lines += ["| dimension | who change | share | spend of 365 days | share of spend |", "|---|--:|--:|--:|--:|"]
        for t in self.totals:
            revenue = _money(t.revenue)
            lines.append(f"| {t.dimension} | {t.customers:,} | {t.share:.1%} | {revenue} | {t.revenue_share:.1%} |")
        changed = sorted((m for m in self.moves if m.before != m.after), key=lambda m: -m.customers)
        if changed:
            lines += [
                "",
                "| dimension | from | to | customers | share | spend of 365 days |",
                "|---|---|---|--:|--:|--:|",
            ]
        for m in changed:
            before, after = (self.named(m.dimension, each) for each in (m.before, m.after))
            lines.append(
                f"| {m.dimension} | {before} | {after} | {m.customers:,} | {m.share:.1%} | {_money(m.revenue)} |"
            )
        return "\n".join(lines)

    def named(self, dimension: str, class_: str) -> str:
        """A class with its name."""
        return f"{class_} {self.names.get(dimension, {}).get(class_, '')}".strip()

    def write(self, workspace: Workspace) -> None:
        """training/swap.parquet: the customers who change."""
        pq.write_table(self.people, workspace.training / "swap.parquet", compression="zstd")


def swap_set(champion: LiveSet, challenger: LiveSet, base: Snapshot) -> SwapSet:
    """Grade `base` with both; dimensions that only one of the schemes has are left out."""
    old, new = champion.grade(base.rows, base.texts), challenger.grade(base.rows, base.texts)
    shared = [name for name in challenger.scheme.dimensions if name in champion.scheme.dimensions]
    per = 10.0 ** challenger.release.about["decimals"]
    spend = np.maximum(np.nan_to_num(base.rows[:, POSITION["spend_365d"]]), 0.0) / per
    moves = tuple(
        move
        for name in shared
        for move in _moves(name, old.classes[name], new.classes[name], spend, _order(champion, challenger, name))
    )
    changes = {name: old.classes[name] != new.classes[name] for name in shared}
    changes[ANY] = np.logical_or.reduce(list(changes.values())) if shared else np.zeros(len(spend), bool)
    totals = tuple(_total(name, changed, spend) for name, changed in changes.items())
    names = {name: _names(challenger.scheme, champion.scheme, name) for name in shared}
    people = _people(base, old, new, shared, changes[ANY], spend)
    versions = champion.release.version, challenger.release.version
    return SwapSet(*versions, len(spend), moves, totals, _reassigned(old, new), people, names)


def _order(champion: LiveSet, challenger: LiveSet, name: str) -> list[str]:
    """The classes of both schemes, in the challenger's order."""
    both = [live.scheme.dimensions[name] for live in (challenger, champion)]
    return list(dict.fromkeys(each for d in both for each in d.all))


def _names(new: Scheme, old: Scheme, name: str) -> dict[str, str]:
    both = [scheme.dimensions[name] for scheme in (old, new)]
    return {each: d.name_of(each) for d in both for each in d.all}


def _moves(
    dimension: str, before: NDArray[np.str_], after: NDArray[np.str_], spend: Array, order: list[str]
) -> list[Move]:
    found = []
    for one in order:
        was = before == one
        for other in order if was.any() else []:
            moved = was & (after == other)
            if moved.any():
                count = int(moved.sum())
                found.append(Move(dimension, one, other, count, count / len(spend), _told(count, spend[moved])))
    return found


def _total(dimension: str, changed: NDArray[np.bool_], spend: Array) -> Total:
    count = int(changed.sum())
    revenue = float(spend[changed].sum()) / max(float(spend.sum()), 1e-9) if count >= FEWEST_TOLD else 0.0
    return Total(dimension, count, count / max(len(spend), 1), _told(count, spend[changed]), revenue)


def _told(count: int, spend: Array) -> float | None:
    return round(float(spend.sum()), 2) if count >= FEWEST_TOLD or count == 0 else None


def _reassigned(old: Graded, new: Graded) -> float | None:
    before, after = (each.scores.get(SEGMENTS.name, np.empty(0)) for each in (old, new))
    known = ~np.isnan(before) & ~np.isnan(after) if len(before) == len(after) else np.empty(0, bool)
    return float((before[known] != after[known]).mean()) if known.any() else None


def _people(
    base: Snapshot, old: Graded, new: Graded, names: list[str], changed: NDArray[np.bool_], spend: Array
) -> pa.Table:
    columns: dict[str, Any] = {"customer_id": pa.array(base.ids[changed], pa.string()), "spend_365d": spend[changed]}
    for name in names:
        columns[f"{name}_before"] = pa.array(old.classes[name][changed], pa.string())
        columns[f"{name}_after"] = pa.array(new.classes[name][changed], pa.string())
    return pa.table(columns)


def _money(amount: float | None) -> str:
    return f"fewer than {FEWEST_TOLD} customers" if amount is None else f"{amount:,.0f}"
