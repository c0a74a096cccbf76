"""One customer's events in, its graded record out: features, models and scheme of one live set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from classification.grade import Graded, LiveSet, class_name
from features.catalogue import PROGRAM
from features.online import Event, feature_row
from features.tables.privacy import Pseudonyms
from features.traits import traits_of
from training.recipes import RECIPES
from training.registry import model_name
from training.release import contributions

UNITS = {recipe.name: recipe.unit for recipe in RECIPES}
"""Of all other answers the unit is a probability."""


@dataclass(frozen=True)
class Scorer:
    """Grades customers with one live set. categories: item → its category."""

    live: LiveSet
    pseudonyms: Pseudonyms
    categories: Mapping[str, str] = field(default_factory=dict)

    def features(
        self, customer: str, events: Sequence[Event], as_of: date
    ) -> tuple[NDArray[np.float64], dict[str, str | None]]:
        """The feature row (features,) and the traits of a customer, a pseudonym as all ids in `events`."""
        company = self.live.snapshot.company
        row = feature_row(PROGRAM, customer, events, as_of, company)
        return row, traits_of(customer, events, as_of, company, self.categories)

    def pseudonymous(self, event: Event) -> Event:
        """An event as it was sent, with a pseudonym for the company's own id of a partner."""
        if event.counterparty is None:
            return event
        return msgspec.structs.replace(event, counterparty=self.pseudonyms.of(event.counterparty))

    def warm(self) -> None:
        """Answer once, so that everything is compiled and loaded before the first request."""
        events = [Event(datetime(2020, 1, day, tzinfo=UTC), "purchase", amount=100, item="x") for day in (1, 9, 20)]
        row, _ = self.features("warm", events, date(2020, 2, 1))
        self.live.grade(row[None, :])
        for task in self.live.release.models:
            contributions(self.live.release, task, row[None, :])


def record(live: LiveSet, graded: Graded, i: int, as_of: date) -> dict[str, Any]:
    """The record of customer `i` of `graded`, without its id; the same for the batch run and the service."""
    return {
        "as_of": as_of.isoformat(),
        "scores": {
            output: {
                "value": _number(graded.scores[output][i]),
                "unit": UNITS.get(output, "probability"),
                "percentile": _number(graded.percentiles[output][i]) if output in graded.percentiles else None,
                "rung": live.release.about["rungs"][recipe.name]["name"],
            }
            for recipe in RECIPES
            for output in recipe.outputs
        },
        "standing": {name: _number(column[i]) for name, column in graded.standing.items()},
        "classes": {name: _class(live, graded, name, i) for name in graded.classes},
        "code": str(graded.codes[i]),
        "live": version(live),
    }


def class_record(live: LiveSet, dimension: str, code: str, raw: str, note: str | None) -> dict[str, Any]:
    """What an answer says of a class, as `serving.schema.CustomerClass` describes it."""
    cutoff = live.snapshot.cutoffs.get(dimension, {}).get(code)
    said = {"code": code, "name": class_name(live, dimension, code), "at_least": _number(cutoff)}
    return said | {"raw": raw, "note": note}


def version(live: LiveSet) -> dict[str, Any]:
    """What an answer names as its origin."""
    return {
        "release": model_name(live.release.about["source"]),
        "version": live.release.version,
        "scheme": live.scheme.version,
        "snapshot": live.snapshot.id,
        "graded_at": live.snapshot.as_of.isoformat(),
    }


def _class(live: LiveSet, graded: Graded, dimension: str, i: int) -> dict[str, Any]:
    code, raw, note = (str(each[dimension][i]) for each in (graded.classes, graded.raw, graded.notes))
    return class_record(live, dimension, code, raw, note or None)


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
