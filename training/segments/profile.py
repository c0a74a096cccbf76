"""What a segment's customers are like: shares, medians, and where these stand among all customers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from features.catalogue import POSITION
from training.segments.model import Segment, SegmentModel
from training.segments.names import NAMED_BY, Word, unique_names, words_for
from training.segments.spaces import has_amounts

Array = NDArray[np.float64]

SHOWN = ("recency_days", "tenure_days", "orders", "orders_365d", "spend_per_order", "spend_365d", "spend")
"""The features of which a profile tells the median, whatever the space."""

_MONEY = ("spend_per_order", "spend_365d", "spend")


def profiled(model: SegmentModel, customers: Array, old: Mapping[int, Segment] | None = None) -> tuple[Segment, ...]:
    """A Segment per number of the model. customers (n, features): those who ever bought.

    old: number → the segment of an earlier model that this one goes on from; its name is kept while its words hold.
    """
    number = model.predict(customers)
    amounts = has_amounts(customers)
    shown = [name for name in dict.fromkeys((*SHOWN, *model.space, *NAMED_BY)) if amounts or name not in _MONEY]
    columns = {name: np.nan_to_num(customers[:, POSITION[name]]) for name in shown}
    ranked = {name: np.sort(column) for name, column in columns.items()}
    revenue = np.maximum(columns["spend_365d"], 0.0) if amounts else np.zeros(len(number))
    found: dict[int, Segment] = {}
    for k in model.numbers:
        members = number == k
        medians = {name: float(np.median(c[members])) if members.any() else 0.0 for name, c in columns.items()}
        standing = {name: _standing(ranked[name], median) for name, median in medians.items()}
        spent = float(revenue[members].sum() / revenue.sum()) if revenue.any() else None
        found[k] = Segment(k, "", (), float(members.mean()), spent, medians, standing)
    return _named(model, found, old or {})


def _named(model: SegmentModel, found: Mapping[int, Segment], old: Mapping[int, Segment]) -> tuple[Segment, ...]:
    kept = {
        k: (old[k].name, old[k].words)
        for k, segment in found.items()
        if k in old and all(word.holds(segment.medians, segment.standing) for word in old[k].words)
    }
    coarse, fine = (
        {k: words_for(model.space, segment.medians, segment.standing, fine=degree) for k, segment in found.items()}
        for degree in (False, True)
    )
    names = unique_names(coarse, fine, kept)
    return tuple(_called(found[k], *names[k]) for k in model.numbers)


def _called(segment: Segment, name: str, words: tuple[Word, ...]) -> Segment:
    return Segment(**vars(segment) | {"name": name, "words": words})


def _standing(ranked: Array, value: float) -> float:
    """The share of all who have less, ties counted half."""
    below, not_above = np.searchsorted(ranked, value, "left"), np.searchsorted(ranked, value, "right")
    return float((below + not_above) / 2 / len(ranked))
