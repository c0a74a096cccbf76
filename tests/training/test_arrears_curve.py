"""Payment curves: Kaplan-Meier by hand, and the probabilities that follow from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.arrears.curve import FEW, Curves, fit_curves


def curve(entered: list[int], left: list[int], paid: list[bool], longest: int = 60) -> Curves:
    many = len(left)
    days = np.array(entered), np.array(left)
    return fit_curves(np.full(many, 0.5), *days, np.array(paid), bands=1, fewest=10, longest=longest)


def test_kaplan_and_meier_by_hand() -> None:
    """Twenty invoices written 10 days before they were due: five paid on the day, five after 5 days, five seen open
    for 8 days only, five never paid."""
    found = curve([-10] * 20, [0] * 5 + [5] * 5 + [8] * 5 + [60] * 5, [True] * 10 + [False] * 10)
    share = dict(zip(range(-10, 61), found.open[0], strict=True))
    assert share[-1] == 1 and share[0] == share[4] == 0.75 and share[5] == pytest.approx(0.5) and share[60] == share[5]
    now = np.array([-3, 0, 5, 20])
    after = found.still_open(np.full(4, 0.5), now, now + 30)
    assert after == pytest.approx([0.5, 0.5 / 0.75, 1, 1])


def test_days_with_few_invoices_say_nothing() -> None:
    """Nine invoices of long terms that are paid at once do not say that all are."""
    few, many = FEW - 1, 50
    found = curve([-60] * few + [-10] * many, [-59] * few + [3] * many, [True] * (few + many))
    assert found.open[0, 0] == 1 and found.still_open(np.array([0.5]), np.array([-10]), np.array([0]))[0] == 1


def test_a_probability_nobody_knows_gives_none() -> None:
    """And days beyond the curve are those of its end."""
    found = curve([-10] * 20, [0] * 10 + [60] * 10, [True] * 10 + [False] * 10)
    chance = found.still_open(np.array([np.nan, 0.5]), np.array([-5, -5]), np.array([30, 10_000]))
    assert np.isnan(chance[0]) and chance[1] == 0.5


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_worse_bands_stay_open_longer_and_curves_never_rise(seed: int, bands: int) -> None:
    """Invoices whose delay grows with the probability: each band is above the one before it."""
    rng = np.random.default_rng(seed)
    chance = rng.random(2_000)
    left = rng.poisson(60 * chance)
    found = fit_curves(chance, np.full(2_000, -30), left, np.ones(2_000, bool), bands, 100, 365)
    assert len(found.open) == bands and (np.diff(found.open, axis=1) <= 0).all() and (found.open >= 0).all()
    assert (np.diff(found.open.mean(axis=1)) > 0).all()
    again = Curves.from_json(found.to_json())
    assert np.array_equal(again.open, found.open) and np.array_equal(again.edges, found.edges)
