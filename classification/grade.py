"""Grading: a release and a base give a snapshot; release and snapshot together grade anyone, the same way every time.

The *live set* is a release and a grading snapshot: cut-offs and ranks of that month's base. Batch and service hold the
same live set and call the same function, so that they cannot disagree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from classification.facts import Facts
from classification.past import VALUE_DIMENSION, cutoffs_of
from classification.rules import Classes
from classification.scheme import Scheme, check_facts, read_scheme
from classification.stability import Decision, Earlier, Notes, settle
from features.catalogue import NAMES, POSITION
from features.company import Company
from features.population import POPULATION, Ranks, population_features
from features.texts import Texts
from features.traits import TRAITS
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
    ) -> Graded:
        """Grade feature rows (n, features); one row and many give the same bits. earlier, decisions: of the same
        customers; without them the classes are the raw ones. scores: of the rows, where they are at hand."""
        if scores is None:
            scores = scores_of(self.release, self.scheme, rows, self.snapshot.cutoffs)
        facts = facts_of(rows, scores, self.snapshot.ranks, texts)
        percentiles = {name: self.snapshot.ranks[name].percentile(facts.numbers[name]) for name in RANKED}
        raw = self.scheme.classify(facts, self.snapshot.cutoffs)
        settled = settle(self.scheme, raw, facts, earlier, decisions)
        codes = self.scheme.coding.encode_all(settled.classes)
        standing = {each.name: facts.numbers[each.name] for each in POPULATION}
        return Graded(dict(scores), percentiles, standing, raw, settled.classes, settled.notes, settled.seen, codes)


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
    scores = release.score(rows)
    dimension = scheme.dimensions.get(VALUE_DIMENSION)
    if dimension is None or not dimension.rule.facts <= set(NAMES):
        return scores | {POTENTIAL.name: np.full(len(rows), np.nan)}
    facts = Facts(len(rows), {name: rows[:, POSITION[name]] for name in dimension.rule.facts})
    if cutoffs is None:
        cutoffs = {VALUE_DIMENSION: cutoffs_of(dimension, facts)}
    lowest = dimension.rule.classify(facts, cutoffs.get(VALUE_DIMENSION, {})) == dimension.rule.classes[-1]
    return scores | {POTENTIAL.name: np.where(lowest, scores[POTENTIAL.name], np.nan)}


def facts_of(
    rows: Array, scores: Mapping[str, Array], ranks: Mapping[str, Ranks], texts: Mapping[str, Texts] | None = None
) -> Facts:
    """Everything a scheme may look at: features, scores and population features by name, (n,) each; and texts."""
    numbers = _own_numbers(rows, scores)
    return Facts(len(rows), numbers | population_features(numbers, ranks), texts or {})


def _own_numbers(rows: Array, scores: Mapping[str, Array]) -> dict[str, Array]:
    return {name: rows[:, i] for name, i in POSITION.items()} | dict(scores)


def take_snapshot(release: Release, base: Snapshot, origin: Origin) -> LiveSet:
    """Grade-ready: score the whole base once, and keep its cut-offs and ranks."""
    return score_base(release, base, origin)[0]


def score_base(release: Release, base: Snapshot, origin: Origin) -> tuple[LiveSet, dict[str, Array]]:
    """What `take_snapshot` gives, and the scores of the base that it is made of."""
    scheme = read_scheme(release.scheme, SCHEME_FILE)
    check_facts(scheme, FACTS, TRAIT_NAMES, SCHEME_FILE)
    scores = scores_of(release, scheme, base.rows)
    ranks = {name: Ranks.of(column) for name, column in _own_numbers(base.rows, scores).items() if name in BASES}
    numbers = facts_of(base.rows, scores, ranks).numbers
    cutoffs = scheme.cutoffs({name: ranks.get(name) or Ranks.of(numbers[name]) for name in scheme.ranked})
    id_ = _id(release, base, origin)
    snapshot = GradingSnapshot(id_, base.as_of, cutoffs, ranks, origin.key, origin.company)
    return LiveSet(release, scheme, snapshot), scores


def _id(release: Release, base: Snapshot, origin: Origin) -> str:
    """Digest of all that goes into a snapshot."""
    said = "\n".join([base.as_of.isoformat(), release.digest, origin.key, origin.company.model_dump_json(), *base.ids])
    found = hashlib.sha256(said.encode() + b"\n")
    found.update(np.ascontiguousarray(base.rows).view(np.uint8).data)
    for name, texts in sorted(base.texts.items()):
        found.update("\n".join([name, *texts.names]).encode())
        found.update(texts.codes.tobytes())
    return found.hexdigest()[:12]
