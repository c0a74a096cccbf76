"""Every feature computed again, slowly and plainly, from lists of events."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import pairwise

from features.online import Event
from features.spec import AnyFeature, Combined, Feature, kinds
from tests.histories import COMPANY, ZONE


def reference_row(features: Sequence[AnyFeature], history: Iterable[Event], as_of: date) -> dict[str, float]:
    """Name → value; NaN for null. history: each event once."""
    known: dict[str, float] = {}
    seen = [event for event in history if visible(event, as_of)]
    for feature in features:
        known[feature.name] = (
            _plain(feature, seen, as_of) if isinstance(feature, Feature) else _combined(feature, known)
        )
    return known


def visible(event: Event, as_of: date) -> bool:
    """Happened, known and not replaced before `as_of`."""
    return (
        _day(event.ts) < as_of
        and _day(event.known_at or event.ts) < as_of
        and (event.known_until is None or _day(event.known_until) >= as_of)
    )


def _day(instant: object) -> date:
    return instant.astimezone(ZONE).date()  # type: ignore[attr-defined,no-any-return]


def _plain(feature: Feature, seen: list[Event], as_of: date) -> float:
    end = as_of - timedelta(days=feature.skip)
    start = end - timedelta(days=feature.days) if feature.days else date.min
    mine = [event for event in seen if kinds(event.kind) & feature.kinds]
    chosen = [event for event in mine if start <= _day(event.ts) < end]
    empty = math.nan if feature.empty is None else feature.empty
    if feature.fold == "invoices":
        return _invoices(feature, mine, as_of, start, empty)
    if not chosen:
        counts = ("count", "active_days", "active_months", "recurring_months", "nunique")
        return 0 if feature.op in counts else empty
    if feature.fold == "codes":
        return _codes(feature, chosen)
    if feature.fold == "shares":
        return _share(feature, chosen)
    column = feature.column
    values = [_thousandths(column, v) for e in chosen if column and (v := getattr(e, column)) is not None]
    before = [_day(event.ts) for event in mine if _day(event.ts) < start]
    return _events(feature.op, chosen, values, as_of, before)


def _events(op: str, chosen: list[Event], values: list[float], as_of: date, before: list[date]) -> float:
    days = sorted({_day(event.ts) for event in chosen})
    gaps = [(b - a).days for a, b in pairwise(days)]
    months = Counter(month for _, month in {(d.year, d.month) for d in days})
    match op:
        case "count":
            return len(chosen)
        case "active_days":
            return len(days)
        case "active_months":
            return months.total()
        case "recurring_months":
            return sum(years >= 2 for years in months.values())
        case "sum" if values:
            return math.fsum(values)
        case "complete_sum" if len(values) == len(chosen):
            return math.fsum(values)
        case "mean" if values:
            return math.fsum(values) / len(values)
        case "max" if values:
            return max(values)
        case "min" if values:
            return min(values)
        case "std" if values:
            return statistics.pstdev(values)
        case "days_since_last":
            return (as_of - days[-1]).days
        case "days_since_first":
            return (as_of - days[0]).days
        case "silence_before" if before:
            return (days[0] - max(before)).days
        case "gap_mean" if gaps:
            return statistics.fmean(gaps)
        case "gap_median" if gaps:
            return statistics.median(gaps)
        case "gap_max" if gaps:
            return max(gaps)
        case "gap_std" if gaps:
            return statistics.pstdev(gaps)
        case "gap_cv" if len(gaps) > 1:
            return statistics.pstdev(gaps) / statistics.fmean(gaps)
        case "burstiness" if len(gaps) > 1:
            mean, std = statistics.fmean(gaps), statistics.pstdev(gaps)
            return (std - mean) / (std + mean)
    return math.nan


def _codes(feature: Feature, chosen: list[Event]) -> float:
    weights: Counter[object] = Counter()
    for event in chosen:
        weight = 1 if feature.column is None else getattr(event, feature.column) or 0
        code = _code(feature.by, event)
        if code is not None and weight > 0:
            weights[code] += weight
    shares = [weight / weights.total() for weight in weights.values()]
    match feature.op:
        case "nunique":
            return len(weights)
        case "top_share" if shares:
            return max(shares)
        case "entropy" if shares:
            return -sum(share * math.log(share) for share in shares)
    return math.nan


def _code(by: str | None, event: Event) -> object:
    day = _day(event.ts)
    match by:
        case "month":
            return day.month
        case "quarter":
            return (day.month - 1) // 3
        case "weekday":
            return day.weekday()
        case "ref":
            return event.ref if event.ref is not None else ("day", day)
    return getattr(event, str(by))


def _share(feature: Feature, chosen: list[Event]) -> float:
    known, met = 0.0, 0.0
    for event in chosen:
        weight = 1 if feature.column is None else abs(getattr(event, feature.column) or 0)
        holds = _holds(feature.by, event)
        if holds is not None:
            known += weight
            met += weight * holds
    return met / known if known > 0 else math.nan


def _holds(condition: str | None, event: Event) -> bool | None:
    local = event.ts.astimezone(ZONE)
    size = None if event.amount is None else abs(event.amount)
    match condition:
        case "weekend":
            return local.weekday() >= 5
        case "night":
            begin, end = COMPANY.night
            return (local.hour >= begin or local.hour < end) if local.time() != local.time().min else None
        case "just_below":
            low, high = COMPANY.just_below or (0, 0)
            return None if size is None else low <= size < high
        case "round":
            return size % (COMPANY.round_to or 1) == 0 if size else None
        case "high_risk":
            return None if event.country is None else event.country in COMPANY.high_risk_countries
    raise AssertionError(condition)


def _invoices(feature: Feature, mine: list[Event], as_of: date, start: date, empty: float) -> float:
    named = [event for event in mine if event.ref is not None]
    bills = [event for event in named if event.kind == "invoice_due" and event.due_day is not None]
    delays, open_delays, overdue = [], [], 0
    for ref in {event.ref for event in bills}:
        due = max(event.due_day for event in bills if event.ref == ref and event.due_day)
        paid = [e for e in named if e.kind == "payment" and e.ref == ref]
        known = any(e.amount is not None for e in bills if e.ref == ref)
        owed, settled = sum(e.amount or 0 for e in bills if e.ref == ref), as_of if known else None
        if known and owed <= 0:
            settled = due
        for day in sorted({_day(e.ts) for e in paid}):
            morning, owed = owed, owed - sum(e.amount or 0 for e in paid if _day(e.ts) == day)
            if not known or morning > 0 >= owed:
                settled = day
        if not start <= due < as_of:
            continue
        still_open = owed > 0 or (not known and not paid)
        delay = max(0, ((as_of if still_open or settled is None else settled) - due).days)
        delays.append(delay)
        if still_open:
            open_delays.append(delay)
            overdue += max(owed, 0)
    if not delays:
        return empty
    return {
        "days_late_mean": statistics.fmean(delays),
        "days_late_max": max(delays),
        "late_share": statistics.fmean(delay > 0 for delay in delays),
        "overdue_balance": overdue,
        "overdue_days_max": max(open_delays, default=0),
    }[feature.op]


def _combined(feature: Combined, known: dict[str, float]) -> float:
    a, b = (known[name] for name in feature.of)
    if feature.op == "ratio":
        return a / b if b > 0 else math.nan
    if feature.op == "difference":
        return a - b
    return min(a, b) / max(a, b) if a >= 0 and b >= 0 and a + b > 0 else math.nan


def _thousandths(column: str, value: float) -> float:
    """Quantities and scores are kept to three decimals."""
    return value if column in ("amount", "cost") else math.floor(value * 1000 + 0.5) / 1000
