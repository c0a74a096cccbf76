"""Which pictures and tables a release is shown by, from what training left in the workspace."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.workspace import Workspace
from training import plots
from training.candidate import CANDIDATE
from training.evaluate import Verdict, predictions
from training.metrics import tenths
from training.recipes import BY_NAME, CHURN, DEMAND, INTENT, POTENTIAL, RECIPES, VALUE
from training.release import Release, contributions

Array = NDArray[np.float64]

ASKS = {
    CHURN.name: ("probability of no purchase", "customers who left"),
    VALUE.name: ("spend in the horizon", "spend in the horizon"),
    DEMAND.name: ("orders in the horizon", "orders in the horizon"),
    INTENT.name: ("probability of a purchase within a month", "customers who bought"),
    POTENTIAL.name: ("probability of a higher class", "customers who rose"),
}
"""What is predicted, and what those ranked first hold of."""

SHOWN = 3_000
MOST_SHOWN = 6
"""Customers and features in the pictures of what scores rest on."""


def pictures(workspace: Workspace, verdicts: Sequence[Verdict], about: Mapping[str, Any]) -> dict[str, bytes]:
    """Name → PNG: of each task calibration, gains and the spread of scores, beside the best baseline."""
    return {name: png for verdict in verdicts for name, png in _of_task(workspace, verdict, about)}


def _of_task(workspace: Workspace, verdict: Verdict, about: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    task, rival = verdict.task, verdict.best_baseline
    recipe = BY_NAME[task]
    per = 10.0 ** about["decimals"] if recipe.predicts == "amount" else 1.0  # amounts in major units
    actual, candidate, baseline = (column / per for column in _columns(workspace, verdict))
    what, held = ASKS[task]
    yield f"{task}-calibration", plots.calibration(actual, candidate, baseline, rival, what)
    yield f"{task}-gains", plots.gains(actual, candidate, baseline, rival, held)
    yield f"{task}-scores", plots.distribution(candidate, what, log=recipe.predicts != "probability")


def reasons_pictures(release: Release, rows: Array) -> dict[str, bytes]:
    """Name → PNG: of each task that has a model what its scores rest on, and how they go with the most important
    features. rows (n, features): of customers who have bought, SHOWN of them at most."""
    found = {}
    some = rows[:: 1 + len(rows) // SHOWN]
    for recipe in RECIPES:
        told = contributions(release, recipe.name, some)
        if told is None:
            continue
        unit = "log-odds" if recipe.predicts == "probability" else "log amount"
        weight = np.abs(told.values).mean(axis=0)
        used = np.flatnonzero(weight > 0)
        names = [told.names[i] for i in used]
        found[f"{recipe.name}-importance"] = plots.importance(names, weight[used], unit)
        top = used[np.argsort(-weight[used], kind="stable")][:MOST_SHOWN]
        panels = [(told.names[i], told.inputs[:, i], told.values[:, i]) for i in top]
        found[f"{recipe.name}-dependence"] = plots.dependence(panels, unit)
    return found


def decile_tables(workspace: Workspace, verdicts: Sequence[Verdict]) -> dict[str, str]:
    """Name → CSV: ten groups of customers by predicted rank, highest first; amounts in minor units."""
    found = {}
    for verdict in verdicts:
        actual, candidate, _ = _columns(workspace, verdict)
        mean_actual, mean_predicted = tenths(actual, candidate)
        overall = float(actual.mean()) or 1.0
        out = io.StringIO()
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["tenth", "customers", "mean_predicted", "mean_actual", "lift", "share_of_all"])
        size = len(actual) / 10
        for tenth, (said, came) in enumerate(zip(mean_predicted[::-1], mean_actual[::-1], strict=True), 1):
            numbers = (said, came, came / overall, came / overall / 10)
            table.writerow([tenth, round(size), *(f"{number:.6g}" for number in numbers)])
        found[f"{verdict.task}-deciles"] = out.getvalue()
    return found


def _columns(workspace: Workspace, verdict: Verdict) -> tuple[Array, Array, Array]:
    """What happened, what the candidate said, what the best baseline said; all test dates together."""
    table = predictions(workspace, BY_NAME[verdict.task])
    if table is None:
        raise FileNotFoundError(Path(workspace.training) / verdict.task)
    actual, candidate, rival = (table[name].to_numpy() for name in ("actual", CANDIDATE, verdict.best_baseline))
    return actual, candidate, rival
