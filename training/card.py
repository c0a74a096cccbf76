"""The model card: one self-contained page that says what a release is, how good, for whom, and for what not.

After Mitchell et al. (2019), "Model cards for model reporting".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from training.candidate import CANDIDATE
from training.evaluate import Verdict
from training.html import Rows, bullets, image, page, section, table
from training.metrics import METRICS
from training.recipes import BY_NAME

USE = (
    "To order and group customers: whom to serve, call or look at first, and how with which class of service.",
    "A score is a statement about customers like this one, not a fact about this one; a person decides.",
)
NOT_USE = (
    "No refusal of a contract, of credit or of service follows from it, and no price for a person.",
    "It says what goes with what, not what causes what: a play is judged by an experiment, not by these scores.",
    "Not for other companies, nor for this one after its business has changed: see the dates, and watch the drift.",
)


def model_card(
    about: Mapping[str, Any],
    data: Mapping[str, Any],
    verdicts: Sequence[Verdict],
    pictures: Mapping[str, bytes],
    notes: Mapping[str, tuple[Sequence[str], Rows]],
) -> str:
    """An HTML page without any reference to another place.

    about: release.json; data: what ingest noted (first_day, last_day, customers, events); pictures: name → PNG, those
    whose names begin with a task belong to it; notes: heading → columns and rows of further tables, such as the gate's.
    """
    by_task = {verdict.task: verdict for verdict in verdicts}
    parts = [
        f"<h1>{escape(about['title'])}</h1>",
        f"<p class=quiet>Customer scorer, trained on everything known before {about['trained_through']}; "
        f"source <code>{escape(about['source'])}</code>, features <code>{about['features']}</code>.</p>",
        section("In short", _summary(about, verdicts)),
        *(section(heading, table(*each)) for heading, each in notes.items()),
        section("Meant for", bullets(USE)),
        section("Not meant for", bullets(NOT_USE)),
        section("Data", _data(about, data)),
        *(_task(name, about, by_task.get(name), pictures) for name in about["rungs"]),
        section("Limits", bullets(limits(about, verdicts))),
    ]
    return page(f"{about['title']}: model card", parts)


def limits(about: Mapping[str, Any], verdicts: Sequence[Verdict]) -> list[str]:
    """What a reader should not believe of this release, from its own figures."""
    found = []
    for v in verdicts:
        own = v.metrics[CANDIDATE]
        if v.comparison.low <= 0:
            found.append(
                f"{v.task}: not proved better than {v.best_baseline} on {_dates(v)}; the difference of {v.metric} "
                f"lies in [{v.comparison.low:+.4f}, {v.comparison.high:+.4f}]."
            )
        if own.get("ece", 0.0) > 0.03:
            found.append(f"{v.task}: probabilities are off by {own['ece']:.1%} on average; trust the order more.")
        if not 0.85 <= own.get("bias", 1.0) <= 1.15:
            found.append(f"{v.task}: the total was predicted at {own['bias']:.0%} of what came; trust the order more.")
        if len(v.dates) < 2:
            found.append(f"{v.task}: judged on a single date.")
    for task, rung in about["rungs"].items():
        if rung["missing"]:
            found.append(f"{task}: answered by {_said(rung['name'])}, because {rung['missing']}.")
    found.append("The past is all it knows: a new competitor, a new price list or a new law is not in it.")
    return found


def _summary(about: Mapping[str, Any], verdicts: Sequence[Verdict]) -> str:
    rows = [
        (
            v.task,
            v.metric,
            f"{v.candidate:.4f}",
            f"{v.baseline:.4f} ({v.best_baseline})",
            _interval(v),
            ", ".join(v.dates),
        )
        for v in verdicts
    ]
    heads = ("task", "metric", "this release", "best simple method", "difference [95 %]", "judged on customers of")
    skipped = [f"{task}: not answered; {why}." for task, why in about["skipped"].items()]
    return table(heads, rows) + bullets(skipped)


def _data(about: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    asked = about["churn_population"]
    silence = "ever" if about["active_days"] is None else f"in the last {about['active_days']} days"
    return bullets(
        [
            f"{data['events']:,} events of {data['customers']:,} customers, {data['first_day']} to {data['last_day']}.",
            f"{asked['customers']:,} customers are graded, {asked['bought']:,} of whom have bought. Those who objected "
            "to profiling are in neither.",
            f"Churn is asked of the {asked['asked']:,} who bought {silence}; {asked['left_out']:,} who bought longer "
            "ago are left out: so long a silence hardly ever ends within the horizon.",
        ]
    )


def _task(name: str, about: Mapping[str, Any], verdict: Verdict | None, pictures: Mapping[str, bytes]) -> str:
    recipe, rung = BY_NAME[name], about["rungs"][name]
    said = [f"<p>{escape(recipe.question)}</p>", f"<p class=quiet>Answered by {_said(rung['name'])}.</p>"]
    if verdict is not None:
        metrics = list(METRICS[recipe.predicts])
        order = sorted(verdict.metrics, key=lambda model: -verdict.metrics[model][verdict.metric])
        rows = [(model, *(f"{verdict.metrics[model][metric]:.4f}" for metric in metrics)) for model in order]
        said.append(table(("model", *metrics), rows, best=CANDIDATE))
        said.append(
            f"<p class=quiet>{verdict.customers:,} answers on {', '.join(verdict.dates)}, means of the dates.</p>"
        )
    shown = "".join(image(key, png) for key, png in pictures.items() if key.startswith(f"{name}-"))
    said.append(f"<div class={'plots' if verdict else 'wide'}>{shown}</div>")
    return section(name.capitalize(), "".join(said))


def _said(rung: str) -> str:
    return {
        "lightgbm": "LightGBM blended with a model of purchase rhythm",
        "btyd": "a model of purchase rhythm alone",
        "rfm": "the mean outcome of customers of like recency, frequency and spend",
        "rules": "the rules of the scheme, without a model",
        "k-means": "K-means over log-scaled features",
    }.get(rung, rung)


def _dates(v: Verdict) -> str:
    return " and ".join(v.dates)


def _interval(v: Verdict) -> str:
    return f"{v.comparison.difference:+.4f} [{v.comparison.low:+.4f}, {v.comparison.high:+.4f}]"
