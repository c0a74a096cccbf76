"""What is found out about customers before a model answers: what BTYD expects, and what forests say."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from training.explain import Contributions
from training.models.boosting import Forest
from training.models.inputs import Model, inputs
from training.rhythm import Rhythm

Array = NDArray[np.float64]

SILENCE, EVENT, AMOUNT = range(3)
"""Kinds of models that `training.models.together` answers for."""


class Formula(NamedTuple):
    """A model as its compiled function takes it: its kind, its whole numbers and its others."""

    kind: int
    whole: NDArray[np.int64]
    numbers: Array


class Seen(NamedTuple):
    """Customers, and what a model needs to answer. rows (n, features); expected (n, BTYD columns); raw
    (n, forests): of the model's forests, in their order."""

    rows: Array
    expected: Array
    raw: Array


class Supervised(Model, Protocol):
    """A model that was fitted to labels, and can say why. Its rows are of customers with at least one purchase."""

    def explain(self, rows: Array, horizon_days: int) -> Contributions:
        """What each input adds to each row's score."""
        ...


class Formed(Supervised, Protocol):
    """One with forests, which answers by a formula."""

    @property
    def sees(self) -> tuple[Rhythm, tuple[Forest, ...]]:
        """What it answers by, besides the feature row."""
        ...

    @property
    def formula(self) -> Formula:
        """How it answers by that."""
        ...


def seen_by(model: Formed, rows: Array, horizon_days: int) -> Seen:
    """What one model sees."""
    rhythm, forests = model.sees
    expected = rhythm.columns(rows, horizon_days)
    table, raw = inputs(rows, expected), np.empty((len(rows), len(forests)))
    for i, forest in enumerate(forests):
        raw[:, i] = forest.score(table)
    return Seen(rows, expected, raw)
