"""Worklists: whom to answer, whom to visit, where to save, and who is whose.

Each is a table of a graded month's customers, by pseudonym, made of the month's classes, the events visible at a date,
and the playbook. Amounts are minor currency units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from classification.months import CLASS, Month
from classification.past import VALUE_DIMENSION
from classification.playbook import Playbook, check_fits
from classification.plays import Play, plays_of
from classification.scheme import Scheme, load_scheme
from features.company import Company
from features.errors import InputError
from features.tables.sql import parquet, visible
from features.workspace import Workspace, damaged, read_json, read_parquet

LOOKED_AT = ("complaint", "complaint_closed", "contact")
VISITORS = ("representative", "supervisor")
"""Who visits: the channels of `contact` events that are visits, and the fields of `playbook.Visits`."""

VISITS = pa.struct([(visitor, pa.int64()) for visitor in VISITORS])
COST = "service_cost_365d"
VALUE = f"{CLASS}{VALUE_DIMENSION}"

OPEN = """steps AS ( -- what its own closing did not close, and the closings of no complaint in particular
    SELECT *, 1 AS step FROM seen c WHERE kind = 'complaint' AND NOT EXISTS (
        FROM seen x WHERE x.kind = 'complaint_closed'
        AND x.customer_id = c.customer_id AND x.ref = c.ref AND x.ts >= c.ts)
    UNION ALL SELECT *, -1 FROM seen WHERE kind = 'complaint_closed' AND ref IS NULL
), counted AS (
    SELECT customer_id, step, sum(step) OVER until AS n FROM steps
    WINDOW until AS (PARTITION BY customer_id ORDER BY ts, step DESC ROWS UNBOUNDED PRECEDING)
), sums AS ( -- a closing that finds nothing open closes nothing, and each other one the oldest: the newest are left
    SELECT customer_id, sum(step) - least(0, min(n)) AS still FROM counted GROUP BY customer_id
), open AS (
    SELECT steps.* FROM steps JOIN sums USING (customer_id) WHERE step = 1
    QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY ts DESC, event_id DESC) <= still
)"""
"""The rows of `seen`, complaints and their closings, that are complaints still open."""


@dataclass(frozen=True)
class Base:
    """The customers of a graded month: rows of its grades.parquet with classes, no_marketing and service cost.

    whole: whether they are all of the month's.
    """

    workspace: Workspace
    scheme: Scheme
    timezone: str
    as_of: date
    grades: pa.Table
    whole: bool = True

    def within(self, classes: Mapping[str, str]) -> Base:
        """Only the customers of these classes, dimension → class."""
        grades = self.grades
        for name, class_ in classes.items():
            grades = grades.filter(pc.equal(grades[f"{CLASS}{name}"], class_))
        return replace(self, grades=grades, whole=self.whole and not classes)


def read_base(workspace: Workspace, month: Month) -> Base:
    """The customers of a month. Raises InputError for one without a dimension of value."""
    scheme = load_scheme(month.scheme)
    if VALUE_DIMENSION not in scheme.dimensions:
        raise InputError(
            month.folder, f"scheme {scheme.version} without the dimension {VALUE_DIMENSION}", "one with it"
        )
    columns = ["customer_id", *(f"{CLASS}{name}" for name in scheme.dimensions), "no_marketing", COST]
    grades = read_parquet(month.folder / "grades.parquet", columns=columns)
    company = Company.from_json(read_json(month.folder / "snapshot.json")["company"])
    return Base(workspace, scheme, company.timezone, month.as_of, grades)


def open_complaints(base: Base, on: date) -> pa.Table:
    """The complaints that are open on a day: customer_id, value, opened, age_days, code; the best class of value first,
    then the oldest first. value: null for a customer who is not graded, last.

    A complaint is closed by a `complaint_closed` of its ref, then or later. One without a ref closes the oldest
    complaint of the customer that is open by then.
    """
    rank = {class_: i for i, class_ in enumerate(base.scheme.dimensions[VALUE_DIMENSION].all)}
    grades = base.grades.select(["customer_id", VALUE])
    order = pa.table({VALUE: list(rank), "rank": list(rank.values())})
    return _ask(
        base,
        on,
        f"""{OPEN}
        SELECT customer_id, {VALUE} AS value, day AS opened, DATE '{on}' - day AS age_days, code
        FROM open {"LEFT JOIN" if base.whole else "JOIN"} grades USING (customer_id) LEFT JOIN ranks USING ({VALUE})
        ORDER BY rank NULLS LAST, ts, customer_id, event_id""",
        {"grades": grades, "ranks": order},
    )


def due_visits(base: Base, playbook: Playbook, on: date) -> pa.Table:
    """When customers are due for a visit: customer_id, value, visitor, last, due, overdue, no_marketing; first due
    first. last: the last `contact` through the visitor before the day, null for none: due at once."""
    wanted = base.grades.select(["customer_id", VALUE, "no_marketing"])
    visits = _say(base, playbook, lambda play: play.visits.model_dump() if play.visits else None, VISITS)
    for visitor, days in zip(VISITORS, visits.flatten(), strict=True):
        wanted = wanted.append_column(visitor, days)
    return _ask(
        base,
        on,
        f"""intervals AS (UNPIVOT wanted ON {", ".join(VISITORS)} INTO NAME visitor VALUE days),
        visits AS (
            SELECT customer_id, channel AS visitor, max(day) AS last FROM seen WHERE kind = 'contact'
            GROUP BY customer_id, channel
        )
        SELECT customer_id, {VALUE} AS value, visitor, last,
            coalesce(last + days::INTEGER, DATE '{on}') AS due, due < DATE '{on}' AS overdue, no_marketing
        FROM intervals LEFT JOIN visits USING (customer_id, visitor) ORDER BY due, visitor, customer_id""",
        {"wanted": wanted},
    )


def over_cap(base: Base, playbook: Playbook) -> pa.Table:
    """Customers whose service of the 365 days before the month's end cost more than the cap of their play:
    customer_id, value, service_cost_365d, cap, over; the furthest over first."""
    cap = _say(base, playbook, lambda play: play.cap, pa.int64())
    cost = base.grades[COST].cast(pa.int64(), safe=False)
    columns = {"customer_id": base.grades["customer_id"], "value": base.grades[VALUE], COST: cost, "cap": cap}
    found = pa.table({**columns, "over": pc.subtract(cost, cap)})
    found = found.filter(pc.greater(found["over"], 0))
    return found.sort_by([("over", "descending"), ("customer_id", "ascending")])


def owners(base: Base, playbook: Playbook) -> pa.Table:
    """Who is whose: owner, value, customers; how many customers of each class of value each owner has, most first."""
    owner = _say(base, playbook, lambda play: play.owner, pa.string())
    found = pa.table({"owner": owner, "value": base.grades[VALUE]}).group_by(["owner", "value"])
    found = found.aggregate([([], "count_all")]).rename_columns(["owner", "value", "customers"])
    return found.sort_by([("customers", "descending"), ("owner", "ascending"), ("value", "ascending")])


def _say(base: Base, playbook: Playbook, what: Callable[[Play], Any], type_: pa.DataType) -> pa.Array:
    """What the play of each customer says."""
    check_fits(playbook, base.scheme.version)
    plays, which = plays_of(playbook, base.grades)
    return pa.array(map(what, plays), type_).take(pa.array(which))


def _ask(base: Base, on: date, query: str, tables: Mapping[str, pa.Table]) -> pa.Table:
    """The answer to a query that begins within WITH, over `tables` and `seen`, the events visible on a day."""
    events = base.workspace.tables / "events.parquet"
    seen = f"FROM {parquet(events)} WHERE kind IN {LOOKED_AT} AND {visible(on, base.timezone)}"
    try:
        with duckdb.connect() as db:
            for name, table in tables.items():
                db.register(name, table)
            return db.sql(f"WITH seen AS ({seen}), {query}").to_arrow_table()
    except duckdb.Error as error:
        raise damaged(events, error) from None
