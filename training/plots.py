"""Pictures of a candidate, as PNG bytes: what a reviewer looks at before reading numbers."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.metrics import tenths

Array = NDArray[np.float64]

STYLE: dict[Any, Any] = {"axes.spines.top": False, "axes.spines.right": False, "font.size": 10, "figure.dpi": 110}
INK, RIVAL, GREY = "#1f5f8b", "#c8553d", "#9a9a9a"


def calibration(actual: Array, candidate: Array, rival: Array, rival_name: str, unit: str) -> bytes:
    """Mean actual against mean predicted in ten groups of customers, the candidate beside the best baseline."""
    figure, axes = _figure()
    for predicted, colour, label in ((rival, RIVAL, rival_name), (candidate, INK, "candidate")):
        y, x = tenths(actual, predicted)
        axes.plot(x, y, "o-", color=colour, label=label, markersize=4, linewidth=1)
    top = max(*axes.get_xlim(), *axes.get_ylim())
    axes.plot([0, top], [0, top], color=GREY, linewidth=0.8, linestyle="--", zorder=0)
    axes.set_xlabel(f"mean predicted {unit}")
    axes.set_ylabel(f"mean actual {unit}")
    axes.set_title("Calibration: ten groups of customers, on the dashed line is right")
    axes.legend(frameon=False)
    return _png(figure)


def gains(actual: Array, candidate: Array, rival: Array, rival_name: str, of: str) -> bytes:
    """Share of the total that the customers ranked first hold, the candidate beside the best baseline."""
    figure, axes = _figure()
    share = np.arange(len(actual) + 1) / len(actual)
    for score, colour, label, width in (
        (actual, GREY, "perfect", 0.8),
        (rival, RIVAL, rival_name, 1.0),
        (candidate, INK, "candidate", 1.5),
    ):
        order = np.argsort(-score, kind="stable")
        held = np.concatenate([[0.0], np.cumsum(actual[order])]) / actual.sum()
        axes.plot(share, held, color=colour, label=label, linewidth=width)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle="--")
    axes.set_xlabel("share of customers, highest score first")
    axes.set_ylabel(f"share of {of}")
    axes.set_title("Gains: the dashed line is a random order")
    axes.legend(frameon=False, loc="lower right")
    return _png(figure)


def distribution(candidate: Array, label: str, log: bool) -> bytes:
    """How the scores are spread."""
    figure, axes = _figure()
    shown = np.log10(1 + candidate) if log else candidate
    axes.hist(shown, bins=40, color=INK)
    axes.set_xlabel(f"log₁₀(1 + {label})" if log else label)
    axes.set_ylabel("customers")
    axes.set_title("Scores of the customers of the test date")
    return _png(figure)


def segment_profile(profile: Sequence[Mapping[str, float]], columns: Sequence[str]) -> bytes:
    """Heat map: each segment's median beside the others', darker is more; the numbers are the medians."""
    table = np.array([[segment[column] for column in columns] for segment in profile])
    low, high = table.min(axis=0), table.max(axis=0)
    shade = (table - low) / np.where(high > low, high - low, 1)
    figure, axes = _figure(width=11, height=1.2 + 0.5 * len(profile))
    axes.imshow(shade, cmap="Blues", aspect="auto", vmin=0, vmax=1.3)
    for (i, j), number in np.ndenumerate(table):
        axes.text(j, i, f"{number:,.0f}", ha="center", va="center", color="white" if shade[i, j] > 0.8 else "black")
    axes.set_xticks(range(len(columns)), [column.replace("_", " ") for column in columns])
    names = [
        f"segment {k}: {s['customers']:.0%} of customers, {s['revenue']:.0%} of revenue"
        for k, s in enumerate(profile, 1)
    ]
    axes.set_yticks(range(len(profile)), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("Segments by their medians (days; orders; minor currency units)")
    return _png(figure)


def _figure(width: float = 6.0, height: float = 4.2) -> tuple[Figure, mpl.axes.Axes]:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.add_subplot()


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
