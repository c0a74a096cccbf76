"""The sorted events of many customers as flat arrays: what the kernel reads, in batch, online and on Spark alike."""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from features.calendar import FOREVER
from features.spec import CONDITIONS, Program

NAMED = np.int16(1 << 2 * len(CONDITIONS))
"""Flag of an event that carries a ref of its own."""


class Histories(NamedTuple):
    """Events sorted by customer, then day; the order within a day is free.

    offsets (c + 1,): customer i has rows offsets[i]:offsets[i + 1]; day (n,): when it happened; kind (n,): position
    in KINDS, or ~position for an event that was known only after its day or was replaced: then known and until (n,)
    say the days (until FOREVER: never); flags (n,): NAMED, and for condition k bit 2k: it can be known, bit 2k + 1: it
    holds; due (n,), empty unless asked for: due day, FOREVER for none; values (v, n): whole numbers (`spec.COLUMNS`),
    NaN for null; codes (k, n): numbered from 0 within each customer, −1 for null. v and k are the columns the program
    asks for.
    """

    offsets: NDArray[np.int64]
    day: NDArray[np.int32]
    known: NDArray[np.int32]
    until: NDArray[np.int32]
    kind: NDArray[np.int8]
    flags: NDArray[np.int16]
    due: NDArray[np.int32]
    values: NDArray[np.float64]
    codes: NDArray[np.int32]


def empty_histories(program: Program, customers: int, rows: int) -> Histories:
    """Arrays of the right shapes and types, to be filled; without a due day, a flag or a replacement."""
    return Histories(
        offsets=np.zeros(customers + 1, np.int64),
        day=np.empty(rows, np.int32),
        known=np.empty(rows, np.int32),
        until=np.full(rows, FOREVER, np.int32),
        kind=np.empty(rows, np.int8),
        flags=np.zeros(rows, np.int16),
        due=np.full(rows if program.due else 0, FOREVER, np.int32),
        values=np.empty((len(program.values), rows)),
        codes=np.empty((len(program.codes), rows), np.int32),
    )


@nb.njit(cache=True, nogil=True)
def number_codes(offsets: NDArray[np.int64], hashes: NDArray[np.uint64], codes: NDArray[np.int32]) -> None:
    """Number the distinct hashes within each customer from 0 into `codes` (n,); hash 0 is null and becomes −1."""
    longest = 1
    for c in range(offsets.size - 1):
        longest = max(longest, offsets[c + 1] - offsets[c])
    size = 2
    while size < 2 * longest:
        size *= 2
    table = np.empty(size, np.uint64)
    number = np.empty(size, np.int32)
    owner = np.full(size, -1, np.int64)
    for c in range(offsets.size - 1):
        n = offsets[c + 1] - offsets[c]
        mask = 1
        while mask < 2 * n:
            mask *= 2
        mask -= 1
        count = 0
        for i in range(offsets[c], offsets[c + 1]):
            h = hashes[i]
            if h == np.uint64(0):
                codes[i] = -1
                continue
            at = np.int64(h & np.uint64(mask))
            while owner[at] == c and table[at] != h:
                at = (at + 1) & mask
            if owner[at] != c:
                owner[at] = c
                table[at] = h
                number[at] = count
                count += 1
            codes[i] = number[at]
