"""The register: everybody is in it, persons' words are kept, events raise at once; alerts are counted once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from classification.laundering.alerts import ALERTS, FOUND, counting, decided_until, merge_findings, read_alerts
from classification.laundering.known import since
from classification.laundering.page import to_html
from classification.laundering.register import Inputs, current
from classification.laundering.report import institution_report
from classification.laundering.reviews import add_act
from features.errors import InputError
from features.tables.events import CUSTOMERS
from features.tables.merges import FILE, MERGES
from features.workspace import Workspace
from tests.classification.laundering.bank import (
    DAY,
    SAFE,
    customer,
    days_later,
    happened,
    records_of,
    run,
    scheme_with,
    write_tables,
)

ANNA, BERT, CARL, DORA, EMIL, FAY = map(customer, range(1, 7))
BEFORE = days_later(-10)
PEOPLE: Mapping[str, Mapping[str, str | None]] = {
    ANNA: SAFE,
    BERT: {**SAFE, "no_profiling": "yes"},
    CARL: {"industry": "gambling", "signed_up": "2020-01-01"},
    EMIL: {"no_marketing": "yes"},
}
EVENTS = [happened(DORA, "transfer_in", BEFORE, amount=500), happened(ANNA, "purchase", BEFORE, amount=100, ref="1")]


def say(
    workspace: Workspace, who: str, row: Mapping[str, Any], day: date, first: str = "L", second: bool = True
) -> None:
    """A person gives a customer a grade on a day, and another one confirms it."""
    said = {"grade": first, "earlier": row["grade"], "basis": row["as_of"], "basis_grade": row["system_grade"]}
    with records_of(workspace).changing() as now:
        number = add_act(now, "assess", who, day, "looked at", **said)
    with records_of(workspace, "tom").changing() as now:
        add_act(now, "confirm", who, day, "agreed", refers=number)


def test_a25_nobody_is_ungraded(tmp_path: Path) -> None:
    """Not who objects to profiling, nor who never bought, nor who has no attribute; a consent makes nobody a customer.
    The report counts them by another way."""
    workspace = write_tables(tmp_path, EVENTS, PEOPLE)
    found = run(workspace)
    assert found.keys() == {ANNA, BERT, CARL, DORA}
    assert {row["grade"] for row in found.values()} == {"L"} and found[BERT]["ground"] == "lowest:public_body"
    assert found[CARL]["value_industry"] == "gambling" and found[CARL]["sub_industry"] == 5
    assert found[DORA]["value_industry"] is None and found[DORA]["sub_industry"] == 2
    report = institution_report(records_of(workspace), workspace, "Bank", "Europe/Berlin", DAY)
    assert report.coverage.whole and report.coverage.customers == report.coverage.graded == 4
    write_tables(tmp_path, [*EVENTS, happened(FAY, "transfer_out", BEFORE)], PEOPLE)
    report = institution_report(records_of(workspace), workspace, "Bank", "Europe/Berlin", DAY)
    assert not report.coverage.whole and report.coverage.ungraded == 1


def test_a25_what_happens_later_is_not_known_before(tmp_path: Path) -> None:
    """An event counts from the day after it; one that became known later from the day after that."""
    late = happened(BERT, "list_hit", BEFORE) | {"known_at": happened(BERT, "x", days_later(2))["known_at"]}
    workspace = write_tables(tmp_path, [*EVENTS, happened(ANNA, "list_hit", DAY), late], PEOPLE)
    grades = [[run(workspace, days_later(days))[who]["grade"] for who in (ANNA, BERT)] for days in (0, 1, 2, 3)]
    assert grades == [["L", "L"], ["H", "L"], ["H", "L"], ["H", "H"]]


def test_a25_an_event_raises_at_once_also_over_a_persons_grade(tmp_path: Path) -> None:
    """A person clears a hit; the hit that it saw raises no more, a new one does, on the next day."""
    hit = happened(ANNA, "list_hit", BEFORE)
    workspace = write_tables(tmp_path, [*EVENTS, hit], PEOPLE)
    row = run(workspace)[ANNA]
    assert (row["grade"], row["ground"]) == ("H", "highest:list_hit")
    say(workspace, ANNA, row, DAY)
    assert run(workspace, DAY)[ANNA]["grade"] == "H"  # what was said on a day counts from the next
    row = run(workspace, days_later(1))[ANNA]
    assert (row["grade"], row["ground"], row["system_grade"], row["earlier"]) == ("L", "review", "H", "H")
    write_tables(tmp_path, [*EVENTS, hit, happened(ANNA, "list_hit", days_later(5))], PEOPLE)
    assert run(workspace, days_later(5))[ANNA]["grade"] == "L"
    row = run(workspace, days_later(6))[ANNA]
    assert (row["grade"], row["earlier"], row["since"]) == ("H", "L", days_later(6))


@pytest.mark.parametrize(("days", "wanted"), [(365, "M"), (366, "L")])
def test_a25_events_raise_within_their_days(tmp_path: Path, days: int, wanted: str) -> None:
    workspace = write_tables(tmp_path, [*EVENTS, happened(CARL, "suspicious_report", days_later(-days))], PEOPLE)
    assert run(workspace)[CARL]["grade"] == wanted


def test_who_came_when_is_told_by_the_first_thing_known_too(tmp_path: Path) -> None:
    """Without the attribute the first day from which anything is known of a customer; not where something was ever
    known, and not the day on which we graded its credit."""
    rows = [
        ("f", "pep", date(2026, 11, 16)), ("f", "country", date(2026, 11, 20)),
        ("e", "pep", None), ("e", "country", date(2026, 11, 20)),
        ("c", "credit_grade", date(2026, 11, 20)),
    ]  # fmt: skip
    table = [
        {"customer_id": who * 32, "attribute": name, "value": "no", "valid_from": day, "family": "risk"}
        for who, name, day in rows
    ]
    path = tmp_path / "customers.parquet"
    pq.write_table(pa.Table.from_pylist(table, CUSTOMERS), path)
    ids = pa.array([who * 32 for who in "cefa"], pa.string())
    assert since(path, ids).to_pylist() == [None, None, date(2026, 11, 16), None]


@pytest.mark.parametrize(("opened", "late"), [("2026-11-16", True), ("2026-11-17", False), ("2026-11-01", False)])
def test_a24_a_first_grading_is_late_after_ten_working_days(tmp_path: Path, opened: str, late: bool) -> None:
    """The register began on 20 November: whoever had to be graded before is no new customer."""
    workspace = write_tables(tmp_path, EVENTS, PEOPLE)
    run(workspace, date(2026, 11, 20))
    write_tables(tmp_path, EVENTS, {**PEOPLE, FAY: {**SAFE, "signed_up": opened}})
    row = run(workspace)[FAY]
    assert row["late"] == late and row["graded_on"] == DAY and row["earlier"] is None
    assert run(workspace, days_later(30))[FAY]["graded_on"] == DAY
    write_tables(tmp_path, EVENTS, {**PEOPLE, FAY: {**SAFE, "signed_up": "soon"}})
    assert run(workspace, days_later(31))[FAY]["late"] is None


def test_the_same_day_gives_the_same_register_and_no_earlier_one_follows(tmp_path: Path) -> None:
    workspace = write_tables(tmp_path, EVENTS, PEOPLE)
    assert run(workspace) == run(workspace)
    with pytest.raises(InputError, match="a day from 2026-12-01 on"):
        run(workspace, days_later(-1))


def test_a_merged_customer_keeps_its_first_day_and_its_reviews(tmp_path: Path) -> None:
    workspace = write_tables(tmp_path, EVENTS, PEOPLE)
    say(workspace, CARL, run(workspace, days_later(-5))[CARL], days_later(-5), "M")
    people = {who: said for who, said in PEOPLE.items() if who != CARL} | {FAY: PEOPLE[CARL]}
    write_tables(tmp_path, EVENTS, people)
    assert run(workspace, days_later(-3))[FAY]["graded_on"] == days_later(-3)
    pq.write_table(pa.table([[CARL], [FAY]], schema=MERGES), workspace.tables / FILE)
    row = run(workspace)[FAY]
    assert (row["grade"], row["ground"]) == ("M", "review")


def merge(workspace: Workspace, one: str, other: str) -> None:
    pq.write_table(pa.table([[one], [other]], schema=MERGES), workspace.tables / FILE)


RISKY = {**SAFE, "pep": "yes", "country": "FR"}


def test_a25_no_review_speaks_for_who_is_merged_after_it(tmp_path: Path) -> None:
    """Anna's review, of a foreign politically exposed person, knew nothing of Bert's two reports; nor does it release
    Bert when they are over a year old. One that sees them does."""
    reports = [happened(BERT, "suspicious_report", days_later(-days)) for days in (50, 51)]
    workspace = write_tables(tmp_path, reports, {ANNA: RISKY, BERT: SAFE})
    say(workspace, ANNA, run(workspace, days_later(-30))[ANNA], days_later(-28))
    merge(workspace, ANNA, BERT)
    assert current(records_of(workspace), workspace, DAY, BERT)["grade"].to_pylist() == ["H"]
    assert current(records_of(workspace), workspace, DAY, ANNA)["grade"].to_pylist() == ["L"]
    write_tables(tmp_path, reports, {BERT: SAFE})
    for days, ground in ((0, "highest:repeated_reports"), (1, "highest:repeated_reports"), (400, "held")):
        row = run(workspace, days_later(days))[BERT]
        assert (row["grade"], row["ground"]) == ("H", ground)
    say(workspace, BERT, row, days_later(401))
    assert run(workspace, days_later(402))[BERT]["ground"] == "review"


def test_a25_the_highest_grade_survives_a_merge(tmp_path: Path) -> None:
    """Held under its id, it is held under its survivor, a new customer or one of a lower grade, since the same day."""
    reports = [happened(ANNA, "suspicious_report", days_later(-days)) for days in (350, 351)]
    for other in ({}, {BERT: SAFE}):
        workspace = write_tables(tmp_path / str(len(other)), reports, {ANNA: SAFE, **other})
        assert run(workspace, days_later(-30))[ANNA]["grade"] == "H"
        moved = [event | {"customer_id": BERT} for event in reports]
        merge(write_tables(tmp_path / str(len(other)), moved, {BERT: SAFE}), ANNA, BERT)
        row = run(workspace, days_later(100))[BERT]
        assert (row["ground"], row["since"], row["graded_on"]) == ("held", days_later(-30), days_later(-30))


def finding(who: str, first: int, last: int, typology: str = "fan_in", **said: Any) -> dict[str, Any]:
    days = {"first_day": days_later(first), "last_day": days_later(last)}
    return {"customer_id": who, "typology": typology, "stage": "layering", "strength": 1.0, **days} | said


def found(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), FOUND)


def test_an_alert_is_told_once() -> None:
    """The same customer and typology with a day in common; another day, typology or customer is another alert."""
    first, new = merge_findings(ALERTS.empty_table(), found(finding(ANNA, -20, -10)), {}, DAY, {})
    assert new == 1
    others = [finding(ANNA, -9, -5), finding(ANNA, -15, -12, "cycle"), finding(BERT, -15, -12)]
    again, new = merge_findings(first, found(finding(ANNA, -10, -10), *others), {}, days_later(1), {})
    assert new == 3 and again["alert_id"].to_pylist() == [1, 2, 3, 4]
    assert merge_findings(again, found(*others), {}, days_later(2), {})[1] == 0
    grown, new = merge_findings(first, found(finding(ANNA, -10, -3)), {}, DAY, {})
    assert new == 0 and grown["last_day"].to_pylist() == [days_later(-3)]
    assert merge_findings(first, found(finding(BERT, -12, -8)), {}, DAY, {ANNA: BERT})[1] == 0
    with pytest.raises(InputError, match="no column stage"):
        merge_findings(first, found().drop_columns(["stage"]), {}, DAY, {})


def test_what_follows_a_decided_alert_alerts_again() -> None:
    """A decided alert keeps its days; a finding is the same only when more than half of its days are among them. What
    is open grows, though a decided one has a day of it, too."""
    alerts, _ = merge_findings(ALERTS.empty_table(), found(finding(ANNA, -20, -10)), {}, DAY, {})
    alerts, new = merge_findings(alerts, found(finding(ANNA, -14, -8)), {1: "cleared"}, DAY, {})
    assert new == 0 and alerts["last_day"].to_pylist() == [days_later(-10)]
    assert merge_findings(alerts, found(finding(ANNA, -13, -6)), {1: "cleared"}, DAY, {})[1] == 1
    alerts, new = merge_findings(alerts, found(finding(ANNA, -10, 19)), {1: "cleared"}, DAY, {})
    assert new == 1 and decided_until(alerts, {1: "cleared"}) == {(ANNA, "fan_in"): days_later(-10)}
    alerts, new = merge_findings(alerts, found(finding(ANNA, -11, 20)), {1: "cleared"}, DAY, {})
    assert new == 0 and alerts["last_day"].to_pylist() == [days_later(-10), days_later(20)]


def test_a_decision_counts_in_a_run_of_its_own_day(tmp_path: Path) -> None:
    """An alert that was cleared on the day raises no more when the day is graded again; nor does it grow then."""
    workspace = write_tables(tmp_path, EVENTS, PEOPLE)
    assert run(workspace, inputs=Inputs(found(finding(ANNA, -30, -10))))[ANNA]["grade"] == "M"
    with records_of(workspace).changing() as now:
        add_act(now, "outcome", ANNA, DAY, "nothing in it", refers=1, kind="cleared")
    assert run(workspace, inputs=Inputs(found(finding(ANNA, -28, -8))))[ANNA]["grade"] == "L"
    assert read_alerts(records_of(workspace))["last_day"].to_pylist() == [days_later(-10)]


def test_a25_repeated_alerts_count_within_their_days_unless_they_are_cleared() -> None:
    rows = [finding(ANNA, -200, -180), finding(ANNA, -90, -80), finding(ANNA, -20, -1), finding(ANNA, -1, 0, "cycle")]
    alerts, _ = merge_findings(ALERTS.empty_table(), found(*rows), {}, DAY, {})
    assert counting(alerts, {}, DAY, 180) == {ANNA: 3} and counting(alerts, {}, DAY, 179) == {ANNA: 2}
    assert counting(alerts, {2: "cleared", 3: "monitor"}, DAY, 180) == {ANNA: 2}
    assert counting(alerts, {}, DAY, None) == {ANNA: 3}


def test_a25_alerts_raise_the_grade_until_they_are_cleared(tmp_path: Path) -> None:
    """Two alerts medium, a third high; cleared, the medium grade goes, and the high one waits for a review."""
    workspace = write_tables(tmp_path, EVENTS, PEOPLE)
    two = [finding(ANNA, -40, -30), finding(ANNA, -20, -10), finding(BERT, -40, -30)]
    grades = run(workspace, inputs=Inputs(found(*two)))
    assert (grades[ANNA]["grade"], grades[ANNA]["ground"]) == ("M", "upgrade:alert") and grades[CARL]["grade"] == "L"
    third = Inputs(found(finding(ANNA, -5, -1)))
    assert run(workspace, days_later(1), third)[ANNA]["ground"] == "upgrade:alerts"
    with records_of(workspace).changing() as now:
        for each in read_alerts(now)["alert_id"].to_pylist():
            add_act(now, "outcome", ANNA, days_later(1), "nothing in it", refers=each, kind="cleared")
    grades = run(workspace, days_later(2))
    assert (grades[ANNA]["grade"], grades[ANNA]["ground"], grades[ANNA]["system_grade"]) == ("H", "held", "L")
    assert grades[BERT]["grade"] == "L"


def test_a23_a_models_scores_raise_the_top(tmp_path: Path) -> None:
    workspace = write_tables(tmp_path, EVENTS, PEOPLE)
    scores = pa.table({"customer_id": [DORA, CARL], "score": [0.1, 0.9]})
    grades = run(workspace, inputs=Inputs(scores=scores), text=scheme_with(model__top=0.5))
    assert {who: row["ground"] for who, row in grades.items() if row["grade"] != "L"} == {CARL: "model"}


def test_a25_the_report_tells_groups_and_nobody(tmp_path: Path) -> None:
    """Coverage, movement, late gradings, due diligence and alerts, as counted by hand; no pseudonym in the page."""
    workspace = write_tables(tmp_path, [happened(DORA, "transfer_in", days_later(-40))], PEOPLE)
    run(workspace, days_later(-30), Inputs(found(finding(CARL, -60, -50))))
    people = {**{w: s for w, s in PEOPLE.items() if w != DORA}, FAY: {**SAFE, "signed_up": "2026-11-09"}}
    write_tables(tmp_path, [happened(ANNA, "list_hit", BEFORE)], people)
    run(workspace)
    with records_of(workspace).changing() as now:
        add_act(now, "diligence", ANNA, DAY, "met", kind="enhanced")
        add_act(now, "outcome", CARL, DAY, "told", refers=1, kind="reported")
    report = institution_report(records_of(workspace), workspace, "Bank", "Europe/Berlin", days_later(182))
    assert {d.grade: d.customers for d in report.duties} == {"H": 1, "M": 1, "L": 2}
    assert report.moves == {("L", "H"): 1, ("L", "L"): 1, ("M", "M"): 1, ("L", "left"): 1, ("new", "L"): 1}
    high, medium, low = report.duties
    assert (high.lacks, medium.lacks, low.lacks) == (0, 1, 2) and (high.overdue, high.soon) == (1, 0)
    assert (report.late, report.in_time, report.unknown) == (1, 2, 0)
    assert report.alerts == {("fan_in", "layering", "reported"): 1} and report.known["industry"] == 1.0
    page = to_html(report)
    assert page == to_html(report) and "each has one grade" in page and "http" not in page
    assert not any(who in page or who[:8] in page for who in (ANNA, BERT, CARL, DORA, FAY))
