"""The segments of a base: chosen afresh, or those of the champion carried on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.segments.choice import SMALLEST, Candidate, choose, measured
from training.segments.fitting import cluster, in_order, numbered_by_spend
from training.segments.matching import Change, matched, reassigned_share
from training.segments.model import SegmentModel
from training.segments.spaces import spaces_for

Array = NDArray[np.float64]

STABLE_ENOUGH = 0.85
"""Mean adjusted Rand index from which a champion's space and count are kept."""

MUCH_BETTER = 0.97
"""A solution from nothing is taken only where its customers are so much closer to their centres than in the one that
starts from the champion's: two solutions as good are two opinions, and the customers keep the one they know."""


@dataclass(frozen=True)
class Segmentation:
    """Fitted segments. stability: mean adjusted Rand index of bootstrap refits against them, all customers; candidates:
    the table of the choice, one row where the champion's was kept; changes, reassigned: what became of the champion's
    segments, and the share of the same customers who have another number than by the champion (null without one)."""

    model: SegmentModel
    stability: float
    candidates: tuple[Candidate, ...]
    changes: tuple[Change, ...] = ()
    reassigned: float | None = None


def segmented(
    rows: Array, seed: int, champion: SegmentModel | None = None, earlier: Sequence[Array] = ()
) -> Segmentation:
    """Segments of the customers of `rows` (n, features) who ever bought, going on from a champion if there is one.

    Its space and number of segments are kept while they are stable and no segment became too small; otherwise both
    are chosen again. earlier: the base at earlier dates, for `choose`. ValueError with too few customers.
    """
    if champion is None:
        choice = choose(rows, seed, earlier)
        return Segmentation(numbered_by_spend(choice.fitted, rows), choice.stability, choice.candidates)
    kept = next((found for found in _carried_on(rows, seed, champion) if _good(found[1])), None)
    if kept is not None:
        carried, found = kept
        return _beside(champion, rows, carried, found.stability, (found,))
    choice = choose(rows, seed, earlier)
    return _beside(champion, rows, numbered_by_spend(choice.fitted, rows), choice.stability, choice.candidates)


def _beside(
    champion: SegmentModel, rows: Array, new: SegmentModel, stability: float, candidates: tuple[Candidate, ...]
) -> Segmentation:
    model, changes = matched(new, champion, rows)
    moved = reassigned_share(champion.predict(rows), model.predict(rows))
    return Segmentation(model, stability, candidates, changes, moved)


def _good(found: Candidate) -> bool:
    return found.stability >= STABLE_ENOUGH and found.smallest >= SMALLEST


def _carried_on(rows: Array, seed: int, champion: SegmentModel) -> Iterator[tuple[SegmentModel, Candidate]]:
    """The champion's space and count on these customers, first what to prefer: from its centres, then from nothing.
    Nothing at all where its space is none for them (they lost their amounts), or they are too few."""
    space = next((each for each in spaces_for(rows) if each.features == champion.space), None)
    if space is None:
        return
    customers, count = in_order(rows, space.features), len(champion.centres)
    try:
        warm = cluster(customers, space.features, count, seed, old=champion)
        cold = cluster(customers, space.features, count, seed)
    except ValueError:
        return
    for fitted in (warm, cold) if cold.inertia >= MUCH_BETTER * warm.inertia else (cold,):
        model = fitted.model()
        yield model, replace(measured(space.name, model, customers, seed), confirmed=True, chosen=True)
