"""Reviews: a second person, what counts when, and when a customer is looked at again."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from classification.laundering.reviews import (
    ACTS,
    Reviewed,
    add_act,
    check_confirms,
    check_saw,
    holds,
    needs_second,
    read_acts,
    reviewed,
)
from classification.laundering.standing import stand
from features.errors import InputError
from features.workspace import Workspace
from tests.classification.laundering.bank import DAY, SCHEME, customer, days_later, records_of

ANNA = customer(1)


def act(number: int, what: str, day: date = DAY, by: str = "eva", **said: Any) -> dict[str, Any]:
    empty = dict.fromkeys(ACTS.names)
    return empty | {"act_id": number, "act": what, "customer_id": ANNA, "day": day, "on": day, "by": by} | said


def assess(number: int, grade: str, earlier: str, **said: Any) -> dict[str, Any]:
    return act(number, "assess", grade=grade, earlier=earlier, **{"basis": DAY, "basis_grade": earlier} | said)


def confirm(number: int, refers: int, by: str = "tom", day: date = DAY) -> dict[str, Any]:
    return act(number, "confirm", day, by, refers=refers)


def standing(
    acts: list[dict[str, Any]],
    system: str = "L",
    day: date = DAY,
    signal: date | None = None,
    graded_on: date = DAY,
    earlier: tuple[str | None, date | None] = (None, None),
) -> dict[str, Any]:
    """Where Anna stands at a day, by acts and by what the system says."""
    row = {"customer_id": [ANNA], "system_grade": [system], "system_ground": ["band"]}
    days = {"signal": [signal], "graded_on": [graded_on]}
    table = pa.table({**row, **{name: pa.array(value, pa.date32()) for name, value in days.items()}})
    old = pa.table({"grade": pa.array([earlier[0]], pa.string()), "since": pa.array([earlier[1]], pa.date32())})
    found: dict[str, Any] = stand(table, reviewed(acts, SCHEME, {}), SCHEME, day, old).to_pylist()[0]
    return found


def test_a24_who_needs_a_second_person() -> None:
    """Whoever lowers, and whoever says the highest grade; not who raises below it, or keeps a lower grade."""
    needs = {(grade, earlier) for grade in "HML" for earlier in "HML" if needs_second(SCHEME, grade, earlier)}
    assert needs == {("H", "H"), ("H", "M"), ("H", "L"), ("M", "H"), ("L", "H"), ("L", "M")}


@pytest.mark.parametrize(("grade", "earlier", "alone"), [("L", "M", "M"), ("H", "M", "M"), ("M", "L", "M")])
def test_a24_an_assessment_counts_at_once_or_once_it_is_confirmed(grade: str, earlier: str, alone: str) -> None:
    said = [assess(1, grade, earlier)]
    before = standing(said, system=earlier)
    assert before["grade"] == alone and before["waits"]
    after = standing([*said, confirm(2, 1)], system=earlier)
    assert after["grade"] == grade and after["ground"] == "review" and not after["waits"]


def test_a24_the_second_person_is_another_one() -> None:
    """However the name is written; and only the last assessment can be confirmed."""
    said = [assess(1, "L", "M", by="Eva Adler")]
    for name in ("Eva Adler", " eva  adler "):
        assert standing([*said, confirm(2, 1, by=name)], system="M")["grade"] == "M"
        with pytest.raises(InputError, match="a second person"):
            check_confirms(reviewed(said, SCHEME, {})[ANNA], name, "L")
    assert check_confirms(reviewed(said, SCHEME, {})[ANNA], "Tom", "L").id == 1
    again = [*said, assess(2, "M", "M", by="Ina")]
    assert standing([*again, confirm(3, 1)], system="M")["waits"]
    for nothing in (Reviewed(), reviewed([*said, confirm(2, 1)], SCHEME, {})[ANNA]):
        with pytest.raises(InputError, match="no assessment"):
            check_confirms(nothing, "Tom", "L")


def test_a24_a_pending_assessment_leaves_the_one_before_it() -> None:
    said = [assess(1, "M", "L"), confirm(2, 1), assess(3, "L", "M")]
    assert standing(said)["grade"] == "M" and standing([*said, confirm(4, 3)])["grade"] == "L"


def test_a25_a_person_is_not_overruled_downwards_nor_by_what_it_knew() -> None:
    """Raised by a person, the grade stays when the system says less. Lowered, it stays while the system says what the
    person saw; it rises at once when the system says more, or when news come: on the day of the register that the
    person saw, or later, for that register had seen the days before."""
    assert standing([assess(1, "M", "L")])["grade"] == "M"
    lowered = [assess(1, "L", "H"), confirm(2, 1)]
    assert standing(lowered, system="H", signal=days_later(-1))["grade"] == "L"
    assert standing(lowered, system="H", signal=DAY)["grade"] == "H"
    assert standing(lowered, system="M", signal=DAY)["grade"] == "M"
    seen_less = [assess(1, "L", "M"), confirm(2, 1)]
    assert standing(seen_less, system="M")["grade"] == "L" and standing(seen_less, system="H")["grade"] == "H"
    assert holds(SCHEME, reviewed(lowered, SCHEME, {})[ANNA].standing, 0, None)  # type: ignore[arg-type]


def test_a25_nobody_leaves_the_highest_grade_without_a_review() -> None:
    """By a register alone it is held; by a confirmed assessment since it has it, it goes down."""
    held = standing([], system="L", earlier=("H", DAY), day=days_later(30))
    assert (held["grade"], held["ground"], held["since"]) == ("H", "held", DAY)
    assert standing([], system="L", earlier=("M", DAY))["grade"] == "L"
    waits = [assess(1, "L", "H", day=days_later(5))]
    assert standing(waits, earlier=("H", DAY), day=days_later(30))["grade"] == "H"
    done = [*waits, confirm(2, 1, day=days_later(6))]
    assert standing(done, earlier=("H", DAY), day=days_later(30))["grade"] == "L"
    assert standing(done, earlier=("H", days_later(7)), day=days_later(30))["grade"] == "H"  # an older review


def test_a25_a_review_of_what_came_before_releases_nobody() -> None:
    """Said by a register from before the highest grade, or before news, it does not lower, whenever it is confirmed;
    said of a grade that a person gave, it does, though no register came between."""
    stale = [assess(1, "L", "M", day=days_later(2)), confirm(2, 1, day=days_later(12))]
    assert standing(stale, earlier=("H", days_later(10)), day=days_later(30))["ground"] == "held"
    fresh = [assess(1, "L", "H", day=days_later(2)), confirm(2, 1, day=days_later(12))]
    assert standing(fresh, earlier=("H", DAY), day=days_later(30))["ground"] == "review"
    assert standing(fresh, earlier=("H", DAY), day=days_later(30), signal=days_later(5))["ground"] == "held"
    assert standing(fresh, earlier=("H", days_later(1)), day=days_later(30))["ground"] == "review"
    review = reviewed(stale[:1], SCHEME, {})[ANNA].pending
    assert review is not None
    check_saw(SCHEME, review, DAY, days_later(-1))
    for since, signal in ((days_later(10), None), (DAY, DAY)):
        with pytest.raises(InputError, match="Assess the customer anew"):
            check_saw(SCHEME, review, since, signal)


@pytest.mark.parametrize(("grade", "days"), [("H", 182), ("M", 364), ("L", 728)])
def test_a24_the_next_review_follows_from_the_grade(grade: str, days: int) -> None:
    """So many days after the first grading, then after the last confirmed review; overdue from the day after."""
    first = standing([], system=grade)
    assert first["review_due"] == days_later(days)
    assert not standing([], system=grade, graded_on=DAY, day=days_later(days), earlier=(grade, DAY))["overdue"]
    assert standing([], system=grade, graded_on=DAY, day=days_later(days + 1), earlier=(grade, DAY))["overdue"]
    kept = [assess(1, grade, grade, day=days_later(90)), confirm(2, 1, day=days_later(100))]
    now = days_later(200)
    assert standing(kept, system=grade, day=now, earlier=(grade, DAY))["review_due"] == days_later(100 + days)
    alone = standing(kept[:1], system=grade, day=now, earlier=(grade, DAY))
    assert alone["review_due"] == days_later(days) and alone["waits"]  # nobody confirmed it: no review


def test_a24_a_raised_customer_is_due_on_the_day_it_is_raised_at_the_latest_interval() -> None:
    """When the interval of the higher grade is over already, the review is due on that day, and overdue on the next."""
    raised = standing([], system="H", day=days_later(300), earlier=("L", DAY))
    assert (raised["review_due"], raised["overdue"], raised["since"]) == (days_later(300), False, days_later(300))
    assert standing([], system="H", day=days_later(301), earlier=("H", days_later(300)))["overdue"]


def test_a24_due_diligence_follows_from_the_grade() -> None:
    """High asks enhanced, low simplified; more than asked is enough, less is not; the one of the latest day counts, of
    one day the last that was noted."""
    for system, asked in (("H", "enhanced"), ("M", "standard"), ("L", "simplified")):
        assert standing([], system=system)["due_diligence"] == asked and standing([], system=system)["diligence_lacks"]
    for kind, lacks in (("simplified", True), ("standard", False), ("enhanced", False)):
        assert standing([act(1, "diligence", kind=kind)], system="M")["diligence_lacks"] == lacks
    two = [act(1, "diligence", kind="enhanced"), act(2, "diligence", kind="simplified", on=days_later(3))]
    for acts in (two, two[::-1], [act(3, "diligence", kind="enhanced", on=days_later(3)), *two]):
        found = standing(acts, system="M")
        assert (found["diligence_done"], found["diligence_on"]) == ("simplified", days_later(3))
        assert found["diligence_lacks"]


def test_acts_are_numbered_kept_and_cut_at_a_day(tmp_path: Path) -> None:
    """What was said on a day or later is not known before it; an act needs a reason."""
    records = records_of(Workspace(tmp_path))
    with records.changing() as now:
        numbers = [add_act(now, "diligence", ANNA, days_later(i), "called", kind="standard") for i in range(3)]
        with pytest.raises(InputError, match="--reason"):
            add_act(now, "diligence", ANNA, DAY, " ", kind="standard")
    assert numbers == [1, 2, 3] and len(read_acts(records)) == 3
    assert [each["act_id"] for each in read_acts(records, days_later(1))] == [1]


def test_a_merged_id_is_its_survivors_and_a_grade_that_is_gone_counts_nowhere() -> None:
    said = [assess(1, "M", "L"), act(2, "diligence", kind="standard")]
    assert reviewed(said, SCHEME, {ANNA: customer(2)}).keys() == {customer(2)}
    assert standing([assess(1, "X", "L")])["grade"] == "L"
