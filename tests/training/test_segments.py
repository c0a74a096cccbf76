"""Segments: stable, the same for one and for many, and the same whatever the order of the rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.catalogue import POSITION
from tests.training.bases import KINDS, base
from training.plots import segment_profile
from training.segments import SPACES, SegmentModel, choose, described, fit_segments, segmented, stability
from training.segments.choice import COUNTS, SMALLEST, STABLE, TOLERANCE
from training.segments.spaces import coordinates


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return base()


@pytest.fixture(scope="module")
def model(rows: np.ndarray) -> SegmentModel:
    return fit_segments(rows, len(KINDS), seed=1)


def test_the_kinds_of_customers_are_found(rows: np.ndarray, model: SegmentModel) -> None:
    """Customers made alike are in one segment, and 1 spends most."""
    number = model.predict(rows)
    kind = np.repeat(np.arange(len(KINDS)), [customers for *_, customers in KINDS])
    for k in range(len(KINDS)):
        _, counts = np.unique(number[: len(kind)][kind == k], return_counts=True)
        assert counts.max() >= 0.97 * counts.sum()
    spend = rows[:, POSITION["spend_365d"]]
    assert max(model.numbers, key=lambda k: spend[number == k].mean()) == 1


def test_who_never_bought_is_in_no_segment(rows: np.ndarray, model: SegmentModel) -> None:
    """NaN, not the nearest centre."""
    never = rows[:, POSITION["order_days"]] == 0
    number = model.predict(rows)
    assert never.sum() == 10 and np.isnan(number[never]).all() and not np.isnan(number[~never]).any()
    assert model.name_of(float("nan")) is None and model.name_of(1.0) == model.profile[0].name


def test_one_customer_and_many_have_the_same_segment(rows: np.ndarray, model: SegmentModel) -> None:
    """Coordinates of one row are those of the whole base, to the last bit; and so is each segment."""
    whole = np.column_stack(coordinates(rows, model.space))
    for i in range(0, len(rows), 97):
        assert np.column_stack(coordinates(rows[i : i + 1], model.space)).tobytes() == whole[i : i + 1].tobytes()
    alone = np.concatenate([model.predict(row[None, :]) for row in rows])
    assert np.array_equal(alone, model.predict(rows), equal_nan=True)


def test_the_order_of_the_rows_changes_nothing(rows: np.ndarray) -> None:
    """Shuffled rows give the same model, to the last bit, and so the same choice."""
    shuffled = rows[np.random.default_rng(3).permutation(len(rows))]
    assert choose(rows, seed=1, counts=(4, 5)).candidates == choose(shuffled, seed=1, counts=(4, 5)).candidates
    for space in SPACES:
        assert fit_segments(rows, 5, seed=1, space=space) == fit_segments(shuffled, 5, seed=1, space=space)


def test_a_saved_model_is_the_same(rows: np.ndarray, model: SegmentModel, tmp_path: Path) -> None:
    """JSON keeps every bit."""
    model.save(tmp_path)
    assert SegmentModel.load(tmp_path) == model


def test_the_choice_is_the_most_telling_of_the_stable(rows: np.ndarray) -> None:
    """What is chosen was confirmed, is stable and large enough, and nothing stable that was confirmed tells more."""
    choice = choose(rows, seed=1)
    taken = next(each for each in choice.candidates if each.chosen)
    assert len(choice.candidates) == len(COUNTS) * sum(space.amounts for space in SPACES)
    assert taken.confirmed and taken.stability >= STABLE and taken.smallest >= SMALLEST
    assert taken.count == len(choice.fitted.centres) >= len(KINDS)  # four of five kinds would tell less
    good = [each for each in choice.candidates if each.stability >= STABLE and each.smallest >= SMALLEST]
    assert taken.told == max(each.told for each in good)


def test_where_nothing_is_stable_the_stablest_is_taken() -> None:
    """One kind of customers has no segments: the choice still answers, near the best that there is."""
    choice = choose(base(kinds=((100.0, 5.0, 9_000.0, 400),)), seed=1, counts=(4, 5))
    taken = next(each for each in choice.candidates if each.chosen)
    assert taken.stability >= max(each.stability for each in choice.candidates if each.confirmed) - TOLERANCE


def test_a_space_that_was_not_stable_before_is_not_chosen(rows: np.ndarray) -> None:
    """Stability is that of the worst of the dates."""
    muddle = base(seed=5, kinds=((100.0, 5.0, 9_000.0, 1_500),))
    now, lately = (choose(rows, seed=1, earlier=before, counts=(5,)) for before in ([], [muddle]))
    assert max(each.stability for each in lately.candidates if each.confirmed) < now.stability


def test_without_amounts_there_are_segments_too() -> None:
    """By how lately and how often; nothing is said of money."""
    found = segmented(base(amounts=False), seed=1)
    assert not {"spend", "spend_365d", "spend_per_order"} & set(found.model.space)
    for segment in found.model.profile:
        assert (
            segment.revenue is None
            and segment.name.split(", ")[0].endswith("buyers")
            and "spend" not in segment.medians
        )
        assert "revenue" not in described(segment)


def test_too_few_customers_are_refused(rows: np.ndarray) -> None:
    """An error that says so, for fitting and for choosing."""
    with pytest.raises(ValueError, match="too few"):
        fit_segments(rows[:30], 6, seed=1)
    with pytest.raises(ValueError, match="too few"):
        choose(rows[:30], seed=1)
    alike = np.repeat(rows[:1], 500, axis=0)
    with pytest.raises(ValueError, match="too alike"):
        choose(alike, seed=1)


def test_stability_tells_groups_from_a_cloud(rows: np.ndarray) -> None:
    """Five kinds of customers are found again in any resample, six parts of one kind are not."""
    cloud = base(kinds=((100.0, 20.0, 9_000.0, 1_500),))
    assert stability(rows, 5, seed=1) > 0.95 > 0.8 > stability(cloud, 6, seed=1)


def test_shares_and_sizes_are_said(model: SegmentModel) -> None:
    """Shares add up to one, and are told as people say them."""
    assert sum(segment.customers for segment in model.profile) == pytest.approx(1)
    assert sum(segment.revenue or 0 for segment in model.profile) == pytest.approx(1)
    first = replace(model.profile[0], name="frequent high spenders", customers=0.05, revenue=0.41)
    assert described(first) == "frequent high spenders, 1 in 20, 41 % of revenue"
    assert described(replace(first, customers=0.6)).startswith("frequent high spenders, 6 in 10")


def test_the_picture_is_a_png(model: SegmentModel) -> None:
    """The same model gives the same picture."""
    assert segment_profile(model.profile)[:8] == b"\x89PNG\r\n\x1a\n"
    assert segment_profile(model.profile) == segment_profile(model.profile)
