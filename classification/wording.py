"""A scheme in words: who belongs to a class, when a change counts, what can follow what."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from classification.given import Given
from classification.rules import AtLeast, Rules, Share
from classification.scheme import Dimension
from features.catalogue import CATALOGUE
from features.population import POPULATION
from training.explain import AMOUNT, UNITS
from training.recipes import CHURN, DEMAND, INTENT, POTENTIAL, SEGMENTS, VALUE

DOCS = {each.name: each.doc for each in (*CATALOGUE, *POPULATION)} | {
    CHURN.name: "Probability to buy nothing",
    VALUE.name: "Spend to expect",
    DEMAND.name: "Orders to expect",
    INTENT.name: "Class of intent",
    POTENTIAL.name: "Probability to rise to a higher class of value",
    SEGMENTS.name: "Segment",
}
AMOUNTS = {name for name, unit in UNITS.items() if unit == AMOUNT}


@dataclass(frozen=True)
class Money:
    """How amounts are written: in major units of a currency; empty: its name is not known."""

    currency: str = ""
    decimals: int = 2

    def said(self, minor: float, exact: bool = True) -> str:
        """An amount in minor units, as people write it; exact: with all that it has behind the comma."""
        amount = minor / 10**self.decimals
        text = f"{amount:,.{self.decimals}f}"
        whole = not exact or float(text.replace(",", "")) == amount
        return f"{text if whole else f'{amount!r}'} {self.currency}".rstrip()


PLAIN = Money()


def fact_name(name: str) -> str:
    """What a person calls a fact: the beginning of its description, with its own name where others begin alike."""
    said = _beginning(name)
    alike = [other for other in DOCS if _beginning(other) == said]
    return f"{said} ({name})" if len(alike) > 1 else said


def _beginning(name: str) -> str:
    doc = re.sub(r" \([^)]*\)", "", DOCS.get(name, name))
    said = re.split(r"[:;,]", doc)[0].rstrip(".")
    return said[0].lower() + said[1:]


def rule_words(dimension: Dimension, money: Money = PLAIN) -> dict[str, str]:
    """Class → who belongs to it, `unknown` last; no two ways of judging have the same words."""
    match dimension.rule:
        case Share() as rule:
            found, lacking = _share(rule), fact_name(rule.fact)
        case AtLeast() as rule:
            found, lacking = _at_least(rule, money), fact_name(rule.fact)
        case Rules() as rule:
            found, lacking = _first_match(rule, money), ""
        case Given() as rule:
            found, lacking = _given(rule), _asked(rule)
    none = ", or none of these" if dimension.given and not dimension.given.other else ""
    return found | ({dimension.unknown: f"{lacking} not known{none}"} if lacking else {})


def cutoff_words(dimension: Dimension, class_: str, cutoffs: Mapping[str, float], money: Money) -> str:
    """Where a class of a share begins in one base; empty for other dimensions, and for the last class."""
    cut = cutoffs.get(class_)
    if dimension.share is None or cut is None:
        return ""
    if not math.isfinite(cut):
        return f"nobody reaches {class_}"
    verb = "ends" if dimension.share.first == "lowest" else "begins"
    return f"{class_} {verb} at {_measured(dimension.share.fact, cut, money)}"


def hold_words(dimension: Dimension, money: Money = PLAIN) -> str:
    """When a change of class counts."""
    hold = dimension.hold
    if hold is None:
        return "A change counts at once."
    if hold.months is not None:
        return f"A change counts once it was seen at {hold.months} gradings in a row."
    fact = dimension.at_least.fact if dimension.at_least else ""
    return f"A change counts once it lies beyond the bound by {_number(fact, hold.margin or 0.0, money)}."


def move_words(dimension: Dimension) -> dict[str, str]:
    """Class → what can follow it within a month; empty where anything can."""
    return {name: " or ".join(to) or "nothing else" for name, to in (dimension.moves or {}).items()}


def _share(rule: Share) -> dict[str, str]:
    """The first class says of what and from which end, the others up to where."""
    (best, share), *others, (last, _) = rule.top.items()
    what, first = fact_name(rule.fact), "top" if rule.first == "highest" else "lowest"
    begin = {
        "customers": f"{first} {_percent(share)} of the customers by {what}",
        "revenue": f"those who bring the first {_percent(share)} of all: {what}",
    }
    up_to = {name: f"after them, up to {_percent(share)}" for name, share in others}
    return {best: begin[rule.of], **up_to, last: "the rest"}


def _at_least(rule: AtLeast, money: Money) -> dict[str, str]:
    high, found = math.inf, {}
    for name, low in rule.bounds.items():
        found[name] = f"{fact_name(rule.fact)} {_span(rule.fact, low, high, money)}"
        high = low
    return found


def _first_match(rule: Rules, money: Money) -> dict[str, str]:
    found = {}
    for name, conditions in rule.rules.items():
        said = [
            f"{fact_name(fact)} "
            + (_span(fact, *span, money) if isinstance(span, tuple) else f"= {_number(fact, span, money)}")
            for fact, span in conditions.items()
        ]
        found[name] = ", ".join(said) or "everyone else"
    return found


def _given(rule: Given) -> dict[str, str]:
    what = _asked(rule)
    found = {name: f"{what} = {_number('', number, PLAIN)}" for name, number in (rule.numbers or {}).items()}
    found |= {name: f"{what} is {' or '.join(texts)}" for name, texts in (rule.values or {}).items()}
    return found | ({rule.other: f"{what} is anything else"} if rule.other else {})


def _asked(rule: Given) -> str:
    return (
        fact_name(rule.fact)
        if rule.fact
        else f"the customer's {(rule.attribute or rule.trait or '').replace('_', ' ')}"
    )


def _span(fact: str, low: float, high: float, money: Money) -> str:
    return " to ".join(_ends(fact, low, high, money)) or "known"


def _ends(fact: str, low: float, high: float, money: Money) -> Iterator[str]:
    if low > -math.inf:
        yield f"from {_number(fact, low, money)}"
    if high < math.inf:
        yield f"below {_number(fact, high, money)}"


def _number(fact: str, value: float, money: Money) -> str:
    """A number that a scheme names, with all its digits."""
    if fact in AMOUNTS:
        return money.said(value)
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value!r}"


def _measured(fact: str, value: float, money: Money) -> str:
    """A number that a base has taught, with the digits that a person reads."""
    if fact in AMOUNTS:
        return money.said(value, exact=False)
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 100 else f"{value:,.3g}"


def _percent(share: float) -> str:
    return f"{(100 * Decimal(repr(share))).normalize():f} %"
