"""What the law asks of a laundering scheme is refused where it lacks it: each rule with both sides of its boundary."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import InputError
from tests.classification.laundering.bank import SCHEME, scheme

FINE: list[dict[str, Any]] = [
    {"factors__industry__weight": 12.001, "factors__pep__weight": 9.999},
    {"review_days__H": 182},
    {"review_days__L": 728},
    {"review_days__M": 182, "review_days__L": 182},
    {"first_review_within_days": 1095},
    {"new_within_working_days": 10},
    {"factors__pep__unknown": 5},
    {"due_diligence__L": "standard"},
    {"bands__H": 60.001},
    {"no_shortcut__rich_person__above": {"assets": 1.0}, "no_shortcut__rich_entity__above": {"assets": 200_000.0}},
    {"no_shortcut__rich_entity": None, "no_shortcut__rich_person__among": None},
    {"no_shortcut": {}, "lowest": {}},
    {"highest__repeated_reports__at_least": {"suspicious_reports_365d": 1}},
    {"highest__foreign_pep__not_among": None},
]
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"factors__industry__weight": 12.001}, "factors", "weights that sum to 100.001"),
    ({"factors__industry__weight": 11}, "factors", "Add 1 more."),
    ({"factors__industry__weight": 12.0001, "factors__pep__weight": 9.9999}, "weight", "three decimals"),
    ({"review_days__H": 183}, "review_days.H", "183 days; wanted at most 182"),
    ({"review_days__M": 365}, "review_days.M", "182 to 364"),
    ({"review_days__L": 729}, "review_days.L", "364 to 728"),
    ({"review_days__M": 181}, "review_days.M", "not less"),
    ({"first_review_within_days": 1096}, "first_review_within_days", "1096 days; wanted at most 1095"),
    ({"new_within_working_days": 11}, "new_within_working_days", "11 working days; wanted at most 10"),
    ({"factors__pep__unknown": 6}, "factors.pep", "the sub-score 6; wanted 1 to 5"),
    ({"due_diligence__H": "standard"}, "due_diligence.H", "enhanced for the highest grade"),
    ({"due_diligence__M": "simplified", "due_diligence__L": "standard"}, "due_diligence.L", "no more than above"),
    ({"bands__H": 60}, "bands.M", "H takes everyone from 60"),
    ({"bands__L": 1}, "bands.L", "0 for the last band"),
    ({"factors__industry__element": "business"}, "factors", "no factor of the element industry"),
    ({"factors__pep__other": None}, "factors.pep.other", "every other text"),
    ({"factors__pep__values": {1: ["no"], 5: ["no"]}}, "values.5", "'no' for 1 and for 5"),
    ({"factors__pep__fact": "orders"}, "factors.pep", "attribute with values"),
    ({"factors__reports__bounds": {5: 2, 4: 2, 1: float("-inf")}}, "bounds.4", "which nobody gets"),
    ({"factors__reports__bounds": {5: 2, 4: 1}}, "bounds.4", "-.inf as the last bound"),
    ({"factors__reports__fact": "suspicious_report_365d"}, "factors.reports", "'suspicious_reports_365d'?"),
    ({"highest__list_hit__at_least": {"list_hit": 1}}, "highest.list_hit", "the fact 'list_hit'"),
    ({"highest__list_hit__at_least": None}, "highest.list_hit", "nothing that must hold"),
    ({"lowest__public_body__not_among": {"country": ["IR"]}}, "lowest.public_body", "what is not known"),
    ({"lowest__public_body": {"title": "x", "unknown": ["pep"]}}, "lowest.public_body.unknown", "what is not known"),
    ({"no_shortcut": {}}, "no_shortcut", "500000, or less, among entities"),
    ({"no_shortcut__rich_person__above": {"assets": 200_000.01}}, "no_shortcut", "{<an amount>: 200000}"),
    ({"no_shortcut__rich_entity__above": {"assets": 500_000.01}}, "no_shortcut", "500000, or less, among entities"),
    ({"no_shortcut__rich_entity": None}, "no_shortcut", "500000, or less, among entities"),
    ({"no_shortcut__rich_person__unknown": ["pep"]}, "no_shortcut", "{<an amount>: 200000}"),
    ({"no_shortcut__rich_entity__among": {"type": ["consumer"]}}, "no_shortcut", "500000, or less, among entities"),
    ({"highest__list_hit": None}, "highest", "no condition on list_hits alone"),
    ({"highest__list_hit__at_least": {"list_hits": 2}}, "highest", "at_least {list_hits: 1}, or less"),
    ({"highest__list_hit__among": {"pep": ["yes"]}}, "highest", "no condition on list_hits alone"),
    ({"highest__repeated_reports__at_least": {"suspicious_reports_365d": 3}}, "highest", "suspicious_reports_365d"),
    ({"highest__refused": None}, "highest", "no condition on due_diligence_refused alone"),
    ({"highest__foreign_pep": None}, "highest", "foreign politically exposed persons"),
    ({"highest__foreign_pep__at_least": {"list_hits": 1}}, "highest", "foreign politically exposed persons"),
    ({"upgrades__alerts__to": "X"}, "upgrades.alerts.to", "one of H, M, L"),
    ({"upgrades__alerts__kind": "alarm"}, "upgrades.alerts.kind", "a kind of event"),
    ({"model__raises": "X"}, "model.raises", "the grade X"),
    ({"names__H": None}, "names", "each of the grades"),
    ({"review_days__L": None}, "review_days", "each of the grades"),
]


@pytest.mark.parametrize("changes", FINE, ids=str)
def test_a23_what_the_law_allows_is_accepted(changes: dict[str, Any]) -> None:
    scheme(**changes)


@pytest.mark.parametrize(
    ("changes", "place", "letter"), REFUSED, ids=lambda each: each if isinstance(each, str) else ""
)
def test_a23_what_the_law_forbids_is_refused_where_it_stands(changes: dict[str, Any], place: str, letter: str) -> None:
    with pytest.raises(InputError) as refused:
        scheme(**changes)
    assert place in refused.value.place and letter in refused.value.letter()


@pytest.mark.parametrize(
    ("opened", "by"),
    [
        (date(2026, 11, 20), date(2026, 12, 4)),  # a Friday: the first working day after it is the Monday
        (date(2026, 11, 21), date(2026, 12, 4)),  # on a Saturday and a Sunday the same
        (date(2026, 11, 22), date(2026, 12, 4)),
        (date(2026, 11, 23), date(2026, 12, 7)),
        (date(2026, 12, 17), date(2027, 1, 4)),  # over Christmas Day and New Year's Day, both Fridays
    ],
)
def test_a24_new_customers_are_graded_within_ten_working_days(opened: date, by: date) -> None:
    assert SCHEME.grade_by(opened) == by


@given(st.dates(date(2026, 1, 1), date(2027, 12, 31)))
def test_a24_working_days_as_counted_one_by_one(opened: date) -> None:
    day, left = opened, SCHEME.new_within_working_days
    while left:
        day = date.fromordinal(day.toordinal() + 1)
        left -= day.weekday() < 5 and day not in SCHEME.holidays
    assert SCHEME.grade_by(opened) == day
