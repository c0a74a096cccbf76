"""What a reviewer reads of a model of cases: the summary of a version in Markdown, and the model card in HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from training.cases import fairness_card
from training.cases.fairness import Fairness
from training.cases.learn import Learnt
from training.cases.model import RULES

Row = Sequence[str]

SIMULATED = (
    "The evidence is simulated: no real case stands behind these data, and the figures say that the method works on"
    " what its makers thought up, not how well it does in life."
)
"""What a card says where the source says so."""

_STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}td,th{padding:.2em .8em;border-bottom:1px solid #ddd;text-align:left}"
    "img{max-width:100%}"
)


def verdict(learnt: Learnt) -> str:
    """One sentence: what answers from now on."""
    found = learnt.judgement
    if found.abstains:
        return f"The model abstains ({found.abstains}): the rung is {RULES}."
    difference = found.differences["auc"]
    interval = f"{difference.difference:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"
    return f"The rung is {found.rung}: AUC {interval} beside the best other, {found.best_other}."


def candidate_rows(learnt: Learnt) -> list[Row]:
    """A row per candidate: name, AUC on the earlier cuts, then each metric with its interval."""
    found = learnt.judgement
    rows: list[Row] = []
    for name, metrics in found.metrics.items():
        cells = [f"{each.value:.4f} [{each.low:.4f}, {each.high:.4f}]" for each in metrics.values()]
        earlier = " ".join(f"{each:.3f}" for each in found.earlier[name])
        rows.append((name + (" (chosen)" if name == found.chosen else ""), earlier, *cells))
    return rows


def heads(learnt: Learnt) -> Row:
    """Those of `candidate_rows`."""
    return ("candidate", "AUC when choosing", *(next(iter(learnt.judgement.metrics.values()))))


def summary(learnt: Learnt, fairness: Fairness | None = None) -> str:
    """Markdown: the question, the verdict, all candidates, what was left out, and the largest gap by private column."""
    question, found = learnt.question, learnt.judgement
    columns = heads(learnt)
    lines = [
        f"{question.text} Judged by {found.plan}: {found.cases:,} cases, {found.positive:,} of them yes.",
        "",
        verdict(learnt),
        *([SIMULATED] if learnt.question.simulated else []),
        "",
        *(f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *candidate_rows(learnt))),
        "",
        *(f"- left out: {name}, {why}" for name, why in question.left_out.items()),
        *(f"- {each}" for each in (fairness_card.sentences(fairness) if fairness else ())),
    ]
    return "\n".join(lines)


def card(learnt: Learnt, fairness: Fairness | None = None) -> str:
    """The model card, one HTML page without anything from elsewhere."""
    question, cases = learnt.question, learnt.cases
    no, yes = cases.answers()
    known = f"{len(cases):,} cases with a known outcome, {yes:,} yes and {no:,} no; {cases.open:,} are open."
    compared = _table(heads(learnt), candidate_rows(learnt))
    columns = [(name, each.family, each.unit or each.type, each.doc) for name, each in question.columns.items()]
    left_out = list(question.left_out.items())
    parts = [
        f"<h1>{escape(question.title)}: {escape(question.task)}</h1><p>{escape(question.text)}</p>",
        f"<p><b>{escape(verdict(learnt))}</b></p>",
        f"<h2>Data</h2><p>{known} Judged by {escape(learnt.judgement.plan)}.</p>",
        f"<h2>All candidates, on the same cases, with 95 % intervals</h2>{compared}",
        f"<h2>Learnt from</h2>{_table(('column', 'family', 'unit or type', 'meaning'), columns)}",
        f"<h2>Left out</h2>{_table(('column', 'why'), left_out)}" if left_out else "",
        fairness_card.section(fairness) if fairness else "",
        f"<h2>Use and limits</h2><p>{_limits(learnt)}</p>",
    ]
    return f"<!doctype html><meta charset=utf-8><title>Model card</title><style>{_STYLE}</style>{''.join(parts)}"


def _limits(learnt: Learnt) -> str:
    order = "The cases have no time: how the model ages has not been measured."
    if learnt.question.in_time:
        order = "The cases stand in the order of time, and it was judged on the last of them."
    if learnt.question.judged_from is not None:
        order = f"It was learnt on earlier cases than it was judged by, those from {learnt.question.judged_from} on."
    made_up = f"<b>{SIMULATED}</b> " if learnt.question.simulated else ""
    return (
        f"{made_up}For cases of the same kind and from the same place as these, to support a person's decision; not a"
        f" ground for a refusal by itself. {order} Levels that were rare or never seen count as one; what is not known"
        " has a level of its own. Intervals speak of the sampling of the cases, not of another year."
    )


def _table(heads: Row, rows: Sequence[Row]) -> str:
    lines = ["".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row) for tag, row in _tagged(heads, rows)]
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _tagged(heads: Row, rows: Sequence[Row]) -> list[tuple[str, Row]]:
    return [("th", heads), *(("td", row) for row in rows)]
