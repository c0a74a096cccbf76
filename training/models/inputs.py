"""What the models see of a customer: its feature row, ratios of it, and what the BTYD models expect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numba as nb
import numpy as np
from numpy.typing import NDArray

from features.catalogue import NAMES, POSITION
from features.catalogue.confidential import CONFIDENTIAL
from training.models.ratios import DOCS as RATIO_DOCS
from training.models.ratios import fill_ratios
from training.rhythm import COLUMNS as RHYTHM_COLUMNS
from training.rhythm import Rhythm

Array = NDArray[np.float64]

INPUTS: tuple[str, ...] = (*NAMES, *RATIO_DOCS, *RHYTHM_COLUMNS)
"""The columns of `inputs`, in order."""
PLACE: dict[str, int] = {name: i for i, name in enumerate(INPUTS)}

LEFT_OUT = frozenset((
    "burstiness", "orders_per_active_month", "recurring_months", "top_month_share", "top_quarter_share",
    "top_weekday_share", "weekend_share", "night_share", "orders_7d", "orders_trend_90d", "orders_trend_365d",
    "spend_7d", "spend_trend_90d", "spend_trend_365d", "spend_per_order", "line_min", "line_max_365d",
    "top_item_spend_share", "top_month_spend_share", "returned", "returns", "top_item_share", "quantity_prev_365d",
    "quantity_trend_365d",
))  # fmt: skip
"""Features that other inputs say better: without them the models rank no worse and are fitted faster."""

HIDDEN = np.array(sorted(POSITION[name] for name in CONFIDENTIAL | LEFT_OUT), np.int64)
"""Places of the features that no model sees."""
FEATURES, RATIOS = len(NAMES), len(RATIO_DOCS)


@dataclass(frozen=True)
class Examples:
    """Customers of one date with their label: rows (n, features), rhythm (fitted at that date), label (n,)."""

    rows: Array
    rhythm: Rhythm
    label: Array


class Model(Protocol):
    """What a task's model can do, whatever it is made of."""

    def predict(self, rows: Array, horizon_days: int) -> Array:
        """One number per row, shape (n,); one row and many give the same bits."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model into an existing folder."""
        ...


@dataclass(frozen=True)
class Stack:
    """The examples of all dates under each other: rows (n, features), expected (n, BTYD columns), label (n,)."""

    rows: Array
    expected: Array
    label: Array


def stacked(examples: Sequence[Examples], horizon_days: int) -> Stack:
    """Each date's BTYD columns are those of the model fitted at that date."""
    return Stack(
        np.vstack([each.rows for each in examples]),
        np.vstack([each.rhythm.columns(each.rows, horizon_days) for each in examples]),
        np.concatenate([each.label for each in examples]),
    )


def inputs(rows: Array, expected: Array) -> Array:
    """Features, ratios and BTYD columns, shape (n, INPUTS); NaN where a feature is left out, or is one that the
    customer must not learn of."""
    table = np.empty((len(rows), len(INPUTS)))
    fill_inputs(rows, expected[None], HIDDEN, table)
    return table


@nb.njit(cache=True, nogil=True, error_model="numpy")
def fill_inputs(rows: Array, expected: Array, hidden: NDArray[np.int64], table: Array) -> None:
    """The same into a table; expected (looks, n, BTYD columns): those of each look follow one another."""
    fill_ratios(rows, table[:, FEATURES : FEATURES + RATIOS])
    for i in range(len(rows)):
        for j in range(FEATURES):
            table[i, j] = rows[i, j]
        for look in range(expected.shape[0]):
            for j in range(expected.shape[2]):
                table[i, FEATURES + RATIOS + look * expected.shape[2] + j] = expected[look, i, j]
        for j in hidden:
            table[i, j] = np.nan
