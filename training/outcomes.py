"""What happened after a date: the labels of some customers once they have closed, and how high labels usually are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.batch import feature_table, matrix
from features.company import Company
from features.workspace import Workspace
from training.labels import answer, label_features, orders_name
from training.recipes import CHURN, DEMAND, VALUE, asked
from training.snapshots import read_cuts, read_snapshots

Array = NDArray[np.float64]

TASKS = (CHURN, VALUE, DEMAND)
"""Those whose outcome is what a customer bought in the horizon."""


def labels_at(
    workspace: Workspace, company: Company, closed: date, horizon_days: int, ids: list[str]
) -> tuple[NDArray[np.bool_], dict[str, Array]]:
    """Which of the customers are still known on the day the outcomes closed, and task → label, shape (n,) each."""
    features = label_features([horizon_days])
    table = feature_table(workspace.tables, company, features, [closed])
    position = {id_: i for i, id_ in enumerate(table["customer_id"].to_pylist())}
    known = np.array([id_ in position for id_ in ids], bool)
    rows = np.full((len(ids), len(features)), np.nan)
    rows[known] = matrix(table, [each.name for each in features])[[position[id_] for id_ in ids if id_ in position]]
    column = {each.name: rows[:, i] for i, each in enumerate(features)}
    return known, {recipe.name: answer(recipe, column, horizon_days) for recipe in TASKS}


def usual_rates(workspace: Workspace, about: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Task → smallest and largest mean label of those asked, over the dates whose labels are in `workspace.features`;
    empty without them. about: what the release says of itself."""
    if not (workspace.features / "cuts.json").exists():
        return {}
    days = about["horizon_days"]
    dates = sorted(day for day, horizon in read_cuts(workspace).labelled if horizon == days)
    rates: dict[str, list[float]] = {}
    for snapshot in read_snapshots(workspace, dates):
        for recipe in TASKS if orders_name(days) in snapshot.labels else ():
            of = asked(recipe, snapshot.rows, about["active_days"])
            if of.any():
                rates.setdefault(recipe.name, []).append(float(answer(recipe, snapshot.labels, days)[of].mean()))
    return {task: (min(found), max(found)) for task, found in rates.items()}
