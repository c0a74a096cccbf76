"""The laundering grade: every rule with both sides of its boundary, and one grade for whatever is known."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classification.facts import Facts
from classification.laundering.grade import Graded, grade
from classification.laundering.known import as_dates, as_numbers
from classification.laundering.scheme import LaunderingScheme
from features.texts import Texts
from tests.classification.laundering.bank import SAFE, SCHEME, scheme

BANDED = scheme(lowest={}, upgrades={})
"""Only bands, and the way straight to the highest grade."""


def graded(
    numbers: dict[str, float] | None = None,
    texts: dict[str, str | None] | None = None,
    rules: LaunderingScheme = SCHEME,
    counts: dict[str, int] | None = None,
) -> tuple[str, str]:
    """Grade and ground of one customer, who is safe but for what is said."""
    said = {**SAFE, **(texts or {})}
    found = {name: np.array([value]) for name, value in (numbers or {}).items()}
    if said["assets"] is not None:
        found = {"assets": np.array([float(said["assets"])])} | found
    facts = Facts(1, found, {name: Texts.of([value]) for name, value in said.items()})
    events = {name: np.array([float(count)]) for name, count in (counts or {}).items()}
    done = grade(rules, facts, events)
    return rules.grades[done.rank[0]], done.ground[0]


def total_of(score: int, weights: list[float]) -> Graded:
    """The grade of a customer with a sub-score of all factors; weights sum to 100."""
    factors = {
        f"f{i}": {"element": element, "title": "x", "weight": weight, "unknown": score, "fact": "orders",
                  "bounds": {1: -math.inf}}
        for i, (element, weight) in enumerate(
            zip(["customer", "region", "business", "industry", *["business"] * 9], weights, strict=False))
    }  # fmt: skip
    rules = scheme(factors=factors, lowest={}, bands={"H": 80, "M": 60, "L": 0})
    return grade(rules, Facts(1, {}))


@pytest.mark.parametrize("weights", [[33.3, 33.3, 33.3, 0.1], [0.001, 0.002, 0.003, 99.994], [14.286] * 6 + [14.284]])
def test_a23_the_total_is_the_weighted_sum_over_the_scale(weights: list[float]) -> None:
    """Σ aᵢ pᵢ / m, exactly: all sub-scores 4 of 5 give 80, which is high; all 3 give 60, which is medium."""
    for score, total, rank in ((1, 20.0, 2), (2, 40.0, 2), (3, 60.0, 1), (4, 80.0, 0), (5, 100.0, 0)):
        found = total_of(score, weights)
        assert found.score[0] == total and found.rank[0] == rank


@pytest.mark.parametrize(
    ("industry", "bound", "wanted"),
    [("retail", 27.2, "M"), ("retail", 27.201, "L"), ("construction", 27.201, "M"), ("public sector", 27.2, "L")],
)
def test_a23_a_band_begins_at_its_bound(industry: str, bound: float, wanted: str) -> None:
    """The safe customer has 20 + unknown facts; retail adds 2/5 of the weight 12."""
    base = 20 + 12 * 2 / 5  # all of sub-score 1, but for industry 3
    rules = scheme(lowest={}, upgrades={}, bands={"H": 80, "M": round(base + bound - 27.2, 3), "L": 0})
    assert graded(texts={"industry": industry}, rules=rules) == (wanted, "band")


@pytest.mark.parametrize(
    ("fact", "bound", "low", "high"),
    [
        ("suspicious_reports_365d", 2, 4, 5),
        ("suspicious_reports_365d", 1, 1, 4),
        ("structuring_share_180d", 0.3, 4, 5),
        ("structuring_share_180d", 0.05, 1, 3),
        ("pass_through_7d", 0.9, 3, 5),
        ("fan_in_30d", 10, 1, 3),
        ("high_risk_country_share", 0.2, 4, 5),
        ("high_risk_country_share", 0.05, 3, 4),
    ],
)
def test_a23_a_sub_score_begins_at_its_bound(fact: str, bound: float, low: int, high: int) -> None:
    name = next(name for name, factor in SCHEME.factors.items() if factor.fact == fact)
    values = np.array([math.nextafter(bound, -math.inf), bound, np.nan])
    found, said = SCHEME.factors[name].score(Facts(3, {fact: values}))
    assert list(found) == [low, high, SCHEME.factors[name].unknown]
    assert said.to_arrow().to_pylist()[2] is None and said.known[:2].all()


@pytest.mark.parametrize(
    ("condition", "below", "above"),
    [
        ("list_hit", {"list_hits": 0}, {"list_hits": 1}),
        ("repeated_reports", {"suspicious_reports_365d": 1}, {"suspicious_reports_365d": 2}),
        ("refused", {"due_diligence_refused": 0}, {"due_diligence_refused": 1}),
    ],
)
def test_a23_straight_to_the_highest_grade(condition: str, below: dict[str, float], above: dict[str, float]) -> None:
    """However low the total is; and not below the bound."""
    assert graded(below, rules=BANDED) == ("L", "band")
    assert graded(above, rules=BANDED) == ("H", f"highest:{condition}")


def test_a23_a_foreign_politically_exposed_person_is_of_the_highest_grade() -> None:
    """One of the own country is not for that alone; one of an unknown country is."""
    for pep, country, wanted in (("yes", "DE", "L"), ("yes", "RU", "H"), ("yes", None, "H"), ("no", "RU", "L")):
        assert graded(texts={"pep": pep, "country": country}, rules=BANDED)[0] == wanted


STRICT = scheme(bands={"H": 80, "M": 1, "L": 0}, upgrades={})
"""Whoever does not take the short way to the lowest grade is of the middle one."""


@pytest.mark.parametrize(
    ("kind", "assets", "wanted"),
    [
        ("consumer", "200000", "L"), ("consumer", "200000.01", "M"),
        ("business", "500000", "L"), ("business", "500000.01", "M"), ("business", "200000.01", "L"),
        ("business", None, "M"),
    ],
)  # fmt: skip
def test_a23_no_short_way_to_the_lowest_grade_above_the_assets(kind: str, assets: str | None, wanted: str) -> None:
    """200,000 for an individual, 500,000 for an entity; nor where they are not known."""
    rules = STRICT.model_copy(update={"lowest": {"any": STRICT.no_shortcut["rich_person"].model_copy(
        update={"above": {}, "among": {"country": ("DE",)}})}})  # fmt: skip
    ground = "lowest:any" if wanted == "L" else "band"
    assert graded(texts={"type": kind, "assets": assets}, rules=rules) == (wanted, ground)


@pytest.mark.parametrize(
    "texts",
    [
        {"onboarding": "video"}, {"onboarding": "agent"}, {"onboarding": None}, {"cash_share": "high"}, {"pep": "yes"},
        {"cash_share": None}, {"cash_share": "a lot"}, {"pep": None}, {"pep": "Yes"},
        {"country": None}, {"country": "PL"},
    ],
)  # fmt: skip
def test_a23_no_short_way_for_who_came_from_afar_or_with_cash(texts: dict[str, str | None]) -> None:
    """Nor for whom it is not known."""
    assert graded(rules=STRICT) == ("L", "lowest:public_body")
    assert graded(texts=texts, rules=STRICT)[0] == "M"


@pytest.mark.parametrize(("fact", "value"), [("high_risk_country_share", 1e-9), ("suspicious_reports_365d", 1)])
def test_a23_no_short_way_with_risky_countries_or_a_report(fact: str, value: float) -> None:
    assert graded({fact: 0.0}, rules=STRICT)[0] == "L"
    assert graded({fact: value}, rules=STRICT)[0] == "M"


def test_a23_the_short_way_is_for_who_meets_its_condition() -> None:
    assert graded(texts={"industry": "services"}, rules=STRICT) == ("M", "band")
    assert graded({"list_hits": 1}, rules=STRICT) == ("H", "highest:list_hit")  # the highest grade goes first


@pytest.mark.parametrize(
    ("upgrade", "few", "enough", "to"),
    [
        ("list_hit", 0, 1, "H"),
        ("refused", 0, 1, "H"),
        ("reported", 0, 1, "M"),
        ("alerts", 2, 3, "H"),
        ("alert", 0, 1, "M"),
    ],
)
def test_a25_an_event_raises_the_grade(upgrade: str, few: int, enough: int, to: str) -> None:
    """Once there are enough of it; it never lowers."""
    assert graded(counts={upgrade: few}) == ("L", "lowest:public_body")
    assert graded(counts={upgrade: enough}) == (to, f"upgrade:{upgrade}")
    assert graded({"list_hits": 1}, counts={upgrade: enough}) == ("H", "highest:list_hit")


def test_numbers_and_days_that_may_mean_another_are_null() -> None:
    """A dot before three digits may part thousands: 250.000 is no 250. Days of years that nobody comes in are none."""
    said = ["200000", " 1000.50 ", "0.125", "1e3", "-2", "250.000", "1.500.000", "200,000", "1_0", "١٢", "inf", "nan"]
    numbers = as_numbers(Texts.of([*said, None]))
    np.testing.assert_array_equal(numbers, [200_000, 1000.5, 0.125, 1000, -2, *[np.nan] * 8])
    days = ["1900-01-01", "2199-12-31", "1899-12-31", "9999-12-31", "0001-01-01", "soon", None]
    assert as_dates(Texts.of(days)).to_pylist() == [date(1900, 1, 1), date(2199, 12, 31), *[None] * 5]


def by_model(scores: list[float], rules: LaunderingScheme, hits: int = 0) -> list[str]:
    facts = Facts(len(scores), {"list_hits": np.array([1.0] * hits + [0.0] * (len(scores) - hits))})
    found = grade(rules, facts, {}, np.array(scores))
    return [rules.grades[rank] for rank in found.rank]


def test_a23_a_model_may_raise_the_top_and_lowers_nobody() -> None:
    """By one grade, or to one; of those without a score none; equal scores are not parted."""
    one = scheme(model={"top": 0.25, "raises": "one"})
    scores = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, np.nan]
    assert by_model(scores, one) == ["M", "M", *["L"] * 7]
    assert by_model(scores, one, hits=1) == ["H", "M", *["L"] * 7]
    assert by_model(scores, scheme(model={"top": 0.25, "raises": "H"})) == ["H", "H", *["L"] * 7]
    assert by_model([0.5] * 8, one) == ["L"] * 8
    assert by_model([np.nan] * 3, one) == ["L"] * 3
    assert by_model(scores, scheme(model=None)) == ["L"] * 9


names = sorted({f.attribute for f in SCHEME.factors.values() if f.attribute} | {"type", "country"})
numbers = st.dictionaries(
    st.sampled_from(sorted(SCHEME.facts | {"assets"})), st.floats() | st.sampled_from([0.0, 1.0, 2.0, 3.0])
)
words = st.none() | st.sampled_from(["yes", "no", "DE", "IR", "none", "0", "public sector", "business"]) | st.text()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(numbers, st.dictionaries(st.sampled_from(names), words)), min_size=1, max_size=5))
def test_a25_whatever_is_known_there_is_one_grade_with_its_evidence(
    people: list[tuple[dict[str, float], dict[str, str | None]]],
) -> None:
    """NaN, ∞, null and any text: a grade of the scheme, a total of 20 to 100, a sub-score and a value of each factor;
    and each customer's are its own, whoever else is graded."""
    everyone = grade(SCHEME, facts_of(people))
    for i, one in enumerate(people):
        alone = grade(SCHEME, facts_of([one]))
        assert everyone.rank[i] == alone.rank[0] in range(3) and everyone.ground[i] == alone.ground[0]
        assert everyone.score[i] == alone.score[0] and 20 <= alone.score[0] <= 100
        for name in SCHEME.factors:
            assert everyone.subscores[name][i] == alone.subscores[name][0] in range(1, 6)
            value = everyone.values[name].to_arrow()[i].as_py()
            assert value == alone.values[name].to_arrow()[0].as_py()
            assert value is not None or alone.subscores[name][0] == SCHEME.factors[name].unknown


def facts_of(people: list[tuple[dict[str, Any], dict[str, Any]]]) -> Facts:
    found = {name: np.array([p[0].get(name, np.nan) for p in people]) for name in SCHEME.facts | {"assets"}}
    return Facts(len(people), found, {name: Texts.of([p[1].get(name) for p in people]) for name in names})
