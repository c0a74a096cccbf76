"""Where customers stand at a day: the system's grade, what persons decided, and when they are looked at again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from classification.laundering.reviews import Reviewed, holds, saw
from classification.laundering.scheme import DILIGENCE, LaunderingScheme

Days = NDArray[np.datetime64]

REVIEW, HELD = "review", "held"
"""The grounds beside those of the scheme: a person's review; and the highest grade, which nobody leaves without one."""

STANDING = (
    pa.field("grade", pa.string(), nullable=False),
    pa.field("ground", pa.string(), nullable=False),  # that of the system, review or held
    pa.field("since", pa.date32(), nullable=False),  # the day from which the grade is this one
    pa.field("due_diligence", pa.string(), nullable=False),  # what the grade asks
    pa.field("diligence_done", pa.string()),  # the kind of the last one that was done
    pa.field("diligence_on", pa.date32()),
    pa.field("diligence_lacks", pa.bool_(), nullable=False),  # less was done than the grade asks
    pa.field("reviewed", pa.date32()),  # the last confirmed review
    pa.field("review_due", pa.date32(), nullable=False),
    pa.field("overdue", pa.bool_(), nullable=False),
    pa.field("waits", pa.bool_(), nullable=False),  # an assessment waits for a second person
)
"""The columns of `stand`, which follow from a register's others, the acts and the day."""


def stand(
    system: pa.Table, reviews: Mapping[str, Reviewed], scheme: LaunderingScheme, day: date, earlier: pa.Table
) -> pa.Table:
    """The columns STANDING of the customers of `system`, at a day.

    system: customer_id, system_grade, system_ground, signal, graded_on; earlier: grade and since of the same
    customers before, null for those who had none. Nobody leaves the highest grade but by a review that saw it (`saw`).
    """
    rank = np.array([scheme.rank[each] for each in system["system_grade"].to_pylist()], np.int64)
    ground = np.array(system["system_ground"].to_pylist(), object)
    began = np.full(system.num_rows, np.datetime64(day), "datetime64[D]")
    reviewed = np.full(system.num_rows, np.datetime64("NaT"), "datetime64[D]")
    was, since = np.array(earlier["grade"].to_pylist(), object), _days(earlier["since"])
    held = was == scheme.top
    done, on, waits = [None] * system.num_rows, list[date | None]([None] * system.num_rows), [False] * system.num_rows
    for place, mine in _places(system, reviews):
        review, signal = mine.standing, system["signal"][place].as_py()
        if review and holds(scheme, review, int(rank[place]), signal):
            rank[place], ground[place] = scheme.rank[review.grade], REVIEW
            began[place] = review.counted
        if held[place] and review:
            held[place] = not saw(scheme, review, since[place].astype(object), signal)
        reviewed[place] = mine.reviewed or np.datetime64("NaT")
        done[place], on[place] = mine.diligence or (None, None)  # type: ignore[call-overload]
        waits[place] = mine.pending is not None
    held &= rank > 0
    rank[held], ground[held] = 0, HELD
    grades = np.array(scheme.grades, object)[rank]
    since = np.where(was == grades, since, began)
    due = review_due(scheme, rank, reviewed, _days(system["graded_on"]), since)
    asked = [scheme.due_diligence[each] for each in grades]
    lacks = [had is None or DILIGENCE.index(had) < DILIGENCE.index(want) for had, want in zip(done, asked, strict=True)]
    columns = [grades, ground, since, asked, done, on, lacks, _column(reviewed), due, due < np.datetime64(day), waits]
    made = [pa.array(column, field.type) for column, field in zip(columns, STANDING, strict=True)]
    return pa.Table.from_arrays(made, schema=pa.schema(STANDING))


def review_due(scheme: LaunderingScheme, rank: NDArray[np.int64], reviewed: Days, graded_on: Days, since: Days) -> Days:
    """The last day for the next review, (n,) each: an interval of the grade after the last confirmed review, or after
    the first grading, but the first review at most so many days after it; never before the day on which the grade
    became what it is."""
    interval = np.array([scheme.review_days[each] for each in scheme.grades], np.int64)[rank]
    first = np.minimum(interval, scheme.first_review_within_days)
    after = np.where(np.isnat(reviewed), graded_on + first, reviewed + interval)
    found: Days = np.maximum(after, since)
    return found


def _places(system: pa.Table, reviews: Mapping[str, Reviewed]) -> list[tuple[int, Reviewed]]:
    """The row of each customer of whom something was decided."""
    ids = list(reviews)
    places = pc.index_in(pa.array(ids, pa.string()), system["customer_id"].combine_chunks()).to_pylist()
    return [(place, reviews[id_]) for id_, place in zip(ids, places, strict=True) if place is not None]


def _days(column: pa.ChunkedArray) -> Days:
    found: Days = column.to_numpy().astype("datetime64[D]")
    return found


def _column(days: Days) -> pa.Array:
    return pa.array(days, pa.date32(), from_pandas=True)
