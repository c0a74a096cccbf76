"""Pictures of a judged model of cases, as PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training import plots
from training.cases.judge import Interval
from training.cases.learn import Learnt

Array = NDArray[np.float64]

MOST = 5_000
"""Explanations of so many cases tell the importance of the columns."""


def pictures(learnt: Learnt) -> dict[str, bytes]:
    """Name → PNG: calibration, gains and scores of the judging cases, and the importance of the columns."""
    judgement, answers = learnt.judgement, learnt.answers
    actual, predicted = answers.actual, answers.predicted
    rival, what = judgement.best_other, f"P({learnt.question.task})"
    pair = actual, predicted[judgement.chosen], predicted[rival]
    found = {
        "calibration": plots.calibration(*pair, rival, what),
        "gains": plots.gains(*pair, rival, f"cases of {learnt.question.task}"),
        "scores": plots.distribution(predicted[judgement.chosen], what, log=False),
        "candidates": candidates({name: metrics["auc"] for name, metrics in judgement.metrics.items()}),
    }
    weights = importance(learnt)
    return found | ({"importance": bars(weights)} if weights else {})


def importance(learnt: Learnt) -> dict[str, float]:
    """Column → mean size of what it adds to the log-odds, the largest first; empty where rules answer."""
    if not learnt.model.parts:
        return {}
    step = -(-len(learnt.cases) // MOST)
    _, contributions = learnt.model.explain(learnt.cases.table.take(np.arange(0, len(learnt.cases), step)))
    sizes = np.abs(contributions).mean(axis=0)
    order = np.argsort(-sizes, kind="stable")
    return {learnt.model.encoder.names[at]: float(sizes[at]) for at in order}


def bars(weights: Mapping[str, float], most: int = 20) -> bytes:
    """The weightiest columns."""
    names = list(weights)[:most][::-1]
    with mpl.rc_context(plots.STYLE):
        figure = Figure(figsize=(6.0, 1.2 + 0.26 * len(names)), layout="constrained")
        axes = figure.add_subplot()
        axes.barh(names, [weights[name] for name in names], color=plots.INK)
        axes.set_xlabel("mean size of what the column adds to the log-odds")
        axes.set_title("What the answers rest on (exact SHAP values)")
    return _png(figure)


def candidates(auc: Mapping[str, Interval]) -> bytes:
    """Every candidate's AUC with its interval."""
    names = list(auc)[::-1]
    with mpl.rc_context(plots.STYLE):
        figure = Figure(figsize=(6.0, 1.2 + 0.4 * len(names)), layout="constrained")
        axes = figure.add_subplot()
        for at, name in enumerate(names):
            each = auc[name]
            axes.plot([each.low, each.high], [at, at], color=plots.GREY, linewidth=2)
            axes.plot(each.value, at, "o", color=plots.INK)
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("AUC and its 95 % interval; 0.5 is a random order")
        axes.set_title("All candidates on the same cases")
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
