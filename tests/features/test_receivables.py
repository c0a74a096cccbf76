"""Invoices as they stand at a date: the same ones that the kernel's features of discipline are made of."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.batch import feature_table, spine_table
from features.catalogue.discipline import DISCIPLINE
from features.online import Event
from features.receivables import INVOICES, invoices
from features.tables.events import CUSTOMERS
from tests.features.test_batch import random_tables  # noqa: F401 a fixture
from tests.histories import AS_OF, COMPANY, customer, histories, write_tables

FAST = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def at(base: list[list[Event]], as_of: date) -> tuple[list[dict[str, object]], dict[str, dict[str, float]]]:
    """The invoices of some customers, and the features of discipline, by customer."""
    with tempfile.TemporaryDirectory() as folder:
        write_tables(Path(folder), base)
        pq.write_table(CUSTOMERS.empty_table(), Path(folder) / "customers.parquet")
        rows = feature_table(Path(folder), COMPANY, DISCIPLINE, [as_of], threads=1).to_pylist()
        found = invoices(Path(folder), COMPANY.timezone, as_of)
    assert found.schema == INVOICES
    return found.to_pylist(), {row["customer_id"]: row for row in rows}


@FAST
@given(st.lists(histories(), min_size=1, max_size=3))
def test_what_is_overdue_is_what_the_kernel_says(base: list[list[Event]]) -> None:
    """Balance, oldest invoice, share and days late, customer by customer."""
    found, features = at(base, AS_OF)
    for i in range(len(base)):
        mine = [row for row in found if row["customer_id"] == customer(i) and row["due"] < AS_OF]
        if customer(i) not in features:
            assert not mine
            continue
        said = features[customer(i)]
        open_ = [row for row in mine if row["settled"] is None]
        delays = [max(0, ((row["settled"] or AS_OF) - row["due"]).days) for row in mine]
        assert said["overdue_balance"] == sum(row["open"] for row in open_)
        assert said["overdue_days_max"] == max(((AS_OF - row["due"]).days for row in open_), default=0)
        if mine:
            assert said["days_late_max"] == max(delays)
            assert np.isclose(said["late_share"], np.mean([delay > 0 for delay in delays]))


@FAST
@given(st.lists(histories(), min_size=1, max_size=2), st.lists(histories(), min_size=1, max_size=2))
def test_future_events_change_no_invoice(base: list[list[Event]], later: list[list[Event]]) -> None:
    """What happens, or becomes known, on the date or after it is not seen."""
    moved = [[event for event in history if (event.known_at or event.ts).date() > AS_OF] for history in later]
    before, _ = at(base, AS_OF)
    both = [mine + (moved[i] if i < len(moved) else []) for i, mine in enumerate(base)]
    after, _ = at(both, AS_OF)
    assert before == after


def test_a_spine_has_the_rows_of_the_feature_table(random_tables: Path) -> None:  # noqa: F811
    """Pair for pair the same bits, each once, in order, whatever the order and the repetitions of the spine."""
    dates = [date(2020, 7, 4), AS_OF, date(2021, 12, 30)]
    whole = feature_table(random_tables, COMPANY, DISCIPLINE, dates, threads=1)
    rng = np.random.default_rng(3)
    some = np.sort(rng.choice(len(whole), len(whole) // 3, replace=False))
    spine = whole.select(["customer_id", "as_of"]).take(rng.permutation(np.concatenate([some, some[:5]])))
    found = spine_table(random_tables, COMPANY, DISCIPLINE, spine, threads=1)
    assert found.equals(whole.take(some))
    nobody = spine.slice(0, 1).set_column(0, "customer_id", [["f" * 32]])
    assert len(spine_table(random_tables, COMPANY, DISCIPLINE, nobody)) == 0
