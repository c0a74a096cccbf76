"""The one place where features are computed: a compiled loop that interprets a `Program` over `Histories`.

Everything a feature may see is decided here: day < as_of, known before as_of, not replaced before as_of.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np
from numpy.typing import NDArray

from features.history import Histories
from features.spec import OPS, Program

(
    COUNT,
    SUM,
    MEAN,
    MAX,
    MIN,
    STD,
    DAYS_SINCE_LAST,
    DAYS_SINCE_FIRST,
    ACTIVE_DAYS,
    ACTIVE_MONTHS,
    RECURRING_MONTHS,
    GAP_MEAN,
    GAP_STD,
    GAP_CV,
    GAP_MEDIAN,
    GAP_MAX,
    NUNIQUE,
    TOP_SHARE,
    ENTROPY,
) = range(len(OPS))
RATIO = 0

B = NDArray[np.bool_]
I8 = NDArray[np.int8]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


def compute(
    histories: Histories, program: Program, customer: NDArray[np.int64], as_of: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Feature rows of a spine.

    customer (s,): position of each row's customer in `histories`; as_of (s,): its date, in days since 1970-01-01.
    Returns rows (s, features), NaN for null, and seen (s,): whether any event of the customer was visible.
    """
    rows = np.empty((customer.size, program.empty.size))
    seen = np.empty(customer.size, np.bool_)
    months = (histories.day.astype("datetime64[D]").astype("datetime64[M]")).astype(np.int32)
    _rows(*histories, months, customer, as_of, *program, rows, seen)
    return rows, seen


@nb.njit(cache=True, nogil=True)
def number_codes(offsets: NDArray[np.int64], hashes: NDArray[np.uint64]) -> NDArray[np.int32]:
    """Number the distinct hashes within each customer from 0, in order of appearance; hash 0 is null and stays −1."""
    longest = 1
    for c in range(offsets.size - 1):
        longest = max(longest, offsets[c + 1] - offsets[c])
    size = 2
    while size < 2 * longest:
        size *= 2
    table = np.empty(size, np.uint64)
    number = np.empty(size, np.int32)
    owner = np.full(size, -1, np.int64)
    codes = np.full(hashes.size, -1, np.int32)
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
    return codes


@nb.njit(cache=True, nogil=True)
def _rows(
    offsets: I64, day: I32, known: I32, until: I32, kind: I8, values: F64, codes: I32, month: I32,
    customer: I64, as_of: I32,
    groups: I64, starts: I64, ops: I64, by: I64, columns: I64, combined: I64, empty: F64,
    rows: F64, seen: B,
) -> None:  # fmt: skip
    longest = 1
    for c in range(offsets.size - 1):
        longest = max(longest, offsets[c + 1] - offsets[c])
    gaps = np.empty(longest)
    weight = np.zeros(max(longest, 12))
    touched = np.empty(max(longest, 12), np.int64)
    for s in range(customer.size):
        lo, hi = offsets[customer[s]], offsets[customer[s] + 1]
        row, today = rows[s], as_of[s]
        hi = _first_at_or_after(day, lo, hi, today)
        seen[s] = False
        for i in range(lo, hi):
            if known[i] < today and until[i] >= today:
                seen[s] = True
                break
        row[:] = np.nan
        for g in range(groups.shape[0]):
            days, skip, kinds, column = groups[g]
            end = hi if skip == 0 else _first_at_or_after(day, lo, hi, today - skip)
            start = lo if days == 0 else _first_at_or_after(day, lo, end, today - skip - days)
            _window(
                day, known, until, kind, values, codes, month, start, end, today, kinds, column,
                ops[starts[g]:starts[g + 1]], by[starts[g]:starts[g + 1]], columns[starts[g]:starts[g + 1]],
                row, gaps, weight, touched,
            )  # fmt: skip
        for f in range(row.size):
            if math.isnan(row[f]):
                row[f] = empty[f]
        for k in range(combined.shape[0]):
            op, a, b, out = combined[k]
            if op == RATIO:
                row[out] = row[a] / row[b] if row[b] > 0 else empty[out]
            else:
                row[out] = row[a] - row[b]
            if math.isnan(row[out]):
                row[out] = empty[out]


@nb.njit(cache=True, nogil=True)
def _first_at_or_after(day: I32, lo: int, hi: int, limit: int) -> int:
    """First row of lo:hi whose day is not before `limit`."""
    while lo < hi:
        middle = (lo + hi) >> 1
        if day[middle] < limit:
            lo = middle + 1
        else:
            hi = middle
    return lo


@nb.njit(cache=True, nogil=True)
def _window(
    day: I32, known: I32, until: I32, kind: I8, values: F64, codes: I32, month: I32,
    start: int, end: int, today: int, kinds: int, column: int,
    ops: I64, by: I64, columns: I64, row: F64, gaps: F64, weight: F64, touched: I64,
) -> None:  # fmt: skip
    """All features of one window: one pass for moments and gaps, one more for each that looks at codes."""
    n = 0
    valued = 0
    total = 0.0
    shift = 0.0
    square = 0.0
    shifted = 0.0
    largest = -math.inf
    smallest = math.inf
    first_day = 0
    last_day = -1
    active_days = 0
    active_months = 0
    last_month = -1
    gap_count = 0
    gap_sum = 0
    gap_square = 0
    gap_max = 0
    years_of_month = np.zeros(12, np.int64)
    for i in range(start, end):
        if not (kinds >> kind[i]) & 1 or known[i] >= today or until[i] < today:
            continue
        n += 1
        if column >= 0:
            value = values[column, i]
            if not math.isnan(value):
                if valued == 0:
                    shift = value
                valued += 1
                total += value
                shifted += value - shift
                square += (value - shift) * (value - shift)
                largest = max(largest, value)
                smallest = min(smallest, value)
        if active_days == 0 or day[i] != last_day:
            if active_days == 0:
                first_day = day[i]
            else:
                gap = day[i] - last_day
                gaps[gap_count] = gap
                gap_count += 1
                gap_sum += gap
                gap_square += gap * gap
                gap_max = max(gap_max, gap)
            active_days += 1
            last_day = day[i]
            if active_months == 0 or month[i] != last_month:
                active_months += 1
                last_month = month[i]
                years_of_month[last_month % 12] += 1
    for k in range(ops.size):
        op = ops[k]
        answer = math.nan
        if op == COUNT:
            answer = n
        elif op == ACTIVE_DAYS:
            answer = active_days
        elif op == ACTIVE_MONTHS:
            answer = active_months
        elif op == RECURRING_MONTHS:
            answer = (years_of_month >= 2).sum()
        elif op >= NUNIQUE:
            answer = _codes(
                op, codes[by[k]], values, column, kind, known, until, start, end, today, kinds, weight, touched
            )
        elif SUM <= op <= STD:
            if valued > 0:
                if op == SUM:
                    answer = total
                elif op == MEAN:
                    answer = total / valued
                elif op == MAX:
                    answer = largest
                elif op == MIN:
                    answer = smallest
                else:
                    answer = math.sqrt(max(square / valued - (shifted / valued) ** 2, 0.0))
        elif op == DAYS_SINCE_LAST:
            if n > 0:
                answer = today - last_day
        elif op == DAYS_SINCE_FIRST:
            if n > 0:
                answer = today - first_day
        elif gap_count > 0:
            spread = math.sqrt(gap_count * gap_square - gap_sum * gap_sum)
            if op == GAP_MEAN:
                answer = gap_sum / gap_count
            elif op == GAP_STD:
                answer = spread / gap_count
            elif op == GAP_CV:
                answer = spread / gap_sum if gap_count > 1 else math.nan
            elif op == GAP_MAX:
                answer = gap_max
            else:
                answer = np.median(gaps[:gap_count])
        row[columns[k]] = answer


@nb.njit(cache=True, nogil=True)
def _codes(
    op: int, codes: I32, values: F64, column: int, kind: I8, known: I32, until: I32,
    start: int, end: int, today: int, kinds: int, weight: F64, touched: I64,
) -> float:  # fmt: skip
    """Number of distinct codes, or the top one's share or the entropy (nats) of their weights; `weight` stays zero."""
    found = 0
    total = 0.0
    for i in range(start, end):
        code = codes[i]
        if code < 0 or not (kinds >> kind[i]) & 1 or known[i] >= today or until[i] < today:
            continue
        value = 1.0 if column < 0 or op == NUNIQUE else values[column, i]
        if not value > 0:
            continue
        if weight[code] == 0.0:
            touched[found] = code
            found += 1
        weight[code] += value
        total += value
    answer = math.nan
    if op == NUNIQUE:
        answer = found
    elif found > 0:
        if op == TOP_SHARE:
            answer = 0.0
            for k in range(found):
                answer = max(answer, weight[touched[k]] / total)
        else:
            answer = 0.0
            for k in range(found):
                share = weight[touched[k]] / total
                answer -= share * math.log(share)
    for k in range(found):
        weight[touched[k]] = 0.0
    return answer
