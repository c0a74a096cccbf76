"""Why each customer's scores are what they are: the features that move them most, for a whole base."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.catalogue import POSITION
from features.progress import Progress, silent
from training.explain import Contributions, largest, sentences_of
from training.recipes import RECIPES
from training.release import Array, Release, contributions
from training.snapshots import Snapshot

MOST = 3
"""Reasons told of each score."""

AT_ONCE = 20_000
"""Customers explained at a time."""

SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("task", pa.string()),
        ("rank", pa.int8()),
        ("feature", pa.string()),
        ("value", pa.float64()),
        ("contribution", pa.float64()),
        ("reason", pa.string()),
    ]
)


def reasons(release: Release, base: Snapshot, scores: Mapping[str, Array], progress: Progress = silent) -> pa.Table:
    """The MOST features that move each score of each customer, the largest first; a row each, by task and customer.

    value: of the feature, null for not known; contribution: to the task's own additive score (log-odds, or the
    logarithm of an amount), by exact TreeSHAP for trees; reason: the same as a sentence. Customers who were not asked,
    or never bought, and tasks that are rules have none.
    """
    found: list[pa.Table] = []
    for done, recipe in enumerate(RECIPES):
        progress("give reasons", done, len(RECIPES))
        found += _of_task(recipe.name, release, base, scores[recipe.name])
    progress("give reasons", len(RECIPES), len(RECIPES))
    return pa.concat_tables([SCHEMA.empty_table(), *found])


def _of_task(task: str, release: Release, base: Snapshot, scores: Array) -> Iterator[pa.Table]:
    answered = ~np.isnan(scores) & (base.rows[:, POSITION["order_days"]] > 0)
    places = np.flatnonzero(answered)
    for first in range(0, len(places), AT_ONCE):
        here = places[first : first + AT_ONCE]
        told = contributions(release, task, base.rows[here])
        if told is not None:
            yield _table(task, base.ids[here], told, release.about["decimals"])


def _table(task: str, ids: NDArray[np.object_], told: Contributions, decimals: int) -> pa.Table:
    top = largest(told.values, MOST)
    customer, rank = np.repeat(np.arange(len(ids)), top.shape[1]), np.tile(np.arange(top.shape[1]), len(ids))
    column = top.ravel()
    value, contribution = told.inputs[customer, column], told.values[customer, column]
    moves = contribution != 0
    customer, rank, column, value, contribution = (
        each[moves] for each in (customer, rank, column, value, contribution)
    )
    names = pa.array(told.names, pa.string()).take(pa.array(column))
    return pa.table(
        [
            pa.array(ids[customer], pa.string()),
            pa.array([task] * len(names), pa.string()),
            pa.array(rank + 1, pa.int8()),
            names,
            pa.array(value, pa.float64(), from_pandas=True),
            pa.array(contribution, pa.float64()),
            sentences_of(told.names, column, value, contribution, told.moves, decimals),
        ],
        schema=SCHEMA,
    )
