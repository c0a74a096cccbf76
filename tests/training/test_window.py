"""For how long a silent customer is asked about."""

from __future__ import annotations

import numpy as np
import pytest

from training.window import window_of


def test_the_window_is_where_the_truth_puts_it() -> None:
    """Silences whose hazard is known: half the customers are gone, the others buy at exponential gaps."""
    rng = np.random.default_rng(0)
    mean, horizon, gone = 60.0, 90, 0.5
    gaps = rng.exponential(mean, 200_000)
    gone_now = rng.random(gaps.size) < gone
    seen = gaps[~gone_now].astype(int)
    found = window_of(seen, np.full(int(gone_now.sum()), 1_500), horizon, 0.02)
    # P(back within h | silent for w) = (1 − gone) e^(−w/m) (1 − e^(−h/m)) / ((1 − gone) e^(−w/m) + gone)
    alive = np.exp(-np.arange(1_000) / mean) * (1 - gone)
    returns = alive * (1 - np.exp(-horizon / mean)) / (alive + gone)
    assert found == pytest.approx(int(np.flatnonzero(returns < 0.02)[0]), abs=8)


def test_a_silence_that_nobody_was_seen_through_gives_no_window() -> None:
    """Short histories leave nobody out; so do no gaps at all."""
    rng = np.random.default_rng(0)
    assert window_of(rng.integers(1, 80, 500), rng.integers(1, 100, 500), 90, 0.02) is None
    assert window_of(np.empty(0, int), np.array([400] * 300), 90, 0.02) is None
    assert window_of(np.array([10] * 50), np.array([400] * 40), 90, 0.02) is None


def test_the_window_is_never_shorter_than_the_horizon() -> None:
    """Else a customer who bought within the last horizon would not be asked about."""
    found = window_of(np.full(5_000, 3), np.full(5_000, 2_000), 90, 0.02)
    assert found == 90
