"""The swap set as a picture: per dimension, from which class to which."""

from __future__ import annotations

import io
from math import ceil
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from classification.swap import ANY, SwapSet

GREY = "#8a8a8a"


def heat_map(swap: SwapSet, currency: str) -> bytes:
    """PNG: a panel for each dimension in which anybody changes; rows: the champion's class, columns: the challenger's;
    customers, and beneath them their spend of 365 days. Who stays is grey."""
    changing = [t.dimension for t in swap.totals if t.customers and t.dimension != ANY]
    columns = min(len(changing), 2) or 1
    rows = ceil(len(changing) / columns) or 1
    figure = Figure(figsize=(7.2 * columns, 1.0 + 4.4 * rows), layout="constrained", dpi=110)
    figure.suptitle(_headline(swap, currency), x=0.01, ha="left", fontsize=12)
    for i, dimension in enumerate(changing):
        _panel(figure.add_subplot(rows, columns, i + 1), swap, dimension)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _headline(swap: SwapSet, currency: str) -> str:
    all_ = next(t for t in swap.totals if t.dimension == ANY)
    if not all_.customers:
        return f"Nobody of {swap.customers:,} customers changes class under version {swap.challenger}."
    return (
        f"{all_.customers:,} of {swap.customers:,} customers ({all_.share:.1%}) change class under version "
        f"{swap.challenger};\nthey stand for {all_.revenue_share:.1%} of the spend of 365 days. "
        f"In each cell: customers, and beneath them their spend ({currency}); who stays is grey."
    )


def _panel(axes: Any, swap: SwapSet, dimension: str) -> None:
    """One dimension."""
    moves = {(m.before, m.after): m for m in swap.moves if m.dimension == dimension}
    classes = [each for each in swap.names[dimension] if any(each in pair for pair in moves)]
    place = {each: i for i, each in enumerate(classes)}
    most = max(m.customers for m in moves.values() if m.before != m.after)
    shade = np.full((len(classes), len(classes)), np.nan)
    size = 9 if len(classes) <= 5 else 8
    for (before, after), move in moves.items():
        i, j = place[before], place[after]
        stays = before == after
        shade[i, j] = np.nan if stays else 0.15 + 0.85 * move.customers / most
        colour = GREY if stays else "white" if shade[i, j] > 0.6 else "black"
        revenue = "" if move.revenue is None else _short(move.revenue)
        axes.text(j, i - 0.12, f"{move.customers:,}", ha="center", va="center", color=colour, fontsize=size + 1)
        axes.text(j, i + 0.22, revenue, ha="center", va="center", color=colour, fontsize=size - 1.5)
    axes.set_facecolor("white")
    axes.imshow(np.where(np.eye(len(classes)) > 0, 1.0, np.nan), cmap="Greys", vmin=0, vmax=14, aspect="auto")
    axes.imshow(shade, cmap="Blues", vmin=0, vmax=1.25, aspect="auto")
    labels = [swap.named(dimension, each) for each in classes]
    axes.set_yticks(range(len(classes)), labels, fontsize=size)
    axes.set_xticks(range(len(classes)), labels, fontsize=size, rotation=20 if len(classes) > 3 else 0)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    total = next(t for t in swap.totals if t.dimension == dimension)
    axes.set_title(f"{dimension}: {total.customers:,} change ({total.share:.1%})", loc="left", fontsize=11)
    axes.set_xlabel(f"class under version {swap.challenger}", fontsize=size)
    axes.set_ylabel(f"class under version {swap.champion}", fontsize=size)


def _short(amount: float) -> str:
    for size, unit in ((1e9, "bn"), (1e6, "m"), (1e3, "k")):
        if amount >= size:
            return f"{amount / size:,.1f} {unit}"
    return f"{amount:,.0f}"
