"""The institution's report: whether everybody is graded, who moved, what is overdue. Numbers of groups, no customer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from classification.laundering.alerts import read_alerts, states
from classification.laundering.coverage import Coverage, coverage
from classification.laundering.records import Records
from classification.laundering.register import current, scheme_of
from classification.laundering.reviews import outcomes, read_acts
from classification.laundering.scheme import LaunderingScheme
from features.workspace import Workspace

SOON = 30
"""Days within which a review is due soon."""

NEW, LEFT = "new", "left"
"""Where a customer comes from who was in no register before, and where one goes who is in the next no more."""


@dataclass(frozen=True)
class Duty:
    """What is owed to the customers of a grade: how many there are, reviews overdue and due soon, assessments that wait
    for a second person, the due diligence that is asked and by how many it is lacked."""

    grade: str
    customers: int
    overdue: int
    soon: int
    waits: int
    due_diligence: str
    lacks: int


@dataclass(frozen=True)
class InstitutionReport:
    """A register as it stands at the day `on`. against: the day of the register before, None for the first.

    moves: (grade before or new, grade now or left) → customers; before: grade → customers of the register before;
    grounds: (grade, ground) → customers; late, in_time, unknown: first gradings of those who came since the register
    began, and how many of all of whom it is not known when they came; alerts: (typology, stage, state) → alerts;
    known: factor → share of the customers of whom its value is known.
    """

    title: str
    on: date
    as_of: date
    against: date | None
    scheme: LaunderingScheme
    coverage: Coverage
    duties: Sequence[Duty]
    before: dict[str, int]
    moves: dict[tuple[str, str], int]
    grounds: dict[tuple[str, str], int]
    late: int
    in_time: int
    unknown: int
    alerts: dict[tuple[str, str, str], int]
    known: dict[str, float]


def institution_report(
    records: Records, workspace: Workspace, title: str, timezone: str, on: date
) -> InstitutionReport:
    """The report of the last register, with what persons decided up to the day `on`."""
    now, scheme = current(records, workspace, on), scheme_of(records.register())
    days = records.days()
    old = records.register(days[-2]) if len(days) > 1 else None
    rows = now.select(["grade", "ground", "review_due", "overdue", "waits", "due_diligence", "diligence_lacks"])
    late, by = now["late"].to_pylist(), now["grade_by"].to_pylist()
    alerts = read_alerts(records)
    return InstitutionReport(
        title=title,
        on=on,
        as_of=days[-1],
        against=days[-2] if old is not None else None,
        scheme=scheme,
        coverage=coverage(workspace.tables, timezone, days[-1], now["customer_id"]),
        duties=[_duty(scheme, grade, rows, on) for grade in scheme.grades],
        before=dict(Counter(old["grade"].to_pylist())) if old is not None else {},
        moves=_moves(old, now),
        grounds=dict(Counter(zip(now["grade"].to_pylist(), now["ground"].to_pylist(), strict=True))),
        late=late.count(True),
        in_time=sum(1 for was, day in zip(late, by, strict=True) if was is False and day >= days[0]),
        unknown=late.count(None),
        alerts=dict(Counter(_groups(alerts, states(alerts, outcomes(read_acts(records)))))),
        known={name: _share_known(now, name) for name in scheme.factors},
    )


def _duty(scheme: LaunderingScheme, grade: str, rows: pa.Table, on: date) -> Duty:
    mine = rows.filter(pc.equal(rows["grade"], grade))
    due = [day for day in mine["review_due"].to_pylist() if on <= day <= on + timedelta(days=SOON)]
    overdue, waits, lacks = (pc.sum(mine[name]).as_py() or 0 for name in ("overdue", "waits", "diligence_lacks"))
    return Duty(grade, mine.num_rows, overdue, len(due), waits, scheme.due_diligence[grade], lacks)


def _moves(old: pa.Table | None, now: pa.Table) -> dict[tuple[str, str], int]:
    """(grade before, grade now) → customers, of every customer of either register."""
    if old is None:
        return {}
    before, after = (dict(zip(t["customer_id"].to_pylist(), t["grade"].to_pylist(), strict=True)) for t in (old, now))
    return dict(Counter((before.get(each, NEW), after.get(each, LEFT)) for each in {**before, **after}))


def _groups(alerts: pa.Table, said: Sequence[str]) -> list[Any]:
    return [(row["typology"], row["stage"] or "", state) for row, state in zip(alerts.to_pylist(), said, strict=True)]


def _share_known(now: pa.Table, factor: str) -> float:
    return 1 - now[f"value_{factor}"].null_count / now.num_rows if now.num_rows else 0.0
