"""What customers told the company's people, from the month's folder: why they did not buy, and when they will."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from classification.months import EXPECTED, REFUSALS
from classification.past import VALUE_DIMENSION
from classification.report.base import Base, Naming
from features.workspace import read_parquet

WHY = ("reason", "refusals", "customers", "share", "refusals_before")
RECENT = 90
"""Days after which a day that was announced and has passed is no news any more."""

WHEN = ("expected", "told_on", "channel", "days_left", "overdue")


@dataclass(frozen=True)
class Feedback:
    """refusals: the reasons of the last 365 days, columns WHY, the most frequent first, None where the report is about
    a part of the customers for which they were not counted; expected: `customer` and WHEN, the earliest day first, of
    days that have not passed for more than RECENT days."""

    refusals: pa.Table | None
    expected: pa.Table


def read_feedback(base: Base, within: Mapping[str, str], naming: Naming) -> Feedback | None:
    """The feedback of the customers of a base; None where the month was graded without."""
    folder = base.month.folder
    if not (folder / EXPECTED).exists() or not (folder / REFUSALS).exists():
        return None
    refusals = None
    if within.keys() <= {VALUE_DIMENSION}:
        counted = read_parquet(folder / REFUSALS)
        class_ = within.get(VALUE_DIMENSION)
        of = pc.is_null(counted["class"]) if class_ is None else pc.equal(counted["class"], class_)
        refusals = counted.filter(of).select(WHY)
    said = read_parquet(folder / EXPECTED)
    news = pc.greater_equal(said["days_left"], -RECENT)
    mine = said.filter(pc.and_(news, pc.is_in(said["customer_id"], base.ids)))
    named = naming(mine["customer_id"].combine_chunks())
    return Feedback(refusals, mine.select(WHEN).add_column(0, "customer", named))
