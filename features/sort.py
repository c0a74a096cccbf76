"""Packed rows of many customers, in any order → their histories, sorted by customer and day."""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from features.calendar import FOREVER
from features.history import Histories, empty_histories, number_codes
from features.pack import DAY_AT, KIND_AT, KNOWN_AT, UNTIL_AT, VALUE_WORD, Ids, Packed, Words
from features.spec import Program


class Known(NamedTuple):
    """Customers known without any event, since a day, (k,) each; those of bin b are starts[b]:starts[b + 1]."""

    high: Words
    low: Words
    since: NDArray[np.int32]
    starts: NDArray[np.int64]


def sort_histories(packed: Packed, known: Known, program: Program) -> tuple[Ids, NDArray[np.int32], Histories]:
    """The customers of packed rows in any order, and those of `known`, in order of pseudonym, with histories.

    The second result, (customers,), is the day since which each is known without an event; FOREVER: it is not.
    """
    rows, most = packed.rows, len(packed.rows) + len(known.since)
    ids, since = Ids(np.empty(most, np.uint64), np.empty(most, np.uint64)), np.empty(most, np.int32)
    offsets, histories = np.zeros(most + 1, np.int64), empty_histories(program, 0, len(rows))
    hashes = np.empty((len(program.codes), len(rows)), np.uint64)
    found = _sort(packed, rows.view(np.int32), known, program.due, ids, since, offsets, histories, hashes)
    histories = histories._replace(offsets=offsets[: found + 1].copy())
    for i in range(len(program.codes)):
        number_codes(histories.offsets, hashes[i], histories.codes[i])
    return Ids(ids.high[:found].copy(), ids.low[:found].copy()), since[:found].copy(), histories


@nb.njit(cache=True, nogil=True)
def _sort(
    packed: Packed, halves: NDArray[np.int32], known: Known, due: bool,
    ids: Ids, since: NDArray[np.int32], offsets: NDArray[np.int64], h: Histories, hashes: Words,
) -> int:  # fmt: skip
    """Fill the arrays bin by bin: number the customers, order them, count their rows into place. Returns how many."""
    rows, ends = packed
    sizes = np.diff(known.starts)
    for p in range(ends.shape[0]):
        sizes += np.diff(ends[p])
    most = max(sizes.max(), 1)
    number, source, at = np.empty(most, np.int32), np.empty(most, np.int64), np.empty(most, np.int64)
    count, to = np.empty(most, np.int64), np.empty(most, np.int64)
    slots = 1
    while slots < 2 * most:
        slots *= 2
    slot = np.empty(slots, np.int32)
    customers = events = 0
    for b in range(sizes.size):
        slot[:] = -1
        high, low, when = ids.high[customers:], ids.low[customers:], since[customers:]
        found = n = 0
        for p in range(ends.shape[0]):
            for i in range(ends[p, b], ends[p, b + 1]):
                k = _number(rows[i, 0], rows[i, 1], slot, high, low, found)
                if k == found:
                    count[k], when[k] = 0, FOREVER
                    found += 1
                count[k] += 1
                number[n], source[n] = k, i
                n += 1
        for j in range(known.starts[b], known.starts[b + 1]):
            k = _number(known.high[j], known.low[j], slot, high, low, found)
            if k == found:
                count[k], when[k] = 0, FOREVER
                found += 1
            when[k] = min(when[k], known.since[j])
        order = _order(high[:found], low[:found])
        begin = 0
        for r in range(found):
            to[order[r]] = begin
            begin += count[order[r]]
            offsets[customers + r + 1] = events + begin
        high[:found], low[:found], when[:found] = high[order], low[order], when[order]
        for j in range(n):
            at[to[number[j]]] = source[j]
            to[number[j]] += 1
        _gather(packed, halves, at[:n], events, due, h, hashes)
        for c in range(customers, customers + found):
            lo, hi = offsets[c], offsets[c + 1]
            for i in range(lo + 1, hi):
                if h.day[i] < h.day[i - 1]:
                    mine = at[lo - events : hi - events][np.argsort(h.day[lo:hi], kind="mergesort")]
                    _gather(packed, halves, mine, lo, due, h, hashes)
                    break
        customers += found
        events += n
    return customers


@nb.njit(cache=True, nogil=True)
def _number(high: np.uint64, low: np.uint64, slot: NDArray[np.int32], highs: Words, lows: Words, found: int) -> int:
    """The number of a customer among those found; `found`, and it is noted, when it is a new one."""
    mask = np.uint64(slot.size - 1)
    at = low & mask  # pseudonyms are digests: any of their bits are as good as a hash
    while slot[at] >= 0:
        if highs[slot[at]] == high and lows[slot[at]] == low:
            return int(slot[at])
        at = (at + np.uint64(1)) & mask
    slot[at] = found
    highs[found], lows[found] = high, low
    return found


@nb.njit(cache=True, nogil=True)
def _order(high: Words, low: Words) -> NDArray[np.int64]:
    """The order of pseudonyms."""
    order = np.argsort(high)
    for k in range(1, order.size):
        at = k
        while at > 0 and high[order[at]] == high[order[at - 1]] and low[order[at]] < low[order[at - 1]]:
            order[at], order[at - 1] = order[at - 1], order[at]
            at -= 1
    return order


@nb.njit(cache=True, nogil=True)
def _gather(
    packed: Packed, halves: NDArray[np.int32], at: NDArray[np.int64], begin: int, due: bool, h: Histories, hashes: Words
) -> None:
    """Put the rows `at` into the histories from row `begin` on."""
    rows = packed.rows
    values = h.values.view(np.uint64)
    for j in range(at.size):
        i, k = at[j], begin + j
        day, known, until = halves[i, DAY_AT], halves[i, KNOWN_AT], halves[i, UNTIL_AT]
        h.day[k], h.known[k], h.until[k] = day, known, until
        kind = halves[i, KIND_AT] & 0xFF
        h.kind[k] = ~kind if known > day or until != FOREVER else kind
        h.flags[k] = halves[i, KIND_AT] >> 8
        if due:
            h.due[k] = np.int32(rows[i, -1])
        for v in range(values.shape[0]):
            values[v, k] = rows[i, VALUE_WORD + v]
        for v in range(hashes.shape[0]):
            hashes[v, k] = rows[i, VALUE_WORD + values.shape[0] + v]
