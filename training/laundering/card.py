"""What a reviewer reads of a ranking of accounts, without a word about any one of them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from features.transfers.accounts import FEATURES
from training import html, plots
from training.cases.model import RULES
from training.laundering.judge import CANDIDATES
from training.laundering.learn import Learnt

EVIDENCE = (
    "No public data name real launderers: the methods were chosen and measured on simulated transfers (AMLSim) and "
    "on customers planted in the sample company. A simulation launders by the book of its makers. How well this finds "
    "real laundering is not known; the figures here speak of the reports that this company made."
)
LIMITS = (
    "Advice for people who look into accounts, never a decision, and never to be told to the customer. It learns whom "
    "the company reported, and so what it already looked for. Features are those of the day of training: where a "
    "report changed what an account did since, the figures flatter."
)


def verdict(learnt: Learnt) -> str:
    """One sentence: what ranks from now on."""
    found = learnt.judgement
    if found.abstains:
        return f"The model abstains ({found.abstains}): the rung is {RULES}."
    own = found.metrics[found.chosen]["average_precision"]
    return f"The rung is {found.chosen}: average precision {own.value:.3f} [{own.low:.3f}, {own.high:.3f}]."


def heads(learnt: Learnt) -> Sequence[str]:
    """Those of `rows`."""
    metrics = next(iter(learnt.judgement.metrics.values()), {})
    return ("candidate", "average precision when choosing", *(name.replace("_", " ") for name in metrics))


def rows(learnt: Learnt) -> list[Sequence[str]]:
    """A row per candidate; none where nothing was judged."""
    found = learnt.judgement
    return [
        (
            name + (" (chosen)" if name == found.chosen else ""),
            f"{found.earlier[name]:.3f}",
            *(f"{each.value:.3f} [{each.low:.3f}, {each.high:.3f}]" for each in metrics.values()),
        )
        for name, metrics in found.metrics.items()
    ]


def data(learnt: Learnt) -> str:
    """What was learnt from, and how it was judged."""
    found = learnt.judgement
    return (
        f"{found.accounts:,} accounts with transfers known before {learnt.as_of}, {found.reported:,} of them with a "
        f"suspicious report. Judged in {found.folds} folds by account; the candidate was chosen in other folds of the "
        "same accounts. The order of the rules is the largest strength of a typology over its threshold."
    )


def summary(learnt: Learnt) -> str:
    """Markdown for the registered version."""
    lines = [data(learnt), "", verdict(learnt), "", EVIDENCE, ""]
    if learnt.judgement.metrics:
        columns = heads(learnt)
        lines += [f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *rows(learnt))]
    return "\n".join(lines)


def card(learnt: Learnt) -> str:
    """The model card, one HTML page."""
    chosen = f"{learnt.judgement.chosen} (chosen)"
    judged = (
        html.table(heads(learnt), rows(learnt), chosen) if learnt.judgement.metrics else "<p>Nothing was judged.</p>"
    )
    features = [(each.name, each.unit, each.doc) for each in FEATURES]
    parts = [
        f"<h1>{escape(learnt.title)}: laundering</h1><p><b>{escape(verdict(learnt))}</b></p>",
        html.section("Data", f"<p>{escape(data(learnt))}</p>"),
        html.section("All candidates, on the same accounts, with 95 % intervals", judged),
        html.section("Where the evidence is simulated", f"<p>{escape(EVIDENCE)}</p>"),
        html.section("Use and limits", f"<p>{escape(LIMITS)}</p>"),
        html.section("Ranked by", html.table(("feature", "unit", "meaning"), features)),
    ]
    return html.page("Model card: laundering", parts)


def recall_picture(learnt: Learnt) -> bytes:
    """PNG: the share of reported accounts found against the share of accounts looked at, every candidate."""
    with mpl.rc_context(plots.STYLE):
        figure = Figure(figsize=(6.0, 4.0), layout="constrained")
        axes = figure.add_subplot()
        looked = np.arange(1, len(learnt.accounts) + 1) / len(learnt.accounts)
        colours = (plots.INK, "#7aa6c2", plots.GREY, plots.RIVAL)
        for name, colour in zip(CANDIDATES, colours, strict=True):
            order = np.argsort(-learnt.scores[name], kind="stable")
            held = np.cumsum(learnt.accounts.reported[order]) / learnt.accounts.reported.sum()
            axes.plot(looked, held, color=colour, label=name, linewidth=1.5 if name == learnt.judgement.chosen else 1.0)
        axes.set_xlim(0, 0.2)
        axes.set_ylim(0, 1)
        axes.set_xlabel("share of all accounts that are looked at")
        axes.set_ylabel("share of the reported accounts among them")
        axes.set_title("Recall against the budget of alerts")
        axes.legend(frameon=False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
