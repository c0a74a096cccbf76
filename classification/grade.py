"""Grading: a release and a base give a snapshot; release and snapshot together grade anyone, the same way every time.

The *live set* is a release and a grading snapshot: cut-offs and ranks of that month's base. Batch and service hold the
same live set and call the same function, so that they cannot disagree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from classification.past import VALUE_DIMENSION
from classification.rules import Classes
from classification.scheme import Scheme, check_facts, read_scheme
from features.catalogue import NAMES, POSITION
from features.company import Company
from features.population import POPULATION, Ranks, population_features
from training.recipes import CHURN, DEMAND, OUTPUTS, POTENTIAL, SEGMENTS, VALUE
from training.release import SCHEME_FILE, Release
from training.segments import SegmentModel
from training.snapshots import Origin, Snapshot

Array = NDArray[np.float64]

RANKED = (CHURN.name, VALUE.name, DEMAND.name, POTENTIAL.name, "spend_365d")
"""The facts whose percentile is told."""

BASES = tuple(dict.fromkeys((*RANKED, *(each.of for each in POPULATION))))
"""The facts whose ranks a snapshot keeps."""

FACTS = frozenset(NAMES) | set(OUTPUTS) | {each.name for each in POPULATION}


@dataclass(frozen=True)
class Graded:
    """Some customers' scores, percentiles (0 to 100), population features, classes and codes; each array has a place
    per customer."""

    scores: dict[str, Array]
    percentiles: dict[str, Array]
    standing: dict[str, Array]
    classes: dict[str, Classes]
    codes: list[str]


@dataclass(frozen=True)
class GradingSnapshot:
    """What a base taught: the cut-offs of its shares (dimension → class → smallest fact) and its ranks.

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

    def grade(self, rows: Array) -> Graded:
        """Grade feature rows (n, features); one row and many give the same bits."""
        scores = scores_of(self.release, self.scheme, rows, self.snapshot.cutoffs)
        facts = facts_of(rows, scores, self.snapshot.ranks)
        percentiles = {name: self.snapshot.ranks[name].percentile(facts[name]) for name in RANKED}
        classes = self.scheme.classify(facts, self.snapshot.cutoffs, len(rows))
        coding = self.scheme.coding
        codes = [coding.encode({name: str(column[i]) for name, column in classes.items()}) for i in range(len(rows))]
        standing = {each.name: facts[each.name] for each in POPULATION}
        return Graded(scores, percentiles, standing, classes, codes)


def class_name(live: LiveSet, dimension: str, code: str) -> str:
    """What a person calls a class: of learned segments what the release calls them, else what the scheme says."""
    found, model = live.scheme.dimensions[dimension], live.release.models.get(SEGMENTS.name)
    if found.given and found.given.fact == SEGMENTS.name and isinstance(model, SegmentModel):
        number = found.given.numbers.get(code)
        named = {each.number: each.name for each in model.profile}
        return named.get(int(number), found.name_of(code)) if number is not None else found.name_of(code)
    return found.name_of(code)


def scores_of(
    release: Release, scheme: Scheme, rows: Array, cutoffs: Mapping[str, Mapping[str, float]] | None = None
) -> dict[str, Array]:
    """A release's scores, `potential` only of the lowest class of value. cutoffs: those of a snapshot; by default the
    rows are a whole base, and have cut-offs of their own."""
    scores = release.score(rows)
    dimension = scheme.dimensions.get(VALUE_DIMENSION)
    if dimension is None or not dimension.rule.facts <= set(NAMES):
        return scores | {POTENTIAL.name: np.full(len(rows), np.nan)}
    facts = {name: rows[:, POSITION[name]] for name in dimension.rule.facts}
    cuts = dimension.cutoffs(facts) if cutoffs is None else cutoffs.get(VALUE_DIMENSION, {})
    lowest = dimension.rule.classify(facts, cuts, len(rows)) == dimension.rule.classes[-1]
    return scores | {POTENTIAL.name: np.where(lowest, scores[POTENTIAL.name], np.nan)}


def facts_of(rows: Array, scores: Mapping[str, Array], ranks: Mapping[str, Ranks]) -> dict[str, Array]:
    """Everything a scheme may look at: features, scores and population features by name, (n,) each."""
    facts = _own_facts(rows, scores)
    return facts | population_features(facts, ranks)


def _own_facts(rows: Array, scores: Mapping[str, Array]) -> dict[str, Array]:
    return {name: rows[:, i] for name, i in POSITION.items()} | dict(scores)


def take_snapshot(release: Release, base: Snapshot, origin: Origin) -> LiveSet:
    """Grade-ready: score the whole base once, and keep its cut-offs and ranks."""
    scheme = read_scheme(release.scheme, SCHEME_FILE)
    check_facts(scheme, FACTS, SCHEME_FILE)
    scores = scores_of(release, scheme, base.rows)
    ranks = {name: Ranks.of(column) for name, column in _own_facts(base.rows, scores).items() if name in BASES}
    facts = facts_of(base.rows, scores, ranks)
    cutoffs = scheme.cutoffs(facts)
    said = "\n".join([base.as_of.isoformat(), release.digest, origin.key, origin.company.model_dump_json(), *base.ids])
    id_ = hashlib.sha256(said.encode() + base.rows.tobytes()).hexdigest()[:12]
    return LiveSet(release, scheme, GradingSnapshot(id_, base.as_of, cutoffs, ranks, origin.key, origin.company))
