"""No target of a training date reaches past the date it is to predict."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import InputError
from training.backtest import plan_cuts
from training.labels import closes
from training.recipes import load_settings

FIRST = date(2020, 1, 1)


@given(st.integers(10, 1500), st.none() | st.integers(0, 1500), st.none() | st.integers(0, 1500), st.integers(1, 400))
def test_training_closes_before_the_test_and_the_test_before_the_data_end(
    days: int, test: int | None, grade: int | None, horizon: int
) -> None:
    """Whatever is asked for, or the wish is refused with a reason."""
    settings = load_settings().model_copy(update={"horizon_days": horizon})
    end = FIRST + timedelta(days=days)
    asked = [None if offset is None else FIRST + timedelta(days=offset) for offset in (test, grade)]
    try:
        cuts = plan_cuts(FIRST, end, settings, *asked)
    except InputError:
        return
    if not cuts.train:
        assert asked == [None, None] and days < settings.history_days + 2 * horizon
        assert cuts.all == (end,) and cuts.labelled == ()
        return
    earliest = FIRST + timedelta(days=settings.history_days)
    assert closes(cuts.test, horizon) <= end and cuts.grade <= end
    assert cuts.train and all(earliest <= day and closes(day, horizon) <= cuts.test for day in cuts.train)
    assert all(earliest <= day and closes(day, horizon) <= cuts.grade for day in cuts.refit)
    assert len(cuts.train) <= settings.snapshots and sorted(set(cuts.train)) == list(cuts.train)
    assert cuts.test == asked[0] or asked[0] is None


def test_short_data_say_how_much_is_needed() -> None:
    """A date that was asked for is refused in a letter; without one only the end of the data is graded."""
    end = FIRST + timedelta(days=200)
    with pytest.raises(InputError, match="at least 270 days"):
        plan_cuts(FIRST, end, load_settings(), grade=end)
    assert plan_cuts(FIRST, end, load_settings()).all == (end,)


def test_months_end_where_they_end() -> None:
    """Monthly dates keep their day of the month, and fall on the last day of shorter months."""
    cuts = plan_cuts(date(2018, 1, 1), date(2021, 1, 1), load_settings(), test=date(2020, 6, 29))
    assert cuts.train[-1] == date(2020, 3, 31)
    assert cuts.train[-2] == date(2020, 2, 29)
