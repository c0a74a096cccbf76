"""Typologies of laundering in the graph of transfers."""

from __future__ import annotations

import time
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import example, given, settings

from features.calendar import EPOCH
from features.transfers.accounts import FEATURES, account_features
from features.transfers.settings import NAMES, load_typologies
from features.transfers.typologies import FINDINGS, findings, strengths
from tests.conftest import ROOT
from tests.features.transfers.graphs import Move, edges_of, reference, small_graphs

SAID = load_typologies(ROOT / "configs/typologies.yaml")
START = 0
DAY = 1_440


def on(day: int) -> date:
    """A day of the small graphs."""
    return date.fromordinal(EPOCH + day)


@settings(max_examples=150, deadline=None)
@given(small_graphs())
@example([Move(0, 1, 0, 100), Move(1, 2, 0, 100), Move(2, 0, 0, 100)])
@example([Move(3, 0, 0, 100), Move(3, 0, 200 * DAY, 100), Move(0, 1, 201 * DAY, 95)])
def test_every_strongest_window_is_that_of_plain_loops(moves: list[Move]) -> None:
    """Strength, days, transfers, amount and partners, of every customer and typology."""
    edges = edges_of(moves, nodes=7, customers=5)
    as_of = 300
    expected = reference(edges, as_of - SAID.lookback_days, SAID)
    for name, found in strengths(edges, on(as_of), SAID).items():
        got = {int(node): tuple(int(column[node]) for column in found) for node in np.flatnonzero(found.transfers)}
        assert got == expected[name], name


PATTERNS = {
    "fan_in": [Move(10 + i, 0, (100 + i) * DAY, 200 + i) for i in range(12)],
    "fan_out": [Move(0, 10 + i, (100 + i) * DAY, 200 + i) for i in range(12)],
    "cycle": [Move(i % 4, (i + 1) % 4, (100 + i) * DAY, 50_000 - 200 * i) for i in range(12)],
    "round_trip": [Move(*((0, 9) if i % 2 == 0 else (9, 0)), (100 + 9 * i) * DAY, 40_000 - i) for i in range(4)],
    "pass_through": [
        Move(*((10 + i, 0) if side == 0 else (0, 20 + i)), (100 + 3 * i + side) * DAY, 9_000 - 300 * side)
        for i in range(9)
        for side in (0, 1)
    ],
    "structuring": [Move(-1, 0, (100 + 3 * i) * DAY, 950 + i, cash=True) for i in range(9)],
    "rapid_movement": [
        Move(*((10, 0) if part == 0 else (0, 20 + part)), (100 + 4 * i) * DAY + 60 * part, (9_000, 4_000, 4_500)[part])
        for i in range(6)
        for part in (0, 1, 2)
    ],
    "dormant_then_active": [Move(0, 9, 0, 10), Move(0, 9, 1, 10), Move(0, 9, 2, 10), Move(0, 9, 3, 10)]
    + [Move(10, 0, (220 + 20 * i) * DAY, 5_000) for i in range(2)],
}  # fmt: skip
QUIET = [Move(0, 30, day * DAY, 1_000) for day in range(0, 95, 7)]
"""A customer's ordinary payments before it, where it did not sleep."""


@pytest.mark.parametrize("name", NAMES)
def test_each_pattern_is_found_with_its_evidence(name: str) -> None:
    """And its amounts, days and partners are those of the pattern."""
    pattern = PATTERNS[name]
    moves = pattern if name == "dormant_then_active" else [*QUIET, *pattern]
    found = findings(edges_of(moves, nodes=40, customers=5), on(300), SAID)
    assert found.schema == FINDINGS
    rows = [row for row in found.to_pylist() if row["customer_id"] == f"{0:032x}" and row["typology"] == name]
    (row,) = rows
    assert row["stage"] == getattr(SAID.typologies, name).stage
    awake = [move for move in pattern if move.minute >= 100 * DAY]
    assert (row["first_day"], row["last_day"]) == (on(awake[0].minute // DAY), on(awake[-1].minute // DAY))
    assert row["transfers"] == len(awake)
    assert row["partners"] == len({node for move in awake for node in move[:2]} - {0, -1})


@pytest.mark.parametrize("name", NAMES)
def test_ordinary_payments_are_no_finding(name: str) -> None:
    """Wages, rent and shopping for a year."""
    moves = [Move(9, 0, month * 30 * DAY, 3_000) for month in range(12)]
    moves += [Move(0, 10 + month % 3, (month * 30 + 3) * DAY, 900) for month in range(12)]
    assert name not in findings(edges_of(moves, nodes=20, customers=1), on(400), SAID)["typology"].to_pylist()


@settings(max_examples=30, deadline=None)
@given(small_graphs())
def test_findings_do_not_hang_on_the_order_of_the_rows(moves: list[Move]) -> None:
    """The same transfers, told backwards."""
    one, other = (findings(edges_of(rows, 7, 5), on(300), SAID) for rows in (moves, moves[::-1]))
    assert one.equals(other)


def test_only_customers_are_found_and_only_of_the_last_year() -> None:
    """A partner outside is never one, and what is long ago is no finding."""
    edges = edges_of([*QUIET, *PATTERNS["cycle"]], nodes=40, customers=2)
    found = findings(edges, on(300), SAID)
    assert set(found["customer_id"].to_pylist()) == {f"{0:032x}", f"{1:032x}"}
    assert findings(edges, on(300) + timedelta(days=300), SAID).num_rows == 0


def test_what_follows_a_day_is_found_beside_a_stronger_window_of_before() -> None:
    """Of this customer and typology only: windows begin after the day, and have to be strong enough by themselves."""
    moves = [Move(10 + i, 0, (20 + i) * DAY, 10_000) for i in range(20)]
    moves += [Move(40 + i, 0, (250 + i) * DAY, 10_000) for i in range(12)]
    moves += [Move(60 + i, 1, (20 + i) * DAY, 10_000) for i in range(20)]
    edges, anna = edges_of(moves, nodes=80, customers=2), f"{0:032x}"

    def days(day: int, typology: str = "fan_in") -> list[tuple[date, date]]:
        found = findings(edges, on(300), SAID, {(anna, typology): on(day)}).to_pylist()
        return [(row["first_day"], row["last_day"]) for row in found]

    first, second = (on(20), on(39)), (on(250), on(261))
    assert days(-1) == [first, first] == days(39, "cycle")
    assert days(39) == [second, first] == days(249)
    assert days(254) == [(on(255), on(261)), first] and days(255) == [first]


def test_features_are_documented_and_total() -> None:
    """Every customer has a row, each feature a name of its own, a unit, a sentence; without transfers its `empty`."""
    assert len({each.name for each in FEATURES}) == len(FEATURES)
    assert all(each.unit and each.doc.endswith(".") for each in FEATURES)
    ids, matrix, names = account_features(edges_of(QUIET, nodes=40, customers=3), on(300), SAID)
    assert names == [each.name for each in FEATURES] and matrix.shape == (len(ids), len(names)) == (3, len(names))
    empty = [np.nan if each.empty is None else each.empty for each in FEATURES]
    np.testing.assert_array_equal(matrix[1], empty)
    assert dict(zip(names, matrix[0], strict=True))["paid_transfers"] == len(QUIET)


def test_a_partner_who_is_paid_oddly_by_others_is_told() -> None:
    """Two hops: of the payee of a customer, how many other payers sent far less than they usually do."""
    usual = [Move(payer, 10 + payer, day * DAY, 1_000) for payer in range(4) for day in range(3)]
    odd = [Move(payer, 9, 5 * DAY, 20) for payer in (1, 2)]
    moves = [*usual, *odd, Move(0, 9, 6 * DAY, 1_000)]
    _, matrix, names = account_features(edges_of(moves, nodes=20, customers=4), on(300), SAID)
    at = names.index("paid_partner_odd_max")
    assert matrix[:, at].tolist() == [2, 1, 1, 0]


@pytest.mark.long
def test_time_grows_with_the_transfers() -> None:
    """Four times the transfers among four times the accounts take at most about five times as long."""
    took = []
    for size in (40_000, 160_000):
        rng = np.random.default_rng(0)
        src, dst = rng.integers(0, size // 6, (2, size))
        minute, amount = rng.integers(0, 300 * DAY, size), np.exp(rng.normal(6, 1, size)).astype(int) + 1
        columns = (src, dst, minute, amount)
        moves = [Move(*map(int, row)) for row in zip(*columns, strict=True)]
        edges = edges_of(moves, nodes=size // 6, customers=size // 6)
        strengths(edges, on(300), SAID)
        runs = []
        for _ in range(3):
            begin = time.process_time()
            strengths(edges, on(300), SAID)
            runs.append(time.process_time() - begin)
        took.append(min(runs))
    assert took[1] <= 5.5 * took[0], took
