"""No target of a training date reaches past the date it is to predict."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import InputError
from training.backtest import Cuts, plan_cuts
from training.labels import closes
from training.recipes import load_settings

FIRST = date(2020, 1, 1)


@given(st.integers(10, 1500), st.none() | st.integers(0, 1500), st.none() | st.integers(0, 1500), st.integers(1, 400))
def test_training_closes_before_the_test_and_the_test_before_the_data_end(
    days: int, test: int | None, grade: int | None, horizon: int
) -> None:
    """For every horizon, whatever is asked for, or the wish is refused with a reason."""
    settings = load_settings().model_copy(update={"horizon_days": horizon})
    end = FIRST + timedelta(days=days)
    asked = [None if offset is None else FIRST + timedelta(days=offset) for offset in (test, grade)]
    try:
        cuts = plan_cuts(FIRST, end, settings, *asked)
    except InputError:
        return
    earliest = FIRST + timedelta(days=settings.history_days)
    assert cuts.grade <= end and (asked[0] is None or cuts.test == asked[0])
    assert asked == [None, None] or cuts.tests(horizon)
    for look in settings.looks:
        tests = cuts.tests(look[0])
        assert len(tests) <= settings.test_dates
        assert all(closes(day, look[0]) <= end for day in tests)
        assert all(closes(day, look[0]) <= later for day, later in pairwise(tests))
        for at in (*tests, cuts.grade):
            for h in look:
                dates = cuts.train(at, h)
                assert all(earliest <= day and closes(day, h) <= at for day in dates)
                assert len(dates) <= settings.snapshots and sorted(set(dates)) == list(dates)
                assert {(day, h) for day in dates} <= cuts.labelled and set(dates) <= set(cuts.all)
        assert all(cuts.train(day, look[0]) for day in tests)


def test_short_data_say_how_much_is_needed() -> None:
    """A date that was asked for is refused in a letter; without one nothing tests."""
    end = FIRST + timedelta(days=200)
    with pytest.raises(InputError, match="at least 270 days"):
        plan_cuts(FIRST, end, load_settings(), grade=end)
    cuts = plan_cuts(FIRST, end, load_settings())
    assert cuts.tests(90) == ()
    shortest = plan_cuts(FIRST, FIRST + timedelta(days=100), load_settings())
    assert shortest.all == (shortest.grade,) and not shortest.labelled


def test_two_dates_judge_each_horizon() -> None:
    """With three years of data every question is judged twice, on outcomes that do not overlap."""
    cuts = plan_cuts(FIRST, FIRST + timedelta(days=1096), load_settings())
    for look in load_settings().looks:
        first, second = cuts.tests(look[0])
        assert (second - first).days >= look[0]
        assert len(cuts.train(first, look[0])) == load_settings().snapshots


@given(st.integers(100, 1500))
def test_dates_are_read_back_as_written(days: int) -> None:
    """Through JSON."""
    cuts = plan_cuts(FIRST, FIRST + timedelta(days=days), load_settings())
    assert Cuts.from_json(cuts.to_json()) == cuts
