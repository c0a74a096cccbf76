"""Compiled loops over the graph of transfers: what moves together, and each account's strongest window.

A *hit* is one thing that happened to an account (a deposit, a cycle) with the transfers it is made of. Edges come in
order of time, so that a larger number is never earlier. Each loop is linear in the edges while the degrees within its
window are bounded; `branch` and `steps` bound it where they are not.
"""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

I16 = NDArray[np.int16]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
BINS = 256
LONGEST = 6
"""Transfers of the longest cycle."""


class Graph(NamedTuple):
    """Edges (n,) as in `features.transfers.edges`, and of each node its edges in order of time: those it receives are
    in_edge[in_start[v]:in_start[v + 1]], those it sends likewise."""

    src: I32
    dst: I32
    day: I32
    minute: I64
    amount: I64
    in_start: I64
    in_edge: I64
    out_start: I64
    out_edge: I64


class Hits(NamedTuple):
    """Hits (k,) by account and first day: account; first, last: days; amount; weight: thousandths; bin: 0 to 254,
    hits of neighbouring bins belong together; its edges are edge[start[i]:start[i + 1]]."""

    account: I32
    first: I32
    last: I32
    amount: I64
    weight: I64
    bin: I16
    start: I64
    edge: I64


class Strongest(NamedTuple):
    """Each node's strongest window, (nodes,): weight in thousandths, 0 without one; first, last: days; transfers,
    amount, partners."""

    weight: I64
    first: I32
    last: I32
    transfers: I64
    amount: I64
    partners: I64


@nb.njit(cache=True, nogil=True)
def strongest(h: Hits, g: Graph, nodes: int, days: int) -> Strongest:
    """The window of `days` days in which the hits of two neighbouring bins weigh most; of equal ones the last."""
    found = Strongest(
        np.zeros(nodes, np.int64), np.zeros(nodes, np.int32), np.zeros(nodes, np.int32),
        np.zeros(nodes, np.int64), np.zeros(nodes, np.int64), np.zeros(nodes, np.int64),
    )  # fmt: skip
    held = np.zeros(BINS + 1, np.int64)
    begin = 0
    while begin < h.account.size:
        end = begin
        while end < h.account.size and h.account[end] == h.account[begin]:
            end += 1
        first = begin
        best, best_first, best_last, best_bin = 0, begin, begin, 0
        for i in range(begin, end):
            while h.first[i] - h.first[first] >= days:
                held[h.bin[first]] -= h.weight[first]
                first += 1
            b = h.bin[i]
            held[b] += h.weight[i]
            above = held[b] + held[b + 1]
            below = held[b] + held[b - 1] if b > 0 else above
            if max(above, below) >= best:
                best, best_first, best_last = int(max(above, below)), first, i
                best_bin = b if above >= below else b - 1
        for i in range(first, end):
            held[h.bin[i]] = 0
        _evidence(h, g, h.account[begin], best, best_first, best_last, best_bin, found)
        begin = end
    return found


@nb.njit(cache=True, nogil=True)
def _evidence(h: Hits, g: Graph, node: int, weight: int, first: int, last: int, bin_: int, found: Strongest) -> None:
    """What the hits `first` to `last` of two bins are made of."""
    edges = np.empty(h.start[last + 1] - h.start[first], np.int64)
    k = amount = 0
    day, until = np.int32(2**31 - 1), np.int32(-(2**31) + 1)
    for i in range(first, last + 1):
        if h.bin[i] == bin_ or h.bin[i] == bin_ + 1:
            amount += h.amount[i]
            day, until = min(day, h.first[i]), max(until, h.last[i])
            for j in range(h.start[i], h.start[i + 1]):
                edges[k] = h.edge[j]
                k += 1
    ours = np.unique(edges[:k])
    others = np.empty(2 * ours.size, np.int64)
    m = 0
    for e in ours:
        for other in (g.src[e], g.dst[e]):
            if other >= 0 and other != node:
                others[m] = other
                m += 1
    found.weight[node], found.first[node], found.last[node] = weight, day, until
    found.transfers[node], found.amount[node], found.partners[node] = ours.size, amount, np.unique(others[:m]).size


@nb.njit(cache=True, nogil=True)
def cycles(g: Graph, longest: int, days: int, alike: float, branch: int, steps: int) -> tuple[I32, I64]:
    """For each edge the cycle it opens: its length, 0 for none, (n,), and its edges, (n, LONGEST).

    A cycle has 3 to `longest` edges over different nodes, none before the one it follows nor more than `days` days
    after the first, each amount within `alike` to 1 / alike of the first's. Of several the one whose last edge is
    first, of those the first in the order of its edges.
    """
    length, path = np.zeros(g.src.size, np.int32), np.zeros((g.src.size, LONGEST), np.int64)
    at, tried, now = np.zeros(LONGEST, np.int64), np.zeros(LONGEST, np.int64), np.zeros(LONGEST, np.int64)
    for e in range(g.src.size):
        home = g.src[e]
        if home < 0 or g.dst[e] < 0 or not _comes_back(g, e, home, days):
            continue
        low, high = g.amount[e] * alike, g.amount[e] / alike
        depth, looked, closing = 1, 0, g.src.size
        now[0] = e
        at[1], tried[1] = _first_after(g, g.dst[e], g.minute[e]), 0
        while depth > 0:
            node = g.dst[now[depth - 1]]
            if at[depth] == g.out_start[node + 1] or tried[depth] == branch or looked == steps:
                depth -= 1
                continue
            f = g.out_edge[at[depth]]
            at[depth] += 1
            if g.day[f] - g.day[e] > days:
                at[depth] = g.out_start[node + 1]
                continue
            looked += 1
            tried[depth] += 1
            if f <= e or g.dst[f] < 0 or g.amount[f] < low or g.amount[f] > high or f >= closing:
                continue
            if g.dst[f] == home:
                if depth >= 2:
                    now[depth], closing = f, f
                    length[e] = depth + 1
                    path[e, : depth + 1] = now[: depth + 1]
                continue
            if depth + 1 < longest and not _met(g, now, depth, g.dst[f]):
                now[depth] = f
                depth += 1
                at[depth], tried[depth] = _first_after(g, g.dst[f], g.minute[f]), 0
    return length, path


@nb.njit(cache=True, nogil=True)
def _comes_back(g: Graph, e: int, home: int, days: int) -> bool:
    """Whether anything comes to `home` after edge `e`, in time."""
    lo, hi = g.in_start[home], g.in_start[home + 1]
    k = lo + np.searchsorted(g.in_edge[lo:hi], e)
    return bool(k < hi and g.day[g.in_edge[k]] - g.day[e] <= days)


@nb.njit(cache=True, nogil=True)
def _met(g: Graph, now: I64, depth: int, node: int) -> bool:
    found = False
    for i in range(depth):
        found |= g.dst[now[i]] == node
    return bool(found)


@nb.njit(cache=True, nogil=True)
def _first_after(g: Graph, node: int, minute: int) -> int:
    """The place of the first edge that a node sends at a minute or later."""
    lo, hi = g.out_start[node], g.out_start[node + 1]
    while lo < hi:
        middle = (lo + hi) // 2
        if g.minute[g.out_edge[middle]] < minute:
            lo = middle + 1
        else:
            hi = middle
    return int(lo)


@nb.njit(cache=True, nogil=True)
def onward(g: Graph, minutes: int, share: float, branch: int, single: bool) -> I64:
    """For each edge the earlier one of which it is sent on, −1 for none, (n,).

    In order of time each incoming edge takes what its payee sends to others than its payer within `minutes`, not
    earlier, and is not taken yet, as long as the sum stays at or below it, until that is `share` of it at least;
    `single`: the first one alone that is enough. At most `branch` edges are looked at.
    """
    of = np.full(g.src.size, -1, np.int64)
    parts = np.empty(branch, np.int64)
    for node in range(g.in_start.size - 1):
        for k in range(g.in_start[node], g.in_start[node + 1]):
            e = g.in_edge[k]
            least, total, n = g.amount[e] * share, 0, 0
            begin = _first_after(g, node, g.minute[e])
            for j in range(begin, min(begin + branch, g.out_start[node + 1])):
                f = g.out_edge[j]
                if g.minute[f] - g.minute[e] > minutes or total >= least:
                    break
                fits = total + g.amount[f] <= g.amount[e] and (not single or g.amount[f] >= least)
                if fits and of[f] < 0 and (g.dst[f] != g.src[e] or g.dst[f] < 0):
                    parts[n] = f
                    n += 1
                    total += g.amount[f]
            if total >= least:
                for j in range(n):
                    of[parts[j]] = e
    return of


@nb.njit(cache=True, nogil=True)
def returns(g: Graph, order: I64, days: int, alike: float, branch: int) -> I64:
    """For each edge the one with which its payee gives it back, −1 for none, (n,).

    order: edges by pair of nodes, whichever pays, and time. Each takes the first that goes back later within `days`, of
    an amount within `alike` to 1 / alike of its own, and is not taken yet; at most `branch` are looked at.
    """
    back = np.full(g.src.size, -1, np.int64)
    taken = np.zeros(g.src.size, np.bool_)
    for i in range(order.size):
        e = order[i]
        if taken[e]:
            continue
        for j in range(i + 1, min(i + 1 + branch, order.size)):
            f = order[j]
            if min(g.src[f], g.dst[f]) != min(g.src[e], g.dst[e]) or max(g.src[f], g.dst[f]) != max(g.src[e], g.dst[e]):
                break
            if g.day[f] - g.day[e] > days:
                break
            similar = g.amount[e] * alike <= g.amount[f] <= g.amount[e] / alike
            if g.src[f] == g.dst[e] and not taken[f] and similar:
                back[e], taken[f] = f, True
                break
    return back


@nb.njit(cache=True, nogil=True)
def pieces(start: I64, edge: I64, day: I32, amount: I64, below: NDArray[np.bool_], days: int, whole: int) -> I64:
    """Which of an account's deposits are pieces: `below` says it by itself, or those of `days` days reach `whole`
    together. Returns 1 or 0 per edge. Deposits of `whole` and more are none."""
    found = np.zeros(day.size, np.int64)
    for node in range(start.size - 1):
        first, total = start[node], 0
        for k in range(start[node], start[node + 1]):
            e = edge[k]
            total += amount[e]
            while day[e] - day[edge[first]] >= days:
                total -= amount[edge[first]]
                first += 1
            if below[e]:
                found[e] = 1
            if total >= whole and k > first:
                for j in range(first, k + 1):
                    found[edge[j]] = 1
    return found


@nb.njit(cache=True, nogil=True)
def awakened(start: I64, edge: I64, day: I32, silence: int, days: int) -> I64:
    """1 for each place in `edge` within `days` days of the first transfer after `silence` days without, else 0."""
    found = np.zeros(edge.size, np.int64)
    for node in range(start.size - 1):
        until = np.int32(-(2**31) + 1)
        for k in range(start[node] + 1, start[node + 1]):
            today = day[edge[k]]
            if today - day[edge[k - 1]] >= silence:
                until = today + days
            found[k] = today < until
    return found
