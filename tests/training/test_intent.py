"""When a customer buys next: chances that add up, and a rule for those who never bought."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from features.catalogue import NAMES, POSITION
from training.intent import FEWEST_LEADS, IntentModel, LeadRule, fit_leads


@dataclass(frozen=True)
class Silent:
    """P(no purchase) as one of the features says."""

    at: int

    def predict(self, rows: np.ndarray, horizon_days: int) -> np.ndarray:
        return np.clip(rows[:, self.at], 0, 1)

    def save(self, folder: Path) -> None:
        (folder / "silent").touch()


def rows_of(n: int, **columns: object) -> np.ndarray:
    rows = np.full((n, len(NAMES)), np.nan)
    rows[:, POSITION["order_days"]] = 1
    for name, column in columns.items():
        rows[:, POSITION[name]] = column
    return rows


def test_the_chances_add_up_and_the_class_holds_the_median() -> None:
    """Also where a longer horizon was predicted below a shorter one."""
    rng = np.random.default_rng(0)
    rows = rows_of(500, spend=rng.random(500), orders=rng.random(500), lines=rng.random(500))
    models = tuple(Silent(POSITION[name]) for name in ("spend", "orders", "lines"))
    number, *chances = IntentModel(models, (30, 90, 180), LeadRule()).answers(rows)
    assert np.allclose(np.sum(chances, axis=0), 1) and (np.array(chances) >= 0).all()
    within = np.cumsum(chances, axis=0)[:3]
    for k, each in enumerate(number.astype(int)):
        assert (within[: each - 1, k] < 0.5).all() and (each == 4 or within[each - 1, k] >= 0.5)


def test_leads_are_told_apart_by_their_visits() -> None:
    """Rates drawn to the mean, never falling with the horizon; too few leads give no answer."""
    recency = np.repeat([5.0, 100.0, np.nan], 400)
    leads = rows_of(1200, visit_recency_days=recency, order_days=0)
    bought = np.concatenate([np.arange(400) < 200, np.arange(400) < 40, np.zeros(400)]).astype(float)
    rule = fit_leads([(leads, bought), (leads, bought), (leads, bought * 0.9)])
    answers = IntentModel((Silent(0),) * 3, (30, 90, 180), rule).answers(leads)
    chance = answers[1]
    assert chance[0] == pytest.approx((200 + 20 * 0.2) / 420) and chance[0] > chance[400] > chance[800] > 0
    assert len(np.unique(chance)) == 3 and not answers[3].any()
    assert np.allclose(np.sum(answers[1:], axis=0), 1)
    few = leads[: FEWEST_LEADS - 1], bought[: FEWEST_LEADS - 1]
    assert fit_leads([few] * 3) == LeadRule()
    nothing = IntentModel((Silent(0),) * 3, (30, 90, 180), LeadRule()).answers(leads[:3])
    assert all(np.isnan(each).all() for each in nothing)
