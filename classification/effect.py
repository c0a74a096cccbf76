"""What another scheme would do to the customers of a month that was graded, by the facts that the month keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classification.comparison import stored_facts
from classification.facts import Facts
from classification.rules import Classes
from classification.scheme import Dimension, Scheme
from classification.snapshots import read_ranks
from features.population import Ranks, population_features
from features.workspace import read_parquet


@dataclass(frozen=True)
class Effect:
    """What two schemes say of the same customers. moves: dimension → (class, class) → how many customers go from the
    first to the second, by the facts of the date alone; lacking: dimension → the facts that the month does not keep;
    customers: of the month; changed: who changes class in any dimension of `moves`."""

    customers: int
    moves: Mapping[str, Mapping[tuple[str, str], int]]
    lacking: Mapping[str, tuple[str, ...]]
    changed: int


def effect(folder: Path, old: Scheme, new: Scheme) -> Effect:
    """The customers of a month's folder by both schemes, in the dimensions that both have.

    Shares get the cut-offs of the month's base by each scheme.
    """
    facts = _facts(folder)
    moves, lacking, changed = {}, {}, np.zeros(facts.size, bool)
    for name, dimension in new.dimensions.items():
        before = old.dimensions.get(name)
        if before is None or (before.rule == dimension.rule and before.rule.classes == dimension.rule.classes):
            continue
        wanted = _looks_at(before) | _looks_at(dimension)
        if absent := wanted - set(facts.numbers) - set(facts.texts):
            lacking[name] = tuple(sorted(absent))
            continue
        was, now = (_classes(each, facts) for each in (before, dimension))
        moves[name] = dict(Counter(zip(was[was != now].tolist(), now[was != now].tolist(), strict=True)).most_common())
        changed |= was != now
    return Effect(facts.size, moves, lacking, int(changed.sum()))


def _facts(folder: Path) -> Facts:
    """The facts of a month: features, scores, where a customer stands, texts."""
    path = folder / "grades.parquet"
    ids = read_parquet(path, columns=["customer_id"])["customer_id"].to_numpy(zero_copy_only=False)
    features, scores, texts = stored_facts(folder, ids)
    own = features | scores
    return Facts(len(ids), own | population_features(own, read_ranks(folder)), texts)


def _looks_at(dimension: Dimension) -> frozenset[str]:
    given = dimension.given
    return dimension.rule.facts | ({given.attribute or given.trait or ""} - {""} if given else set())


def _classes(dimension: Dimension, facts: Facts) -> Classes:
    """Raw classes; a share's cut-offs are those of these customers."""
    cutoffs = dimension.share.cutoffs(Ranks.of(facts.numbers[dimension.share.fact])) if dimension.share else {}
    return dimension.rule.classify(facts, cutoffs)
