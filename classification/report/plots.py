"""Pictures of a report, as PNG bytes: same report, same bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, StrMethodFormatter

from classification.migration import JOINED, LEFT, Migration
from classification.report.causes import NAMES, Cause
from classification.report.history import History
from classification.report.setting import Setting
from training.plots import GREY, INK, STYLE

SHADES = ("#123f5f", "#3f83b0", "#a9cbe2", "#6f6f6f")
"""Of classes in an order, from the first down: dark to light."""

HUES = ("#1f5f8b", "#d98a1f", "#2a9077", "#c8553d", "#8c6bb1", "#56b0dc", "#7a6a4f", "#c9a6c4", "#4d4d4d", "#a8b545")
"""Of classes without one: told apart by those who see red and green alike."""

CAUSES = (INK, "#d98a1f", "#8fb8d4", "#8c6bb1", "#cfcfcf")
DPI = 160
GAP = 0.06
"""Of a flow: the white between two classes, as a share of the whole."""


def colours(classes: Sequence[str], unordered: bool) -> dict[str, str]:
    """A colour for each class."""
    palette = HUES if unordered or len(classes) > len(SHADES) else SHADES
    return {class_: palette[i % len(palette)] for i, class_ in enumerate(classes)}


def flow(migration: Migration, setting: Setting, shades: dict[str, str]) -> bytes:
    """Who changed class, from the class before at the left to the class after at the right, those who joined or left
    included; the width of a band is its customers. Who stayed is not drawn."""
    moved = migration.customers.copy()
    np.fill_diagonal(moved, 0)
    names = [*migration.classes, ""]
    total = max(int(moved.sum()), 1)
    figure, axes = _figure(6.2, 3.6)
    left, right = (_stack(moved.sum(axis=axis), total) for axis in (1, 0))
    at_left, at_right = left.copy(), right.copy()
    for i, j in np.argwhere(moved > 0):
        size = moved[i, j] / total
        _band(axes, at_left[i], at_right[j], size, shades.get(names[i], GREY))
        at_left[i] -= size
        at_right[j] -= size
    sides = ((left, moved.sum(axis=1), -0.02, "right", JOINED), (right, moved.sum(axis=0), 1.02, "left", LEFT))
    for places, sums, x, align, outside in sides:
        for i in np.flatnonzero(sums):
            label = setting.named(migration.dimension, names[i]) if names[i] else outside
            axes.text(x, places[i] - sums[i] / total / 2, f"{label}  {sums[i]:,}", ha=align, va="center", fontsize=10)
    axes.set_xlim(-0.55, 1.55)
    axes.set_ylim(min(left.min(), right.min()) - 0.3, 0.02)
    axes.axis("off")
    return _png(figure)


def history(found: History, setting: Setting, shades: dict[str, str], money: bool) -> bytes:
    """A bar per month, parted by class; money: by what the customers spent, in major units, else by their number."""
    sizes = found.spend / 10.0**setting.decimals if money else found.customers.astype(float)
    figure, axes = _figure(6.2, 3.6)
    bottom = np.zeros(len(found.months))
    for j, class_ in enumerate(found.classes):
        axes.bar(range(len(found.months)), sizes[:, j], 0.72, bottom, color=shades.get(class_, GREY))
        bottom += sizes[:, j]
    middles = np.cumsum(sizes[-1]) - sizes[-1] / 2
    for class_, y in zip(found.classes, _apart(middles, 0.07 * float(bottom.max())), strict=True):
        axes.text(len(found.months) - 0.45, y, setting.named(found.dimension, class_), va="center", fontsize=10)
    step = 1 + len(found.months) // 9
    shown = range((len(found.months) - 1) % step, len(found.months), step)
    axes.set_xticks(list(shown), [f"{date.fromisoformat(found.months[i] + '-01'):%b\n%Y}" for i in shown])
    axes.yaxis.set_major_formatter(EngFormatter(sep=" ") if money else StrMethodFormatter("{x:,.0f}"))
    axes.set_ylabel(f"spend of 365 days, {setting.currency}" if money else "customers")
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)
    return _png(figure)


def cause_bars(found: Sequence[Cause]) -> bytes:
    """A bar per dimension, most changes at the top: the changes of raw class, parted by what they are due to."""
    rows = sorted((each for each in found if each.raw), key=lambda each: (each.raw, each.dimension))
    figure, axes = _figure(9.4, 0.9 + 0.27 * len(rows))
    start = np.zeros(len(rows))
    parts = [*zip(NAMES, np.transpose([each.shares for each in rows]), strict=True)]
    parts.append(("not known", np.array([each.unshared for each in rows])))
    for (name, sizes), colour in zip(parts, CAUSES, strict=True):
        if np.any(np.abs(sizes) > 0.05):
            axes.barh([each.dimension for each in rows], sizes, 0.7, start, color=colour, label=name)
        start += sizes
    for y, each in enumerate(rows):
        axes.text(each.raw, y, f" {each.raw:,}", va="center", fontsize=9, color="#444444")
    axes.set_xlabel("changes of raw class")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.legend(frameon=False, loc="lower right", ncols=1)
    return _png(figure)


def _stack(sizes: Any, total: int) -> Any:
    """The upper end of each part, the first at 0, downwards; parts that are empty take no room."""
    found, at = np.zeros(len(sizes)), 0.0
    for i, size in enumerate(sizes):
        found[i] = at
        at -= size / total + (GAP if size else 0.0)
    return found


def _band(axes: Any, left: float, right: float, size: float, colour: str) -> None:
    x = np.linspace(0.0, 1.0, 60)
    bend = left + (right - left) * (3 * x**2 - 2 * x**3)
    axes.fill_between(x, bend - size, bend, color=colour, alpha=0.75, linewidth=0.4)


def _apart(places: Any, gap: float) -> list[float]:
    """Places of labels, moved up where they would lie closer than `gap`."""
    found: list[float] = []
    for place in places:
        found.append(max(float(place), found[-1] + gap) if found else float(place))
    return found


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained", dpi=DPI)
        return figure, figure.add_subplot()


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
