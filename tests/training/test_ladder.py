"""With too little data a task steps down a rung at a time, and says what is missing for the one above."""

from __future__ import annotations

from dataclasses import replace

import pytest

from classification.past import past_standings
from classification.scheme import load_scheme
from tests.conftest import Ran
from training.candidate import fit_task
from training.examples import Base, read_base
from training.ladder import RULES, rung_of
from training.recipes import CHURN, DEMAND, INTENT, POTENTIAL, VALUE, Settings, load_settings
from training.snapshots import read_cuts, read_origin


@pytest.fixture(scope="module")
def base(sample: Ran) -> Base:
    cuts, settings = read_cuts(sample.workspace), load_settings()
    dimension = load_scheme("2026-01").dimensions["value"]
    standings = past_standings(sample.workspace, cuts, dimension, settings.potential_days)
    return read_base(sample.workspace, cuts, settings, read_origin(sample.workspace).active_days, standings)


def with_settings(base: Base, **changed: int) -> Base:
    settings: Settings = base.settings.model_copy(update=changed)
    return replace(base, settings=settings)


def test_a_task_steps_down_and_says_why(base: Base) -> None:
    """LightGBM, then purchase rhythm, then cells, then rules; each names what the rung above lacked."""
    enough = with_settings(base, fewest_per_class=20)
    few = with_settings(base, fewest_customers=10**6)
    fewer = with_settings(base, fewest_customers=10**6, fewest_repeaters=10**6)
    nobody = replace(fewer, cuts=replace(base.cuts, snapshots=0))
    for recipe in (CHURN, VALUE, DEMAND, INTENT):
        assert rung_of(recipe, enough).name == "lightgbm" and rung_of(recipe, enough).missing == ""
        assert rung_of(recipe, few).name == "btyd" and "at least 1000000" in rung_of(recipe, few).missing
        assert rung_of(recipe, fewer).name == "rfm" and "on two days" in rung_of(recipe, fewer).missing
        assert rung_of(recipe, nobody).name == RULES and "days of data" in rung_of(recipe, nobody).missing
    assert rung_of(POTENTIAL, few).name == "rfm"
    assert "no past base has" in rung_of(POTENTIAL, replace(base, standings={})).missing


@pytest.mark.parametrize("rung", ["btyd", "rfm"])
@pytest.mark.parametrize("recipe", [CHURN, VALUE, DEMAND, INTENT, POTENTIAL], ids=lambda r: r.name)
def test_every_rung_answers(base: Base, rung: str, recipe: object, tmp_path: object) -> None:
    """A model of each rung gives every customer asked a number in range, also after it was saved and loaded."""
    import numpy as np

    from training.ladder import Rung
    from training.release import load_task

    assert recipe in (CHURN, VALUE, DEMAND, INTENT, POTENTIAL)
    if recipe is POTENTIAL and rung == "btyd":
        return  # a model of purchase rhythm knows no classes
    model = fit_task(recipe, Rung(rung, ""), base, base.cuts.grade)  # type: ignore[arg-type]
    model.save(tmp_path)  # type: ignore[arg-type]
    again = load_task(recipe.name, tmp_path)  # type: ignore[arg-type, attr-defined]
    day = max(base.standings) if recipe is POTENTIAL else base.cuts.grade
    rows = base.snapshots[day].rows[base.asked(recipe, day)]  # type: ignore[arg-type]
    rows = rows[rows[:, 0] == rows[:, 0]]
    bought = rows[~np.isnan(again.predict(rows, 90))]
    assert len(bought) > 50
    found = again.predict(bought, 90)
    assert np.array_equal(found, model.predict(bought, 90))
    assert (found >= 0).all() and (recipe in (VALUE, DEMAND) or (found <= 1).all())
