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
    axes.set_title("Scores of the customers of the test dates")
    return _png(figure)


def importance(names: Sequence[str], weight: Array, unit: str, most: int = 15) -> bytes:
    """Mean size of what each feature adds to a customer's score, largest first. weight (names,)."""
    order = np.argsort(-weight, kind="stable")[:most][::-1]
    figure, axes = _figure(height=1.0 + 0.26 * len(order))
    axes.barh([names[i].replace("_", " ") for i in order], weight[order], color=INK)
    axes.set_xlabel(f"mean |contribution| to the {unit}")
    axes.set_title("What the scores rest on")
    return _png(figure)


def dependence(features: Sequence[tuple[str, Array, Array]], unit: str) -> bytes:
    """How the contribution of each feature goes with its value: a dot per customer. features: name, value (n,),
    contribution (n,); nulls are drawn at the left, in another colour."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 5.6), layout="constrained")
        panels = figure.subplots(2, 3).ravel()
    for axes, (name, value, contribution) in zip(panels, features, strict=False):
        known = np.isfinite(value)
        shown = _spread(value[known])
        axes.scatter(shown, contribution[known], s=4, alpha=0.35, color=INK, linewidths=0)
        if not known.all():
            left = shown.min() - 0.06 * np.ptp(shown) - 0.05 if known.any() else 0.0
            axes.scatter(
                np.full((~known).sum(), left), contribution[~known], s=4, alpha=0.35, color=RIVAL, linewidths=0
            )
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.set_xlabel(f"{name.replace('_', ' ')}{' (log scale)' if _skewed(value[known]) else ''}")
    for axes in panels[len(features) :]:
        axes.set_visible(False)
    figure.supylabel(f"contribution to the {unit}")
    figure.suptitle("How scores go with features: a dot per customer; red at the left: not known")
    return _png(figure)


def _skewed(value: Array) -> bool:
    """Whether most of the range is nearly empty, so that a logarithm shows more."""
    if value.size == 0 or value.min() < 0:
        return False
    return bool(value.max() > 20 * max(float(np.median(value)), 1.0))


def _spread(value: Array) -> Array:
    return np.asarray(np.log10(1 + value) if _skewed(value) else value)


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
