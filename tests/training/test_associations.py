"""Association rules between classes and products: true figures, no chance finds, no rules that say nothing new."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.tables.events import EVENTS
from training.associations import GAIN, LEAST_LIFT, associations
from training.baskets import Baskets, read_baskets

N = 1_000


@pytest.fixture(scope="module")
def world() -> tuple[dict[str, list[str | None]], Baskets]:
    """Half of the customers are A; tea goes with A and with milk, soap with nothing."""
    rng = np.random.default_rng(1)
    a = np.arange(N) < N // 2
    tea = rng.random(N) < np.where(a, 0.6, 0.1)
    milk = rng.random(N) < np.where(tea, 0.5, 0.05)
    soap = rng.random(N) < 0.4
    classes = {"value": ["A" if each else None for each in a]}
    return classes, Baskets(("tea", "milk", "soap"), np.column_stack([tea, milk, soap]))


def test_a40_what_goes_together_is_found_with_its_figures(world: tuple[dict[str, list[str | None]], Baskets]) -> None:
    """Support, confidence, lift, leverage and customers are those of the definition."""
    classes, baskets = world
    rules = {(rule.antecedent, rule.consequent): rule for rule in associations(classes, baskets)}
    a, tea = np.arange(N) < N // 2, baskets.bought[:, 0]
    rule = rules[("value: A",), "bought: tea"]
    assert rule.customers == (a & tea).sum() and rule.support == pytest.approx((a & tea).mean())
    assert rule.confidence == pytest.approx(tea[a].mean())
    assert rule.lift == pytest.approx(tea[a].mean() / tea.mean())
    assert rule.leverage == pytest.approx((a & tea).mean() - a.mean() * tea.mean())
    assert (("bought: tea",), "bought: milk") in rules and rule.q < 1e-20
    assert rule.row()["antecedent"] == "value: A"


def test_chance_is_not_told(world: tuple[dict[str, list[str | None]], Baskets]) -> None:
    """Soap goes with nothing; and among a hundred unrelated products there is no rule."""
    assert not any("soap" in rule.consequent or "bought: soap" in rule.antecedent for rule in associations(*world))
    rng = np.random.default_rng(2)
    noise = Baskets(tuple(f"p{j}" for j in range(40)), rng.random((N, 40)) < 0.15)
    assert associations({"value": ["A" if each else "B" for each in rng.random(N) < 0.3]}, noise) == ()


def test_rules_are_sorted_significant_and_say_something_new(world: tuple[dict[str, list[str | None]], Baskets]) -> None:
    """Highest lift first; two conditions only where they beat either alone; classes among themselves are no news."""
    classes, baskets = world
    classes = classes | {"segment": ["1" if each else "2" for each in classes["value"]]}
    rules = associations(classes, baskets)
    assert [rule.lift for rule in rules] == sorted((rule.lift for rule in rules), reverse=True)
    assert all(rule.lift >= LEAST_LIFT and rule.p <= rule.q <= 0.01 for rule in rules)
    single = {(rule.antecedent[0], rule.consequent): rule for rule in rules if len(rule.antecedent) == 1}
    for rule in rules:
        assert any(thing.startswith("bought: ") for thing in (*rule.antecedent, rule.consequent))
        for thing in rule.antecedent if len(rule.antecedent) == 2 else ():
            simpler = single.get((thing, rule.consequent))
            assert simpler is None or rule.confidence >= GAIN * simpler.confidence


def test_nothing_bought_gives_no_rule() -> None:
    """A company without item codes is not an error."""
    assert associations({"value": ["A"] * 50}, Baskets((), np.zeros((50, 0), bool))) == ()
    assert associations({}, Baskets((), np.zeros((50, 0), bool))) == ()


def test_baskets_hold_what_was_known_by_then(tmp_path: Path) -> None:
    """Purchases of the window, by item or category; not what came, or was known, on as_of or later, nor returns."""
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    events = [
        ("c1", "tea", date(2026, 3, 1), "purchase", early, None),
        ("c1", "tea", date(2026, 4, 1), "purchase", early, None),
        ("c2", "tea", date(2026, 3, 1), "purchase", early, None),
        ("c2", "milk", date(2026, 6, 1), "purchase", early, None),  # on as_of
        ("c2", "soap", date(2025, 5, 1), "purchase", early, None),  # before the window
        ("c3", "soap", date(2026, 3, 1), "return", early, None),
        ("c3", "milk", date(2026, 3, 1), "purchase", late, None),  # known later
        ("c3", "cups", date(2026, 3, 1), "purchase", early, date(2026, 4, 1)),  # replaced
        ("c4", "cups", date(2026, 3, 1), "purchase", early, date(2026, 7, 1)),  # replaced later: still held then
        ("cx", "gone", date(2026, 3, 1), "purchase", early, None),  # not among the rows
    ]
    said = [
        {"event_id": str(i), "customer_id": c, "item": item, "day": day, "kind": kind, "known_at": known,
         "known_until": until and datetime(until.year, until.month, until.day, tzinfo=UTC)}
        for i, (c, item, day, kind, known, until) in enumerate(events)
    ]  # fmt: skip
    columns = {field.name: pa.array([row.get(field.name) for row in said], field.type) for field in EVENTS}
    pq.write_table(pa.table(columns), tmp_path / "events.parquet")
    pq.write_table(pa.table({"item": ["tea", "cups"], "category": ["food", "home"]}), tmp_path / "items.parquet")
    found = read_baskets(tmp_path, ["c1", "c2", "c3", "c4"], date(2026, 6, 1))
    assert found.products == ("tea", "cups")
    assert found.bought.tolist() == [[True, False], [True, False], [False, False], [False, True]]
    grouped = read_baskets(tmp_path, ["c1", "c2", "c3", "c4"], date(2026, 6, 1), by="category", most=1)
    assert grouped.products == ("food",) and grouped.bought[:, 0].tolist() == [True, True, False, False]
