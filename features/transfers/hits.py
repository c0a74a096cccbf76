"""What happened to each account by each typology: the hits of which its windows are made.

Which transfer belongs to which other is decided in `features.transfers.kernel`; here it is weighed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from features.transfers.edges import CASH, JUST_BELOW, Edges
from features.transfers.kernel import BINS, Graph, Hits, awakened, cycles, onward, pieces, returns
from features.transfers.settings import Typologies, TypologySettings

I64 = NDArray[np.int64]
DAY_MINUTES, THOUSAND = 1_440, 1_000


def graph_of(edges: Edges) -> Graph:
    """The edges with the lists of each node."""
    incoming, outgoing = (_lists(side, edges.nodes) for side in (edges.dst, edges.src))
    return Graph(edges.src, edges.dst, edges.day, edges.minute, edges.amount, *incoming, *outgoing)


def _lists(side: NDArray[np.int32], nodes: int) -> tuple[I64, I64]:
    """start (nodes + 1,), edge: the edges of each node in order of time."""
    named = np.flatnonzero(side >= 0)
    edge = named[np.argsort(side[named], kind="stable")]
    start = np.concatenate([[0], np.cumsum(np.bincount(side[named], minlength=nodes))])
    return start.astype(np.int64), edge.astype(np.int64)


def typical(edges: Edges) -> I64:
    """The lower median of all amounts that a node paid or was paid, (nodes,), minor units; 1 without any."""
    node, amount = np.concatenate([edges.src, edges.dst]), np.concatenate([edges.amount, edges.amount])
    node, amount = node[node >= 0], amount[node >= 0]
    order = np.lexsort((amount, node))
    count = np.bincount(node, minlength=edges.nodes)
    start = np.cumsum(count) - count
    found = np.ones(edges.nodes, np.int64)
    some = count > 0
    found[some] = amount[order][start[some] + (count[some] - 1) // 2]
    return found


def _hits(
    edges: Edges, account: NDArray[np.integer], lead: I64, weight: I64, lists: tuple[I64, I64],
    amount: I64 | None = None, bins: NDArray[np.integer] | None = None,
) -> Hits:  # fmt: skip
    """Hits (k,) in any order. lead: the edge each begins with; lists: how many edges it is made of, and these, one
    after the other; amount: by default that of `lead`."""
    many, parts = lists
    start = np.cumsum(many) - many
    last = np.maximum.reduceat(edges.day[parts], start) if len(start) else np.zeros(0, np.int32)
    order = np.lexsort((lead, edges.day[lead], account))
    turn = np.arange(parts.size) - np.repeat(np.cumsum(many[order]) - many[order], many[order])
    return Hits(
        account[order].astype(np.int32),
        edges.day[lead][order],
        last[order].astype(np.int32),
        (edges.amount[lead] if amount is None else amount)[order],
        weight[order].astype(np.int64),
        np.zeros(order.size, np.int16) if bins is None else bins[order].astype(np.int16),
        np.concatenate([[0], np.cumsum(many[order])]).astype(np.int64),
        parts[np.repeat(start[order], many[order]) + turn].astype(np.int64),
    )


def _alone(edge: I64) -> tuple[I64, I64]:
    """Lists of hits that are one edge each."""
    return np.ones(edge.size, np.int64), edge


def _sizes(amount: I64, account: NDArray[np.integer], own: I64, settings: TypologySettings) -> I64:
    """Thousandths of typical transfers."""
    sizes = np.minimum(amount, 2**52) * THOUSAND // own[account]
    return np.asarray(np.minimum(settings.size_cap * THOUSAND, sizes))


def _fan(edges: Edges, incoming: bool, said: Typologies) -> Hits:
    """Transfers of pairs that had none for long."""
    fan = said.fan_in if incoming else said.fan_out
    pair = np.lexsort((np.arange(len(edges)), edges.dst, edges.src))
    same = (np.diff(edges.src[pair], prepend=-2) == 0) & (np.diff(edges.dst[pair], prepend=-2) == 0)
    gap = np.diff(edges.day[pair], prepend=0)
    fresh = np.sort(pair[~same | (gap >= fan.fresh_days)])
    fresh = fresh[(edges.src[fresh] >= 0) & (edges.dst[fresh] >= 0)]
    steps = np.floor(np.log(edges.amount[fresh]) / np.log(fan.alike))
    bins = np.minimum(steps, BINS - 2).astype(np.int16)
    account = (edges.dst if incoming else edges.src)[fresh]
    return _hits(edges, account, fresh, np.full(fresh.size, THOUSAND), _alone(fresh), bins=bins)


def _fan_in(edges: Edges, graph: Graph, own: I64, settings: TypologySettings) -> Hits:
    return _fan(edges, True, settings.typologies)


def _fan_out(edges: Edges, graph: Graph, own: I64, settings: TypologySettings) -> Hits:
    return _fan(edges, False, settings.typologies)


def _cycle(edges: Edges, graph: Graph, own: I64, settings: TypologySettings) -> Hits:
    """Of every account on it; the amount that went all the way round."""
    said = settings.typologies.cycle
    length, path = cycles(graph, said.longest, said.days, said.alike, said.branch, said.steps)
    opened = np.flatnonzero(length)
    many = length[opened].astype(np.int64)
    ring = [path[e, :n] for e, n in zip(opened, many, strict=True)]
    edge = np.concatenate(ring) if ring else np.zeros(0, np.int64)
    amount = np.array([edges.amount[each].min() for each in ring], np.int64)
    account, lead = edges.src[edge], np.repeat(opened, many)
    whole = [np.tile(each, len(each)) for each in ring]
    parts = np.concatenate(whole) if whole else edge
    round_ = np.repeat(amount, many)
    sizes = _sizes(round_, account, own, settings)
    return _hits(edges, account, lead, sizes, (np.repeat(many, many), parts), round_)


def _round_trip(edges: Edges, graph: Graph, own: I64, settings: TypologySettings) -> Hits:
    """Of the account that paid first."""
    said = settings.typologies.round_trip
    low, high = np.minimum(edges.src, edges.dst), np.maximum(edges.src, edges.dst)
    order = np.lexsort((np.arange(len(edges)), high, low))
    order = order[low[order] >= 0].astype(np.int64)
    back = returns(graph, order, said.days, said.alike, said.branch)
    lead = np.flatnonzero(back >= 0)
    account = edges.src[lead]
    lists = np.full(lead.size, 2), np.column_stack([lead, back[lead]]).ravel()
    return _hits(edges, account, lead, _sizes(edges.amount[lead], account, own, settings), lists)


def _onward(edges: Edges, own: I64, settings: TypologySettings, of: I64) -> Hits:
    """Of the account in the middle; the amount that came in."""
    sent = np.flatnonzero(of >= 0)
    lead, many = np.unique(of[sent], return_counts=True)
    both = np.concatenate([lead, sent])
    parts = both[np.argsort(np.concatenate([lead, of[sent]]), kind="stable")]
    account = edges.dst[lead]
    return _hits(edges, account, lead, _sizes(edges.amount[lead], account, own, settings), (many + 1, parts))


def _pass_through(edges: Edges, graph: Graph, own: I64, settings: TypologySettings) -> Hits:
    said = settings.typologies.pass_through
    return _onward(edges, own, settings, onward(graph, said.within_days * DAY_MINUTES, said.share, said.branch, True))


def _rapid_movement(edges: Edges, graph: Graph, own: I64, settings: TypologySettings) -> Hits:
    said = settings.typologies.rapid_movement
    return _onward(edges, own, settings, onward(graph, said.within_hours * 60, said.share, said.branch, False))


def _structuring(edges: Edges, graph: Graph, own: I64, settings: TypologySettings) -> Hits:
    """Deposits in cash; none where the company has no threshold."""
    whole = edges.threshold or 0
    cash = np.flatnonzero((edges.flags & CASH != 0) & (edges.amount < whole) & (edges.dst >= 0))
    start, place = _lists(edges.dst[cash], edges.nodes)
    below = edges.flags & JUST_BELOW != 0
    days = settings.typologies.structuring.pieces_days
    piece = np.flatnonzero(pieces(start, cash[place], edges.day, edges.amount, below, days, whole))
    return _hits(edges, edges.dst[piece], piece, np.full(piece.size, THOUSAND), _alone(piece))


def _dormant(edges: Edges, graph: Graph, own: I64, settings: TypologySettings) -> Hits:
    said = settings.typologies.dormant_then_active
    both = np.column_stack([edges.src, edges.dst]).ravel()
    start, place = _lists(both, edges.nodes)
    edge, account = place // 2, both[place]
    awake = awakened(start, edge, edges.day, said.silence_days, said.days) > 0
    edge, account = edge[awake], account[awake]
    return _hits(edges, account, edge, _sizes(edges.amount[edge], account, own, settings), _alone(edge))


HITS: dict[str, Callable[[Edges, Graph, I64, TypologySettings], Hits]] = {
    "fan_in": _fan_in,
    "fan_out": _fan_out,
    "cycle": _cycle,
    "round_trip": _round_trip,
    "pass_through": _pass_through,
    "structuring": _structuring,
    "rapid_movement": _rapid_movement,
    "dormant_then_active": _dormant,
}
"""Typology → its hits."""
