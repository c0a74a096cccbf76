"""Ageing, days sales outstanding, expected overdue amounts and the worklist, by hand."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from classification.arrears.receivables import (
    ageing,
    bucket_names,
    days_sales_outstanding,
    expected_overdue,
    with_class,
    worklist,
)
from features.receivables import INVOICES
from training.arrears.curve import Curves

ON = date(2026, 11, 1)
LAST = ON - timedelta(1)


def billed(*rows: tuple[str, int, int, int]) -> pa.Table:
    """customer, days overdue on the day before ON, amount, open: invoices of 30 days."""
    cells = [
        {
            "customer_id": customer,
            "ref": str(number),
            "invoiced": LAST - timedelta(days + 30),
            "due": LAST - timedelta(days),
            "amount": amount,
            "paid": amount - left,
            "open": left,
            "settled": None if left else LAST,
        }
        for number, (customer, days, amount, left) in enumerate(rows)
    ]
    classes = pa.table({"customer_id": ["a", "b"], "class": ["A", "B"]})
    return with_class(pa.Table.from_pylist(cells, INVOICES), classes)


HALF = Curves(np.empty(0), -30, np.array([[1.0] * 30 + [0.5] * 101]))
"""Half of what was written is paid on its due day, the rest never."""


@pytest.mark.parametrize(
    ("days", "bucket"),
    [(-5, "not due"), (0, "not due"), (1, "1-30 days"), (30, "1-30 days"), (31, "31-60 days"), (90, "61-90 days")],
)
def test_a22_buckets_end_where_they_say(days: int, bucket: str) -> None:
    """Both sides of every bound."""
    assert ageing(billed(("a", days, 100, 40)), ON, [0, 30, 60, 90])["bucket"].to_pylist() == [bucket]


def test_a22_ageing_adds_up_by_class() -> None:
    """What is settled is in no bucket; the last bucket is open to the end; who has no class has null."""
    table = billed(("a", 91, 100, 100), ("a", 400, 50, 50), ("b", 3, 70, 0), ("c", 3, 9, 8))
    found = ageing(table, ON, [0, 30, 60, 90]).to_pylist()
    assert {"class": "A", "bucket": "over 90 days", "invoices": 2, "open": 150} in found
    assert {"class": None, "bucket": "1-30 days", "invoices": 1, "open": 8} in found and len(found) == 2
    assert bucket_names([0, 30]) == ["not due", "1-30 days", "over 30 days"]


def test_days_sales_outstanding_by_hand() -> None:
    """A has 300 open and was billed 900 in 90 days: 30 days. B was billed nothing lately: null."""
    table = billed(("a", -20, 900, 200), ("a", 200, 500, 100), ("b", 200, 80, 80))
    found = {row["class"]: row["dso"] for row in days_sales_outstanding(table, ON, 90).to_pylist()}
    assert found == {"A": pytest.approx(30.0), "B": None}


def test_expected_overdue_by_hand() -> None:
    """What is not due yet and will be counts half, what is overdue stays, what will not be due counts nothing."""
    table = billed(("a", -10, 100, 100), ("a", -80, 100, 100), ("a", 5, 60, 60), ("a", 5, 60, 0))
    rows = expected_overdue(table, np.array([0.3, 0.3, 0.3, np.nan]), HALF, ON, [30, 90]).to_pylist()
    assert [(row["days"], row["open"], row["overdue_amount"], row["expected"]) for row in rows] == [
        (30, 260, 60, pytest.approx(50 + 60)),
        (90, 260, 60, pytest.approx(50 + 50 + 60)),
    ]


def test_what_has_no_probability_goes_as_the_rest() -> None:
    """Of an objector's open invoice half is expected to be overdue, as of the others; nothing is lost from the sum."""
    table = billed(("a", -10, 100, 100), ("a", -10, 300, 300))
    (row,) = expected_overdue(table, np.array([0.3, np.nan]), HALF, ON, [30]).to_pylist()
    assert row["expected"] == pytest.approx(200) and row["open"] == 400


def test_a22_the_worklist_begins_with_the_largest_expected_loss() -> None:
    """Amount times the chance that it stays open; what no model judges comes last, by amount."""
    table = billed(("a", -10, 100, 100), ("b", 5, 70, 70), ("a", 5, 900, 0), ("b", 1, 30, 30), ("b", 1, 40, 40))
    found = worklist(table, np.array([0.2, 0.2, 0.2, np.nan, np.nan]), HALF, ON, 60).to_pylist()
    assert [(row["open"], row["expected_loss"]) for row in found] == [(70, 70), (100, 50), (40, None), (30, None)]
    assert [row["days_overdue"] for row in found] == [5, 0, 1, 1]
