"""Names and numbers of segments: unique, true, and kept across retrains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.bases import KINDS, base
from training.segments import SPACES, SegmentModel, fit_segments, matched, reassigned_share, segmented
from training.segments.matching import MOST_NUMBERS
from training.segments.names import NAMED_BY, phrase, unique_names, words_for

Standing = dict[str, float]
SHARES = st.sampled_from([0.0, 0.1, 0.15, 0.3, 1 / 3, 0.5, 2 / 3, 0.8, 0.85, 0.95, 1.0])


@st.composite
def profiles(draw: st.DrawFn) -> list[tuple[Standing, Standing]]:
    """Medians and standings of up to nine segments, often alike."""
    return [
        (
            {name: float(draw(st.integers(0, 3))) for name in NAMED_BY},
            {name: draw(SHARES) for name in NAMED_BY},
        )
        for _ in range(draw(st.integers(1, 9)))
    ]


@given(profiles(), profiles(), st.sampled_from(SPACES), st.integers(0, 9))
def test_a08_every_segment_has_a_name_of_its_own(
    found: list[tuple[Standing, Standing]], earlier: list[tuple[Standing, Standing]], space: object, goes_on: int
) -> None:
    """Total and unique for any profile, also beside names kept from an earlier model; the words hold where given."""
    features = space.features  # type: ignore[attr-defined]
    before = _named(features, earlier, {})
    kept = {
        k: before[k]
        for k in range(1, min(goes_on, len(found), len(earlier)) + 1)
        if all(word.holds(*found[k - 1]) for word in before[k][1])
    }
    names = _named(features, found, kept)
    assert set(names) == set(range(1, len(found) + 1))
    assert len({name for name, _ in names.values()}) == len(found)
    for k, (name, words) in names.items():
        assert name.startswith(phrase(words)) and all(word.holds(*found[k - 1]) for word in words)


def test_alike_segments_are_told_apart_by_where_they_differ() -> None:
    """Degrees are only used where two would have the same name, and only in one word if that will do."""
    high, highest = dict.fromkeys(NAMED_BY, 0.7), dict.fromkeys(NAMED_BY, 0.7) | {"spend": 0.9}
    medians = dict.fromkeys(NAMED_BY, 9.0)
    features = ("recency_days", "orders", "spend")
    alone, _ = _named(features, [(medians, highest)], {})[1]
    both = _named(features, [(medians, high), (medians, highest)], {})
    assert alone == "silent frequent high spenders"
    assert [name for name, _ in both.values()] == [alone, "silent frequent very high spenders"]
    assert _named(features, [(medians, high)] * 2, {})[2][0] == f"{alone}, group B"


def test_a_name_that_would_fit_another_too_is_given_up() -> None:
    """A segment called a high spender takes a finer word once another segment spends highly as well."""
    medians, features = dict.fromkeys(NAMED_BY, 9.0), ("recency_days", "orders", "spend")
    high, highest = dict.fromkeys(NAMED_BY, 0.7), dict.fromkeys(NAMED_BY, 0.7) | {"spend": 0.9}
    kept = _named(features, [(medians, highest)], {})
    names = _named(features, [(medians, highest), (medians, high)], kept)
    assert names[1][0] == "silent frequent very high spenders" and names[2][0] == kept[1][0]


@pytest.fixture(scope="module")
def champion() -> SegmentModel:
    return fit_segments(base(), 5, seed=1)


def test_a08_an_identical_retrain_reassigns_nobody(champion: SegmentModel) -> None:
    """The same rows again: the same numbers and names, whatever numbers the new fit began with."""
    rows = base()
    turned = replace(champion, centres=champion.centres[::-1], profile=())
    model, changes = matched(turned, champion, rows)
    assert model == champion and {change.fate for change in changes} == {"kept"}
    again = segmented(rows, seed=9, champion=segmented(rows, seed=1).model)
    assert again.reassigned == 0 and {change.fate for change in again.changes} == {"kept"}


@given(st.integers(4, 8), st.integers(4, 8), st.integers(1, 5))
def test_matching_is_one_to_one(old: int, new: int, seed: int) -> None:
    """Every new segment has one number of 1 to 9, no two the same; the champion's go on or are gone."""
    rows = base(seed=1)
    before, after = fit_segments(rows, old, seed=1), fit_segments(base(seed=2), new, seed=seed)
    model, changes = matched(after, before, rows)
    assert len(set(model.numbers)) == new and set(model.numbers) <= set(range(1, MOST_NUMBERS + 1))
    assert model.numbers == tuple(sorted(model.numbers)) == tuple(segment.number for segment in model.profile)
    going = [change.number for change in changes if change.fate in ("kept", "renamed", "gone")]
    assert sorted(going) == list(before.numbers)
    assert all((change.overlap >= 0.5) == (change.fate in ("kept", "renamed")) for change in changes)
    assert sorted(map(str, model.centres)) == sorted(map(str, after.centres))  # renumbered, not moved


def test_a_new_segment_has_a_number_that_meant_nothing(champion: SegmentModel) -> None:
    """One kind of customers goes, another comes: four numbers stay, and the fifth is not used again at once."""
    rows = base(seed=4, kinds=(*KINDS[:4], (5.0, 40.0, 900.0, 400)))
    found = segmented(rows, 1, champion)
    fates = {change.fate: change for change in found.changes if change.fate in ("new", "gone")}
    assert fates["gone"].number in champion.numbers and fates["new"].number == 6
    assert [change.fate for change in found.changes].count("kept") + [c.fate for c in found.changes].count(
        "renamed"
    ) == 4


def test_a_name_stays_while_its_words_hold(champion: SegmentModel) -> None:
    """The same kinds of customers a little later: the names stay; when a kind is another, its name changes."""
    later = tuple((recency * 1.1, orders, size, customers) for recency, orders, size, customers in KINDS)
    kept = segmented(base(seed=7, kinds=later), 1, champion)
    assert kept.reassigned is not None and kept.reassigned <= 0.05
    assert [s.name for s in kept.model.profile] == [s.name for s in champion.profile]
    assert kept.model.space == champion.space and len(kept.candidates) == 1


def test_reassigned_share_counts_customers_with_two_segments() -> None:
    """Who has a segment under one model only says nothing about the other."""
    assert reassigned_share(np.array([1, 2, 3, np.nan]), np.array([1, 3, 3, 1])) == pytest.approx(1 / 3)
    assert reassigned_share(np.array([np.nan]), np.array([1.0])) == 0


def test_a_champion_whose_space_is_none_any_more_gives_way(champion: SegmentModel) -> None:
    """A company that stops sending amounts gets segments without them, and is told what became of the old ones."""
    found = segmented(base(amounts=False), 1, champion)
    assert "spend_per_order" not in found.model.space and len(found.candidates) > 1
    assert {change.fate for change in found.changes} & {"new", "gone", "renamed"}


def _named(features, found, kept):  # type: ignore[no-untyped-def]
    coarse, fine = (
        {k: words_for(features, medians, standing, fine=degree) for k, (medians, standing) in enumerate(found, 1)}
        for degree in (False, True)
    )
    return unique_names(coarse, fine, kept)
