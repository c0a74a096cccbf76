"""Why the scores of one customer are what they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.catalogue import POSITION
from features.workspace import finite
from training.explain import largest, sentence
from training.recipes import RECIPES
from training.release import Release, contributions

Array = NDArray[np.float64]


def reasons_of(release: Release, row: Array, scores: Mapping[str, float | None], k: int) -> dict[str, Any]:
    """Task → the `k` inputs that move its score most, as `serving.schema.Reason` describes them; the same as
    `classification.reasons` finds for a whole base.

    row (features,): the customer's. Tasks that were not asked of it, or are rules, have none.
    """
    if not row[POSITION["order_days"]] > 0:
        return {}
    found = {}
    for recipe in RECIPES:
        told = contributions(release, recipe.name, row[None, :]) if scores[recipe.name] is not None else None
        if told is None:
            continue
        which = [i for i in largest(told.values, k)[0] if told.values[0, i] != 0]
        decimals = release.about["decimals"]
        found[recipe.name] = [
            {
                "feature": told.names[i],
                "value": finite(float(told.inputs[0, i])),
                "contribution": float(told.values[0, i]),
                "reason": sentence(
                    told.names[i], float(told.inputs[0, i]), float(told.values[0, i]), told.moves, decimals
                ),
            }
            for i in which
        ]
    return found
