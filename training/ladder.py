"""The ladder: with too little data a task steps down from LightGBM to BTYD, to RFM cells, to the scheme's rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from features.catalogue import POSITION
from training.examples import Base
from training.models.rungs import RUNGS, Question
from training.models.rungs import Rung as RungName
from training.needs import days_needed
from training.recipes import CHURN, DEMAND, INTENT, POTENTIAL, VALUE, Recipe

Array = NDArray[np.float64]

RULES: RungName = "rules"
"""No model: the rules of the scheme."""

QUESTIONS: dict[str, Question] = {
    CHURN.name: "silence",
    VALUE.name: "spend",
    DEMAND.name: "orders",
    INTENT.name: "silence",
    POTENTIAL.name: "event",
}
"""What is asked of the models; intent is silence at three horizons, turned round."""

NO_STANDINGS = "the scheme grades value by scores of models, which no past base has"
FEWEST_FOR_CELLS = 50
FEWEST_PER_OUTCOME = 10


@dataclass(frozen=True)
class Rung:
    """Where a task stands, and what is missing for the rung above; empty at the top."""

    name: RungName
    missing: str


def rung_of(recipe: Recipe, base: Base) -> Rung:
    """The highest rung that the data allow."""
    impossible = _impossible(recipe, base)
    if impossible:
        return Rung(RULES, impossible)
    missing = ""
    for name in RUNGS[QUESTIONS[recipe.name]]:
        found = next(_LACKING[name](recipe, base), "")
        if not found:
            return Rung(name, missing)
        missing = found
    raise AssertionError("rules lack nothing")


def _impossible(recipe: Recipe, base: Base) -> str:
    """Why no amount of further data of this kind would help."""
    rows = base.snapshots[base.cuts.grade].rows
    if not (rows[:, POSITION["order_days"]] > 0).any():
        return f"there are no purchases before {base.cuts.grade}"
    if recipe.needs_amounts and not (np.nan_to_num(rows[:, POSITION["line_max"]]) > 0).any():
        return "the purchases have no amounts"
    return ""


def _lightgbm(recipe: Recipe, base: Base) -> Iterator[str]:
    """What the highest rung lacks: enough dates, customers and outcomes of both kinds to learn and to be judged."""
    cuts, settings = base.cuts, base.settings
    looks = settings.horizons(recipe)
    tests = cuts.tests(looks[0])
    if not tests or not all(cuts.train(at, days) for days in looks for at in (*tests, cuts.grade)):
        yield f"too few days of data to train and to test, {days_needed(settings, max(looks))} are needed"
        return
    if recipe is POTENTIAL and not base.standings:
        yield NO_STANDINGS
        return
    if any(base.rhythms[at] is None for at in (*tests, cuts.grade)):
        yield "no customer has bought on two days"
    for test in tests:
        asked = int(base.asked(recipe, test).sum())
        if asked < settings.fewest_customers:
            yield f"{asked} customers to ask on {test}, at least {settings.fewest_customers} are needed"
        yield from _outcomes(recipe, base, looks[0], (test,), f"on {test}", settings.fewest_per_class)
    for days in looks:
        for at in (*tests, cuts.grade):
            dates = cuts.train(at, days)
            yield from _outcomes(recipe, base, days, dates, "on the training dates", settings.fewest_per_class)


def _btyd(recipe: Recipe, base: Base) -> Iterator[str]:
    """What a model of purchase rhythm lacks; it needs no outcome, only customers who came back."""
    rows = base.snapshots[base.cuts.grade].rows
    twice, fewest = int((rows[:, POSITION["order_days"]] > 1).sum()), base.settings.fewest_repeaters
    if twice < fewest:
        yield f"{twice} customers who bought on two days, at least {fewest} are needed"
    rhythm = base.rhythms[base.cuts.grade]
    if rhythm is None or (recipe is VALUE and rhythm.spend is None):
        yield "no customer has bought on two days with amounts"


def _cells(recipe: Recipe, base: Base) -> Iterator[str]:
    """What the mean outcome of RFM cells lacks."""
    if base.rhythms[base.cuts.grade] is None:
        yield "no customer has bought on two days"
    for days in base.settings.horizons(recipe):
        dates = base.cuts.train(base.cuts.grade, days)
        if recipe is POTENTIAL and not base.standings:
            yield NO_STANDINGS
            return
        if not dates:
            yield f"too few days of data for an outcome, {days_needed(base.settings, days, tested=False)} are needed"
            return
        learnt = [each for day in dates if (each := base.examples(recipe, days, day)) is not None]
        count = max((len(each.label) for each in learnt), default=0)
        if count < FEWEST_FOR_CELLS:
            yield f"{count} customers with an outcome on any date, at least {FEWEST_FOR_CELLS} are needed"
        yield from _outcomes(recipe, base, days, dates, "on the training dates", FEWEST_PER_OUTCOME)


def _outcomes(recipe: Recipe, base: Base, days: int, dates: tuple[date, ...], where: str, fewest: int) -> Iterator[str]:
    """Whether both outcomes are there often enough; of amounts and counts, those above 0."""
    labels = [each.label for day in dates if (each := base.examples(recipe, days, day)) is not None]
    label = np.concatenate(labels) if labels else np.empty(0)
    some = int((label > 0).sum())
    least = some if recipe in (VALUE, DEMAND) else min(some, label.size - some)
    if least < fewest or label.min() == label.max():
        yield f"{least} {_SAID.get(recipe.name, _BOTH)} {where}, at least {fewest} are needed"


def _nothing(recipe: Recipe, base: Base) -> Iterator[str]:
    return iter(())


_LACKING = {"lightgbm": _lightgbm, "btyd": _btyd, "rfm": _cells, "rules": _nothing}

_BOTH = "customers who bought and as many who did not"
_SAID = {
    VALUE.name: "customers who spent",
    DEMAND.name: "customers who ordered",
    POTENTIAL.name: "customers who rose and as many who did not",
}
