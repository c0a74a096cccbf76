"""What a clock shows, and when it shows it."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from features.calendar import START, clock, instants, zone

MINUTE = 60_000_000
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Asia/Kolkata", "Africa/Casablanca"]


@pytest.mark.parametrize("name", ZONES)
def test_a_time_without_an_offset_is_what_the_zone_says(name: str) -> None:
    """Around every change of the clock, times that it shows twice or never included; and at random."""
    own = clock(name)
    near = [since + minutes * MINUTE for since in own.since[1:].tolist() for minutes in range(-900, 901, 30)]
    anywhen = np.random.default_rng(3).integers(0, 130 * 365 * 24 * 60, 2_000) * MINUTE - 70 * 365 * 24 * 60 * MINUTE
    shown = np.array([*near, *anywhen.tolist()])
    plain = [START.replace(tzinfo=zone(name)) + timedelta(microseconds=each) for each in shown.tolist()]
    wanted = [(each - START) // timedelta(microseconds=1) for each in plain]
    assert instants(shown, own).tolist() == wanted
