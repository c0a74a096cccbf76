"""Pareto tiers: who brings most, by shares of the predicted value or of the customers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.tiers import PYRAMID, cut_offs, tier_of, tier_table

AMOUNTS = st.lists(st.sampled_from([0.0, -5.0, 1.0, 1.0, 2.0, 50.0, 1e6, float("nan")]), min_size=1, max_size=60)


def test_the_first_tier_brings_half() -> None:
    """50 / 80 / 95 % of what is predicted, from as few customers as will do."""
    predicted = np.array([500.0, 300.0, 100.0, 50.0, 25.0, 25.0])
    cuts = cut_offs(predicted)
    assert tier_of(predicted, cuts).tolist() == [1, 2, 3, 3, 4, 4]
    table = tier_table(predicted, np.array([0.0, 90.0, 10.0, 0.0, 0.0, 0.0]), cuts)
    assert [row.customers for row in table] == [1, 1, 2, 2]
    assert [row.predicted for row in table] == pytest.approx([0.5, 0.3, 0.15, 0.05])
    assert [row.past for row in table] == pytest.approx([0.0, 0.9, 0.1, 0.0])


def test_the_pyramid_counts_heads() -> None:
    """1, 4, 15, 40 and 40 % of a thousand customers."""
    predicted = np.arange(1000.0)
    cuts = cut_offs(predicted, PYRAMID, of="customers")
    assert [row.customers for row in tier_table(predicted, predicted, cuts)] == [10, 40, 150, 400, 400]


@given(AMOUNTS, st.sampled_from(["value", "customers"]), st.randoms())
def test_tiers_are_total_ordered_and_blind_to_the_order_of_rows(amounts: list[float], of: str, random: object) -> None:
    """Everyone with a prediction has one tier, more is never worse, ties are together, in any order of the rows."""
    predicted = np.array(amounts)
    cuts = cut_offs(predicted, of=of)  # type: ignore[arg-type]
    tier = tier_of(predicted, cuts)
    assert (np.isnan(tier) == np.isnan(predicted)).all()
    known = np.maximum(predicted[~np.isnan(predicted)], 0.0)
    order = np.argsort(-known, kind="stable")
    assert (np.diff(tier[~np.isnan(tier)][order]) >= 0).all()
    assert all(len({t for p, t in zip(known, tier[~np.isnan(tier)], strict=True) if p == v}) == 1 for v in known)
    random.shuffle(amounts)  # type: ignore[attr-defined]
    assert cut_offs(np.array(amounts), of=of) == cuts  # type: ignore[arg-type]
    assert sum(row.customers for row in tier_table(predicted, predicted, cuts)) == len(known)


def test_nothing_predicted_is_the_last_tier() -> None:
    """No half of nothing."""
    nothing = np.zeros(5)
    assert (tier_of(nothing, cut_offs(nothing)) == 4).all()
    assert tier_table(nothing, nothing, cut_offs(nothing))[0].past is None


def test_bounds_that_do_not_rise_are_refused() -> None:
    """A tier that ends before it begins."""
    with pytest.raises(ValueError, match="rising"):
        cut_offs(np.ones(3), (0.8, 0.5))
