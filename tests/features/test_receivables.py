"""Invoices as they stand at a date: the same ones that the kernel's features of discipline are made of."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime, timedelta
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

FAST = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def known_refs(history: list[Event]) -> int:
    """Refs of invoices that may have fallen due by AS_OF."""
    return len({e.ref for e in history if e.kind == "invoice_due" and e.ref and e.due_day and e.ts.date() < AS_OF})


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
        assert all(row["amount"] > 0 and (row["open"] > 0) == (row["settled"] is None) for row in mine)
        if customer(i) not in features:
            assert not mine
            continue
        said = features[customer(i)]
        open_ = [row for row in mine if row["settled"] is None]
        delays = [max(0, ((row["settled"] or AS_OF) - row["due"]).days) for row in mine]
        assert said["overdue_balance"] == sum(row["open"] for row in open_)
        if mine and len(mine) == known_refs(base[i]):  # the kernel counts those of unknown and of no amount, too
            assert said["overdue_days_max"] == max(((AS_OF - row["due"]).days for row in open_), default=0)
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


def made(*events: Event, as_of: date = date(2021, 7, 1), as_written: bool = False) -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder:
        write_tables(Path(folder), [list(events)])
        return invoices(Path(folder), COMPANY.timezone, as_of, as_written).to_pylist()


def bill(number: int, amount: int, due: int) -> Event:
    ts = AT + timedelta(days=number)
    return Event(ts, "invoice_due", ref="r", amount=amount, due_day=day(due), known_at=ts)


def pay(number: int, amount: int) -> Event:
    ts = AT + timedelta(days=number)
    return Event(ts, "payment", ref="r", amount=amount, known_at=ts)


AT = datetime(2021, 1, 1, 12, tzinfo=UTC)


def day(number: int) -> date:
    return (AT + timedelta(days=number)).date()


def test_an_invoice_is_settled_when_it_is_paid_in_full_and_stays_so() -> None:
    """Not by a payment that comes after it; a reversal opens it again; a part does not settle it."""
    assert made(bill(0, 100, 14), pay(10, 60), pay(12, 40), pay(90, 0), pay(95, 5))[0]["settled"] == day(12)
    (reversed_,) = made(bill(0, 100, 14), pay(10, 100), pay(20, -100), pay(30, 100))
    assert reversed_["settled"] == day(30)
    (part,) = made(bill(0, 100, 14), pay(10, 60))
    assert (part["settled"], part["open"]) == (None, 40)
    assert made(bill(0, 100, 14), pay(-5, 100))[0]["settled"] == day(-5)


def test_nothing_is_owed_of_a_credit_note() -> None:
    """Of an amount of 0, below it, or of none: no invoice, and no lateness in the kernel."""
    for amount in (0, -500):
        assert made(bill(0, amount, 14)) == []
        _, features = at([[bill(0, amount, 14)]], AS_OF)
        assert features[customer(0)]["late_share"] == 0 and features[customer(0)]["overdue_balance"] == 0


def test_as_written_an_invoice_is_what_its_first_day_said() -> None:
    """A later credit counts as a payment, a later due day not at all; the invoice as it stands has both."""
    events = bill(0, 100, 14), bill(60, -40, 100), pay(70, 60)
    (written,), (stands,) = made(*events, as_written=True), made(*events)
    assert (written["amount"], written["due"], written["settled"]) == (100, day(14), day(70))
    assert (stands["amount"], stands["due"], stands["settled"]) == (60, day(100), day(70))
