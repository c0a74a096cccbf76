"""B1: why a class changed, in shares that add up and a cause that is the right one; and the months as they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classification.account import account, causes
from classification.facts import Array
from classification.grade import Graded
from classification.history import CAUSES, Change, PastClass, PastMonth, history, score_reasons
from classification.scheme import Scheme, read_scheme
from classification.snapshots import ROW_GROUP
from classification.stability import Earlier, settle
from classification.why import SCHEMA as CHANGES
from classification.why import Comparison, Side, View, explain_changes, shapley
from features.population import Ranks
from features.workspace import Workspace, write_json

SCHEME = """
version: "2099-11"
code: "{value}{churn}"
dimensions:
  value:
    title: Value by net spend of the last 365 days
    share: {fact: spend_365d, of: customers, top: {A: 0.05, B: 0.20, C: 1.00}}
    names: {A: key customer, B: major customer, C: ordinary customer}
  churn:
    title: Probability of leaving
    at_least: {fact: churn, bounds: {3: 0.7, 2: 0.4, 1: -.inf}}
    hold: {margin: 0.05}
    names: {3: likely to leave, 2: at risk, 1: likely to stay}
"""
SPEND = np.arange(1.0, 101.0)  # A begins at 96, B at 81
CHURN = np.full(100, 0.1)


def scheme(old: str = "", new: str = "") -> Scheme:
    return read_scheme(SCHEME.replace(old, new), "test")


def side(spend: Array, churn: Array = CHURN, churn_later: Array | None = None) -> Side:
    """What was known on a date; churn_later: as another release scores the same facts."""
    features = {"spend_365d": spend, "orders_365d": spend, "recency_days": spend}
    return Side(features, {}, ({"churn": churn}, {"churn": churn if churn_later is None else churn_later}))


def changes(old: Side, new: Side, schemes: tuple[Scheme, Scheme] | None = None, complete: bool = True) -> list[Change]:
    """Of all customers, when both dates are graded by their own bases."""
    schemes = schemes or (scheme(), scheme())
    everyone = np.arange(len(SPEND))
    views, settled = [], []
    for i, each in enumerate((old, new)):
        ranks = {name: Ranks.of(column) for name, column in each.features.items()}
        view = View(schemes[i], schemes[i].cutoffs(ranks), ranks)
        facts = each.facts(i, view, everyone)
        raw = schemes[i].classify(facts, view.cutoffs)
        earlier = Earlier(1, settled[0][1].classes, settled[0][0], settled[0][1].seen) if i else None
        settled.append((raw, settle(schemes[i], raw, facts, earlier)))
        views.append(view)
    (raw_before, before), (raw, after) = settled
    graded = Graded({}, {}, {}, raw, after.classes, after.notes, after.seen, np.array([""] * len(SPEND)))
    compared = Comparison(everyone.astype(str).astype(object), (old, new), (views[0], views[1]), 2, complete)
    earlier = Earlier(1, before.classes, raw_before, before.seen, before.notes)
    table = explain_changes(compared, earlier, graded)
    assert all(sum(Change.of_row(row).shares.values()) == pytest.approx(1) for row in table.to_pylist() if complete)  # type: ignore[union-attr]
    return [Change.of_row(row) for row in table.to_pylist() if row["customer_id"] == "95"]


def told(change: Change, schemes: tuple[Scheme, Scheme] | None = None) -> str:
    said = PastClass(change.after, change.raw_after, None if change.after == change.raw_after else change.kind)
    month = PastMonth("2026-10", date(2026, 11, 1), 1, "2099-11", "A1", {change.dimension: said}, [change])
    return "\n".join(account(month, schemes or (scheme(), scheme())))


def with_spend(*pairs: tuple[int, float]) -> Array:
    spend = SPEND.copy()
    for customer, amount in pairs:
        spend[customer] = amount
    return spend


def test_b01_why_only_the_customer_changed() -> None:
    """It spends less, the others the same: all is put down to its own facts."""
    (change,) = changes(side(SPEND), side(with_spend((95, 40.0))))
    assert (change.before, change.after, change.kind) == ("A", "C", "moved")
    assert change.shares == pytest.approx({"facts": 1, "model": 0, "cutoff": 0, "scheme": 0})
    said = told(change)
    assert "value: A key customer → C ordinary customer" in said and "100 % own facts" in said
    assert "0.40, was 0.96" in said


def test_b01_why_only_the_cut_off_moved() -> None:
    """Others spend more, the customer as before: all is put down to the cut-off, which is told."""
    (change,) = changes(side(SPEND), side(with_spend((50, 500.0))))
    assert (change.before, change.after) == ("A", "B")
    assert change.shares == pytest.approx({"facts": 0, "model": 0, "cutoff": 1, "scheme": 0})
    assert "100 % cut-off moved" in told(change) and "A begins at 0.97, was 0.96" in told(change)


def test_b01_why_it_took_both() -> None:
    """It spends less, and others more; neither alone would have done: half each."""
    old = with_spend((94, 97.5), (95, 98.5))
    new = with_spend((94, 97.5), (95, 97.6), (50, 500.0), (51, 500.0))
    (change,) = changes(side(old), side(new))
    assert change.shares == pytest.approx({"facts": 0.5, "model": 0, "cutoff": 0.5, "scheme": 0})
    assert "50 % own facts, 50 % cut-off moved" in told(change)


def test_b01_why_another_release_graded() -> None:
    """The same facts, scored higher by another release."""
    higher = np.full(100, 0.8)
    (change,) = changes(side(SPEND, CHURN, higher), side(SPEND, CHURN, higher))
    assert (change.dimension, change.before, change.after) == ("churn", "1", "3")
    assert change.shares == pytest.approx({"facts": 0, "model": 1, "cutoff": 0, "scheme": 0})
    assert "churn: 1 likely to stay → 3 likely to leave" in told(change) and "100 % another model" in told(change)


def test_b01_why_the_scheme_changed() -> None:
    """The same customers and spend, fewer of them key; the letters of the month before are told by its own scheme."""
    schemes = scheme(), scheme("A: 0.05", "A: 0.04")
    (change,) = changes(side(SPEND), side(SPEND), schemes)
    assert (change.before, change.after) == ("A", "B")
    assert change.shares == pytest.approx({"facts": 0, "model": 0, "cutoff": 0, "scheme": 1})
    assert "100 % another scheme" in told(change, schemes)


def test_b01_why_it_did_not_change() -> None:
    """A raw class that moved within the margin is told as held, with its own cause."""
    (change,) = changes(side(SPEND, CHURN), side(SPEND, np.full(100, 0.42)))
    assert (change.before, change.after, change.raw_after, change.kind) == ("1", "1", "2", "held")
    said = told(change)
    assert "churn: 1 likely to stay\n" in said and "by its facts alone 2 at risk, held until that is sure" in said
    assert "1 → 2 by facts alone: 100 % own facts" in said


def test_b01_why_without_the_release_of_before() -> None:
    """Nothing is shared out, and the account says so."""
    (change,) = changes(side(SPEND), side(with_spend((95, 40.0))), complete=False)
    assert change.shares is None and "not shared out" in told(change)


worths = st.fixed_dictionaries({s: st.sampled_from([0.0, 1.0]) for s in product((0, 1), repeat=3)})


@given(worths, st.integers(0, 2))
def test_b01_shares_add_up_and_a_switch_that_changes_nothing_has_none(
    worth: Mapping[tuple[int, ...], float], idle: int
) -> None:
    """Shapley's axioms: the shares of a change are 1 together; a switch that never matters gets 0, but that facts bear
    what was so before."""
    v = {s: np.array([1.0 if s == (1, 1, 1) else worth[s]]) for s in worth}
    assert shapley(v).sum() == pytest.approx(1)
    same = {s: v[(*s[:idle], 1, *s[idle + 1 :])] for s in v}
    share = shapley(same)[0, idle]
    restated = same[0, 0, 0][0] if idle == 0 else 0.0
    assert share == pytest.approx(restated)


@given(worths)
def test_b01_per_cents_add_up_to_100(worth: Mapping[tuple[int, ...], float]) -> None:
    """Whole ones, whatever the shares are."""
    shares = shapley({s: np.array([1.0 if s == (1, 1, 1) else worth[s]]) for s in worth})[0]
    said = causes(dict(zip(CAUSES, [*shares, 0.0], strict=True)))
    assert sum(int(each.split(" %")[0]) for each in said.split(", ")) == 100


def month(workspace: Workspace, name: str, rows: list[dict[str, object]], changed: list[dict[str, object]]) -> None:
    folder = workspace.months / name
    folder.mkdir(parents=True)
    columns = ("customer_id", "class_value", "raw_value", "class_churn", "raw_churn", "notes", "code")
    schema = pa.schema([(column, pa.string()) for column in columns])
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "grades.parquet", row_group_size=ROW_GROUP)
    pq.write_table(pa.Table.from_pylist(changed, CHANGES), folder / "changes.parquet")
    reasons = {"customer_id": ["a", "b"], "task": ["churn"] * 2, "rank": [1, 1], "feature": ["x", "y"]}
    pq.write_table(pa.table({**reasons, "reason": ["because", "why not"]}), folder / "reasons.parquet")
    as_of = date.fromisoformat(f"{name}-28")
    said = {"id": name, "as_of": str(as_of), "release": 3, "scheme": "2099-11", "before": None}
    write_json(folder / "month.json", said)


def test_a_history_has_the_months_that_know_the_customer(tmp_path: Path) -> None:
    """Classes, code, release and scheme of each; its own changes with their shares; notes; nobody else's."""
    workspace = Workspace(tmp_path)
    row = {"class_value": "A", "raw_value": "B", "class_churn": "1", "raw_churn": "1", "code": "A1"}
    mine, other = {"customer_id": "a", **row, "notes": "value override"}, {"customer_id": "b", **row, "notes": None}
    shares = {"share_facts": 0.5, "share_model": 0.0, "share_cutoff": 0.5, "share_scheme": 0.0}
    changed = {"dimension": "value", "before": "B", "after": "A", "raw_before": "C", "raw_after": "B"}
    moved = {"customer_id": "a", **changed, **shares, "kind": "override", "reason": "spend"}
    lost = {**moved, "dimension": "churn", "kind": "moved", "share_facts": None}
    month(workspace, "2026-08", [other], [])
    month(workspace, "2026-09", [mine, other], [])
    month(workspace, "2026-10", [mine, other], [moved, {**moved, "customer_id": "b"}, lost])
    found = history(workspace, "a")
    assert [(each.month, each.release, each.scheme, each.code) for each in found] == [
        ("2026-09", 3, "2099-11", "A1"), ("2026-10", 3, "2099-11", "A1"),
    ]  # fmt: skip
    assert found[1].classes == {"value": PastClass("A", "B", "override"), "churn": PastClass("1", "1", None)}
    assert [change.shares for change in found[1].changes] == [
        {"facts": 0.5, "model": 0.0, "cutoff": 0.5, "scheme": 0.0}, None,
    ]  # fmt: skip
    assert found[0].changes == [] and history(workspace, "nobody") == []
    assert history(workspace, "a", ["2026-10"]) == found[1:]
    assert [each.reason for each in score_reasons(workspace.months / "2026-10", "a")] == ["because"]
    told = account(found[1], (scheme(), scheme()))
    assert told[1:4] == [
        "  value: B major customer → A key customer",
        "    by its facts alone B major customer, overridden by a person",
        "    C → B by facts alone: 50 % own facts, 50 % cut-off moved",
    ]
    assert account(replace(found[1], changes=[]), (scheme(), scheme()), "churn")[1:] == ["  churn: 1 likely to stay"]
