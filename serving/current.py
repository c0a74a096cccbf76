"""A customer's record as it is today: what the last grading said, and what persons decided since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from classification.decisions import Override
from classification.grade import LiveSet
from classification.stability import OVERRIDE
from serving.scorer import class_record


def current(live: LiveSet, record: dict[str, Any], overrides: Sequence[Override]) -> dict[str, Any]:
    """`record` with the classes and the code that count, and the overrides behind them.

    overrides: those of the customer that hold today. One that ran out, or was lifted, since the grading no longer
    counts: until the next grading the class is the raw one.
    """
    classes = dict(record["classes"])
    for name, said in record["classes"].items():
        if said["note"] == OVERRIDE:
            classes[name] = class_record(live, name, said["raw"], said["raw"], None)
    for each in overrides:
        raw = classes[each.dimension]["raw"]
        classes[each.dimension] = class_record(live, each.dimension, each.class_, raw, OVERRIDE)
    told = {"overrides": [as_json(each) for each in overrides]}
    if classes == record["classes"]:
        return record | told
    codes = {name: said["code"] for name, said in classes.items()}
    return record | {"classes": classes, "code": live.scheme.coding.encode(codes)} | told


def settled(live: LiveSet, record: dict[str, Any], held: Mapping[str, tuple[str, str, str]]) -> dict[str, Any]:
    """`record`, of raw classes, with the classes that the last grading held: they stand as long as the facts say what
    they said then. held: dimension → raw class, class and note of that grading."""
    classes = dict(record["classes"])
    for name, (raw, class_, note) in held.items():
        if classes[name]["raw"] == raw:
            classes[name] = class_record(live, name, class_, raw, note)
    if classes == record["classes"]:
        return record
    codes = {name: said["code"] for name, said in classes.items()}
    return record | {"classes": classes, "code": live.scheme.coding.encode(codes)}


def as_json(override: Override) -> dict[str, str]:
    """An override as `serving.schema.OverrideOut` describes it."""
    return {
        "dimension": override.dimension,
        "class": override.class_,
        "until": override.until.isoformat(),
        "by": override.by,
        "reason": override.reason,
    }
