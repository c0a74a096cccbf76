"""Grading: a release and a base give a snapshot; release and snapshot together grade anyone, the same way every time.

The *live set* is a release and a grading snapshot: cut-offs and ranks of that month's base. Batch and service hold the
same live set and call the same function, so that they cannot disagree.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classification.facts import Facts
from classification.past import VALUE_DIMENSION, cutoffs_of
from classification.rules import Classes
from classification.scheme import Dimension, Rule, Scheme, check_facts, read_scheme
from classification.stability import Decision, Earlier, Notes, settle
from features.catalogue import NAMES, POSITION
from features.catalogue.confidential import CONFIDENTIAL
from features.company import Company
from features.population import POPULATION, Places, Ranks, population_features, population_ranks
from features.texts import Texts
from features.traits import TRAITS
from training.recipes import CHURN, DEMAND, OUTPUTS, POTENTIAL, SEGMENTS, VALUE
from training.release import SCHEME_FILE, Release
from training.segments import SegmentModel
from training.snapshots import Origin, Snapshot

Array = NDArray[np.float64]

RANKED = (CHURN.name, VALUE.name, DEMAND.name, POTENTIAL.name, "spend_365d")
"""The facts whose percentile is told."""

POPULATION_NAMES = tuple(each.name for each in POPULATION)
STANDINGS = (*RANKED, *(each.of for each in POPULATION))
"""The facts of which a customer is told where it stands: its percentiles, then the population features."""

BASES = tuple(dict.fromkeys(STANDINGS))
"""The facts whose ranks a snapshot keeps."""

FACTS = (frozenset(NAMES) - CONFIDENTIAL) | set(OUTPUTS) | {each.name for each in POPULATION}
"""What a scheme may look at: its classes are seen by many, so that nothing of suspected laundering is among it."""
TRAIT_NAMES = frozenset(trait.name for trait in TRAITS)


@dataclass(frozen=True)
class Graded:
    """Some customers' scores, percentiles (0 to 100), population features, classes and codes; each array has a place
    per customer.

    raw: the classes by the facts of one date alone; classes: after what went before and what a person decided, with
    the reason in `notes` where they differ; seen: at how many gradings in a row the raw class was seen; codes: of
    `classes`.
    """

    scores: dict[str, Array]
    percentiles: dict[str, Array]
    standing: dict[str, Array]
    raw: dict[str, Classes]
    classes: dict[str, Classes]
    notes: dict[str, Notes]
    seen: dict[str, NDArray[np.int8]]
    codes: NDArray[np.str_]

    def each(self) -> Iterator[One]:
        """One customer after the other."""
        parts: list[dict[str, Any]] = [self.scores, self.percentiles, self.standing, self.raw, self.classes, self.notes]
        return map(One, *map(rows_of, parts), self.codes.tolist())


class One(NamedTuple):
    """One customer, graded; NaN for null, and an empty note where there is none. As `Graded` has it of many."""

    scores: dict[str, float]
    percentiles: dict[str, float]
    standing: dict[str, float]
    raw: dict[str, str]
    classes: dict[str, str]
    notes: dict[str, str]
    code: str


@dataclass(frozen=True)
class GradingSnapshot:
    """What a base taught: the cut-offs of its shares (dimension → class → the fact it begins at) and its ranks.

    id: digest of all that went into it; key: fingerprint of the key of its pseudonyms.
    """

    id: str
    as_of: date
    cutoffs: dict[str, dict[str, float]]
    ranks: dict[str, Ranks]
    key: str
    company: Company


@dataclass(frozen=True)
class LiveSet:
    """A release, its scheme, and a grading snapshot: everything an answer depends on."""

    release: Release
    scheme: Scheme
    snapshot: GradingSnapshot

    def grade(
        self,
        rows: Array,
        texts: Mapping[str, Texts] | None = None,
        earlier: Earlier | None = None,
        decisions: Sequence[Decision] = (),
        scores: Mapping[str, Array] | None = None,
        raw: Mapping[str, Classes] | None = None,
    ) -> Graded:
        """Grade feature rows (n, features); one row and many give the same bits. earlier, decisions: of the same
        customers; without them the classes are the raw ones. scores, raw: of the rows, where they are at hand."""
        if scores is None:
            scores = scores_of(self.release, self.scheme, rows, self.snapshot.cutoffs)
        facts = facts_of(own_numbers(rows) | dict(scores), self.snapshot.ranks, texts)
        percentiles = {name: self.snapshot.ranks[name].percentile(facts.numbers[name]) for name in RANKED}
        if raw is None:
            raw = self.scheme.classify(facts, self.snapshot.cutoffs)
        settled = settle(self.scheme, raw, facts, earlier, decisions)
        codes = self.scheme.coding.encode_all(settled.classes)
        standing = {each.name: facts.numbers[each.name] for each in POPULATION}
        said = settled.classes, settled.notes, settled.seen
        return Graded(dict(scores), percentiles, standing, dict(raw), *said, codes)

    def grade_one(self, row: Array, texts: Mapping[str, str | None]) -> One:
        """One feature row (features,) and its texts, graded without what went before: to the bit what `grade` says."""
        scores = self.release.score_one(row)
        names, own_places = self._own
        numbers = dict(zip(names, row[own_places].tolist(), strict=True))
        cutoffs, rule = self.snapshot.cutoffs, self._value_rule
        if rule is None or rule.class_of(numbers, {}, cutoffs.get(VALUE_DIMENSION, {})) != rule.classes[-1]:
            scores[POTENTIAL.name] = math.nan
        numbers |= scores
        places = self._places.of([numbers[name] for name in STANDINGS])
        percentiles = dict(zip(RANKED, places, strict=False))
        standing = dict(zip(POPULATION_NAMES, places[len(RANKED) :], strict=True))
        numbers |= standing
        classes = self.scheme.classes_of(numbers, texts, cutoffs)
        code = self.scheme.coding.encode(classes)
        return One(scores, percentiles, standing, classes, classes, self._no_notes, code)

    @cached_property
    def _own(self) -> tuple[list[str], NDArray[np.intp]]:
        """The features that grading looks at, and their places in a feature row."""
        names = sorted((self.scheme.facts | set(BASES)) & set(NAMES))
        return names, np.array([POSITION[name] for name in names])

    @cached_property
    def _places(self) -> Places:
        ranks = self.snapshot.ranks
        percentiles = [(ranks[name], "percentile") for name in RANKED]
        return Places([*percentiles, *((ranks[each.of], each.op) for each in POPULATION)])

    @cached_property
    def _value_rule(self) -> Rule | None:
        found = value_dimension(self.scheme)
        return found.rule if found else None

    @cached_property
    def _no_notes(self) -> dict[str, str]:
        return dict.fromkeys(self.scheme.dimensions, "")


def rows_of(columns: Mapping[str, NDArray[Any]]) -> Iterator[dict[str, Any]]:
    """name → (n,) as n times name → value."""
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return (dict(zip(columns, row, strict=True)) for row in rows)


def class_name(live: LiveSet, dimension: str, code: str) -> str:
    """What a person calls a class: of learned segments what the release calls them, else what the scheme says."""
    found, model = live.scheme.dimensions[dimension], live.release.models.get(SEGMENTS.name)
    if found.given and found.given.fact == SEGMENTS.name and isinstance(model, SegmentModel):
        number = (found.given.numbers or {}).get(code)
        named = {each.number: each.name for each in model.profile}
        return named.get(int(number), found.name_of(code)) if number is not None else found.name_of(code)
    return found.name_of(code)


def scores_of(
    release: Release, scheme: Scheme, rows: Array, cutoffs: Mapping[str, Mapping[str, float]] | None = None
) -> dict[str, Array]:
    """A release's scores, `potential` only of the lowest class of value. cutoffs: those of a snapshot; by default the
    rows are a whole base, and have cut-offs of their own."""
    return narrow(scheme, release.score(rows), own_numbers(rows), cutoffs)


def narrow(
    scheme: Scheme,
    scores: Mapping[str, Array],
    numbers: Mapping[str, Array],
    cutoffs: Mapping[str, Mapping[str, float]] | None = None,
) -> dict[str, Array]:
    """Scores as a release gives them, with `potential` only of the lowest class of value; numbers: feature → (n,)."""
    dimension, potential = value_dimension(scheme), scores[POTENTIAL.name]
    if dimension is None:
        return dict(scores) | {POTENTIAL.name: np.full(len(potential), np.nan)}
    facts = Facts(len(potential), {name: numbers[name] for name in dimension.rule.facts})
    if cutoffs is None:
        cutoffs = {VALUE_DIMENSION: cutoffs_of(dimension, facts)}
    lowest = dimension.rule.classify(facts, cutoffs.get(VALUE_DIMENSION, {})) == dimension.rule.classes[-1]
    return dict(scores) | {POTENTIAL.name: np.where(lowest, potential, np.nan)}


def value_dimension(scheme: Scheme) -> Dimension | None:
    """The dimension whose lowest class `potential` is asked of; None where it looks at scores itself."""
    found = scheme.dimensions.get(VALUE_DIMENSION)
    return found if found and found.rule.facts <= set(NAMES) else None


def facts_of(
    numbers: Mapping[str, Array], ranks: Mapping[str, Ranks], texts: Mapping[str, Texts] | None = None
) -> Facts:
    """Everything a scheme may look at: numbers, features and scores by name, (n,) each; population features; texts."""
    size = len(next(iter(numbers.values())))
    return Facts(size, dict(numbers) | population_features(numbers, ranks), texts or {})


def own_numbers(rows: Array) -> dict[str, Array]:
    """Feature → (n,), of feature rows (n, features)."""
    return {name: rows[:, i] for name, i in POSITION.items()}


def take_snapshot(release: Release, base: Snapshot, origin: Origin) -> LiveSet:
    """Grade-ready: score the whole base once, and keep its cut-offs and ranks."""
    return score_base(release, base, origin).live


@dataclass(frozen=True)
class Scored:
    """What a base taught, and the scores it was made of; raw, reasons: its raw classes and the reasons of its scores,
    where whoever scored it has made them too."""

    live: LiveSet
    scores: Mapping[str, Array]
    raw: Mapping[str, Classes] | None = None
    reasons: pa.Table | None = None


def score_base(release: Release, base: Snapshot, origin: Origin) -> Scored:
    """Score a whole base, and learn its cut-offs and ranks from it."""
    scheme = scheme_of(release)
    scores = scores_of(release, scheme, base.rows)
    numbers = own_numbers(base.rows) | scores
    ranks = {name: Ranks.of(numbers[name]) for name in ranked(scheme)}
    return Scored(learnt(release, scheme, base, origin, ranks), scores)


def scheme_of(release: Release) -> Scheme:
    """The scheme of a release, with facts that this installation knows."""
    scheme = read_scheme(release.scheme, SCHEME_FILE)
    check_facts(scheme, FACTS, TRAIT_NAMES, SCHEME_FILE)
    return scheme


def ranked(scheme: Scheme) -> list[str]:
    """The features and scores whose ranks in a base grading needs."""
    return sorted({*BASES, *scheme.ranked} - {each.name for each in POPULATION})


def learnt(release: Release, scheme: Scheme, base: Snapshot, origin: Origin, ranks: Mapping[str, Ranks]) -> LiveSet:
    """What a base teaches, from the ranks of all that `ranked` names."""
    cutoffs = scheme.cutoffs({**ranks, **population_ranks(ranks)})
    kept = {name: ranks[name] for name in BASES}
    snapshot = GradingSnapshot(_id(release, base, origin), base.as_of, cutoffs, kept, origin.key, origin.company)
    return LiveSet(release, scheme, snapshot)


def _id(release: Release, base: Snapshot, origin: Origin) -> str:
    """Digest of all that goes into a snapshot."""
    said = "\n".join([base.as_of.isoformat(), release.digest, origin.key, origin.company.model_dump_json(), *base.ids])
    found = hashlib.sha256(said.encode() + b"\n")
    found.update(np.ascontiguousarray(base.rows).view(np.uint8).data)
    for name, texts in sorted(base.texts.items()):
        found.update("\n".join([name, *texts.names]).encode())
        found.update(texts.codes.tobytes())
    return found.hexdigest()[:12]
