"""From raw classes to classes: what is held back until it is sure, what cannot follow, what a person decided.

A raw class speaks of one date alone. A class also looks at the grading before: a dimension may hold a change back
until it was seen several times in a row or lies beyond its bound by a margin (hysteresis), and may know which class can
follow which (a state machine). Last, a person's override counts whatever the facts say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from classification.facts import Facts
from classification.rules import AtLeast, Classes
from classification.scheme import Dimension, Scheme

HELD, ILLEGAL, OVERRIDE = "held", "illegal", "override"
"""Why a class is not the raw class: held back; no class that can follow; a person's word."""

MOST_SEEN = 12

Notes = NDArray[np.str_]


@dataclass(frozen=True)
class Earlier:
    """What the grading before said of the same customers, `months` ago: dimension → (n,) class, raw class, and at how
    many gradings in a row that raw class was seen; why the two differed. An empty text: it did not know the customer,
    or the dimension; or they did not differ."""

    months: int
    classes: Mapping[str, Classes]
    raw: Mapping[str, Classes]
    seen: Mapping[str, NDArray[np.int8]]
    notes: Mapping[str, Notes] = field(default_factory=dict)


@dataclass(frozen=True)
class Settled:
    """dimension → (n,) class; why it is not the raw class, empty where it is; at how many gradings the raw class was
    seen in a row."""

    classes: dict[str, Classes]
    notes: dict[str, Notes]
    seen: dict[str, NDArray[np.int8]]


@dataclass(frozen=True)
class Decision:
    """A person's word: the customers at `places` are of a class, whatever their facts say."""

    dimension: str
    class_: str
    places: NDArray[np.intp]


def settle(
    scheme: Scheme,
    raw: Mapping[str, Classes],
    facts: Facts,
    earlier: Earlier | None,
    decisions: Sequence[Decision] = (),
) -> Settled:
    """The classes of customers whose raw classes are known; without an earlier grading those are the classes."""
    settled = Settled({}, {}, {})
    for name, dimension in scheme.dimensions.items():
        mine = raw[name]
        before_raw = _column(earlier.raw if earlier else {}, name, mine)
        before = _column(earlier.classes if earlier else {}, name, mine)
        if earlier and name in earlier.notes:  # nothing follows from a person's word once it has run out
            before = np.where(earlier.notes[name] == OVERRIDE, before_raw, before)
        times = earlier.seen.get(name) if earlier else None
        once = np.zeros(len(mine), np.int8) if times is None else times
        seen = np.where(before_raw == mine, np.minimum(once + 1, MOST_SEEN), 1).astype(np.int8)
        class_, note = _held(dimension, mine, facts, before, seen)
        if dimension.moves is not None and earlier is not None:
            wrong = ~_may_follow(dimension, before, class_, earlier.months)
            class_, note = np.where(wrong, before, class_), np.where(wrong, ILLEGAL, note)
        settled.classes[name], settled.notes[name], settled.seen[name] = class_, note, seen
    for each in decisions:
        settled.classes[each.dimension][each.places] = each.class_
        settled.notes[each.dimension][each.places] = OVERRIDE
    return settled


def can_follow(dimension: Dimension, before: str, after: str, months: int = 1) -> bool:
    """Whether a class can follow another within so many months; any can where the dimension does not say."""
    if dimension.moves is None:
        return True
    return bool(_may_follow(dimension, np.array([before]), np.array([after]), months)[0])


def _held(
    dimension: Dimension, raw: Classes, facts: Facts, before: Classes, seen: NDArray[np.int8]
) -> tuple[Classes, Notes]:
    """The class after hysteresis. Unknown is never held, nor held against."""
    note = np.zeros(len(raw), "<U8")
    if dimension.hold is None:
        return raw.copy(), note
    known = (before != "") & (before != dimension.unknown) & (raw != dimension.unknown) & (raw != before)
    if dimension.hold.months is not None:
        held = known & (seen < dimension.hold.months)
        class_ = np.where(held, before, raw)
    else:
        class_ = np.where(known, _within(dimension, facts, before), raw)
    note[class_ != raw] = HELD
    return class_, note


def _within(dimension: Dimension, facts: Facts, before: Classes) -> Classes:
    """The class nearest to `before` that the fact allows, give or take the margin."""
    rule, margin = dimension.rule, dimension.hold.margin if dimension.hold else None
    if not isinstance(rule, AtLeast) or margin is None:
        return before
    order = np.array(rule.classes)
    ranks = {name: i for i, name in enumerate(rule.classes)}
    easy, hard = (_rank(rule.classify(facts, {}, shift), ranks) for shift in (-margin, margin))
    return order[np.clip(_rank(before, ranks), easy, hard)]


def _rank(classes: Classes, ranks: Mapping[str, int]) -> NDArray[np.int64]:
    found = np.zeros(len(classes), np.int64)
    for name, rank in ranks.items():
        found[classes == name] = rank
    return found


def _may_follow(dimension: Dimension, before: Classes, after: Classes, months: int) -> NDArray[np.bool_]:
    """Whether each class can follow the one before within so many months; to and from unknown anything goes."""
    names = dimension.rule.classes
    step = np.array([[a == b or b in (dimension.moves or {})[a] for b in names] for a in names], int)
    reach = np.linalg.matrix_power(step, max(1, min(months, len(names)))) > 0
    ranks = {name: i for i, name in enumerate(names)}
    known = np.isin(before, names) & np.isin(after, names)
    return ~known | reach[_rank(before, ranks), _rank(after, ranks)]


def _column(columns: Mapping[str, Classes], name: str, like: Classes) -> Classes:
    found = columns.get(name)
    return np.zeros(len(like), like.dtype) if found is None else found
