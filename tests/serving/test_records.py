"""Records put together from pieces of JSON are the plain description, encoded: to the byte, but for the order."""

from __future__ import annotations

import json
import math
from datetime import date
from typing import Any

import msgspec
import numpy as np
import pytest

from classification.decisions import Override
from classification.grade import RANKED, Graded, LiveSet, One, class_name
from classification.stability import OVERRIDE
from features.population import POPULATION
from serving.records import UNITS, Answer, Records, Said
from tests.conftest import Ran
from training.recipes import OUTPUTS, RECIPES

AS_OF = date(2026, 11, 1)
NUMBERS = (math.nan, math.inf, 0.0, -0.0, 1.0, 1e300, 5e-324, 0.1, 1 / 3, 12345678.9)


@pytest.fixture(scope="module")
def live(sample: Ran) -> LiveSet:
    return sample.job.live()[0]


def drawn(live: LiveSet, size: int = 200) -> Graded:
    """Customers with any numbers and classes, who were graded by their facts alone."""
    rng = np.random.default_rng(5)
    numbers = lambda names: {name: rng.choice(NUMBERS, size) for name in names}  # noqa: E731
    raw = {name: rng.choice(dimension.all, size) for name, dimension in live.scheme.dimensions.items()}
    none = dict.fromkeys(raw, np.full(size, ""))
    standing = numbers(each.name for each in POPULATION)
    return Graded(numbers(OUTPUTS), numbers(RANKED), standing, raw, raw, none, {}, live.scheme.coding.encode_all(raw))


def plain(live: LiveSet, one: One) -> dict[str, Any]:
    """The record as `serving.schema.CustomerScore` describes it."""
    rungs = live.release.about["rungs"]
    rung = {output: rungs[recipe.name]["name"] for recipe in RECIPES for output in recipe.outputs}
    cutoffs = live.snapshot.cutoffs
    return {
        "as_of": AS_OF.isoformat(),
        "scores": {
            output: {
                "value": value,
                "unit": UNITS.get(output, "probability"),
                "percentile": one.percentiles.get(output),
                "rung": rung[output],
            }
            for output, value in one.scores.items()
        },
        "standing": one.standing,
        "classes": {
            name: {
                "code": code,
                "name": class_name(live, name, code),
                "at_least": cutoffs.get(name, {}).get(code),
                "raw": one.raw[name],
                "note": one.notes[name] or None,
            }
            for name, code in one.classes.items()
        },
        "code": live.scheme.coding.encode(one.classes),
        "live": Records(live).version,
    }


def members(body: bytes) -> dict[str, Any]:
    """What JSON says, its numbers as they are written."""
    found: dict[str, Any] = json.loads(body, parse_float=lambda text: text, parse_int=lambda text: text)
    return found


def told(said: Said) -> dict[str, Any]:
    return members(b"{%b,%b}" % (said.told, said.classed.told))


def test_one_and_many_are_the_plain_description(live: LiveSet) -> None:
    """Null, infinite and tiny numbers included."""
    records, graded = Records(live), drawn(live)
    for one, among in zip(graded.each(), records.of_many(graded, AS_OF), strict=True):
        wanted = members(msgspec.json.encode(plain(live, one)))
        assert told(records.of(one, AS_OF)) == told(among) == members(records.stored(one, AS_OF)) == wanted
        assert among.classed.codes == one.classes


def test_held_and_overridden_classes_are_told(live: LiveSet) -> None:
    """Held as long as the raw class is what it was; a person's word counts over it, and ends with its day."""
    records, dimensions = Records(live), live.scheme.dimensions
    for i, one in enumerate(drawn(live).each()):
        first, second, *_ = (name for name in dimensions if len(dimensions[name].all) > 2)
        stays, goes = dimensions[first].all[i % 3], dimensions[second].all[(i + 1) % 3]
        held = {first: (one.raw[first], stays, "held"), second: ("other", goes, "held")}
        word = Override("x", second, goes, date(2026, 12, 1), "eva", "signed")
        after = one._replace(classes=one.classes | {first: stays}, notes=one.notes | {first: "held"})
        said = records.settled(records.of(one, AS_OF), held)
        assert told(said) == members(msgspec.json.encode(plain(live, after)))
        decided = after._replace(classes=after.classes | {second: goes}, notes=after.notes | {second: OVERRIDE})
        wanted = members(msgspec.json.encode(plain(live, decided)))
        assert told(records.current(said, [word])) == wanted == members(records.stored(decided, AS_OF))
        ended = records.current(records.read(records.stored(decided, AS_OF)), [])
        assert told(ended) == told(said)


def test_an_answer_may_say_more() -> None:
    """As one more member."""
    answer = Answer(b'{"a":1}', {}, {}, "").also('k"', {"new": 1})
    assert answer.body == b'{"a":1,"k\\"":{"new":1}}'
