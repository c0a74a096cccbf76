"""What every scheme must have of conditions, whatever else an institution adds: the law's ways to the highest grade,
and its bars of the short way to the lowest."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from itertools import chain

from classification.laundering.condition import Condition
from features.config import FlawError

Conditions = Mapping[str, Condition]

WAYS = ("at_least", "above", "among", "not_among", "unknown")

HIGHEST = {"list_hits": 1, "suspicious_reports_365d": 2, "due_diligence_refused": 1}
"""Fact → from how many of it on the grade is the highest, by this alone."""

INDIVIDUAL, ENTITY = 200_000, 500_000
"""Assets above which nobody takes the short way to the lowest grade."""


def check_highest(highest: Conditions) -> None:
    """Raises FlawError unless each of HIGHEST leads to the highest grade by itself, and an attribute does: whether
    someone is a foreign politically exposed person; the country may be asked, too, as `not_among`."""
    for fact, most in HIGHEST.items():
        if not any(_only(each, "at_least") and _lowest_bound(each, fact) <= most for each in highest.values()):
            wanted = f"a condition of nothing but at_least {{{fact}: {most}}}, or less"
            raise FlawError(f"no condition on {fact} alone", wanted, at="highest")
    if not any(len(each.among) == 1 and _only(each, "among", "not_among") for each in highest.values()):
        wanted = "a condition of among, and at most not_among beside it, for foreign politically exposed persons"
        raise FlawError("no condition on an attribute", wanted, at="highest")


def check_lowest(lowest: Conditions, no_shortcut: Conditions, amounts: Collection[str]) -> None:
    """Raises FlawError where a condition of `lowest` is met by what is not known, and where there is one and
    `no_shortcut` lacks a limit of assets: at most INDIVIDUAL for one kind of customer, at most ENTITY for the other."""
    for name, condition in lowest.items():
        for way in ("not_among", "unknown"):
            if getattr(condition, way):
                wanted = "among: nobody gets the lowest grade for what is not known"
                raise FlawError(way, wanted, at=f"lowest.{name}.{way}")
    if lowest and not _has_limits(no_shortcut, amounts):
        found = "no limits of assets, or higher ones"
        wanted = (
            f"above {{<an amount>: {INDIVIDUAL}}}, or less, among individuals, and {ENTITY}, or less, among entities"
        )
        raise FlawError(found, wanted, at="no_shortcut")


def _has_limits(no_shortcut: Conditions, amounts: Collection[str]) -> bool:
    """Whether one limit is for everybody, or two are for a kind of customer each."""
    # a limit is one amount above a number, of everybody or among the texts of one attribute
    limits = [each for each in no_shortcut.values() if len(each.above) == 1 and _only(each, "above", "among")]
    limits = [each for each in limits if each.above.keys() <= set(amounts) and len(each.among) <= 1]
    found = [(sum(each.above.values()), set(chain(*each.among.values()))) for each in limits]
    low = [kinds for bound, kinds in found if bound <= INDIVIDUAL]
    high = [kinds for bound, kinds in found if bound <= ENTITY]
    return set() in low or any(kinds.isdisjoint(others) for kinds in low for others in high)


def _only(condition: Condition, *ways: str) -> bool:
    """Whether nothing else must hold."""
    return not any(getattr(condition, each) for each in WAYS if each not in ways)


def _lowest_bound(condition: Condition, fact: str) -> float:
    return condition.at_least[fact] if condition.at_least.keys() == {fact} else math.inf
