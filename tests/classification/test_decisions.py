"""Overrides: the last word before a date counts on it, until its day; nothing that is said later changes the past."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classification.decisions import Override, add_acts, as_decisions, decisions_for, read_acts, read_overrides
from classification.facts import Facts
from classification.scheme import load_scheme, read_scheme, scheme_text
from classification.stability import ILLEGAL, OVERRIDE, Decision, Earlier, settle
from features.tables.merges import FILE as MERGES_FILE
from features.tables.merges import MERGES
from features.workspace import Workspace
from serving.store.publish import overrides_by_id
from training.release import Release
from training.snapshots import Snapshot

SCHEME = load_scheme("2026-12")
DAY = date(2026, 10, 15)
UNTIL = date(2026, 12, 31)


def act(customer: str, class_: str | None = "A", day: date = DAY, **other: Any) -> dict[str, Any]:
    """Said on a day; without a class it is lifted."""
    said = {"customer_id": customer, "dimension": "value", "class": class_, "from_day": day, "by": "eva", "reason": "x"}
    at = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
    until = None if class_ is None else UNTIL
    return {**said, "until": until, "act": "set" if class_ else "lifted", "at": at} | other


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    for name in ("decisions", "tables"):
        (tmp_path / name).mkdir()
    return Workspace(tmp_path)


def say(workspace: Workspace, *acts: dict[str, Any]) -> None:
    for each in acts:
        add_acts(workspace.decisions, [each])


def merge(workspace: Workspace, **merges: str) -> None:
    table = pa.table([list(merges), list(merges.values())], schema=MERGES)
    pq.write_table(table, workspace.tables / MERGES_FILE)


def counting(workspace: Workspace, as_of: date, *ids: str) -> list[tuple[str, str, list[int]]]:
    release = Release({}, {}, scheme_text("2026-12"))
    base = Snapshot(as_of, np.array(ids, object), np.zeros((len(ids), 0)), {})
    return [(d.dimension, d.class_, d.places.tolist()) for d in decisions_for(workspace, release, base)]


def test_it_counts_from_the_day_after_it_was_said_until_its_own(workspace: Workspace) -> None:
    """A grading sees the days before its date: the first that saw the word counts it, the last that ends with its
    last day, too."""
    say(workspace, act("c"))
    assert counting(workspace, DAY, "b", "c") == []
    assert counting(workspace, DAY + timedelta(1), "b", "c") == [("value", "A", [1])]
    assert counting(workspace, UNTIL + timedelta(1), "b", "c") == [("value", "A", [1])]
    assert counting(workspace, UNTIL + timedelta(2), "b", "c") == []


def test_the_last_word_counts(workspace: Workspace) -> None:
    """Set, set again, lifted; what a scheme does not have counts nowhere; customers who are not graded change nothing;
    of a class all customers are together."""
    say(workspace, act("c"), act("c", "B", DAY + timedelta(5)), act("d", "B"), act("e", "B"), act("gone"))
    say(workspace, act("c", None, DAY + timedelta(9)), act("d", dimension="colour"), act("e", "Z", dimension="large"))
    assert counting(workspace, DAY + timedelta(1), "c", "d", "e") == [("value", "A", [0]), ("value", "B", [1, 2])]
    assert counting(workspace, DAY + timedelta(6), "c", "d", "e") == [("value", "B", [0, 1, 2])]
    assert counting(workspace, DAY + timedelta(10), "c", "d", "e") == [("value", "B", [1, 2])]
    assert read_acts(workspace.decisions).num_rows == 8


acts = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["A", "B", None]), st.integers(0, 40), st.integers(1, 60)),
    max_size=12,
)


@settings(deadline=None, max_examples=40)
@given(acts, st.integers(0, 60))
def test_what_is_said_later_changes_no_grading(said: list[tuple[str, str | None, int, int]], day: int) -> None:
    """The decisions of a date are those of who knew only what was said before it: so a month graded again has the same
    bytes. And they are the last word of each customer, as counted by hand."""
    as_of = DAY + timedelta(day)
    rows = [
        act(who, class_, DAY + timedelta(first), until=DAY + timedelta(first + days) if class_ else None)
        for who, class_, first, days in sorted(said, key=lambda each: each[2])
    ]
    with tempfile.TemporaryDirectory() as folder:
        homes = [Workspace(Path(folder) / name) for name in ("all", "known")]
        for home, known in zip(homes, (rows, [row for row in rows if row["from_day"] < as_of]), strict=True):
            home.decisions.mkdir(parents=True)
            add_acts(home.decisions, known)
        found = read_overrides(homes[0], as_of)
        assert found == read_overrides(homes[1], as_of) == read_overrides(homes[1])
    last = {row["customer_id"]: row for row in rows if row["from_day"] < as_of}
    by_hand = {who: row["class"] for who, row in last.items() if row["class"] and as_of <= row["until"] + timedelta(1)}
    assert {each.customer_id: each.class_ for each in found if each.holds(as_of - timedelta(1), SCHEME)} == by_hand


def test_a37_an_override_of_one_id_is_one_of_its_customer(workspace: Workspace) -> None:
    """Of merged ids the survivor has it, and answers know it under each; of two the later counts; what was lifted for
    one leaves the other's."""
    say(workspace, act("young"), act("old", "B", DAY - timedelta(9)))
    assert [each.customer_id for each in read_overrides(workspace)] == ["old", "young"]
    merge(workspace, young="old", third="old")
    assert [(each.customer_id, each.class_) for each in read_overrides(workspace)] == [("old", "A")]
    assert counting(workspace, DAY + timedelta(1), "old") == [("value", "A", [0])]
    assert [(each.customer_id, each.class_) for each in overrides_by_id(workspace)] == [
        ("old", "A"), ("third", "A"), ("young", "A"),
    ]  # fmt: skip
    say(workspace, act("young", None, DAY + timedelta(2)))
    assert [(each.customer_id, each.class_) for each in read_overrides(workspace)] == [("old", "B")]


def test_places_are_those_of_the_customers() -> None:
    """Whatever the order of the base."""
    rng = np.random.default_rng(7)
    ids = np.array([f"{i:04d}" for i in range(500)], object)
    said = [Override(f"{i:04d}", "value", "AB"[i % 2], UNTIL, "eva", "x") for i in range(0, 700, 7)]
    rng.shuffle(ids)
    for each in as_decisions(said, ids):
        wanted = {o.customer_id for o in said if o.class_ == each.class_} & set(ids)
        assert set(ids[each.places]) == wanted and len(each.places) == len(wanted)


LIFECYCLE = """
version: "2099-12"
code: "{life}"
dimensions:
  life:
    title: Where the customer stands
    first_match: {P: {orders: 0}, F: {orders: 1}, R: {}}
    moves: {P: [F, R], F: [R], R: []}
    names: {P: prospect, F: first, R: repeat}
"""


def test_nothing_follows_from_an_override_that_ran_out() -> None:
    """A prospect whom a person called a first buyer is a prospect again afterwards, though no first buyer can become
    one; without the person's word the class before is what it was."""
    scheme = read_scheme(LIFECYCLE, "test")
    orders = np.array([0.0, 0.0])
    facts = Facts(2, {"orders": orders})
    raw = scheme.classify(facts, {})
    first = settle(scheme, raw, facts, None, [Decision("life", "F", np.array([0]))])
    assert list(first.classes["life"]) == ["F", "P"] and list(first.notes["life"]) == [OVERRIDE, ""]
    earlier = Earlier(1, first.classes, raw, first.seen, first.notes)
    later = settle(scheme, raw, facts, earlier)
    assert list(later.classes["life"]) == ["P", "P"] and not (later.notes["life"] != "").any()
    real = Earlier(1, {"life": np.array(["F", "P"])}, raw, first.seen)
    assert list(settle(scheme, raw, facts, real).notes["life"]) == [ILLEGAL, ""]


def test_an_override_holds_only_what_the_scheme_has() -> None:
    """Not the class of another dimension, nor unknown."""
    held = [Override("c", *said, UNTIL, "eva", "x").holds(DAY, SCHEME) for said in (("value", "A"), ("value", "U"))]
    assert held == [True, False]
