"""Which feature space, and how many segments: the most telling of those that are stable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from training.segments.fitting import Fitted, cluster, in_order
from training.segments.model import SegmentModel
from training.segments.spaces import Space, bought, spaces_for, told
from training.segments.stability import RESAMPLES, agreements
from training.threads import one_thread

Array = NDArray[np.float64]

COUNTS = (4, 5, 6, 7, 8)
SMALLEST = 0.02
"""No segment of fewer customers than this share: nobody plans a campaign for it."""

STABLE = 0.90
"""Mean adjusted Rand index from which segments are stable. Above it more stability is worth nothing and what the
segments tell decides: four segments are nearly always the stablest and tell least."""

TOLERANCE = 0.02
"""Where nothing is stable, candidates this close to the stablest are as good as it."""

SEARCHED = 5_000
SEARCH_RESAMPLES = 10
CONFIRMED = 5
"""All candidates are tried on at most so many customers and few resamples; the best of them again, until one is
confirmed, in the same way on earlier dates, and then with `stability.RESAMPLES` on all customers: the best of many
noisy figures is too good, and segments that are stable in one month only would be chosen again in the next, which moves
half of the customers."""


@dataclass(frozen=True)
class Candidate:
    """A space and a number of segments. stability: mean adjusted Rand index of bootstrap refits (Hennig 2007), of
    several dates the lowest; smallest: share of customers of the smallest segment; told: η², see `spaces.told`;
    confirmed: whether measured on all customers and on the earlier dates; chosen: the one that was taken."""

    space: str
    count: int
    stability: float
    smallest: float
    told: float
    confirmed: bool = False
    chosen: bool = False


@dataclass(frozen=True)
class Choice:
    """The fit of the chosen space and count on all customers, its stability on their date, and all candidates."""

    fitted: Fitted
    stability: float
    candidates: tuple[Candidate, ...]


def choose(rows: Array, seed: int, earlier: Sequence[Array] = (), counts: Sequence[int] = COUNTS) -> Choice:
    """Try every space that `rows` (n, features) allow with every count; ValueError with too few customers for any.

    Of the candidates whose segments all have SMALLEST of the customers, the one that tells most among those of at
    least STABLE; where none is, among those within TOLERANCE of the stablest. earlier: the base at earlier dates, at
    which the chosen one was stable too.
    """
    spaces = {space.name: space for space in spaces_for(rows)}
    table = {(each.space, each.count): each for each in _search(rows, spaces.values(), counts, seed)}
    if not table:
        raise ValueError(f"{int(bought(rows).sum())} customers with a purchase, too few or too alike for segments")
    judged: set[tuple[str, int]] = set()
    fits: dict[tuple[str, int], tuple[Fitted, float]] = {}
    while not (best := _best(table.values(), len(fits) == CONFIRMED)).confirmed:
        key, space = (best.space, best.count), spaces[best.space]
        if key not in judged:
            judged.add(key)
            before = [_searched(base, space, best.count, seed) for base in earlier]
            table[key] = replace(best, stability=min([best.stability, *(each.stability for each in before if each)]))
            continue
        customers = in_order(rows, space.features)
        fitted = cluster(customers, space.features, best.count, seed)
        found = measured(space.name, fitted.model(), customers, seed)
        fits[key] = fitted, found.stability
        lowest = min(best.stability, found.stability) if earlier else found.stability
        table[key] = replace(found, stability=lowest, confirmed=True)
    table[best.space, best.count] = replace(best, chosen=True)
    return Choice(*fits[best.space, best.count], tuple(table.values()))


def measured(space: str, model: SegmentModel, customers: Array, seed: int, resamples: int = RESAMPLES) -> Candidate:
    """A fitted candidate judged on customers in order."""
    found = agreements(model, customers, seed, resamples)
    number = model.predict(customers)
    smallest = min(float((number == k).mean()) for k in model.numbers)
    return Candidate(space, len(model.numbers), float(np.mean(found)), smallest, told(customers, number))


def _search(rows: Array, spaces: Iterable[Space], counts: Sequence[int], seed: int) -> list[Candidate]:
    pairs = [(space, count) for space in spaces for count in counts]
    with one_thread():  # of the libraries; the candidates are what runs side by side
        tasks = (delayed(_searched)(rows, space, count, seed) for space, count in pairs)
        return [found for found in Parallel(n_jobs=-1, backend="threading")(tasks) if found is not None]


def _searched(rows: Array, space: Space, count: int, seed: int) -> Candidate | None:
    """A candidate on an evenly spaced part of the customers; None where they are too few for it."""
    customers = in_order(rows, space.features)
    customers = customers[:: 1 + len(customers) // SEARCHED]
    try:
        model = cluster(customers, space.features, count, seed).model()
    except ValueError:
        return None
    return measured(space.name, model, customers, seed, SEARCH_RESAMPLES)


def _best(candidates: Iterable[Candidate], confirmed: bool) -> Candidate:
    """The one to take; with `confirmed`, of the confirmed ones."""
    among = [each for each in candidates if each.confirmed or not confirmed]
    large = [each for each in among if each.smallest >= SMALLEST] or among
    wanted = min(STABLE, max(each.stability for each in large) - TOLERANCE)
    return max((each for each in large if each.stability >= wanted), key=lambda each: each.told)
