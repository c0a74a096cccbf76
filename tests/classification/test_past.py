"""Past bases graded by value, each by its own cut-offs."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

import numpy as np

from classification.past import past_standings
from classification.scheme import load_scheme
from features.catalogue import POSITION
from tests.conftest import Ran
from training.recipes import load_settings
from training.snapshots import read_cuts, read_facts, read_snapshots


def test_the_lowest_class_is_the_lower_four_fifths_and_who_rose_left_it(sample: Ran) -> None:
    """Against a reckoning by hand: not among the top 20 % by spend then, among them two quarters later."""
    cuts, days = read_cuts(sample.workspace), load_settings().potential_days
    dimension = load_scheme("2026-01").dimensions["value"]
    found = past_standings(sample.workspace, cuts, dimension, days)
    assert set(found) == {day for day, h in cuts.labelled if h == days} and len(found) >= 12
    day = max(found)
    later = day + timedelta(days=days)
    ids, facts = read_facts(sample.workspace, ["spend_365d"], [later])[later]
    top = set(ids[np.argsort(-facts["spend_365d"], kind="stable")][: ceil(0.2 * len(ids))])
    now = read_snapshots(sample.workspace, [day])[0]
    spend = now.rows[:, POSITION["spend_365d"]]
    assert abs(found[day].lowest.mean() - 0.8) < 0.01
    assert spend[found[day].lowest].max() <= spend[~found[day].lowest].min()
    assert np.mean([id_ in top for id_ in now.ids] == found[day].rose) > 0.995
    assert 0.005 < found[day].rose[found[day].lowest].mean() < 0.3


def test_a_dimension_over_scores_grades_no_past(sample: Ran) -> None:
    """No past base has scores, so potential is skipped, not guessed."""
    dimension = load_scheme("2026-01").dimensions["churn"]
    assert past_standings(sample.workspace, read_cuts(sample.workspace), dimension, 180) == {}
