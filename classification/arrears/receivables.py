"""What is open at a date, by how long it is overdue, by class, and what to expect of it. Amounts: minor currency units.

`billed` are invoices as `features.receivables.invoices` has them at that date, with a column `class` (what they are
told apart by; null: nothing is known of the customer's class).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from training.arrears.curve import Curves, Days

Array = NDArray[np.float64]

NOT_DUE = "not due"


def with_class(billed: pa.Table, classes: pa.Table | None) -> pa.Table:
    """Invoices with the class of their customers, from a table customer_id, class."""
    if classes is None:
        return billed.append_column("class", pa.nulls(len(billed), pa.string()))
    place = pc.index_in(billed["customer_id"], classes["customer_id"].combine_chunks())
    return billed.append_column("class", classes["class"].take(place))


def bucket_names(ageing: Sequence[int]) -> list[str]:
    """The buckets of an ageing report, by the days overdue up to which each goes, as in 0, 30, 60: `not due`,
    `1-30 days`, `31-60 days`, `over 60 days`."""
    between = [f"{low + 1}-{high} days" for low, high in pairwise(ageing)]
    return [NOT_DUE, *between, f"over {ageing[-1]} days"]


def ageing(billed: pa.Table, on: date, limits: Sequence[int]) -> pa.Table:
    """class, bucket, invoices, open: open invoices by class and by days overdue on the day before `on`."""
    left = billed.filter(pc.greater(billed["open"], 0))
    names = bucket_names(limits)
    place = np.searchsorted(limits, days_overdue(left, on), side="left")
    found = pa.table({"class": left["class"], "place": place, "open": left["open"]})
    found = found.group_by(["class", "place"]).aggregate([("open", "count"), ("open", "sum")])
    found = found.sort_by([("class", "ascending"), ("place", "ascending")])
    return pa.table(
        {
            "class": found["class"],
            "bucket": pa.array([names[at] for at in found["place"].to_pylist()], pa.string()),
            "invoices": found["open_count"],
            "open": found["open_sum"],
        }
    )


def days_sales_outstanding(billed: pa.Table, on: date, days: int) -> pa.Table:
    """class, open, billed, dso: what is open over what was billed in the `days` before `on`, times those days.

    The count-back's simpler sister, as most credit departments report it; null where nothing was billed.
    """
    lately = pc.greater_equal(billed["invoiced"], pa.scalar(on - timedelta(days=days), pa.date32()))
    amount = pc.if_else(lately, billed["amount"], 0)
    found = pa.table({"class": billed["class"], "open": billed["open"], "billed": amount})
    found = found.group_by("class").aggregate([("open", "sum"), ("billed", "sum")]).sort_by("class")
    sales = found["billed_sum"].to_numpy().astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        dso = np.where(sales > 0, found["open_sum"].to_numpy() / sales * days, np.nan)
    named = found.rename_columns(["class", "open", "billed"])
    return named.append_column("dso", pa.array(dso, from_pandas=True))


def expected_overdue(
    billed: pa.Table, probability: Array, curves: Curves, on: date, horizons: Sequence[int]
) -> pa.Table:
    """class, days, open, overdue_amount, expected: of what is open now, the part that will be open and past its due day
    so many days from `on`; overdue_amount: the part that is past it now. probability (n,): of arrears; of what has
    none, as much stays open as of the rest.

    What will be billed meanwhile is not in it.
    """
    open_ = billed["open"].to_numpy().astype(float)
    since = days_overdue(billed, on)
    parts = []
    for days in horizons:
        stays = _filled(curves.still_open(probability, since, since + days), open_)
        expected = np.where((open_ > 0) & (since + days > 0), open_ * stays, 0.0)
        columns = {"open": open_, "overdue_amount": np.where(since > 0, open_, 0.0), "expected": expected}
        parts.append(pa.table({"class": billed["class"], "days": np.full(len(billed), days), **columns}))
    table = pa.concat_tables(parts).group_by(["class", "days"])
    found = table.aggregate([("open", "sum"), ("overdue_amount", "sum"), ("expected", "sum")])
    named = found.rename_columns(["class", "days", "open", "overdue_amount", "expected"])
    return named.sort_by([("days", "ascending"), ("class", "ascending")])


def _filled(stays: Array, open_: Array) -> Array:
    """Shares that stay open, where one is unknown the mean of the others by amount; all, where none is known."""
    known = ~np.isnan(stays) & (open_ > 0)
    mean = float(np.average(stays[known], weights=open_[known])) if known.any() else 1.0
    return np.where(np.isnan(stays), mean, stays)


def worklist(billed: pa.Table, probability: Array, curves: Curves, on: date, loss_days: int) -> pa.Table:
    """Open invoices, the largest expected loss first: customer_id, ref, class, due, days_overdue, open, probability,
    expected_loss: the open amount times the probability that it is still open `loss_days` days after it was due.

    probability: of arrears, as on `on`; null where no model answers, and so is the loss, whose place is then by
    amount.
    """
    left = billed["open"].to_numpy() > 0
    mine, chance = billed.filter(pa.array(left)), probability[left]
    since = days_overdue(mine, on)
    stays = curves.still_open(chance, since, np.maximum(since, loss_days))
    loss = np.round(mine["open"].to_numpy() * stays)
    found = pa.table(
        {
            "customer_id": mine["customer_id"],
            "ref": mine["ref"],
            "class": mine["class"],
            "due": mine["due"],
            "days_overdue": np.maximum(since, 0),
            "open": mine["open"],
            "probability": pa.array(chance, from_pandas=True),
            "expected_loss": pa.array(loss, from_pandas=True),
        }
    )
    order = [
        ("expected_loss", "descending"),
        ("open", "descending"),
        ("customer_id", "ascending"),
        ("ref", "ascending"),
    ]
    known = pc.is_valid(found["expected_loss"])
    parts = [found.filter(rows) for rows in (known, pc.invert(known))]
    return pa.concat_tables([part.take(pc.sort_indices(part, sort_keys=order)) for part in parts])


def days_overdue(billed: pa.Table, on: date) -> Days:
    """Days from the due day to the day before `on`, the last that is seen; negative: not due yet. Shape (n,)."""
    last = np.datetime64(on - timedelta(days=1), "D")
    return np.asarray((last - billed["due"].to_numpy().astype("datetime64[D]")).astype(np.int64))
