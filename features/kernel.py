"""The one place where features are computed: compiled loops that interpret a `Program` over `Histories`.

Everything a feature may see is decided here: day < as_of, known before as_of, not replaced before as_of. The dates of
a customer are visited in their order, so that a pass goes on where the date before left it. Sums are of whole numbers
and no answer depends on the order of the events of a day, so that every driver gives the same bits.

It is one file, so that whoever reads it sees all that decides.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from features.calendar import FIRST_DAY, FOREVER, LAST_DAY, calendar
from features.history import NAMED, Histories
from features.spec import FOLDS, NEEDS_MEDIAN, NEEDS_RHYTHM, NEEDS_STD, OPS, Program, Tables, kinds

(
    COUNT, SUM, COMPLETE_SUM, MEAN, MAX, MIN, STD,
    DAYS_SINCE_LAST, DAYS_SINCE_FIRST, ACTIVE_DAYS, ACTIVE_MONTHS, RECURRING_MONTHS,
    GAP_MEAN, GAP_STD, GAP_CV, GAP_MEDIAN, GAP_MAX, BURSTINESS, SILENCE_BEFORE,
    NUNIQUE, TOP_SHARE, ENTROPY,
    SHARE,
    DAYS_LATE_MEAN, DAYS_LATE_MAX, LATE_SHARE, OVERDUE_BALANCE, OVERDUE_DAYS_MAX,
) = range(len(OPS))  # fmt: skip
EVENTS_FOLD, CODES_FOLD, SHARES_FOLD, INVOICES_FOLD = range(len(FOLDS))
RATIO, DIFFERENCE, OVERLAP = range(3)
INVOICE_DUE, PAYMENT = kinds("invoice_due"), kinds("payment")

NOTHING = 62
"""A kind that no event has."""

FRACTION = 2.0**32
"""Entropies add n ln n as whole multiples of 1 / FRACTION: exact in any order, right to 1e-10."""

N_LOG_N = np.array([0, *(round(n * math.log(n) * FRACTION) for n in range(1, 4096))], np.int64)

B = NDArray[np.bool_]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


NO_VALUES = np.empty(0)

CUSTOMERS_AT_ONCE = 128
"""So many customers go through a pass before the next begins: few calls, and their events stay in the cache."""


class Scratch(NamedTuple):
    """Room for some customers. present (customers,): the kinds of their events; start, end (windows, rows): the
    events in each window at each row of theirs; resumable (rows,): whether what was visible at the date before still
    is; the rest: counters for one customer at a time."""

    present: I64
    start: I64
    end: I64
    resumable: B
    late: I64
    gaps: I32
    years: I64
    weight: F64
    touched: I64
    balance: F64
    due: I64
    paid_on: I64
    paying: I64
    owed: F64


def compute(
    histories: Histories, program: Program, spine: NDArray[np.int64], as_of: NDArray[np.int32], first: int = 0
) -> tuple[F64, B]:
    """The feature rows of some customers at some dates.

    spine (k + 1,): customer first + i has the dates as_of[spine[i]:spine[i + 1]], days from 1970-01-01, ascending.
    Returns values (features, rows), NaN for null, and seen (rows,): whether any event was visible. Raises ValueError
    for a day outside 1900 to 2199.
    """
    if not (_computable(histories.day) and _computable(as_of)):
        raise ValueError("a day outside the years 1900 to 2199")
    values = np.empty((program.features, as_of.size))
    seen = np.zeros(as_of.size, np.bool_)
    _compute(histories, program.tables, calendar(), spine, as_of, first, values, seen)
    return values, seen


@nb.njit(cache=True, nogil=True)
def _computable(days: I32) -> bool:
    outside = 0
    for day in days:
        outside += day < FIRST_DAY or day > LAST_DAY
    return outside == 0


@nb.njit(cache=True, nogil=True)
def _compute(h: Histories, p: Tables, calendar: I32, spine: I64, as_of: I32, first: int, values: F64, seen: B) -> None:
    s = _scratch(h, p, spine, first)
    for begin in range(0, spine.size - 1, CUSTOMERS_AT_ONCE):
        some = (begin, min(begin + CUSTOMERS_AT_ONCE, spine.size - 1))
        offsets = h.offsets[first + some[0] : first + some[1] + 1]
        rows = spine[some[0] : some[1] + 1]
        present = _look(h, p, offsets, rows, as_of, s, seen)
        for g in range(p.groups.shape[0]):
            fold = p.groups[g, 2]
            if not p.groups[g, 1] & present:
                _nothing(p, g, values, rows[0], rows[-1])
            elif fold == EVENTS_FOLD:
                _events(h, p, g, calendar, offsets, rows, as_of, s, values)
            elif fold == CODES_FOLD:
                _codes(h, p, g, calendar, rows, as_of, s, values)
            elif fold == SHARES_FOLD:
                _shares(h, p, g, rows, as_of, s, values)
            else:
                _invoices(h, p, g, offsets, rows, as_of, s, values)
    for k in range(p.combined.shape[0]):
        _combine(p, k, values)


@nb.njit(cache=True, nogil=True)
def _scratch(h: Histories, p: Tables, spine: I64, first: int) -> Scratch:
    longest, rows = 12, 1
    for c in range(spine.size - 1):
        longest = max(longest, h.offsets[first + c + 1] - h.offsets[first + c])
        rows = max(rows, spine[min(c + CUSTOMERS_AT_ONCE, spine.size - 1)] - spine[c])
    return Scratch(
        np.empty(CUSTOMERS_AT_ONCE, np.int64),
        np.empty((p.windows.shape[0], rows), np.int64),
        np.empty((p.windows.shape[0], rows), np.int64),
        np.empty(rows, np.bool_),
        np.empty(longest, np.int64),
        np.empty(longest, np.int32),
        np.zeros(12, np.int64),
        np.zeros(longest),
        np.empty(longest, np.int64),
        np.zeros(longest),
        np.empty(longest, np.int64),
        np.empty(longest, np.int64),
        np.empty(longest, np.int64),
        np.empty(longest),
    )


@nb.njit(cache=True, nogil=True)
def _look(h: Histories, p: Tables, offsets: I64, rows: I64, as_of: I32, s: Scratch, seen: B) -> int:
    """What the passes need to know of some customers: kinds of events, windows, what became visible late. Returns the
    kinds that any of them has."""
    any_present = 0
    for c in range(rows.size - 1):
        lo, hi = offsets[c], offsets[c + 1]
        present = 0
        late = 0
        for i in range(lo, hi):
            kind = h.kind[i]
            if kind < 0:
                s.late[late] = i
                late += 1
                kind = ~kind
            present |= 1 << kind
        s.present[c] = present
        any_present |= present
        for w in range(p.windows.shape[0]):
            days, skip = p.windows[w]
            start, end = lo, lo
            for r in range(rows[c], rows[c + 1]):
                limit = as_of[r] - skip
                end = _advance(h.day, end, hi, limit)
                if days > 0:
                    start = _advance(h.day, start, end, limit - days)
                s.start[w, r - rows[0]], s.end[w, r - rows[0]] = start, end
        for r in range(rows[c], rows[c + 1]):
            today, before = as_of[r], as_of[max(r - 1, rows[c])]
            s.resumable[r - rows[0]] = True
            for k in range(late):
                i = s.late[k]
                if h.day[i] < before and _visible(h, i, today) != _visible(h, i, before):
                    s.resumable[r - rows[0]] = False
            for i in range(lo, hi):
                if h.day[i] >= today:
                    break
                if h.kind[i] >= 0 or _visible(h, i, today):
                    seen[r] = True
                    break
    return any_present


@nb.njit(cache=True, nogil=True)
def _nothing(p: Tables, g: int, values: F64, begin: int, end: int) -> None:
    """The answers of a group for a customer without any event of its kinds."""
    for k in range(p.starts[g], p.starts[g + 1]):
        out = p.columns[k]
        for r in range(begin, end):
            values[out, r] = p.nothing[out]


@nb.njit(cache=True, nogil=True)
def _visible(h: Histories, i: int, today: int) -> bool:
    """Whether an event that was known late or replaced was known and valid before `today`."""
    return bool(h.known[i] < today and h.until[i] >= today)


@nb.njit(cache=True, nogil=True)
def _late_kind(h: Histories, i: int, today: int) -> int:
    """The kind of an event that was known late or replaced; NOTHING while it is not visible."""
    return int(~h.kind[i]) if _visible(h, i, today) else NOTHING


@nb.njit(cache=True, nogil=True)
def _advance(day: I32, at: int, hi: int, limit: int) -> int:
    """First row of at:hi whose day is not before `limit`, sought near `at` first."""
    low = at
    step = 1
    while low + step <= hi and day[low + step - 1] < limit:
        low += step
        step *= 2
    high = min(low + step - 1, hi)
    while low < high:
        middle = (low + high) >> 1
        if day[middle] < limit:
            low = middle + 1
        else:
            high = middle
    return low


@nb.njit(cache=True, nogil=True)
def _events(
    h: Histories, p: Tables, g: int, calendar: I32, offsets: I64, rows: I64, as_of: I32, s: Scratch, values: F64
) -> None:
    """Moments of the values and rhythm of the days of one window."""
    window, kinds, _, column, _, needs = p.groups[g]
    worth = h.values[column] if column >= 0 else NO_VALUES
    for c in range(rows.size - 1):
        if not kinds & s.present[c]:
            _nothing(p, g, values, rows[c], rows[c + 1])
            continue
        begun, done, changed = -1, -1, True
        n = valued = 0
        total = 0.0
        largest, smallest, std = -math.inf, math.inf, 0.0
        first_day = last_day = active_days = active_months = last_month = 0
        gap_count = gap_sum = gap_square = gap_max = 0
        for r in range(rows[c], rows[c + 1]):
            today = as_of[r]
            start, end = s.start[window, r - rows[0]], s.end[window, r - rows[0]]
            if start != begun or not s.resumable[r - rows[0]]:
                begun, done, changed = start, start, True
                n = valued = 0
                total = 0.0
                largest, smallest = -math.inf, math.inf
                active_days = active_months = 0
                gap_count = gap_sum = gap_square = gap_max = 0
                last_month = -(1 << 30)
                s.years[:] = 0
            for i in range(done, end):
                kind = h.kind[i]
                if kind < 0:
                    kind = _late_kind(h, i, today)
                if not (kinds >> kind) & 1:
                    continue
                n += 1
                changed = True
                if column >= 0:
                    value = worth[i]
                    if not math.isnan(value):
                        valued += 1
                        total += value
                        if value > largest:
                            largest = value
                        if value < smallest:
                            smallest = value
                day = h.day[i]
                if needs & NEEDS_RHYTHM and (active_days == 0 or day != last_day):
                    if active_days == 0:
                        first_day = day
                    else:
                        gap = day - last_day
                        if needs & NEEDS_MEDIAN:
                            _insert(s.gaps, gap_count, gap)
                        gap_count += 1
                        gap_sum += gap
                        gap_square += gap * gap
                        if gap > gap_max:
                            gap_max = gap
                    active_days += 1
                    last_day = day
                    month = calendar[0, day - FIRST_DAY]
                    if month != last_month:
                        active_months += 1
                        last_month = month
                        s.years[calendar[1, day - FIRST_DAY]] += 1
            done = end
            if needs & NEEDS_STD and changed and valued > 0:
                std = _std(h, start, end, kinds, today, column, total / valued, largest, smallest, valued)
            changed = False
            for k in range(p.starts[g], p.starts[g + 1]):
                op = p.ops[k]
                out = p.columns[k]
                answer = math.nan
                if n == 0:
                    answer = p.nothing[out]
                elif op == COUNT:
                    answer = n
                elif op <= STD:
                    if valued > 0:
                        if op == SUM:
                            answer = total
                        elif op == COMPLETE_SUM:
                            answer = total if valued == n else math.nan
                        elif op == MEAN:
                            answer = total / valued
                        elif op == MAX:
                            answer = largest
                        elif op == MIN:
                            answer = smallest
                        else:
                            answer = std
                        answer /= p.units[column]
                elif op == DAYS_SINCE_LAST:
                    answer = today - last_day
                elif op == DAYS_SINCE_FIRST:
                    answer = today - first_day
                elif op == ACTIVE_DAYS:
                    answer = active_days
                elif op == ACTIVE_MONTHS:
                    answer = active_months
                elif op == RECURRING_MONTHS:
                    answer = (s.years >= 2).sum()
                elif op == SILENCE_BEFORE:
                    answer = _silence(h, offsets[c], start, kinds, today, first_day)
                elif gap_count > 0:
                    spread = math.sqrt(gap_count * gap_square - gap_sum * gap_sum)
                    if op == GAP_MEAN:
                        answer = gap_sum / gap_count
                    elif op == GAP_STD:
                        answer = spread / gap_count
                    elif op == GAP_MAX:
                        answer = gap_max
                    elif op == GAP_MEDIAN:
                        middle = gap_count >> 1
                        answer = s.gaps[middle]
                        if gap_count % 2 == 0:
                            answer = (answer + s.gaps[middle - 1]) / 2
                    elif gap_count > 1:
                        answer = spread / gap_sum if op == GAP_CV else (spread - gap_sum) / (spread + gap_sum)
                values[out, r] = answer


@nb.njit(cache=True, nogil=True)
def _insert(ascending: I32, n: int, value: int) -> None:
    """Put `value` into its place among the first `n`."""
    at = n
    while at > 0 and ascending[at - 1] > value:
        ascending[at] = ascending[at - 1]
        at -= 1
    ascending[at] = value


@nb.njit(cache=True, nogil=True)
def _std(
    h: Histories, start: int, end: int, kinds: int, today: int, column: int,
    mean: float, largest: float, smallest: float, n: int,
) -> float:  # fmt: skip
    """Population standard deviation; squares of (value − mean) / reach add up as whole multiples of n / 2⁶², so that
    the order of the events leaves no trace."""
    reach = max(largest - mean, mean - smallest)
    if not reach > 0:
        return 0.0
    scale, per_reach = 2.0**62 / n, 1 / reach
    square = np.int64(0)
    for i in range(start, end):
        kind = h.kind[i]
        if kind < 0:
            kind = _late_kind(h, i, today)
        value = h.values[column, i]
        if (kinds >> kind) & 1 and not math.isnan(value):
            deviation = (value - mean) * per_reach
            square += np.int64(deviation * deviation * scale + 0.5)
    return reach * math.sqrt(square / scale / n)


@nb.njit(cache=True, nogil=True)
def _silence(h: Histories, lo: int, start: int, kinds: int, today: int, first_day: int) -> float:
    """Days from the last event before row `start` to `first_day`; NaN where there is none."""
    for i in range(start - 1, lo - 1, -1):
        kind = h.kind[i]
        if kind < 0:
            kind = _late_kind(h, i, today)
        if (kinds >> kind) & 1:
            return float(first_day - h.day[i])
    return math.nan


@nb.njit(cache=True, nogil=True)
def _codes(h: Histories, p: Tables, g: int, calendar: I32, rows: I64, as_of: I32, s: Scratch, values: F64) -> None:
    """Distinct codes of one window, the top one's share and the entropy (nats) of their weights."""
    window, kinds, _, column, by, _ = p.groups[g]
    weight, touched = s.weight, s.touched
    worth = h.values[column] if column >= 0 else NO_VALUES
    of_day = by >= h.codes.shape[0]
    code_of = calendar[by - h.codes.shape[0] + 1] if of_day else h.codes[by]
    for c in range(rows.size - 1):
        if not kinds & s.present[c]:
            _nothing(p, g, values, rows[c], rows[c + 1])
            continue
        begun, done = -1, -1
        n = found = 0
        total = top = 0.0
        spread = np.int64(0)
        for r in range(rows[c], rows[c + 1]):
            today = as_of[r]
            start, end = s.start[window, r - rows[0]], s.end[window, r - rows[0]]
            if start != begun or not s.resumable[r - rows[0]]:
                for k in range(found):
                    weight[touched[k]] = 0.0
                begun, done = start, start
                n = found = 0
                total = top = 0.0
                spread = np.int64(0)
            for i in range(done, end):
                kind = h.kind[i]
                if kind < 0:
                    kind = _late_kind(h, i, today)
                if not (kinds >> kind) & 1:
                    continue
                n += 1
                code = code_of[h.day[i] - FIRST_DAY] if of_day else code_of[i]
                value = 1.0 if column < 0 else worth[i]
                if code < 0 or not value > 0:
                    continue
                before = weight[code]
                if before == 0.0:
                    touched[found] = code
                    found += 1
                weight[code] = before + value
                total += value
                if before + value > top:
                    top = before + value
                if column < 0:
                    spread += _n_log_n(np.int64(before) + 1) - _n_log_n(np.int64(before))
            done = end
            for k in range(p.starts[g], p.starts[g + 1]):
                op = p.ops[k]
                answer = math.nan
                if n == 0:
                    answer = p.nothing[p.columns[k]]
                elif op == NUNIQUE:
                    answer = found
                elif found == 1:
                    answer = 1.0 if op == TOP_SHARE else 0.0
                elif found > 1:
                    answer = top / total if op == TOP_SHARE else math.log(total) - spread / FRACTION / total
                values[p.columns[k], r] = answer
        for k in range(found):
            weight[touched[k]] = 0.0


@nb.njit(cache=True, nogil=True)
def _n_log_n(n: np.int64) -> np.int64:
    if n < N_LOG_N.size:
        return np.int64(N_LOG_N[n])
    return np.int64(n * math.log(n) * FRACTION + 0.5)


@nb.njit(cache=True, nogil=True)
def _shares(h: Histories, p: Tables, g: int, rows: I64, as_of: I32, s: Scratch, values: F64) -> None:
    """The share of a window's events, or of their amounts, that meet a condition, where that can be known."""
    window, kinds, _, column, condition, _ = p.groups[g]
    for c in range(rows.size - 1):
        if not kinds & s.present[c]:
            _nothing(p, g, values, rows[c], rows[c + 1])
            continue
        begun, done = -1, -1
        n = 0
        known = met = 0.0
        for r in range(rows[c], rows[c + 1]):
            today = as_of[r]
            start, end = s.start[window, r - rows[0]], s.end[window, r - rows[0]]
            if start != begun or not s.resumable[r - rows[0]]:
                begun, done = start, start
                n = 0
                known = met = 0.0
            for i in range(done, end):
                kind = h.kind[i]
                if kind < 0:
                    kind = _late_kind(h, i, today)
                if not (kinds >> kind) & 1:
                    continue
                n += 1
                said = h.flags[i] >> 2 * condition
                value = 1.0 if column < 0 else abs(h.values[column, i])
                if said & 1 and not math.isnan(value):
                    known += value
                    if said & 2:
                        met += value
            done = end
            for k in range(p.starts[g], p.starts[g + 1]):
                answer = p.nothing[p.columns[k]] if n == 0 else math.nan
                if known > 0:
                    answer = met / known
                values[p.columns[k], r] = answer


@nb.njit(cache=True, nogil=True)
def _invoices(h: Histories, p: Tables, g: int, offsets: I64, rows: I64, as_of: I32, s: Scratch, values: F64) -> None:
    """How late the invoices that fell due in a window were paid, and what of them is open.

    An invoice is the invoice_due events of one ref: their amounts added, their last due day. It is settled on the day
    on which the payments of its ref reach its amount, or where no amount is known on the day of the last of them; it is
    late by the days from its due day to that day, or to as_of while it is open. Nothing is owed of one of 0 or less.
    """
    window, kinds, _, column, by, _ = p.groups[g]
    days = p.windows[window, 0]
    for c in range(rows.size - 1):
        if not kinds & s.present[c]:
            _nothing(p, g, values, rows[c], rows[c + 1])
            continue
        for r in range(rows[c], rows[c + 1]):
            today, end = as_of[r], s.end[window, r - rows[0]]
            found = 0
            for i in range(offsets[c], end):
                if _is(h, i, INVOICE_DUE, today) and h.due[i] != FOREVER:
                    ref = h.codes[by, i]
                    if s.weight[ref] == 0.0:
                        s.weight[ref] = 1.0
                        s.touched[found] = ref
                        found += 1
                        s.balance[ref] = 0.0
                        s.due[ref] = h.due[i]
                        s.paid_on[ref] = -FOREVER
                        s.paying[ref] = -FOREVER
                    s.due[ref] = max(s.due[ref], h.due[i])
                    amount = h.values[column, i]
                    if not math.isnan(amount):
                        s.balance[ref] -= amount
                        s.weight[ref] = 2.0
            for i in range(offsets[c], end):
                if _is(h, i, PAYMENT, today) and s.weight[h.codes[by, i]] > 0:
                    ref = h.codes[by, i]
                    amount = h.values[column, i]
                    if s.paying[ref] != h.day[i]:  # what was owed in the morning: the order within a day does not count
                        s.paying[ref], s.owed[ref] = h.day[i], s.balance[ref]
                    if not math.isnan(amount):
                        s.balance[ref] += amount
                    if s.weight[ref] == 1.0 or (s.owed[ref] < 0 and s.balance[ref] >= 0):
                        s.paid_on[ref] = h.day[i]
            fell_due = late = late_sum = late_max = open_max = 0
            overdue = 0.0
            for k in range(found):
                ref = s.touched[k]
                is_open = s.balance[ref] < 0 or (s.weight[ref] == 1.0 and s.paid_on[ref] == -FOREVER)
                s.weight[ref] = 0.0
                due = s.due[ref]
                if due >= today or (days > 0 and due < today - days):
                    continue
                delay = max(0, (today if is_open else s.paid_on[ref]) - due)
                fell_due += 1
                late += delay > 0
                late_sum += delay
                late_max = max(late_max, delay)
                if is_open:
                    open_max = max(open_max, delay)
                    overdue -= min(s.balance[ref], 0.0)
            for k in range(p.starts[g], p.starts[g + 1]):
                op = p.ops[k]
                answer = p.nothing[p.columns[k]]
                if fell_due > 0:
                    if op == DAYS_LATE_MEAN:
                        answer = late_sum / fell_due
                    elif op == DAYS_LATE_MAX:
                        answer = late_max
                    elif op == LATE_SHARE:
                        answer = late / fell_due
                    elif op == OVERDUE_BALANCE:
                        answer = overdue / p.units[column]
                    else:
                        answer = open_max
                values[p.columns[k], r] = answer


@nb.njit(cache=True, nogil=True)
def _is(h: Histories, i: int, wanted: int, today: int) -> bool:
    """Whether event `i` is of a wanted kind, carries a ref, and is visible."""
    kind = h.kind[i]
    if kind < 0:
        kind = _late_kind(h, i, today)
    return bool((wanted >> kind) & 1 == 1 and h.flags[i] & NAMED != 0)


@nb.njit(cache=True, nogil=True)
def _combine(p: Tables, k: int, values: F64) -> None:
    op, a, b, out = p.combined[k]
    for r in range(values.shape[1]):
        x, y = values[a, r], values[b, r]
        answer = math.nan
        if op == RATIO:
            if y > 0:
                answer = x / y
        elif op == DIFFERENCE:
            answer = x - y
        elif x >= 0 and y >= 0 and x + y > 0:
            answer = min(x, y) / max(x, y)
        values[out, r] = p.empty[out] if math.isnan(answer) else answer
