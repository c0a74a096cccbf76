"""Pictures of a judged model of cases, as PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training import plots
from training.cases.judge import Interval
from training.cases.learn import Learnt
from training.cases.points import Line

Array = NDArray[np.float64]

MOST = 5_000
"""Explanations of so many cases tell the importance of the columns."""


def pictures(learnt: Learnt) -> dict[str, bytes]:
    """Name → PNG: calibration, gains and scores of the judging cases, importance of the columns, the scorecard."""
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
    weights, lines = importance(learnt), learnt.scorecard.lines
    found |= {"importance": bars(weights)} if weights else {}
    return found | ({"points": points(lines)} if lines else {})


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


def points(lines: Sequence[Line], most: int = 60) -> bytes:
    """Points of the scorecard's bins, a block per column, the columns whose bins lie furthest apart first."""
    columns: dict[str, list[Line]] = {}
    for line in lines:
        columns.setdefault(line.column, []).extend([line] if line.cases else [])
    order = sorted(columns.values(), key=_spread, reverse=True)
    shown = [line for own in order for line in own][:most][::-1]
    with mpl.rc_context(plots.STYLE):
        figure = Figure(figsize=(8.0, 1.2 + 0.2 * len(shown)), layout="constrained")
        axes = figure.add_subplot()
        axes.barh(range(len(shown)), [line.points for line in shown], color=plots.INK)
        labels = [f"{line.column}: {line.words}"[:60] for line in shown]
        axes.set_yticks(range(len(shown)), [label.replace("$", r"\$") for label in labels], fontsize=8)
        axes.margins(y=0.01)
        axes.set_xlabel("points; more are fewer yes")
        axes.set_title("The scorecard")
    return _png(figure)


def _spread(lines: Sequence[Line]) -> float:
    points = [line.points for line in lines]
    return max(points) - min(points)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
