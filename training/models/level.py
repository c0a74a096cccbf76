"""At what level a model must stand on the date it is for: how far BTYD was off, in the season and lately.

The parts of a model are fitted relative to their dates; how much is bought in all is a matter of the season and of the
age of the base. BTYD, fitted at the date itself, knows the base's age; how far it was off at dates whose labels are
known tells the season.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit

from features.catalogue import POSITION
from training.models.inputs import Examples

Array = NDArray[np.float64]

YEAR_DAYS = 365.0
BELIEF = 0.5
"""What one year showed is chance to a good part: half the correction was nearest to what came, on twelve dates of
three companies (mean error of log spend .143, against .172 with all of it and .175 with none; of log-odds .27, .26 and
.34)."""


def off_by(miss: Callable[[Examples], float], examples: Sequence[Examples], season: Examples | None) -> float:
    """By how much the date in question is to be corrected, from how much each date with labels would have been.

    With the same season of a year ago, its miss; where the oldest customer was known for less than a year then, it
    counts only by that part of a year, and the latest date's miss for the rest. Without, the mean over all dates. Half
    of it is believed (`BELIEF`).
    """
    if season is None:
        return BELIEF * float(np.mean([miss(each) for each in examples]))
    known = min(1.0, float(np.nanmax(season.rows[:, POSITION["tenure_days"]])) / YEAR_DAYS)
    return BELIEF * (known * miss(season) + (1 - known) * miss(examples[-1]))


def mean_log_odds(label: Array) -> float:
    """Of the mean label, kept a thousandth away from 0 and 1."""
    return float(logit(np.clip(label.mean(), 1e-3, 1 - 1e-3)))


def move_to(score: Array, rate: float) -> float:
    """What must be added to log-odds (n,) so that the mean probability is `rate`, or a thousandth inside (0, 1)."""
    rate = float(np.clip(rate, 1e-3, 1 - 1e-3))
    return float(brentq(lambda move: float(expit(score + move).mean()) - rate, -60, 60))


def log_ratio(actual: Array, expected: Array) -> float:
    """log of a total over another; 0 where one of them is not above 0."""
    totals = float(actual.sum()), float(expected.sum())
    return float(np.log(totals[0] / totals[1])) if min(totals) > 0 else 0.0
