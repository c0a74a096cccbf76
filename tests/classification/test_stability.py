"""From raw classes to classes: held back, no way there, decided by a person."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classification.facts import Facts
from classification.scheme import CURRENT, Dimension, Scheme, load_scheme
from classification.stability import Decision, Earlier, can_follow, settle

SCHEME = load_scheme(CURRENT)
LIFECYCLE = SCHEME.dimensions["lifecycle"]


def one(dimension: Dimension, **more: object) -> Scheme:
    """A scheme of a single dimension `x`."""
    return Scheme.model_construct(
        version="2026-12", replaces=None, forward={}, code="{x}", dimensions={"x": dimension.model_copy(update=more)}
    )


def before(classes: str, raw: str, seen: list[int] | None = None, months: int = 1) -> Earlier:
    """What the grading before said, a letter per customer; a blank for one it did not know."""
    said = [np.array(list(text.replace("_", "\0"))) for text in (classes, raw)]
    return Earlier(months, {"x": said[0]}, {"x": said[1]}, {"x": np.array(seen or [1] * len(raw), np.int8)})


def settled(
    scheme: Scheme, raw: str, earlier: Earlier | None, score: list[float] | None = None
) -> tuple[str, list[str]]:
    facts = Facts(len(raw), {"churn": np.array(score or [0.5] * len(raw))})
    found = settle(scheme, {"x": np.array(list(raw))}, facts, earlier)
    return "".join(found.classes["x"]), list(found.notes["x"])


CHURN = SCHEME.dimensions["churn"]


@pytest.mark.parametrize(
    ("score", "was", "becomes"),
    [
        (0.401, "1", "1"), (0.429, "1", "1"), (0.431, "1", "2"), (0.371, "2", "2"), (0.369, "2", "1"),
        (0.729, "1", "2"), (0.731, "1", "3"), (0.371, "3", "2"), (0.5, "U", "2"), (0.41, "\0", "2"),
    ],
)  # fmt: skip
def test_a_bound_must_be_crossed_by_the_margin(score: float, was: str, becomes: str) -> None:
    """Both ways, over several classes too; unknown is not held against anybody."""
    scheme = one(CHURN)
    raw = "".join(CHURN.rule.classify(Facts(1, {"churn": np.array([score])}), {}))
    class_, note = settled(scheme, raw, before(was, was), [score])
    assert class_ == becomes and note == (["held"] if becomes != raw else [""])


def test_a_change_must_be_seen_in_two_months() -> None:
    """The first time it is held, the second time it counts; a change back in between forgets it."""
    scheme = one(SCHEME.dimensions["behaviour"])
    assert settled(scheme, "F", before("O", "O")) == ("O", ["held"])
    assert settled(scheme, "F", before("O", "F")) == ("F", [""])
    assert settled(scheme, "F", before("O", "S")) == ("O", ["held"])
    assert settled(scheme, "F", before("\0", "\0")) == ("F", [""])


@given(st.lists(st.sampled_from("FSON"), min_size=1, max_size=20))
def test_a_class_held_for_two_months_follows_a_raw_class_that_stays(raws: list[str]) -> None:
    """After two equal raw classes in a row the class is that one, whatever went before."""
    scheme, earlier = one(SCHEME.dimensions["behaviour"]), None
    for i, raw in enumerate(raws):
        found = settle(scheme, {"x": np.array([raw])}, Facts(1, {}), earlier)
        if i and raws[i - 1] == raw:
            assert found.classes["x"][0] == raw
        earlier = Earlier(1, found.classes, {"x": np.array([raw])}, found.seen)


def test_a15_nobody_becomes_a_prospect_again() -> None:
    """A jump that cannot be is an error: the class stays, and says so."""
    scheme = one(LIFECYCLE)
    assert settled(scheme, "P", before("R", "R")) == ("R", ["illegal"])
    assert settled(scheme, "F", before("L", "L")) == ("L", ["illegal"])
    assert settled(scheme, "F", before("P", "P")) == ("F", [""])
    assert settled(scheme, "W", before("X", "X")) == ("W", [""])
    assert settled(scheme, "R", before("X", "X")) == ("X", ["illegal"])


def test_a15_more_months_allow_more_steps() -> None:
    """Prospect to lapsed takes two steps at least; back to a first purchase no time suffices."""
    assert not can_follow(LIFECYCLE, "P", "X", months=1)
    assert can_follow(LIFECYCLE, "P", "X", months=2)
    assert can_follow(LIFECYCLE, "X", "R", months=12)
    for class_ in "RLXW":
        assert not can_follow(LIFECYCLE, class_, "F", months=120) and not can_follow(LIFECYCLE, class_, "P", months=120)


def test_share_dimensions_hold_nothing() -> None:
    """So that "A is the top 5 %" stays true."""
    for name, dimension in SCHEME.dimensions.items():
        assert dimension.share is None or (dimension.hold is None and dimension.moves is None), name


def test_a_persons_word_counts_whatever_the_facts_say() -> None:
    """The override is the class; the raw class stays what it is."""
    raw = {"x": np.array(["1", "2"])}
    decision = Decision("x", "3", np.array([1]))
    found = settle(one(CHURN), raw, Facts(2, {"churn": np.array([0.1, 0.5])}), None, [decision])
    assert "".join(found.classes["x"]) == "13" and list(found.notes["x"]) == ["", "override"]
    assert "".join(raw["x"]) == "12"
