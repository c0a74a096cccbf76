"""The laundering grade of customers by what is known of them. Pure: facts in, one grade each, with its evidence.

Total = Σ aᵢ pᵢ / m, with aᵢ the sub-score of factor i, 1 to m, and pᵢ its weight; the weights sum to 100 (convention of
the guide of the People's Bank of China, 2013, No. 2). The total gives a band; conditions lead straight to the highest
or the lowest grade; events and a model raise, and nothing here lowers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classification.facts import Array, Facts
from classification.laundering.condition import first_met
from classification.laundering.factor import PRECISION
from classification.laundering.scheme import LaunderingScheme
from classification.rules import Share
from features.population import Ranks
from features.texts import Texts

Ranked = NDArray[np.int64]

BAND, HIGHEST, LOWEST, UPGRADE, MODEL = "band", "highest:", "lowest:", "upgrade:", "model"
"""The grounds of a grade by the scheme: by its total, by a condition, by events, by a model."""


@dataclass(frozen=True)
class Graded:
    """What the scheme says of some customers; each array has a place per customer.

    subscores: factor → 1 to the scale; values: factor → the value that gave it, null where it is unknown; score: the
    total; rank: place of the grade in the scheme, 0 for the highest; ground: what the grade follows from.
    """

    subscores: dict[str, NDArray[np.int64]]
    values: dict[str, Texts]
    score: Array
    rank: Ranked
    ground: NDArray[np.object_]


def grade(
    scheme: LaunderingScheme,
    facts: Facts,
    counts: Mapping[str, Array] | None = None,
    model: Array | None = None,
) -> Graded:
    """Grade customers; whatever their facts are, each gets one grade.

    counts: upgrade → how many of its events each customer has (size,), none by default; model: a model's scores
    (size,), NaN for none. Facts and texts that are not there are null.
    """
    scored = {name: factor.score(facts) for name, factor in scheme.factors.items()}
    subscores = {name: found for name, (found, _) in scored.items()}
    score = total(scheme, subscores, facts.size)
    rank, ground = by_scheme(scheme, facts, score)
    raise_by_events(scheme, counts or {}, rank, ground)
    if model is not None:
        raise_by_model(scheme, model, rank, ground)
    return Graded(subscores, {name: value for name, (_, value) in scored.items()}, score, rank, ground)


def total(scheme: LaunderingScheme, subscores: Mapping[str, NDArray[np.int64]], size: int) -> Array:
    """Σ aᵢ pᵢ / m; from 100 / m to 100. Whole numbers are summed, so that a total that equals a bound reaches it."""
    parts = np.zeros(size, np.int64)
    for name, factor in scheme.factors.items():
        parts += subscores[name] * factor.parts
    return parts / float(PRECISION * scheme.scale)


def by_scheme(scheme: LaunderingScheme, facts: Facts, score: Array) -> tuple[Ranked, NDArray[np.object_]]:
    """Rank and ground by condition, else by band."""
    rank = np.full(facts.size, len(scheme.grades) - 1, np.int64)
    for place in reversed(range(len(scheme.grades))):
        rank[score >= scheme.bands[scheme.grades[place]]] = place
    ground = np.full(facts.size, BAND, object)
    shortcut, barred = first_met(scheme.lowest, facts), first_met(scheme.no_shortcut, facts)
    low = (shortcut != "") & (barred == "")
    rank[low] = len(scheme.grades) - 1
    ground[low] = [f"{LOWEST}{name}" for name in shortcut[low]]
    straight = first_met(scheme.highest, facts)
    high = straight != ""
    rank[high] = 0
    ground[high] = [f"{HIGHEST}{name}" for name in straight[high]]
    return rank, ground


def raise_by_events(
    scheme: LaunderingScheme, counts: Mapping[str, Array], rank: Ranked, ground: NDArray[np.object_]
) -> None:
    """Raise in place those who have the events of an upgrade."""
    for name, upgrade in scheme.upgrades.items():
        if name in counts:
            to = scheme.rank[upgrade.to]
            raised = (counts[name] >= upgrade.at_least) & (rank > to)
            rank[raised], ground[raised] = to, f"{UPGRADE}{name}"


def raise_by_model(scheme: LaunderingScheme, scores: Array, rank: Ranked, ground: NDArray[np.object_]) -> None:
    """Raise in place those whom the model puts at the top. Equal scores are not parted: a group across the boundary
    goes where the size of the top comes closer to its share (`classification.rules.Share`)."""
    if scheme.model is None or np.isnan(scores).all():
        return
    share = Share(fact=MODEL, top={"R": scheme.model.top, "N": 1.0})
    with np.errstate(invalid="ignore"):
        at_top = scores >= share.cutoffs(Ranks.of(scores))["R"]
    by_one = np.maximum(rank - 1, 0)
    to = by_one if scheme.model.raises == "one" else np.full(len(rank), scheme.rank[scheme.model.raises])
    raised = at_top & (rank > to)
    rank[raised], ground[raised] = to[raised], MODEL
