"""What is said of a graded customer: the same record in the store, in answers, and in batches.

A record is put together from pieces of JSON: what does not change from customer to customer is written once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import numpy as np

from classification.decisions import Override
from classification.grade import RANKED, Graded, LiveSet, One, class_name, rows_of
from classification.stability import OVERRIDE
from features.population import POPULATION
from features.workspace import finite
from training.recipes import RECIPES
from training.registry import model_name

UNITS = {recipe.name: recipe.unit for recipe in RECIPES}
"""Of all other answers the unit is a probability."""

REMEMBERED = 2_048
"""So many different codes are kept at hand with all that is said of their classes."""

HERE = msgspec.Raw(b"\0")
"""Stands for a number: no JSON has that byte."""

to_json = msgspec.json.encode


class Answer(NamedTuple):
    """What is answered about a customer, as JSON, and what of it is counted: output → score, NaN or None for null;
    dimension → class; the id of the grading that it is of."""

    body: bytes
    scores: Mapping[str, float]
    classes: Mapping[str, str]
    snapshot: str

    def also(self, name: str, value: Any) -> Answer:
        """The same with one more member."""
        return self._replace(body=b"%b,%b}" % (self.body[:-1], _member(name, value)))


class Class(NamedTuple):
    """A class, the raw one, and why they differ, if they do; member: all that is said of it, as a member of JSON."""

    code: str
    raw: str
    note: str
    member: bytes


class Classed(NamedTuple):
    """The classes of a customer by dimension; codes: the same without what is said of them; decided: those that a
    person decided; told: the members `classes` and `code` of its record."""

    classes: Mapping[str, Class]
    codes: Mapping[str, str]
    decided: tuple[str, ...]
    told: bytes


class Said(NamedTuple):
    """What a grading says of a customer. told: all other members of its record; scores: NaN for null."""

    told: bytes
    scores: Mapping[str, float]
    classed: Classed


@dataclass
class Records:
    """The records of one live set."""

    live: LiveSet
    _classes: dict[tuple[str, str, str, str], Class] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rungs, ranked = self.live.release.about["rungs"], frozenset(RANKED)
        asked = [(output, rungs[recipe.name]["name"]) for recipe in RECIPES for output in recipe.outputs]
        self.version = version(self.live)
        self._numbers: list[tuple[str, str]] = []
        scores = {}
        for output, rung in asked:
            self._numbers.append(("scores", output))
            scores[output] = {"value": HERE, "unit": UNITS.get(output, "probability"), "percentile": None, "rung": rung}
            if output in ranked:
                self._numbers.append(("percentiles", output))
                scores[output]["percentile"] = HERE
        self._numbers += [("standing", each.name) for each in POPULATION]
        standing = {each.name: HERE for each in POPULATION}
        told = to_json({"as_of": HERE, "scores": scores, "standing": standing, "live": self.version})[1:-1]
        self._told = told.replace(b"%", b"%%").replace(bytes(HERE), b"%b")
        self._plain = lru_cache(REMEMBERED)(self._raw)

    def of(self, one: One, as_of: date) -> Said:
        """What is said of a customer who was graded by its facts alone."""
        return Said(self._facts(one, as_of), one.scores, self._plain(one.code))

    def of_many(self, graded: Graded, as_of: date) -> Iterator[Said]:
        """The same of some customers, in their order."""
        day = to_json(as_of)
        table = np.column_stack([getattr(graded, part)[name] for part, name in self._numbers])
        numbers = to_json(table.tolist())[2:-2].split(b"],[")
        for mine, scores, code in zip(numbers, rows_of(graded.scores), graded.codes.tolist(), strict=True):
            yield Said(self._told % (day, *mine.split(b",")), scores, self._plain(code))

    def stored(self, one: One, as_of: date) -> bytes:
        """The record of a customer as the store keeps it, without what may be another once it is asked for."""
        raw, notes = one.raw, one.notes
        classes = {name: self.class_of(name, code, raw[name], notes[name]) for name, code in one.classes.items()}
        return b"{%b,%b}" % (self._facts(one, as_of), self._classed(classes).told)

    def read(self, record: bytes) -> Said:
        """What `stored` wrote."""
        told = msgspec.json.decode(record)
        classes, _ = told.pop("classes"), told.pop("code")
        scores = {name: said["value"] for name, said in told["scores"].items()}
        found = {name: self.class_of(name, c["code"], c["raw"], c["note"] or "") for name, c in classes.items()}
        return Said(to_json(told)[1:-1], scores, self._classed(found))

    def class_of(self, dimension: str, code: str, raw: str, note: str) -> Class:
        """A class with what is said of it, as `serving.schema.CustomerClass` has it."""
        key = (dimension, code, raw, note)
        found = self._classes.get(key)
        if found is None:
            cutoff = finite(self.live.snapshot.cutoffs.get(dimension, {}).get(code))
            named = {"code": code, "name": class_name(self.live, dimension, code)}
            member = _member(dimension, {**named, "at_least": cutoff, "raw": raw, "note": note or None})
            found = self._classes[key] = Class(code, raw, note, member)
        return found

    def settled(self, said: Said, held: Mapping[str, tuple[str, str, str]]) -> Said:
        """`said` by the facts alone, with the classes that the last grading held: they stand as long as the facts say
        what they said then. held: dimension → raw class, class and note of that grading."""
        classes = said.classed.classes
        stand = {name: each for name, each in held.items() if classes[name].raw == each[0]}
        return self._with(said, {name: self.class_of(name, class_, raw, n) for name, (raw, class_, n) in stand.items()})

    def current(self, said: Said, overrides: Sequence[Override]) -> Said:
        """`said` with the classes and the code that count today.

        overrides: those of the customer that hold today. One that ran out, or was lifted, since the grading no longer
        counts: until the next grading the class is the raw one.
        """
        classes, changed = said.classed.classes, dict[str, Class]()
        for name in said.classed.decided:
            raw = classes[name].raw
            changed[name] = self.class_of(name, raw, raw, "")
        for each in overrides:
            name = each.dimension
            changed[name] = self.class_of(name, each.class_, classes[name].raw, OVERRIDE)
        return self._with(said, changed)

    def _facts(self, one: One, as_of: date) -> bytes:
        numbers = to_json([getattr(one, part)[name] for part, name in self._numbers])[1:-1].split(b",")
        return self._told % (to_json(as_of), *numbers)

    def _raw(self, code: str) -> Classed:
        """The raw classes that a code says."""
        decoded = self.live.scheme.coding.decode(code)
        return self._classed(
            {name: self.class_of(name, decoded[name], decoded[name], "") for name in self.live.scheme.dimensions}
        )

    def _with(self, said: Said, changed: Mapping[str, Class]) -> Said:
        return said._replace(classed=self._classed({**said.classed.classes, **changed})) if changed else said

    def _classed(self, classes: Mapping[str, Class]) -> Classed:
        codes = {name: each.code for name, each in classes.items()}
        members = b",".join([each.member for each in classes.values()])
        decided = tuple(name for name, each in classes.items() if each.note == OVERRIDE)
        code = self.live.scheme.coding.encode(codes)
        return Classed(classes, codes, decided, b'"classes":{%b},"code":%b' % (members, to_json(code)))


def override_record(override: Override) -> dict[str, str]:
    """An override as `serving.schema.OverrideOut` describes it."""
    return {
        "dimension": override.dimension,
        "class": override.class_,
        "until": override.until.isoformat(),
        "by": override.by,
        "reason": override.reason,
    }


def version(live: LiveSet) -> dict[str, Any]:
    """What an answer names as its origin."""
    return {
        "release": model_name(live.release.about["source"]),
        "version": live.release.version,
        "scheme": live.scheme.version,
        "snapshot": live.snapshot.id,
        "graded_at": live.snapshot.as_of.isoformat(),
    }


def _member(name: str, value: Any) -> bytes:
    return to_json({name: value})[1:-1]
