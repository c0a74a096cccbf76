"""Which candidate answers: the best on the cases that choose, with a doubt in favour of the simple ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from training.cases.model import BASELINE, CANDIDATES, SIMPLE
from training.cases.plan import Plan
from training.cases.table import Array


def choose(earlier: Mapping[str, Sequence[float]], plan: Plan, label: Array, few: int) -> str:
    """The candidate with the highest mean AUC on the choosing cuts. earlier: candidate → its AUC on each; label (n,) of
    all cases, of which only those that choose are looked at.

    With fewer than `few` of them answering yes it is a simple one: its few weights need fewer cases, and can be checked
    by a person. Another has to be better than it on every cut, and these cuts have to be in time: random folds flatter
    what learns by heart.
    """
    names = [name for name in CANDIDATES if name != BASELINE]
    best = _best(names, earlier)
    if best in SIMPLE or _yes(plan, label) >= few:
        return best
    simple = _best(SIMPLE, earlier)
    better = all(mine > other for mine, other in zip(earlier[best], earlier[simple], strict=True))
    return best if plan.kind == "time" and better else simple


def _best(names: Sequence[str], earlier: Mapping[str, Sequence[float]]) -> str:
    return max(names, key=lambda name: float(np.mean(earlier[name])))


def _yes(plan: Plan, label: Array) -> int:
    rows = np.unique(np.concatenate([side for cut in plan.choose for side in (cut.train, cut.test)]))
    return int(label[rows].sum())
