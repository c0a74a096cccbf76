"""The base at monthly dates back from a grading, column by column, as it was known then."""

from __future__ import annotations

import calendar
import heapq
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.attributes import attribute_table
from features.batch import matrix, without, write_features
from features.catalogue import CATALOGUE, NAMES
from features.catalogue.confidential import CONFIDENTIAL
from features.company import Company
from features.progress import Progress, silent
from features.spec import AnyFeature, Combined, Feature, kinds
from features.tables.consents import read_consents
from features.workspace import part_files
from training.recipes import RECIPES
from training.release import Release

Array = NDArray[np.float64]

MONTHS_BACK = 12
"""How many past pairs of months a grading is compared with."""

MOST_CUSTOMERS = 20_000
"""Of a larger base so many are looked at, the same ones every month: those of the smallest pseudonyms, which are keyed
digests. Two disjoint samples of that size have a PSI of .001 by chance."""

FLOW_DAYS = 30


def _flow(kind: str, column: str, unit: str) -> Feature:
    return Feature(
        f"{kind}_{column}_30d", op="mean", column=column, kinds=kinds(kind), days=FLOW_DAYS, family="value", unit=unit,
        doc=f"Mean {column} of a customer's events of kind {kind} in the last 30 days.",
    )  # fmt: skip


FLOWS = tuple(
    _flow(kind, column, unit)
    for kind in ("purchase", "return", "invoice_due", "payment", "transfer_in", "transfer_out")
    for column, unit in (("amount", "minor currency units"), ("quantity", "1"))
)
"""What came in last month, of those customers only of whom something came: a wrong currency in the newest file moves
the features of a whole base too little to be seen."""

RECURRING_DAYS = 396
"""A month can recur only after a year and a month."""


@dataclass(frozen=True)
class Month:
    """The base at `as_of`. columns: name → a value per customer: numbers (n,), NaN for null, or texts, None for null;
    flows have a value for those only of whom something came."""

    as_of: date
    customers: int
    columns: Mapping[str, Array | list[str | None]]


def grid(as_of: date, first_day: date, back: int = MONTHS_BACK) -> tuple[date, ...]:
    """`as_of`, the same day of the month before, and `back` months before that, those after `first_day`; in order."""
    dates = (months_before(as_of, k) for k in range(back + 2))
    return tuple(sorted(day for day in dates if day > first_day))


def months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def read_months(
    tables: Path, company: Company, release: Release, dates: Sequence[date], progress: Progress = silent
) -> list[Month]:
    """Features, flows, `score_…` of the release and `attribute_…` of the base at `dates`, at most MOST_CUSTOMERS of it.

    Who objects to profiling today is left out, whatever the date. Every date is computed from today's tables, with what
    was known then, so that months differ by what happened and not by when they were computed.
    """
    objected = read_consents(tables).no_profiling
    with tempfile.TemporaryDirectory() as scratch:
        write_features(tables, company, (*CATALOGUE, *FLOWS), dates, Path(scratch) / "rows", progress, but=objected)
        parts = part_files(Path(scratch) / "rows")
        last = _last_id(parts)
        blocks = [pq.read_table(part, filters=pc.field("customer_id") <= last) for part in parts]
    rows = pa.concat_tables(blocks)
    attributes = without(attribute_table(tables, dates), objected)
    months = []
    for done, day in enumerate(sorted(set(dates)), 1):
        months.append(_month(day, _at(rows, day), _at(attributes, day), release))
        progress("score past months", done, len(set(dates)))
    return months


def reach(feature: AnyFeature) -> int:
    """How many days before `as_of` a feature looks back; 0 for all there is.

    A window that reaches back before the first day of the data fills up as the data grow: that is no drift.
    """
    if isinstance(feature, Combined):
        return max(reach(_BY_NAME[name]) for name in feature.of)
    if feature.op == "recurring_months":
        return RECURRING_DAYS
    return feature.skip + feature.days


_BY_NAME = {feature.name: feature for feature in (*CATALOGUE, *FLOWS)}
REACH = {name: reach(feature) for name, feature in _BY_NAME.items()} | {f"score_{r.name}": 365 for r in RECIPES}
"""Column → days; the models look at a year, whatever else they look at."""


def _last_id(parts: Sequence[Path]) -> str:
    """The largest pseudonym that is looked at."""
    ids: Iterator[str] = (
        id_
        for part in parts
        for id_ in pc.unique(pq.read_table(part, columns=["customer_id"])["customer_id"]).to_pylist()
    )
    return max(heapq.nsmallest(MOST_CUSTOMERS, ids), default="")


def _at(table: pa.Table, day: date) -> pa.Table:
    return table.filter(pc.equal(table["as_of"], pa.scalar(day, pa.date32())))


def _month(day: date, table: pa.Table, attributes: pa.Table, release: Release) -> Month:
    rows = matrix(table, NAMES)
    columns: dict[str, Array | list[str | None]] = {
        name: rows[:, i].copy() for i, name in enumerate(NAMES) if name not in CONFIDENTIAL
    }
    flows = {each.name: matrix(table, [each.name])[:, 0] for each in FLOWS}
    columns |= {name: column[~np.isnan(column)] for name, column in flows.items()}
    scores = release.score(rows) if len(rows) else {}
    columns |= {f"score_{name}": score for name, score in scores.items() if name in release.models}
    for name in sorted(pc.unique(attributes["attribute"]).to_pylist()):
        own = attributes.filter(pc.equal(attributes["attribute"], name))
        known = dict(zip(own["customer_id"].to_pylist(), own["value"].to_pylist(), strict=True))
        columns[f"attribute_{name}"] = [known.get(id_) for id_ in table["customer_id"].to_pylist()]
    return Month(day, len(rows), columns)
