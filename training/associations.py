"""Association rules between what customers are (segment, classes) and what they buy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, hypergeom

from training.baskets import Baskets

LEAST_SUPPORT = 0.02
"""Share of the customers to whom a rule must apply with both its sides."""

LEAST_LIFT = 1.2
FALSE_DISCOVERIES = 0.01
"""Share of the rules told that may be chance (Benjamini & Hochberg 1995), over all rules with the least support."""

GAIN = 1.25
"""A rule of two conditions is told only where it is so many times as often right as with either condition alone."""

MOST_CUSTOMERS = 10_000
"""More customers than this are looked at through an evenly spaced part: rules of 2 % of them are no rarer there."""

BOUGHT = "bought"


@dataclass(frozen=True)
class Rule:
    """Who has the antecedent has the consequent too, more often than others.

    antecedent: one or two things, consequent: one, each as "what: which", such as "value: A" or "bought: 85123A".
    support: share of customers with both; confidence: of those with the antecedent; lift: confidence over the share of
    all customers with the consequent; leverage: support less what chance would give (Piatetsky-Shapiro 1991);
    customers: with both; p: Fisher's exact test, one-sided; q: p adjusted for all rules tried.
    """

    antecedent: tuple[str, ...]
    consequent: str
    support: float
    confidence: float
    lift: float
    leverage: float
    customers: int
    p: float
    q: float

    def row(self) -> dict[str, object]:
        """For a table: the antecedent in one cell."""
        return asdict(self) | {"antecedent": " and ".join(self.antecedent)}


def associations(
    classes: Mapping[str, Sequence[str | None]], baskets: Baskets, support: float = LEAST_SUPPORT
) -> tuple[Rule, ...]:
    """The rules with a product on either side, highest lift first.

    classes: what → which, per customer (n,), null for none: segment names, classes of the scheme, tiers. baskets: what
    the same customers bought. Itemsets of up to three by FP-growth (Han, Pei & Yin 2000); memory and time are bounded
    by the products in the baskets and MOST_CUSTOMERS.
    """
    names, table = _table(classes, baskets)
    table = table[:: 1 + len(table) // MOST_CUSTOMERS]
    rules = _tested(_candidates(_frequent(names, table, support), len(table)), len(table))
    single = {(rule.antecedent[0], rule.consequent): rule for rule in rules if len(rule.antecedent) == 1}
    told = [
        rule
        for rule in rules
        if rule.lift >= LEAST_LIFT and rule.q <= FALSE_DISCOVERIES and _worth_two_conditions(rule, single)
    ]
    return tuple(sorted(told, key=lambda rule: (-rule.lift, -rule.support, rule.antecedent, rule.consequent)))


def _table(classes: Mapping[str, Sequence[str | None]], baskets: Baskets) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    """Every thing a customer can be or buy, and who is or did; shape (customers, things)."""
    columns = {f"{BOUGHT}: {product}": baskets.bought[:, j] for j, product in enumerate(baskets.products)}
    for what, which in classes.items():
        for value in sorted({each for each in which if each is not None}):
            columns[f"{what}: {value}"] = np.array([each == value for each in which], bool)
    if not columns:
        return (), np.zeros((len(baskets.bought), 0), bool)
    return tuple(columns), np.column_stack(list(columns.values()))


def _frequent(names: tuple[str, ...], table: NDArray[np.bool_], support: float) -> dict[frozenset[str], int]:
    """Every set of up to three things that enough customers have, and how many."""
    if not table.size:
        return {}
    import pandas as pd  # these two take seconds to import
    from mlxtend.frequent_patterns import fpgrowth

    frame = pd.DataFrame(table, columns=list(names))
    found = fpgrowth(frame, min_support=support, use_colnames=True, max_len=3)
    counts = np.rint(found["support"].to_numpy() * len(table)).astype(int)
    return {frozenset(things): int(n) for things, n in zip(found["itemsets"], counts, strict=True)}


def _candidates(frequent: Mapping[frozenset[str], int], customers: int) -> list[Rule]:
    """All rules of the sets that have a product and a consequent of one thing, untested."""
    rules = []
    for things, both in frequent.items():
        if len(things) < 2 or not any(_is_product(thing) for thing in things):
            continue
        for consequent in sorted(things):
            antecedent = things - {consequent}
            confidence, base = both / frequent[antecedent], frequent[frozenset([consequent])] / customers
            expected = frequent[antecedent] / customers * base
            rules.append(
                Rule(
                    tuple(sorted(antecedent)), consequent, both / customers, confidence, confidence / base,
                    both / customers - expected, both, 1.0, 1.0,
                )
            )  # fmt: skip
    return rules


def _tested(rules: Sequence[Rule], customers: int) -> list[Rule]:
    """With the chance of so many customers with both, were the two sides independent: hypergeometric."""
    if not rules:
        return []
    both = np.array([rule.customers for rule in rules])
    having = np.rint([rule.customers / rule.confidence for rule in rules]).astype(int)
    wanted = np.rint([customers * rule.confidence / rule.lift for rule in rules]).astype(int)
    p = np.clip(hypergeom.sf(both - 1, customers, wanted, having), 0.0, 1.0)
    q = false_discovery_control(p)
    return [replace(rule, p=float(p[i]), q=float(q[i])) for i, rule in enumerate(rules)]


def _worth_two_conditions(rule: Rule, single: Mapping[tuple[str, str], Rule]) -> bool:
    simpler: Iterable[Rule | None] = (single.get((thing, rule.consequent)) for thing in rule.antecedent)
    best = max(chain((each.confidence for each in simpler if each), (0.0,)))
    return len(rule.antecedent) == 1 or rule.confidence >= GAIN * best


def _is_product(thing: str) -> bool:
    return thing.startswith(f"{BOUGHT}: ")
