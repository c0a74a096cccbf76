"""Would other customers of the same kind have given the same segments?"""

from __future__ import annotations

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from training.segments.fitting import cluster, in_order
from training.segments.model import SegmentModel
from training.segments.spaces import SPACES, Space
from training.threads import one_thread

Array = NDArray[np.float64]

RESAMPLES = 20
REFIT_STARTS = 4

MOST_CUSTOMERS = 25_000
"""More customers than this are asked by an evenly spaced part: stability only grows with the base."""


def stability(rows: Array, count: int, seed: int, resamples: int = RESAMPLES, space: Space = SPACES[0]) -> float:
    """Mean adjusted Rand index (Hubert & Arabie 1985, eq. 5) between the segments of all customers by the model of
    all, and by models of bootstrap samples of them (Hennig 2007): 1 is the same segments every time, 0 is chance.

    rows (n, features). ValueError where `fit_segments` raises it.
    """
    customers = in_order(rows, space.features)
    fitted = cluster(customers, space.features, count, seed)
    return float(np.mean(agreements(fitted.model(), customers, seed, resamples)))


def agreements(model: SegmentModel, customers: Array, seed: int, resamples: int = RESAMPLES) -> list[float]:
    """The adjusted Rand index of each resample; customers in order (`fitting.in_order`)."""
    customers = customers[:: 1 + len(customers) // MOST_CUSTOMERS]
    own = model.predict(customers)
    seeds = np.random.default_rng(seed).integers(0, 2**31, resamples)
    with one_thread():  # of the libraries; the resamples are what runs side by side
        tasks = (delayed(_agreement)(model, customers, own, int(each)) for each in seeds)
        return list(Parallel(n_jobs=-1, backend="threading")(tasks))


def _agreement(model: SegmentModel, customers: Array, own: Array, seed: int) -> float:
    """Cold refit of a resample: nothing of the model helps it."""
    drawn = np.sort(np.random.default_rng(seed).integers(0, len(customers), len(customers)))
    try:
        refitted = cluster(customers[drawn], model.space, len(model.centres), seed, REFIT_STARTS)
    except ValueError:  # a resample with fewer different customers than segments
        return 0.0
    return float(adjusted_rand_score(own, refitted.model().predict(customers)))
