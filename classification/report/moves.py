"""Who was promoted and who was demoted, with the reason, and who is newly large or stable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from classification.migration import JOINED
from classification.report.base import Naming, Period
from classification.scheme import Scheme
from features.texts import Texts

UP, DOWN = "up", "down"

MARKS = ("large", "stable")
"""The dimensions whose first class is a mark that a report greets newcomers to."""

MOVES = pa.schema(
    [
        ("customer", pa.string()),
        ("dimension", pa.string()),
        ("before", pa.string()),
        ("after", pa.string()),
        ("direction", pa.string()),
        ("spend_before", pa.int64()),
        ("spend_after", pa.int64()),
        ("kind", pa.string()),
        ("reason", pa.string()),
    ]
)

NEWCOMERS = pa.schema(
    [("customer", pa.string()), ("dimension", pa.string()), ("before", pa.string()), ("spend", pa.int64())]
)


def ordered(scheme: Scheme) -> dict[str, tuple[str, ...]]:
    """The dimensions whose classes have an order, from the first down: shares, and bounds on a number."""
    return {name: d.rule.classes for name, d in scheme.dimensions.items() if d.share or d.at_least}


def moves(period: Period, scheme: Scheme, naming: Naming) -> pa.Table:
    """A row per customer and ordered dimension who is of a higher or lower class than before, as MOVES says; within a
    dimension those who went up first, then by the larger of both spends (minor units).

    kind, reason: of the last change of the class in the period; null where no month tells of one, as of who was not in
    the base for a while.
    """
    parts = [_moves_in(period, name, order, naming) for name, order in ordered(scheme).items()]
    return pa.concat_tables([MOVES.empty_table(), *parts])


def newcomers(period: Period, scheme: Scheme, naming: Naming) -> pa.Table:
    """Those who bear a mark now and did not before, as NEWCOMERS says, by spend (minor units); the class before is
    `joined` for who was not in the base. Empty where there is no earlier month."""
    parts = [NEWCOMERS.empty_table()]
    for name in MARKS:
        if period.against is None or name not in scheme.dimensions or name not in period.after.classes:
            continue
        first, paired = scheme.dimensions[name].rule.classes[0], period.paired
        before, after = _classes(period, name)
        who = np.flatnonzero((paired.now >= 0) & (after == first) & (before != first))
        spend = period.after.spend[paired.now[who]]
        order = np.argsort(-spend, kind="stable")
        who, spend = who[order], spend[order]
        columns = [
            naming(period.after.ids.take(pa.array(paired.now[who]))),
            pa.array([name] * len(who), pa.string()),
            pa.array(np.where(paired.then[who] >= 0, before[who], JOINED), pa.string()),
            pa.array(spend.astype(np.int64)),
        ]
        parts.append(pa.table(columns, schema=NEWCOMERS))
    return pa.concat_tables(parts)


def _moves_in(period: Period, name: str, order: Sequence[str], naming: Naming) -> pa.Table:
    if name not in period.after.classes or name not in period.before.classes:
        return MOVES.empty_table()
    paired = period.paired
    before, after = _classes(period, name)
    old, new = _rank(before, order), _rank(after, order)
    who = np.flatnonzero((old >= 0) & (new >= 0) & (old != new))
    spends = period.before.spend[paired.then[who]], period.after.spend[paired.now[who]]
    rose = new[who] < old[who]
    sequence = np.lexsort((-np.maximum(*spends), ~rose))
    who, rose = who[sequence], rose[sequence]
    ids = period.after.ids.take(pa.array(paired.now[who]))
    kind, reason = _last_change(period.changes, name, ids)
    columns = [
        naming(ids),
        pa.array([name] * len(who), pa.string()),
        pa.array(before[who], pa.string()),
        pa.array(after[who], pa.string()),
        pa.array(np.where(rose, UP, DOWN), pa.string()),
        *(pa.array(each[sequence].astype(np.int64)) for each in spends),
        kind,
        reason,
    ]
    return pa.table(columns, schema=MOVES)


def _last_change(changes: pa.Table, dimension: str, ids: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Kind and reason of the last change of each customer's class."""
    moved = pc.and_(pc.equal(changes["dimension"], dimension), pc.not_equal(changes["before"], changes["after"]))
    mine = changes.select(["customer_id", "kind", "reason"]).filter(moved)
    latest = mine.take(pa.array(np.arange(mine.num_rows)[::-1])).combine_chunks()
    places = pc.index_in(ids, latest["customer_id"].combine_chunks())
    return tuple(latest[name].combine_chunks().take(places) for name in ("kind", "reason"))


def _classes(period: Period, name: str) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """The classes of all customers of a period before and after; empty for who is not in that base."""
    before, after = period.before.classes.get(name), period.after.classes[name]
    return _spread(before, period.paired.then), _spread(after, period.paired.now)


def _spread(texts: Texts | None, at: NDArray[np.int64]) -> NDArray[np.str_]:
    if texts is None:
        return np.zeros(len(at), "<U1")
    names = np.array([*texts.names, ""])
    return np.asarray(names[np.append(texts.codes, -1)[at]])


def _rank(classes: NDArray[np.str_], order: Sequence[str]) -> NDArray[np.int64]:
    found = np.full(len(classes), -1, np.int64)
    for rank, class_ in enumerate(order):
        found[classes == class_] = rank
    return found
