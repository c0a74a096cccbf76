"""Small graphs of transfers for tests, and the typologies once more in plain Python: slow, and easy to believe."""

from __future__ import annotations

import math
from itertools import groupby, pairwise
from statistics import median_low
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from features.transfers.edges import CASH, JUST_BELOW, Edges
from features.transfers.settings import NAMES, TypologySettings

WHOLE = 1_000
"""The reporting threshold of the small graphs."""


class Move(NamedTuple):
    """payer, payee: numbers of nodes, −1 for one not named; minute: since 1970."""

    payer: int
    payee: int
    minute: int
    amount: int
    cash: bool = False


def edges_of(moves: list[Move], nodes: int, customers: int) -> Edges:
    """Nodes below `customers` are the base's."""
    rows = sorted(move for move in moves if move.payer != move.payee)
    rows.sort(key=lambda move: move.minute)
    flags = [CASH * move.cash + JUST_BELOW * (0.9 * WHOLE <= move.amount < WHOLE) for move in rows]
    column = {name: np.array([getattr(move, name) for move in rows], np.int64) for name in Move._fields}
    return Edges(
        pa.array([f"{i:032x}" for i in range(nodes)]),
        np.arange(nodes) < customers,
        column["payer"].astype(np.int32),
        column["payee"].astype(np.int32),
        (column["minute"] // 1_440).astype(np.int32),
        column["minute"],
        column["amount"],
        np.array(flags, np.uint8),
        WHOLE,
    )


@st.composite
def small_graphs(draw: st.DrawFn, most: int = 30) -> list[Move]:
    """Few nodes, few days, few amounts, so that patterns meet; the days jump now and then."""
    nodes = draw(st.integers(3, 7))
    count = draw(st.integers(0, most))
    node, amount = st.integers(-1, nodes - 1), st.sampled_from([100, 105, 110, 200, 390, 400, 910, 950, 980, 2_000])
    day = st.integers(0, 12) | st.integers(0, 260)
    moves = [
        Move(
            draw(node), draw(node), draw(day) * 1_440 + draw(st.integers(0, 5)) * 240, draw(amount), draw(st.booleans())
        )
        for _ in range(count)
    ]
    return [move for move in moves if max(move.payer, move.payee) >= 0]


class Hit(NamedTuple):
    """As in `features.transfers.kernel.Hits`, of one hit."""

    account: int
    lead: int
    amount: int
    weight: int
    bin: int
    edges: tuple[int, ...]


def reference(e: Edges, since: int, settings: TypologySettings) -> dict[str, dict[int, tuple[int, ...]]]:
    """Typology → customer → weight, first, last, transfers, amount, partners of its strongest window."""
    return {
        name: _strongest(e, [hit for hit in _hits(name, e, settings) if e.day[hit.lead] >= since],
                         getattr(settings.typologies, name).days)
        for name in NAMES
    }  # fmt: skip


def _strongest(e: Edges, hits: list[Hit], days: int) -> dict[int, tuple[int, ...]]:
    found: dict[int, tuple[int, ...]] = {}
    hits = sorted(hits, key=lambda hit: (hit.account, e.day[hit.lead], hit.lead))
    for account, group in groupby(hits, key=lambda hit: hit.account):
        mine = list(group)
        if not e.customer[account]:
            continue
        best = 0
        for i, last in enumerate(mine):
            window = [hit for hit in mine[: i + 1] if e.day[last.lead] - e.day[hit.lead] < days]
            weights = {b: sum(hit.weight for hit in window if hit.bin in (b, b + 1)) for b in (last.bin, last.bin - 1)}
            low = last.bin if last.bin == 0 or weights[last.bin] >= weights[last.bin - 1] else last.bin - 1
            if weights[low] >= best:
                best = weights[low]
                chosen = [hit for hit in window if hit.bin in (low, low + 1)]
                used = {edge for hit in chosen for edge in hit.edges}
                partners = {int(n) for k in used for n in (e.src[k], e.dst[k])} - {account, -1}
                found[account] = (
                    best, min(int(e.day[hit.lead]) for hit in chosen), max(int(e.day[k]) for k in used), len(used),
                    sum(hit.amount for hit in chosen), len(partners),
                )  # fmt: skip
    return found


def _hits(name: str, e: Edges, settings: TypologySettings) -> list[Hit]:
    said: Any = getattr(settings.typologies, name)
    amounts: dict[int, list[int]] = {}
    for k in range(len(e)):
        for node in (int(e.src[k]), int(e.dst[k])):
            amounts.setdefault(node, []).append(int(e.amount[k]))
    own = {node: median_low(each) for node, each in amounts.items()}

    def size(node: int, amount: int) -> int:
        return min(settings.size_cap * 1_000, amount * 1_000 // own[node])

    edges = range(len(e))
    src, dst, day, minute, amount = ([int(x) for x in each] for each in (e.src, e.dst, e.day, e.minute, e.amount))
    found: list[Hit] = []
    if name in ("fan_in", "fan_out"):
        for k in edges:
            before = [j for j in range(k) if (src[j], dst[j]) == (src[k], dst[k])]
            if min(src[k], dst[k]) >= 0 and (not before or day[k] - day[before[-1]] >= said.fresh_days):
                bin_ = math.floor(math.log(amount[k]) / math.log(said.alike))
                found.append(Hit(dst[k] if name == "fan_in" else src[k], k, amount[k], 1_000, bin_, (k,)))
    elif name == "cycle":
        for k in edges:
            rings = list(_rings(e, (k,), said))
            if rings:
                ring = min(rings, key=lambda each: (each[-1], each))
                round_ = min(amount[j] for j in ring)
                found += [Hit(src[j], k, round_, size(src[j], round_), 0, ring) for j in ring]
    elif name == "round_trip":
        taken: set[int] = set()
        for k in edges:
            for j in edges[k + 1 :]:
                back = (src[j], dst[j]) == (dst[k], src[k]) and min(src[j], dst[j]) >= 0
                alike = amount[k] * said.alike <= amount[j] <= amount[k] / said.alike
                if k not in taken and back and alike and j not in taken and day[j] - day[k] <= said.days:
                    taken.add(j)
                    found.append(Hit(src[k], k, amount[k], size(src[k], amount[k]), 0, (k, j)))
                    break
    elif name in ("pass_through", "rapid_movement"):
        single = name == "pass_through"
        within = said.within_days * 1_440 if single else said.within_hours * 60
        gone: set[int] = set()
        for k in (k for k in edges if dst[k] >= 0):
            parts: list[int] = []
            for j in (j for j in edges if src[j] == dst[k] and 0 <= minute[j] - minute[k] <= within):
                total = sum(amount[i] for i in parts)
                enough = amount[j] >= said.share * amount[k] or not single
                elsewhere = dst[j] < 0 or dst[j] != src[k]
                if (
                    total < said.share * amount[k]
                    and total + amount[j] <= amount[k]
                    and j not in gone
                    and enough
                    and elsewhere
                ):
                    parts.append(j)
            if sum(amount[i] for i in parts) >= said.share * amount[k]:
                gone |= set(parts)
                found.append(Hit(dst[k], k, amount[k], size(dst[k], amount[k]), 0, (k, *parts)))
    elif name == "structuring":
        cash = [k for k in edges if e.flags[k] & CASH and amount[k] < WHOLE and dst[k] >= 0]
        for k in cash:
            near = [
                [i for i in cash if i <= j and dst[i] == dst[k] and day[j] - day[i] < said.pieces_days]
                for j in cash
                if dst[j] == dst[k]
            ]
            whole = any(k in each and len(each) > 1 and sum(amount[i] for i in each) >= WHOLE for each in near)
            if e.flags[k] & JUST_BELOW or whole:
                found.append(Hit(dst[k], k, amount[k], 1_000, 0, (k,)))
    else:
        for node in {*src, *dst} - {-1}:
            mine = [k for k in edges if node in (src[k], dst[k])]
            wakes = [day[b] for a, b in pairwise(mine) if day[b] - day[a] >= said.silence_days]
            for k in mine:
                if any(0 <= day[k] - wake < said.days for wake in wakes):
                    found.append(Hit(node, k, amount[k], size(node, amount[k]), 0, (k,)))
    return found


def _rings(e: Edges, path: tuple[int, ...], said: Any) -> Any:
    """All cycles that begin with `path`."""
    first, last = path[0], path[-1]
    home = int(e.src[first])
    if home < 0 or e.dst[last] < 0 or len(path) == said.longest:
        return
    for k in range(first + 1, len(e)):
        fits = e.src[k] == e.dst[last] and e.minute[k] >= e.minute[last] and e.day[k] - e.day[first] <= said.days
        alike = e.amount[first] * said.alike <= e.amount[k] <= e.amount[first] / said.alike
        if not (fits and alike):
            continue
        if e.dst[k] == home:
            if len(path) >= 2:
                yield (*path, k)
        elif e.dst[k] not in {e.dst[j] for j in path}:
            yield from _rings(e, (*path, k), said)
