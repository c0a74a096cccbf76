"""How past bases would have been graded by value: what `potential` learns from, so that training needs no scheme."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
from numpy.typing import NDArray

from classification.facts import Facts
from classification.rules import Classes
from classification.scheme import Dimension
from features.catalogue import NAMES
from features.population import Ranks
from features.workspace import Workspace
from training.backtest import Cuts
from training.examples import Standing
from training.labels import closes
from training.snapshots import read_facts

VALUE_DIMENSION = "value"
"""The dimension whose lowest class `potential` is asked of."""


def past_standings(
    workspace: Workspace, cuts: Cuts, dimension: Dimension, potential_days: int
) -> Mapping[date, Standing]:
    """The standing of the customers of each date that `potential` learns from or is tested on.

    Each base is graded by its own cut-offs. Empty when the dimension looks at scores of models, which no past base has.
    """
    if not dimension.rule.facts <= set(NAMES):
        return {}
    days = sorted(day for day, days in cuts.labelled if days == potential_days)
    ends = [closes(day, potential_days) for day in days]
    graded: dict[date, tuple[NDArray[np.object_], Classes]] = {}
    for day, (ids, facts) in read_facts(workspace, sorted(dimension.rule.facts), {*days, *ends}).items():
        known = Facts(len(ids), facts)
        graded[day] = (ids, dimension.rule.classify(known, cutoffs_of(dimension, known)))
    lowest = dimension.rule.classes[-1]
    found = {}
    for day, end in zip(days, ends, strict=True):
        ids, now = graded[day]
        later = dict(zip(*graded[end], strict=True))
        then = np.array([later.get(id_, lowest) for id_ in ids], dtype=now.dtype)
        found[day] = Standing(now == lowest, (then != lowest) & (then != dimension.unknown))
    return found


def cutoffs_of(dimension: Dimension, facts: Facts) -> dict[str, float]:
    """The cut-offs of one dimension over a whole base; empty where it is no share."""
    return dimension.share.cutoffs(Ranks.of(facts.numbers[dimension.share.fact])) if dimension.share else {}
