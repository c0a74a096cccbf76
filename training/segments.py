"""Groups of customers who are alike: K-means over log-scaled features, numbered by what a customer of each spends."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from features.catalogue import POSITION
from features.workspace import read_json, write_json

Array = NDArray[np.float64]

SPACE = ("recency_days", "tenure_days", "orders", "orders_365d", "spend_365d", "spend_per_order")
"""The features by which customers are alike; each as log(1 + x), standardised."""

FEWEST_PER_SEGMENT = 10

FURTHEST = 3.0
"""Standard deviations from the mean beyond which all are equally far: a handful of oddities is no segment."""


@dataclass(frozen=True)
class SegmentModel:
    """Segment k (counted from 1) is the set of customers nearest to centres[k − 1]; 1 spends most.

    centre, scale (features): what the log-scaled columns are standardised with; profile: a row per segment.
    """

    centre: tuple[float, ...]
    scale: tuple[float, ...]
    centres: tuple[tuple[float, ...], ...]
    profile: tuple[dict[str, float], ...] = ()

    def predict(self, rows: Array, horizon_days: int = 0) -> Array:
        """Number of the segment, shape (n,); NaN for customers who never bought."""
        return nearest(self.standardised(rows), self.centres, rows[:, POSITION["order_days"]] > 0)

    def standardised(self, rows: Array) -> list[Array]:
        """The columns of the space, (n,) each."""
        return [
            np.clip((c - m) / s, -FURTHEST, FURTHEST)
            for c, m, s in zip(_space(rows), self.centre, self.scale, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """model.json."""
        write_json(folder / "model.json", asdict(self))

    @staticmethod
    def load(folder: Path) -> SegmentModel:
        """What `save` wrote."""
        found = read_json(folder / "model.json")
        centres = tuple(tuple(centre) for centre in found["centres"])
        return SegmentModel(tuple(found["centre"]), tuple(found["scale"]), centres, tuple(found["profile"]))


def nearest(columns: list[Array], centres: tuple[tuple[float, ...], ...], known: NDArray[np.bool_]) -> Array:
    """1 + position of the nearest centre; added up column by column, so that one row and many give the same bits."""
    best = np.full(len(known), np.inf)
    number = np.full(len(known), np.nan)
    for k, centre in enumerate(centres, 1):
        distance = np.zeros(len(known))
        for column, middle in zip(columns, centre, strict=True):
            distance = distance + (column - middle) ** 2
        closer = known & (distance < best)
        number, best = np.where(closer, float(k), number), np.where(closer, distance, best)
    return number


def fit_segments(rows: Array, count: int, seed: int) -> SegmentModel:
    """Fit on the customers of `rows` who ever bought, shape (n, features); ValueError with fewer than
    FEWEST_PER_SEGMENT of them per segment."""
    bought = rows[rows[:, POSITION["order_days"]] > 0]
    if len(bought) < FEWEST_PER_SEGMENT * count:
        raise ValueError(f"{len(bought)} customers with a purchase, too few for {count} segments")
    columns = np.column_stack(_space(bought))
    centre, scale = columns.mean(axis=0), np.maximum(columns.std(axis=0), 1e-9)
    standard = np.clip((columns - centre) / scale, -FURTHEST, FURTHEST)
    found = KMeans(count, n_init=10, random_state=seed).fit(standard)
    spend = np.nan_to_num(bought[:, POSITION["spend_365d"]])
    order = sorted(range(count), key=lambda k: -float(spend[found.labels_ == k].mean()))
    centres = tuple(tuple(map(float, found.cluster_centers_[k])) for k in order)
    model = SegmentModel(tuple(map(float, centre)), tuple(map(float, scale)), centres)
    return SegmentModel(model.centre, model.scale, centres, _profile(model, bought, count))


def stability(rows: Array, count: int, seed: int, resamples: int = 5) -> float:
    """How alike the segments of two halves of the customers are: mean adjusted Rand index of both models' answers for
    the whole base, over random halvings; 1 is the same segments every time, 0 is chance (Hubert & Arabie 1985)."""
    rng = np.random.default_rng(seed)
    bought = rows[rows[:, POSITION["order_days"]] > 0]
    scores = []
    for _ in range(resamples):
        half = np.zeros(len(bought), bool)
        half[rng.permutation(len(bought))[: len(bought) // 2]] = True
        first, second = (fit_segments(part, count, seed).predict(bought) for part in (bought[half], bought[~half]))
        scores.append(adjusted_rand_score(first, second))
    return float(np.mean(scores))


def _profile(model: SegmentModel, rows: Array, count: int) -> tuple[dict[str, float], ...]:
    """Per segment: share of customers, share of last year's spend, and the median of each column of the space."""
    number = model.predict(rows)
    spend = np.maximum(np.nan_to_num(rows[:, POSITION["spend_365d"]]), 0.0)
    return tuple(
        {
            "customers": float((number == k).mean()),
            "revenue": float(spend[number == k].sum() / max(spend.sum(), 1.0)),
            **{name: float(np.median(rows[number == k, POSITION[name]])) for name in SPACE},
        }
        for k in range(1, count + 1)
    )


def _space(rows: Array) -> list[Array]:
    return [np.log1p(np.maximum(np.nan_to_num(rows[:, POSITION[name]]), 0.0)) for name in SPACE]
