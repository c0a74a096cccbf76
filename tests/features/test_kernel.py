"""The kernel: right against a plain reference, the same in batch and online, blind to the future."""

from __future__ import annotations

import math
import statistics
import tempfile
from collections import Counter
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.batch import feature_table, matrix
from features.catalogue import CATALOGUE, NAMES, PROGRAM
from features.online import Event, event_digest, feature_row
from features.spec import Combined, Feature, compile_features, kinds
from features.tables.events import KINDS
from tests.conftest import Ran
from tests.histories import AS_OF, ZONE, customer, events, first_known, histories, write_tables

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def row(history: list[Event], as_of: date = AS_OF) -> np.ndarray:
    return feature_row(PROGRAM, customer(1), history, as_of, ZONE)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a, b, equal_nan=True)


@settings(relaxed, max_examples=300)
@given(histories(), st.lists(events(547, 2000), max_size=10))
def test_future_events_change_nothing(history: list[Event], later: list[Event]) -> None:
    """A feature row depends only on what happened before as_of."""
    future = [event for event in later if event.ts.astimezone(ZONE).date() >= AS_OF]
    assert same(row(history + future), row(history))


@settings(relaxed, max_examples=300)
@given(histories(), histories(10), st.integers(0, 400))
def test_what_becomes_known_later_changes_nothing(history: list[Event], late: list[Event], delay: int) -> None:
    """Nor on what was not known before as_of, whenever it happened; being replaced later changes nothing either."""
    known_at = max(e.ts for e in [*history, *late]) + timedelta(days=delay + 700) if history or late else None
    unknown = [_replace(e, known_at=known_at, known_until=None) for e in late]
    assert same(row(history + unknown), row(history))
    later = [_replace(e, known_until=known_at) if e.known_until is None else e for e in history]
    assert same(row(later), row(history))


@settings(relaxed, max_examples=300)
@given(histories(), st.randoms())
def test_order_changes_nothing(history: list[Event], random: Random) -> None:
    """Shuffled or repeated input gives the same bits."""
    shuffled = history + history[:3]
    random.shuffle(shuffled)
    assert same(row(shuffled), row(history))


@settings(relaxed, max_examples=40)
@given(
    st.lists(histories(), min_size=1, max_size=12), st.lists(st.integers(0, 900), min_size=1, max_size=4, unique=True)
)
def test_batch_and_online_agree_bit_for_bit(base: list[list[Event]], days: list[int]) -> None:
    """The batch driver's row of a customer at a date is the online driver's, to the last bit."""
    as_ofs = [date(2020, 1, 1) + timedelta(days=day) for day in days]
    with tempfile.TemporaryDirectory() as folder:
        write_tables(Path(folder), base)
        table = feature_table(Path(folder), str(ZONE), CATALOGUE, as_ofs)
    rows = matrix(table, NAMES) if table.num_rows else np.empty((0, len(NAMES)))
    found = {
        key: values
        for *key_, values in zip(table["customer_id"].to_pylist(), table["as_of"].to_pylist(), rows, strict=True)
        for key in [tuple(key_)]
    }
    for i, history in enumerate(base):
        for as_of in as_ofs:
            online = feature_row(PROGRAM, customer(i), history, as_of, ZONE)
            visible = _visible(history, as_of)
            assert ((customer(i), as_of) in found) == bool(visible)
            if visible:
                assert same(found[customer(i), as_of], online)


@settings(relaxed, max_examples=300)
@given(histories(40))
def test_kernel_agrees_with_a_plain_reference(history: list[Event]) -> None:
    """Every feature of the catalogue, computed again with lists and the statistics module."""
    got = dict(zip(NAMES, row(history), strict=True))
    unique = {event_digest(customer(1), event): event for event in sorted(history, key=first_known, reverse=True)}
    wanted: dict[str, float] = {}
    for feature in CATALOGUE:
        if isinstance(feature, Feature):
            wanted[feature.name] = _reference(feature, _visible(list(unique.values()), AS_OF))
        else:
            wanted[feature.name] = _combine(feature, wanted)
    for name, value in wanted.items():
        assert got[name] == pytest.approx(value, rel=1e-9, abs=1e-6, nan_ok=True), name


def test_a_restated_row_counts_once() -> None:
    """A row and the one that replaces it are never both visible, and never both hidden."""
    old = Event(ts=_at(10), kind="purchase", ref="1", amount=100, known_at=_at(10), known_until=_at(20))
    new = Event(ts=_at(10), kind="purchase", ref="1", amount=70, known_at=_at(20))
    for day in range(12, 30):
        got = dict(zip(NAMES, row([old, new], _at(day).date()), strict=True))
        assert (got["orders"], got["spend"]) == (1, 100 if day <= 20 else 70)


def test_orders_are_distinct_refs_else_days() -> None:
    """Two lines of one order are one order; purchases without a number count by day."""
    lines = [Event(ts=_at(d), kind="purchase", ref=r, amount=1, item=str(i)) for i, (d, r) in enumerate(
        [(1, "x"), (1, "x"), (1, "y"), (2, None), (2, None), (3, None), (4, "x")])]  # fmt: skip
    assert dict(zip(NAMES, row(lines), strict=True))["orders"] == 4


def test_the_window_holds_exactly_its_days() -> None:
    """An event of age 30 is in the 30-day window, one of age 31 is not; the event of as_of itself is nowhere."""
    for age, inside in ((0, 0), (1, 1), (30, 1), (31, 0)):
        day = AS_OF - timedelta(days=age)
        event = Event(ts=_noon(day), kind="purchase", ref="1", amount=500)
        assert dict(zip(NAMES, row([event]), strict=True))["spend_30d"] == 500 * inside


@pytest.mark.real
def test_batch_and_online_agree_on_online_retail(online_retail: Ran) -> None:
    """100 real customers with all their events, at the grading date."""
    import duckdb
    import pyarrow.parquet as pq

    tables, features = online_retail.workspace.tables, online_retail.workspace.features
    table = pq.read_table(features / "features.parquet", filters=[("as_of", "=", date(2011, 12, 10))])
    rows, ids = matrix(table, NAMES), table["customer_id"].to_pylist()
    zone = online_retail.job.report()["timezone"]
    from zoneinfo import ZoneInfo

    chosen = np.random.default_rng(3).choice(len(ids), 100, replace=False)
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        for i in chosen:
            found = db.execute(f"FROM '{tables}/events.parquet' WHERE customer_id = ?", [ids[i]]).to_arrow_table()
            history = [Event(**{name: e[name] for name in Event.__slots__}) for e in found.to_pylist()]
            assert same(feature_row(PROGRAM, ids[i], history, date(2011, 12, 10), ZoneInfo(zone)), rows[i])


def test_a_list_with_two_features_of_one_name_is_refused() -> None:
    """A catalogue names each feature once."""
    with pytest.raises(ValueError, match="two features of one name"):
        compile_features([CATALOGUE[0], CATALOGUE[0]])


def _visible(history: list[Event], as_of: date) -> list[Event]:
    def day(instant: object) -> date:
        return instant.astimezone(ZONE).date()  # type: ignore[attr-defined,no-any-return]

    return [
        e
        for e in history
        if day(e.ts) < as_of
        and day(e.known_at or e.ts) < as_of
        and (e.known_until is None or day(e.known_until) >= as_of)
    ]


def _reference(feature: Feature, history: list[Event]) -> float:
    empty = math.nan if feature.empty is None else feature.empty
    end = AS_OF - timedelta(days=feature.skip)
    chosen = [
        e
        for e in history
        if kinds(e.kind) & feature.kinds
        and _local(e) < end
        and (feature.days == 0 or _local(e) >= end - timedelta(days=feature.days))
    ]
    days = sorted({_local(e) for e in chosen})
    gaps = [(b - a).days for a, b in pairwise(days)]
    values = (
        [getattr(e, feature.column) for e in chosen if getattr(e, feature.column) is not None] if feature.column else []
    )
    months = Counter(m for _, m in {(d.year, d.month) for d in days})
    weights: Counter[object] = Counter()
    for e in chosen:
        code = _code(feature.by, e)
        weight = 1 if feature.column is None or feature.op == "nunique" else getattr(e, feature.column) or 0
        if code is not None and weight > 0:
            weights[code] += weight
    shares = [w / weights.total() for w in weights.values()]
    match feature.op:
        case "count":
            return len(chosen)
        case "nunique":
            return len(weights)
        case "active_days":
            return len(days)
        case "active_months":
            return len({(d.year, d.month) for d in days})
        case "recurring_months":
            return sum(years >= 2 for years in months.values())
        case "sum" if values:
            return sum(values)
        case "mean" if values:
            return statistics.fmean(values)
        case "max" if values:
            return max(values)
        case "std" if values:
            return statistics.pstdev(values)
        case "days_since_last" if days:
            return (AS_OF - days[-1]).days
        case "days_since_first" if days:
            return (AS_OF - days[0]).days
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
        case "top_share" if shares:
            return max(shares)
        case "entropy" if shares:
            return -sum(s * math.log(s) for s in shares)
    return empty


def _combine(feature: Combined, known: dict[str, float]) -> float:
    a, b = (known[name] for name in feature.of)
    if feature.op == "ratio":
        return a / b if b > 0 else math.nan
    return a - b


def _code(by: str | None, event: Event) -> object:
    match by:
        case None:
            return None
        case "month":
            return _local(event).month
        case "weekday":
            return _local(event).weekday()
        case "ref":
            return event.ref if event.ref is not None else ("day", _local(event))
        case _:
            return getattr(event, by)


def _local(event: Event) -> date:
    return event.ts.astimezone(ZONE).date()


def _replace(event: Event, **changes: object) -> Event:
    import dataclasses

    return dataclasses.replace(event, **changes)  # type: ignore[arg-type]


def _at(day: int) -> datetime:
    return _noon(date(2020, 3, 1) + timedelta(days=day))


def _noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=ZONE)


assert len(KINDS) < 63, "kinds are bits of an int64"
