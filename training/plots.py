"""Pictures of a candidate, as PNG bytes: what a reviewer looks at before reading numbers."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.metrics import tenths
from training.segments import Segment, described

Array = NDArray[np.float64]

STYLE: dict[Any, Any] = {"axes.spines.top": False, "axes.spines.right": False, "font.size": 10, "figure.dpi": 110}
INK, RIVAL, GREY = "#1f5f8b", "#c8553d", "#9a9a9a"
PROFILE_TITLES = {
    "recency_days": "days since\nlast purchase",
    "tenure_days": "days since\nfirst purchase",
    "orders": "orders\never",
    "orders_365d": "orders\nof 365 days",
    "spend_per_order": "spend\nper order",
    "spend_365d": "spend\nof 365 days",
    "spend": "spend\never",
}


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


def segment_profile(profile: Sequence[Segment], decimals: int = 2) -> bytes:
    """Heat map: a row per segment with its name and sizes, a column per feature. The number is the median, the darker
    the more of all customers have less. decimals: of the currency; amounts are shown in major units."""
    columns = [name for name in profile[0].medians if name in PROFILE_TITLES]
    shade = np.array([[segment.standing[name] for name in columns] for segment in profile])
    figure, axes = _figure(width=14, height=1.6 + 0.5 * len(profile))
    axes.imshow(shade, cmap="Blues", aspect="auto", vmin=0, vmax=1.25)
    for (i, j), dark in np.ndenumerate(shade):
        per = 10.0**decimals if columns[j].startswith("spend") else 1.0
        number = f"{profile[i].medians[columns[j]] / per:,.0f}"
        axes.text(j, i, number, ha="center", va="center", color="white" if dark > 0.75 else "black")
    axes.set_xticks(range(len(columns)), [PROFILE_TITLES[name] for name in columns])
    axes.set_yticks(range(len(profile)), [f"{segment.number}: {described(segment)}" for segment in profile])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("Segments by their medians; the darker, the more of all customers have less")
    return _png(figure)


def _figure(width: float = 6.0, height: float = 4.2) -> tuple[Figure, mpl.axes.Axes]:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.add_subplot()


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
