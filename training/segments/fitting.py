"""K-means from nothing, or from the centres of an earlier model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from features.catalogue import POSITION
from training.segments.model import FURTHEST, SegmentModel
from training.segments.profile import profiled
from training.segments.spaces import LATELY_OFTEN_MUCH, SPACES, Space, bought, coordinates, has_amounts
from training.threads import one_thread

Array = NDArray[np.float64]

FEWEST_PER_SEGMENT = 10

MOST_CUSTOMERS = 100_000
"""More customers than this do not move the centres; an evenly spaced part of the base is fitted."""

STARTS = 8


@dataclass(frozen=True)
class Fitted:
    """Centres of customers in a space. inertia: mean squared distance of a customer to its centre."""

    features: tuple[str, ...]
    centre: Array
    scale: Array
    centres: Array
    inertia: float

    def model(self) -> SegmentModel:
        """Numbered in the order of the centres, without a profile."""
        return SegmentModel(
            self.features,
            tuple(map(float, self.centre)),
            tuple(map(float, self.scale)),
            tuple(tuple(map(float, each)) for each in self.centres),
            tuple(range(1, len(self.centres) + 1)),
        )


def fit_segments(rows: Array, count: int, seed: int, space: Space = SPACES[0]) -> SegmentModel:
    """Fit on the customers of `rows` who ever bought, shape (n, features); segment 1 spends most.

    The order of the rows changes nothing. ValueError with fewer than FEWEST_PER_SEGMENT customers per segment, or
    fewer different ones than segments.
    """
    return numbered_by_spend(cluster(in_order(rows, space.features), space.features, count, seed), rows)


def numbered_by_spend(fitted: Fitted, rows: Array) -> SegmentModel:
    """A first model: 1 is the segment whose customers spent most in the last 365 days, or ordered most without
    amounts."""
    customers = rows[bought(rows)]
    model = fitted.model()
    number = model.predict(customers)
    by = np.nan_to_num(customers[:, POSITION["spend_365d" if has_amounts(customers) else "orders"]])
    means = [float(by[number == k].mean()) if (number == k).any() else -np.inf for k in model.numbers]
    order = sorted(range(len(means)), key=lambda k: (-means[k], model.centres[k]))
    model = replace(model, centres=tuple(model.centres[k] for k in order))
    return replace(model, profile=profiled(model, customers))


def in_order(rows: Array, features: tuple[str, ...]) -> Array:
    """The customers who ever bought, sorted by the features, so that nothing depends on the order they came in;
    customers alike in these by those that `spaces.told` looks at."""
    customers = rows[bought(rows)]
    return customers[np.lexsort(coordinates(customers, (*features, *LATELY_OFTEN_MUCH))[::-1])]


def cluster(
    customers: Array,
    features: tuple[str, ...],
    count: int,
    seed: int,
    starts: int = STARTS,
    old: SegmentModel | None = None,
) -> Fitted:
    """K-means of customers in order; from the centres of `old`, of the same features, or the best of several starts.

    One thread, so that sums come out the same on every machine.
    """
    customers = customers[:: 1 + len(customers) // MOST_CUSTOMERS]
    columns = np.column_stack(coordinates(customers, features)) if len(customers) else np.empty((0, len(features)))
    if len(customers) < FEWEST_PER_SEGMENT * count or len(np.unique(columns, axis=0)) < count:
        raise ValueError(f"{len(customers)} customers with a purchase, too few or too alike for {count} segments")
    centre, scale = columns.mean(axis=0), np.maximum(columns.std(axis=0), 1e-9)
    standard = np.clip((columns - centre) / scale, -FURTHEST, FURTHEST)
    with one_thread():
        if old is None:
            found = KMeans(count, n_init=starts, random_state=seed).fit(standard)
        else:
            start = (np.array(old.centres) * old.scale + old.centre - centre) / scale
            found = KMeans(count, n_init=1, init=start, random_state=seed).fit(standard)
    return Fitted(features, centre, scale, found.cluster_centers_, float(found.inertia_ / len(standard)))
