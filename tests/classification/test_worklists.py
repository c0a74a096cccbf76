"""Whom to answer first, whom to visit when, where service costs too much: from a graded month and the events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from classification.months import find_month
from classification.playbook import CURRENT, load_playbook
from classification.scheme import load_scheme
from classification.worklists import Base, due_visits, open_complaints, over_cap, owners, read_base
from features.errors import InputError
from features.tables.events import EVENTS
from features.workspace import Workspace, write_json

PLAYBOOK = load_playbook(CURRENT)
SCHEME = load_scheme("2026-12")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
AS_OF = date(2026, 11, 1)
Said = dict[str, Any]


def event(customer: str, day: date, kind: str, **said: Any) -> Said:
    """One event, known when it happened."""
    ts = datetime.combine(day, NOON.time(), UTC)
    return {"event_id": f"{customer}{day}{kind}{said}", "customer_id": customer, "ts": ts, "day": day, "kind": kind,
            "known_at": ts, **said}  # fmt: skip


def write_events(workspace: Workspace, events: Sequence[Said]) -> None:
    """The event table."""
    workspace.tables.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(events), EVENTS), workspace.tables / "events.parquet")


def graded(workspace: Workspace, customers: dict[str, Said]) -> Base:
    """October 2026 with customers whose classes are unknown but for what is said."""
    folder = workspace.months / "2026-10"
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, said in customers.items():
        classes = {f"class_{n}": said.get(n, each.unknown) for n, each in SCHEME.dimensions.items()}
        cost = said.get("service_cost_365d", 0.0)
        objects = said.get("no_marketing", False)
        rows.append({"customer_id": name, **classes, "no_marketing": objects, "service_cost_365d": cost})
    pq.write_table(pa.Table.from_pylist(rows), folder / "grades.parquet")
    write_json(folder / "snapshot.json", {"company": {"timezone": "UTC"}})
    said = {"id": "x", "as_of": str(AS_OF), "release": 1, "scheme": SCHEME.version, "before": None}
    write_json(folder / "month.json", said)
    return read_base(workspace, find_month(workspace))


def test_a30_complaints_of_key_customers_come_first_then_the_oldest(tmp_path: Path) -> None:
    """A, then B, then C, then who is not graded; within a class the oldest first."""
    workspace = Workspace(tmp_path)
    days = {"c1": 1, "c2": 9, "b1": 2, "a1": 8, "a2": 3, "new": 4}
    write_events(workspace, [event(n, date(2026, 10, day), "complaint", code=n) for n, day in days.items()])
    base = graded(workspace, {n: {"value": n[0].upper()} for n in days if n != "new"})
    found = open_complaints(base, AS_OF)
    assert found["customer_id"].to_pylist() == ["a2", "a1", "b1", "c1", "c2", "new"]
    assert found.to_pylist()[0] == {
        "customer_id": "a2", "value": "A", "opened": date(2026, 10, 3), "age_days": 29, "code": "a2",
    }  # fmt: skip
    assert found["value"].to_pylist()[-1] is None
    assert open_complaints(base.within({"value": "C"}), AS_OF)["customer_id"].to_pylist() == ["c1", "c2"]


def test_a_complaint_is_open_until_its_own_closing(tmp_path: Path) -> None:
    """A closing of its ref closes it, not one of another ref, nor one before it; without a ref, the oldest is."""
    workspace, first = Workspace(tmp_path), date(2026, 10, 1)
    after = [first + timedelta(days) for days in range(9)]
    write_events(workspace, [
        event("k", first, "complaint", ref="closed"), event("k", after[2], "complaint_closed", ref="closed"),
        event("k", after[1], "complaint", ref="open"), event("k", after[3], "complaint_closed", ref="another"),
        event("m", first, "complaint_closed", ref="again"), event("m", after[1], "complaint", ref="again"),
        event("n", first, "complaint_closed"), event("n", after[1], "complaint"),
        event("n", after[2], "complaint"), event("n", after[3], "complaint_closed"),
    ])  # fmt: skip
    found = open_complaints(graded(workspace, {n: {"value": "A"} for n in "kmn"}), AS_OF)
    opened = {row["customer_id"]: row["opened"] for row in found.to_pylist()}
    assert found.num_rows == 3 and opened == {"k": after[1], "m": after[1], "n": after[2]}


def by_hand(events: list[Said]) -> list[Said]:
    """The open complaints of one customer: own closings taken off, then each other closing takes the oldest."""
    closings = [each for each in events if each["kind"] == "complaint_closed"]
    left = [
        each
        for each in events
        if each["kind"] == "complaint"
        and not any(c["ref"] == each["ref"] is not None and c["ts"] >= each["ts"] for c in closings)
    ]
    for closing in sorted((c for c in closings if c["ref"] is None), key=lambda c: c["ts"]):
        there = [each for each in left if each["ts"] <= closing["ts"]]
        if there:
            left.remove(min(there, key=lambda each: (each["ts"], each["event_id"])))
    return left


def test_open_complaints_are_what_is_left_when_closings_are_taken_off(tmp_path: Path) -> None:
    """For 2,000 customers with any order of complaints and closings, as somebody would work through them by hand."""
    rng, workspace, first = Random(1), Workspace(tmp_path), date(2026, 10, 1)
    customers: list[list[Said]] = []
    for who in range(2_000):
        said = [
            (rng.randrange(7), rng.choice(["complaint", "complaint_closed"]), rng.choice([None, None, "1", "2"]))
            for _ in range(rng.randrange(10))
        ]
        days = [(first + timedelta(day), kind, ref) for day, kind, ref in said]
        customers.append([event(f"{who:04d}", *each[:2], ref=each[2], code=f"{i}") for i, each in enumerate(days)])
    write_events(workspace, [each for events in customers for each in events])
    found = open_complaints(graded(workspace, {"0000": {"value": "A"}}), AS_OF)
    rows = sorted(zip(found["customer_id"].to_pylist(), found["code"].to_pylist(), strict=True))
    assert rows == sorted((c["customer_id"], c["code"]) for events in customers for c in by_hand(events))
    assert len(rows) > 2_000


def test_a_list_knows_only_what_was_known(tmp_path: Path) -> None:
    """A complaint of later, one known only later, and one replaced before, are not on the list of the day."""
    workspace = Workspace(tmp_path)
    late = datetime(2026, 11, 5, tzinfo=UTC)
    write_events(workspace, [
        event("a", date(2026, 10, 1), "complaint", code="seen"),
        event("a", date(2026, 11, 1), "complaint", code="later"),
        event("a", date(2026, 10, 2), "complaint", code="told late") | {"known_at": late},
        event("a", date(2026, 10, 3), "complaint", code="replaced") | {"known_until": late - timedelta(20)},
    ])  # fmt: skip
    base = graded(workspace, {"a": {"value": "A"}})
    assert open_complaints(base, AS_OF)["code"].to_pylist() == ["seen"]
    assert open_complaints(base, date(2026, 11, 6))["code"].to_pylist() == ["seen", "told late", "later"]


def test_a31_visits_of_key_customers_are_due_by_the_last_contact(tmp_path: Path) -> None:
    """Last visit and interval give the day; never visited is due at once; first due first; calls are no visits."""
    workspace = Workspace(tmp_path)
    write_events(workspace, [
        event("a1", date(2026, 9, 1), "contact", channel="representative"),
        event("a1", date(2026, 9, 20), "contact", channel="representative"),
        event("a1", date(2026, 10, 30), "contact", channel="phone"),
        event("a1", date(2026, 8, 10), "contact", channel="supervisor"),
        event("a1", date(2026, 11, 2), "contact", channel="supervisor"),
        event("b1", date(2026, 1, 1), "contact", channel="representative"),
    ])  # fmt: skip
    base = graded(workspace, {"a1": {"value": "A"}, "a2": {"value": "A", "no_marketing": True}, "b1": {"value": "B"}})
    rows = due_visits(base, PLAYBOOK, AS_OF).to_pylist()
    assert [(row["customer_id"], row["visitor"], row["last"], row["due"], row["overdue"]) for row in rows] == [
        ("a1", "representative", date(2026, 9, 20), date(2026, 10, 20), True),
        ("a2", "representative", None, AS_OF, False),
        ("a2", "supervisor", None, AS_OF, False),
        ("a1", "supervisor", date(2026, 8, 10), date(2026, 11, 8), False),
    ]
    assert [row["no_marketing"] for row in rows] == [False, True, True, False]
    seldom = PLAYBOOK.plays["value"]["A"].visits
    assert seldom is not None and (seldom.representative, seldom.supervisor) == (30, 90)


def test_a32_ordinary_customers_whose_service_costs_more_than_the_cap(tmp_path: Path) -> None:
    """C customers over the cap, the furthest first; what costs just the cap, is unknown, or is of A, is not listed."""
    workspace = Workspace(tmp_path)
    costs = {"c1": 5000.0, "c2": 5001.0, "c3": 9000.0, "a1": 99000.0, "c4": None}
    base = graded(workspace, {n: {"value": n[0].upper(), "service_cost_365d": cost} for n, cost in costs.items()})
    assert over_cap(base, PLAYBOOK).to_pylist() == [
        {"customer_id": "c3", "value": "C", "service_cost_365d": 9000, "cap": 5000, "over": 4000},
        {"customer_id": "c2", "value": "C", "service_cost_365d": 5001, "cap": 5000, "over": 1},
    ]


def test_a35_the_owners_add_up_to_everybody(tmp_path: Path) -> None:
    """Each customer has one owner: by demand, key customers their own manager, no campaign for who objects."""
    customers = {
        "a1": {"value": "A", "demand": "L"}, "b1": {"value": "B", "demand": "H"}, "c1": {"value": "C", "demand": "L"},
        "c2": {"value": "C", "demand": "T"}, "c3": {"value": "C", "demand": "T", "no_marketing": True},
    }  # fmt: skip
    found = {
        (r["owner"], r["value"]): r["customers"]
        for r in owners(graded(Workspace(tmp_path), customers), PLAYBOOK).to_pylist()
    }
    assert found == {
        ("own manager", "A"): 1, ("own manager", "B"): 1, ("automation", "C"): 2, ("campaign", "C"): 1,
    }  # fmt: skip


def test_a_playbook_for_other_classes_makes_no_list(tmp_path: Path) -> None:
    """It says for which scheme it is, and for which it should be."""
    base = graded(Workspace(tmp_path), {"a1": {"value": "A"}})
    other = replace(base, scheme=load_scheme("2026-01"))
    with pytest.raises(InputError, match="2026-01, the scheme of the classes at hand"):
        owners(other, PLAYBOOK)
