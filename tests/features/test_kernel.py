"""The kernel: right against a plain reference, the same in batch and online, blind to the future."""

from __future__ import annotations

import tempfile
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random

import duckdb
import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.batch import feature_table, matrix
from features.catalogue import CATALOGUE, NAMES, PROGRAM
from features.online import FIELDS, Event, feature_row
from features.spec import compile_features
from features.tables.events import KINDS
from tests.conftest import Ran
from tests.features.reference import reference_row, visible
from tests.histories import AS_OF, COMPANY, ZONE, customer, events, histories, unique, write_tables

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def row(history: list[Event], as_of: date = AS_OF) -> np.ndarray:
    return feature_row(PROGRAM, customer(1), history, as_of, COMPANY)


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
    unknown = [msgspec.structs.replace(e, known_at=known_at, known_until=None) for e in late]
    assert same(row(history + unknown), row(history))
    later = [msgspec.structs.replace(e, known_until=known_at) if e.known_until is None else e for e in history]
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
        table = feature_table(Path(folder), COMPANY, CATALOGUE, as_ofs)
    rows = matrix(table, NAMES) if table.num_rows else np.empty((0, len(NAMES)))
    found = {
        key: values
        for *key_, values in zip(table["customer_id"].to_pylist(), table["as_of"].to_pylist(), rows, strict=True)
        for key in [tuple(key_)]
    }
    for i, history in enumerate(base):
        for as_of in as_ofs:
            online = feature_row(PROGRAM, customer(i), history, as_of, COMPANY)
            seen = any(visible(event, as_of) for event in unique(i, history).values())
            assert ((customer(i), as_of) in found) == seen
            if seen:
                assert same(found[customer(i), as_of], online)


@settings(relaxed, max_examples=400)
@given(histories(40))
def test_kernel_agrees_with_a_plain_reference(history: list[Event]) -> None:
    """Every feature of the catalogue, computed again with lists and the statistics module."""
    got = dict(zip(NAMES, row(history), strict=True))
    for name, value in reference_row(CATALOGUE, unique(1, history).values(), AS_OF).items():
        assert got[name] == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True), name


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

    tables, features = online_retail.workspace.tables, online_retail.workspace.features
    as_of = date(2011, 12, 10)
    table = pq.read_table(features / "features.parquet", filters=[("as_of", "=", as_of)])
    rows, ids = matrix(table, NAMES), table["customer_id"].to_pylist()
    company = online_retail.job.source.company()
    chosen = np.random.default_rng(3).choice(len(ids), 100, replace=False)
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        for i in chosen:
            found = db.execute(f"FROM '{tables}/events.parquet' WHERE customer_id = ?", [ids[i]]).to_arrow_table()
            history = [Event(**{name: e[name] for name in FIELDS}) for e in found.to_pylist()]
            assert same(feature_row(PROGRAM, ids[i], history, as_of, company), rows[i])


def test_a_list_with_two_features_of_one_name_is_refused() -> None:
    """A catalogue names each feature once."""
    with pytest.raises(ValueError, match="two features of one name"):
        compile_features([CATALOGUE[0], CATALOGUE[0]])


def _at(day: int) -> datetime:
    return _noon(date(2020, 3, 1) + timedelta(days=day))


def _noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=ZONE)


assert len(KINDS) < 63, "kinds are bits of an int64"
