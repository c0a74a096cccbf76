"""What a reader sees of fairness: a sentence a column, tables for the card, a CSV and a picture. Groups only."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from html import escape

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training import plots
from training.cases.fairness import MEASURES, Fairness, Group
from training.html import bullets, image, table
from training.metrics import Comparison
from training.proportions import Share

FOUR_FIFTHS = 0.8
"""Of the highest approval rate: a convention, from US rules on employment, and no proof of anything."""

HEADS = ("group", "cases", "yes", "mean P(yes)", "AUC")
COMPARED = ("group", "approved", "to the rest", "false rejections", "to the rest", "false approvals", "to the rest")


def about(found: Fairness) -> str:
    """How to read the figures."""
    groups = f"Groups of fewer than {found.fewest} cases are merged into others"
    return (
        f"Of the judging cases the {found.approved:,} whose P(yes) is at most {found.cut_off:.3f} count as approved."
        f" False rejections are the {MEASURES['false_rejection']}, false approvals the {MEASURES['false_approval']}."
        " The rest are all other groups; differences are in points of a hundred. In brackets: 95 % intervals (Wilson;"
        f" Newcombe), of which one in twenty misses by chance. {groups}."
        " The model does not see these columns, but others may stand for them."
    )


def sentences(found: Fairness) -> list[str]:
    """One a column: the gap that is clearest of chance, and the four-fifths ratio."""
    return [_sentence(name, groups, found.fewest) for name, groups in found.columns.items()]


def section(found: Fairness) -> str:
    """The part of the model card, HTML."""
    parts = [bullets(sentences(found)), f"<p>{about(found)}</p>"]
    if any(found.columns.values()):
        parts.append(image("fairness", picture(found)))
    for name, groups in found.columns.items():
        if groups:
            head = f"<h3>{escape(name)}</h3><p>{escape(found.docs[name])}</p>"
            parts.append(head + table(HEADS, _known(groups)) + "<br>" + table(COMPARED, _compared(groups)))
    return f"<h2>By private column</h2><div style='font-size:13px'>{''.join(parts)}</div>"


def to_csv(found: Fairness) -> str:
    """A line per column and group; shares and differences between 0 and 1, empty where undefined."""
    lines = [record for name, groups in found.columns.items() for record in _records(name, groups)]
    sink = io.StringIO()
    writer = csv.DictWriter(sink, list(lines[0]) if lines else ["column", "group"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return sink.getvalue()


def picture(found: Fairness) -> bytes:
    """Each group's shares with their intervals, PNG."""
    shown = [(f"{name}: {group.name}", group) for name, groups in found.columns.items() for group in groups][::-1]
    with mpl.rc_context(plots.STYLE):
        figure = Figure(figsize=(10.0, 1.4 + 0.27 * len(shown)), layout="constrained")
        for axes, (measure, words) in zip(
            figure.subplots(1, len(MEASURES), sharey=True), MEASURES.items(), strict=True
        ):
            _draw(axes, [group.shares[measure] for _, group in shown])
            axes.set_title(words.replace(" among", "\namong"), fontsize=10)
        figure.axes[0].set_yticks(range(len(shown)), [label for label, _ in shown])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _known(groups: tuple[Group, ...]) -> list[list[str]]:
    """Rows under `HEADS`."""
    found = []
    for each in groups:
        auc = f"{each.auc.value:.3f} [{each.auc.low:.3f}, {each.auc.high:.3f}]" if each.auc else "too few"
        found.append([each.name, f"{each.cases:,}", _percent(each.actual), f"{100 * each.predicted:.1f} %", auc])
    return found


def _compared(groups: tuple[Group, ...]) -> list[list[str]]:
    """Rows under `COMPARED`."""
    return [
        [each.name, *(said for m in MEASURES for said in (_percent(each.shares[m]), _points(each.differences[m])))]
        for each in groups
    ]


def _draw(axes: Axes, shares: list[Share]) -> None:
    for at, share in enumerate(shares):
        axes.plot([share.low, share.high], [at, at], color=plots.GREY, linewidth=2)
        axes.plot(share.value, at, "o", color=plots.INK, markersize=4)
    axes.set_xlim(-0.02, 1.02)


def _sentence(name: str, groups: tuple[Group, ...], fewest: int) -> str:
    if not groups:
        return f"{name}: there are no two groups of {fewest} cases or more to compare."
    gaps = [(_clearness(each.differences[measure]), each, measure) for each in groups for measure in MEASURES]
    clear, group, measure = max(gaps, key=lambda gap: gap[0])
    what = (
        f"the clearest gap is that of '{group.name}', {MEASURES[measure]}: {_percent(group.shares[measure])}, "
        f"{_points(group.differences[measure])} points to the rest"
    )
    if clear <= 0:
        what = f"no group differs from the rest by more than chance would have it; {what}"
    return f"{name}: {what}. {_four_fifths(groups)}"


def _clearness(gap: Comparison) -> float:
    """How far the interval stays away from 0; negative where it holds it, and nothing is known without cases."""
    return max(gap.low, -gap.high) if np.isfinite(gap.difference) else -np.inf


def _four_fifths(groups: tuple[Group, ...]) -> str:
    rates = {each.name: each.shares["approval"].value for each in groups}
    low, high = min(rates, key=lambda name: rates[name]), max(rates, key=lambda name: rates[name])
    if not rates[high]:
        return "Nobody is approved."
    ratio = rates[low] / rates[high]
    side = "below" if ratio < FOUR_FIFTHS else "not below"
    held = f"the lowest ('{low}') is {ratio:.2f} of the highest ('{high}')"
    return f"Of approval rates {held}, {side} four fifths (a convention)."


def _records(name: str, groups: tuple[Group, ...]) -> Iterator[dict[str, object]]:
    for each in groups:
        record: dict[str, object] = {"column": name, "group": each.name, "cases": each.cases, "yes": each.actual.hits}
        record |= _ends("actual", each.actual) | {"predicted": _cell(each.predicted)}
        for measure in MEASURES:
            gap = each.differences[measure]
            record |= {f"{measure}_cases": each.shares[measure].of} | _ends(measure, each.shares[measure])
            record |= {f"{measure}_vs_rest": _cell(gap.difference)}
            record |= {f"{measure}_vs_rest_{end}": _cell(getattr(gap, end)) for end in ("low", "high")}
        ends = (each.auc.value, each.auc.low, each.auc.high) if each.auc else (np.nan,) * 3
        yield record | dict(zip(("auc", "auc_low", "auc_high"), map(_cell, ends), strict=True))


def _ends(name: str, share: Share) -> dict[str, object]:
    return {name: _cell(share.value), f"{name}_low": _cell(share.low), f"{name}_high": _cell(share.high)}


def _cell(value: float) -> str:
    return f"{value:.6f}" if np.isfinite(value) else ""


def _percent(share: Share) -> str:
    if not share.of:
        return "no case"
    return f"{100 * share.value:.1f} % [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def _points(gap: Comparison) -> str:
    if not np.isfinite(gap.difference):
        return "unknown"
    return f"{100 * gap.difference:+.1f} [{100 * gap.low:+.1f}, {100 * gap.high:+.1f}]"
