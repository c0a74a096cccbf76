"""Who would change class: everybody is counted once, nobody is named outside the workspace."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import date

import pyarrow.parquet as pq
import pytest

from classification.grade import LiveSet, take_snapshot
from classification.swap import ANY, SwapSet, swap_set
from classification.swap_plot import heat_map
from tests.conftest import Ran
from training import registry
from training.release import Release
from training.snapshots import Snapshot, read_origin, read_snapshots


@pytest.fixture(scope="module")
def base(sample: Ran) -> Snapshot:
    return read_snapshots(sample.workspace, [date(2026, 11, 1)])[0]


@pytest.fixture(scope="module")
def champion(sample: Ran) -> Release:
    return registry.fetch("sample", sample.version)


@pytest.fixture(scope="module")
def swap(sample: Ran, champion: Release, base: Snapshot) -> SwapSet:
    """Twice as many key customers, and segments 1 and 2 the other way round."""
    segments = champion.models["segments"]
    centres = segments.centres  # type: ignore[union-attr]
    turned = replace(segments, centres=(centres[1], centres[0], *centres[2:]))  # type: ignore[type-var]
    scheme = champion.scheme.replace("A: 0.05", "A: 0.10")
    assert scheme != champion.scheme
    challenger = replace(champion, version=99, scheme=scheme, models={**champion.models, "segments": turned})
    return swap_set(live(sample, champion, base), live(sample, challenger, base), base)


def live(sample: Ran, release: Release, base: Snapshot) -> LiveSet:
    return take_snapshot(release, base, read_origin(sample.workspace))


def test_the_same_release_swaps_nobody(sample: Ran, champion: Release, base: Snapshot) -> None:
    """No change in any dimension, no list of people, and a picture that says so."""
    found = live(sample, champion, base)
    swap = swap_set(found, found, base)
    assert all(total.customers == 0 for total in swap.totals) and swap.people.num_rows == 0
    assert all(move.before == move.after for move in swap.moves) and swap.reassigned == 0
    assert heat_map(swap, "EUR").startswith(b"\x89PNG")


def test_everybody_is_counted_once(swap: SwapSet, base: Snapshot) -> None:
    """Each dimension's moves add up to the base; the totals are those who change; ranks decide how many."""
    n = len(base.ids)
    by_name = {total.dimension: total for total in swap.totals}
    for name in by_name.keys() - {ANY}:
        mine = [move for move in swap.moves if move.dimension == name]
        assert sum(move.customers for move in mine) == n
        assert sum(move.share for move in mine) == pytest.approx(1)
        assert sum(move.customers for move in mine if move.before != move.after) == by_name[name].customers
    raised = [m for m in swap.moves if (m.dimension, m.before, m.after) == ("value", "B", "A")]
    assert [move.customers for move in raised] == [math.ceil(0.10 * n) - math.ceil(0.05 * n)]
    assert by_name["behaviour"].customers == by_name["churn"].customers == 0
    turned = [m for m in swap.moves if m.dimension == "segment" and m.before != m.after]
    assert {(m.before, m.after) for m in turned} == {("1", "2"), ("2", "1")}
    bought = sum(m.customers for m in swap.moves if m.dimension == "segment" and m.before != "U")
    assert swap.reassigned == pytest.approx(by_name["segment"].customers / bought)


def test_revenue_is_in_major_units(sample: Ran, swap: SwapSet) -> None:
    """The list of people adds up to what the total says; one customer's spend is told of nobody."""
    people = swap.people
    total = next(total for total in swap.totals if total.dimension == ANY)
    assert total.revenue == pytest.approx(sum(people["spend_365d"].to_pylist()), abs=0.01)
    assert people.num_rows == total.customers
    grades = pq.read_table(sample.folder / "grades.parquet", columns=["customer_id", "spend_365d"]).to_pylist()
    minor = {row["customer_id"]: row["spend_365d"] or 0.0 for row in grades}
    for row in people.slice(0, 20).to_pylist():
        assert row["spend_365d"] == pytest.approx(max(minor[row["customer_id"]], 0) / 100)
    assert all((move.revenue is None) == (move.customers < 5) for move in swap.moves)


def test_nobody_is_named_outside_the_workspace(sample: Ran, swap: SwapSet) -> None:
    """JSON and Markdown carry no pseudonym; the list of people is in the workspace, by both classes."""
    said = json.dumps(swap.to_json()) + swap.markdown()
    assert swap.people.num_rows > 0
    assert not any(id_ in said for id_ in swap.people["customer_id"].to_pylist())
    swap.write(sample.workspace)
    written = pq.read_table(sample.workspace.training / "swap.parquet")
    assert written.equals(swap.people) and {"value_before", "value_after"} <= set(written.column_names)
    (sample.workspace.training / "swap.parquet").unlink()


def test_the_picture_and_the_table_tell_the_same(swap: SwapSet) -> None:
    """Same input, same bytes; the table lists each change with its names."""
    assert heat_map(swap, "EUR") == heat_map(swap, "EUR")
    assert "| value | B major customer | A key customer |" in swap.markdown()
