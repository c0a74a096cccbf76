"""What is said of a graded customer: the same record in the store, in answers, and in batches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from classification.decisions import Override
from classification.grade import LiveSet, One, class_name
from classification.stability import OVERRIDE
from training.recipes import RECIPES
from training.registry import model_name

UNITS = {recipe.name: recipe.unit for recipe in RECIPES}
"""Of all other answers the unit is a probability."""

Record = dict[str, Any]


@dataclass
class Records:
    """The records of one live set. What does not change from customer to customer is made once."""

    live: LiveSet
    _classes: dict[tuple[str, str, str, str], Record] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rungs = self.live.release.about["rungs"]
        self._scores = [
            (output, UNITS.get(output, "probability"), rungs[recipe.name]["name"])
            for recipe in RECIPES
            for output in recipe.outputs
        ]
        self.version = version(self.live)

    def of(self, one: One, as_of: date) -> Record:
        """A customer's record, without its id, as `serving.schema.CustomerScore` has it."""
        percentiles = one.percentiles
        return {
            "as_of": as_of.isoformat(),
            "scores": {
                output: {
                    "value": _number(one.scores[output]),
                    "unit": unit,
                    "percentile": _number(percentiles[output]) if output in percentiles else None,
                    "rung": rung,
                }
                for output, unit, rung in self._scores
            },
            "standing": {name: _number(value) for name, value in one.standing.items()},
            "classes": {
                name: self.class_of(name, code, one.raw[name], one.notes[name]) for name, code in one.classes.items()
            },
            "code": one.code,
            "live": self.version,
        }

    def class_of(self, dimension: str, code: str, raw: str, note: str) -> Record:
        """What is said of a class, as `serving.schema.CustomerClass` has it; to be read, never written to."""
        key = (dimension, code, raw, note)
        found = self._classes.get(key)
        if found is None:
            cutoff = self.live.snapshot.cutoffs.get(dimension, {}).get(code)
            named = {"code": code, "name": class_name(self.live, dimension, code)}
            at_least = None if cutoff is None else _number(cutoff)
            found = self._classes[key] = {**named, "at_least": at_least, "raw": raw, "note": note or None}
        return found

    def settled(self, record: Record, held: Mapping[str, tuple[str, str, str]]) -> Record:
        """`record`, of raw classes, with the classes that the last grading held: they stand as long as the facts say
        what they said then. held: dimension → raw class, class and note of that grading."""
        if not held:
            return record
        classes = dict(record["classes"])
        for name, (raw, class_, note) in held.items():
            if classes[name]["raw"] == raw:
                classes[name] = self.class_of(name, class_, raw, note)
        return self._with(record, classes)

    def current(self, record: Record, overrides: Sequence[Override]) -> Record:
        """`record` with the classes and the code that count today, and the overrides behind them.

        overrides: those of the customer that hold today. One that ran out, or was lifted, since the grading no longer
        counts: until the next grading the class is the raw one.
        """
        ended = [name for name, said in record["classes"].items() if said["note"] == OVERRIDE]
        if not ended and not overrides:
            return record | {"overrides": []}
        classes = dict(record["classes"])
        for name in ended:
            classes[name] = self.class_of(name, classes[name]["raw"], classes[name]["raw"], "")
        for each in overrides:
            classes[each.dimension] = self.class_of(
                each.dimension, each.class_, classes[each.dimension]["raw"], OVERRIDE
            )
        return self._with(record, classes) | {"overrides": [override_record(each) for each in overrides]}

    def _with(self, record: Record, classes: Record) -> Record:
        if classes == record["classes"]:
            return record
        code = self.live.scheme.coding.encode({name: said["code"] for name, said in classes.items()})
        return record | {"classes": classes, "code": code}


def override_record(override: Override) -> dict[str, str]:
    """An override as `serving.schema.OverrideOut` describes it."""
    return {
        "dimension": override.dimension,
        "class": override.class_,
        "until": override.until.isoformat(),
        "by": override.by,
        "reason": override.reason,
    }


def version(live: LiveSet) -> Record:
    """What an answer names as its origin."""
    return {
        "release": model_name(live.release.about["source"]),
        "version": live.release.version,
        "scheme": live.scheme.version,
        "snapshot": live.snapshot.id,
        "graded_at": live.snapshot.as_of.isoformat(),
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
