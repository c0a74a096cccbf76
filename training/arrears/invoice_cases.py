"""Invoices as cases: what was known of the customer on the day of each, and whether it was paid in time.

The features of a case are those of its customer at the day of the invoice, computed by the kernel over a spine; what
came on that day or later is not seen, and the invoice is what that day said. An invoice is a case once it is decided
whatever happens next: so many days after it was due. An earlier one would be there only if it was paid, and make payers
look better than they are.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.batch import matrix, spine_table, without
from features.catalogue import CATALOGUE
from features.company import Company
from features.progress import Progress, silent
from features.receivables import invoices
from features.spec import AnyFeature
from features.tables.cases import CASES
from features.tables.consents import read_consents
from features.tables.table_source import CaseColumn, Trend
from features.workspace import Workspace, staged

Array = NDArray[np.float64]

TASK = "arrears"
ONE_DAY = np.timedelta64(1, "D")

TRENDS: dict[str, Trend] = {
    "days_late_mean": "rising",
    "days_late_mean_365d": "rising",
    "days_late_max": "rising",
    "days_late_max_365d": "rising",
    "late_share": "rising",
    "late_share_180d": "rising",
    "overdue_balance": "rising",
    "overdue_days_max": "rising",
    "paid_share_365d": "falling",
    "invoices_365d": "falling",
    "orders_365d": "falling",
    "spend_365d": "falling",
    "tenure_days": "falling",
    "recency_days": "rising",
    "silence_ratio": "rising",
    "amount": "rising",
    "usual": "rising",
}
"""What a credit officer expects: whether more of it means more arrears or less. Neither the scorecard nor the trees may
learn the opposite, so that every reason makes sense. Features of the catalogue, and two of OWN."""

PARTS = ("gap_mean", "billed_365d", "paid_365d")
"""Features that others are made of."""

LOOKED_AT: tuple[AnyFeature, ...] = tuple(each for each in CATALOGUE if each.name in TRENDS or each.name in PARTS)
NAMES = tuple(each.name for each in LOOKED_AT)

OWN = {
    "amount": ("value", "minor currency units", "Amount of the invoice."),
    "usual": ("value", "1", "Amount of the invoice over the customer's mean invoice of 365 days; null for the first."),
    "terms": ("discipline", "days", "Days from the invoice to its due day."),
}
"""What a case has of the invoice itself: column → family, unit, meaning."""


def columns() -> dict[str, CaseColumn]:
    """The columns of a case, as a table source would declare them."""
    features = {each.name: (each.family, each.unit, each.doc) for each in LOOKED_AT if each.name not in PARTS}
    return {
        name: CaseColumn(column=name, family=family, type="number", unit=unit, doc=doc, trend=TRENDS.get(name))
        for name, (family, unit, doc) in {**features, **OWN}.items()
    }


def write_cases(
    workspace: Workspace, company: Company, as_of: date, late_days: int, progress: Progress = silent
) -> int:
    """Write the cases that are decided at `as_of` to `workspace.arrears`, in order of time; returns how many. Who
    objects to profiling teaches nothing.

    Columns: case_id (its number), customer_id, label (1: open more than `late_days` days after it was due), split
    (null), asked_on (the day of the invoice), known_on (the first day on which the label was known), due, settled
    (null: open), then `columns`.
    """
    known = invoices(workspace.tables, company.timezone, as_of, as_written=True)
    known = without(known, read_consents(workspace.tables).no_profiling)
    decided = known.filter(pc.less_equal(_after(known["due"], late_days + 1), pa.scalar(as_of, pa.date32())))
    decided = decided.sort_by([("invoiced", "ascending"), ("customer_id", "ascending"), ("ref", "ascending")])
    numbers = case_numbers(workspace.tables, company, decided, decided["invoiced"], progress)
    label = late(decided, late_days)
    table = {
        "case_id": pa.array([str(number) for number in range(1, len(label) + 1)], pa.string()),
        "customer_id": decided["customer_id"],
        "label": pa.array(label.astype(np.int8)),
        "split": pa.nulls(len(label), pa.string()),
        "asked_on": decided["invoiced"],
        "known_on": _after(decided["due"], late_days + 1),
        "due": decided["due"],
        "settled": decided["settled"],
        **{name: pa.array(column, from_pandas=True) for name, column in numbers.items()},
    }
    with staged(workspace.arrears.tables) as folder:
        pq.write_table(pa.table(table), folder / CASES, compression="zstd")
    return len(label)


def case_numbers(
    tables: Path, company: Company, billed: pa.Table, asked: pa.ChunkedArray | pa.Array, progress: Progress = silent
) -> dict[str, Array]:
    """The columns of a case, (n,) each, NaN for null, for invoices (features.receivables.INVOICES) of which is asked
    on the days `asked`."""
    spine = pa.table({"customer_id": billed["customer_id"], "as_of": asked})
    rows = spine_table(tables, company, LOOKED_AT, spine, progress)
    place = pa.table({"customer_id": rows["customer_id"], "as_of": rows["as_of"], "row": np.arange(len(rows))})
    asked_for = spine.append_column("at", pa.array(np.arange(len(spine))))
    found = asked_for.join(place, ["customer_id", "as_of"], join_type="left outer").sort_by("at")
    at = found["row"].to_numpy().astype(float)
    numbers = np.full((len(spine), len(NAMES)), np.nan)
    there = ~np.isnan(at)
    numbers[there] = matrix(rows, NAMES)[at[there].astype(np.intp)]
    features = dict(zip(NAMES, numbers.T, strict=True))
    amount = billed["amount"].to_numpy().astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = features["billed_365d"] / features["invoices_365d"]
        usual = np.where(mean > 0, amount / mean, np.nan)
    terms = (billed["due"].to_numpy() - billed["invoiced"].to_numpy()) / ONE_DAY
    return features | {"amount": amount, "usual": usual, "terms": terms.astype(float)}


def late(billed: pa.Table, late_days: int) -> NDArray[np.bool_]:
    """Which decided invoices were open more than `late_days` days after they were due, shape (n,)."""
    settled = pc.fill_null(billed["settled"], date(2199, 12, 31)).to_numpy()
    return np.asarray((settled - billed["due"].to_numpy()) / ONE_DAY > late_days)


def _after(days: pa.ChunkedArray, many: int) -> pa.ChunkedArray:
    return pc.add(days.cast(pa.int32()), pa.scalar(many, pa.int32())).cast(pa.date32())
