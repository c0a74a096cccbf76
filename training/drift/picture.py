"""The drift report as pictures: how far each column moved beside its past, and month by month."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from training.drift.alarm import SMALLEST, Movement
from training.plots import GREY, INK, RIVAL, STYLE

if TYPE_CHECKING:
    from training.drift.report import DriftReport

SHOWN = 15
LEAST = 0.001


def picture(report: DriftReport) -> bytes:
    """PNG of the columns that moved most, alarms first. Left: past months as dots, now as a ring, an alarm as a
    diamond; right: the same month by month, the columns with an alarm in colour. The dashed line is the smallest PSI
    that can be an alarm."""
    shown = _shown(report)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11.0, 1.8 + 0.3 * max(len(shown), 5)), layout="constrained")
        left, right = figure.subplots(1, 2)
        _beside_past(left, shown)
        _by_month(right, report, shown)
        when = f"from {report.against} to {report.as_of}" if report.against else f"on {report.as_of}"
        many = {0: "no alarm", 1: "1 alarm"}.get(len(report.alarms), f"{len(report.alarms)} alarms")
        figure.suptitle(f"Drift {when}: {many}")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _beside_past(axes: mpl.axes.Axes, shown: list[Movement]) -> None:
    rows = np.arange(len(shown))[::-1]
    for y, each in zip(rows, shown, strict=True):
        axes.plot(np.maximum(each.history, LEAST), np.full(len(each.history), y), "o", color=GREY, ms=3, alpha=0.6)
        marker, colour = ("D", RIVAL) if each.alarm else ("o", INK)
        axes.plot([max(each.psi or 0.0, LEAST)], [y], marker, color=colour, ms=7, fillstyle="none")
    axes.axvline(SMALLEST, color=GREY, linewidth=0.8, linestyle="--")
    axes.set_xscale("log")
    axes.set_yticks(rows, [each.name for each in shown])
    axes.set_xlabel("PSI against the month before")
    axes.set_title("Now (ring, alarm: diamond) beside past months (dots)")


def _by_month(axes: mpl.axes.Axes, report: DriftReport, shown: list[Movement]) -> None:
    days = np.array([*report.months, report.as_of], "datetime64[D]")
    for each in shown:
        values = np.maximum([*each.history, each.psi or 0.0], LEAST)
        colour, width = (RIVAL, 1.4) if each.alarm else (GREY, 0.6)
        axes.plot(days[-values.size :], values[-len(days) :], color=colour, linewidth=width)
        if each.alarm:
            axes.plot(days[-1:], values[-1:], "D", color=RIVAL, ms=7, fillstyle="none")
    axes.axhline(SMALLEST, color=GREY, linewidth=0.8, linestyle="--")
    axes.set_yscale("log")
    axes.tick_params(axis="x", rotation=45)
    axes.set_title("Month by month")


def _shown(report: DriftReport) -> list[Movement]:
    rest = [each for each in report.movements if not each.alarm and each.p is not None]
    rest.sort(key=lambda each: (-(each.psi or 0.0), each.name))
    return [*report.alarms, *rest][:SHOWN]
