"""What goes live: the gate that a new release must pass, and the one step that makes it the champion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from features.errors import InputError
from training import registry
from training.evaluate import Verdict

GATE_TAG = "gate"
TASKS_TAG = "tasks"
PASSED = "no task worse than its best baseline"


@dataclass(frozen=True)
class Promotion:
    """What happened to a release at the gate. before: the version that was live (None: the first)."""

    version: int
    before: int | None
    promoted: bool
    verdict: str


def promote(source: str, version: int | None = None, approve: bool = False) -> Promotion:
    """Put a release (by default the newest) through the gate; make it the champion when it passes.

    It passes when its evaluation found no task worse than the best baseline, and it answers every task that the
    champion answers; when there is no champion yet, for then any honest release is better than none; or when a person
    approves it.
    """
    number = version if version is not None else registry.latest_version(source)
    if number is None:
        raise InputError(
            registry.model_name(source), "no release", "one to promote", "Run `scoring train` and `scoring evaluate`."
        )
    tags = registry.tags_of(source, number)
    verdict = tags.get(GATE_TAG, "it was never evaluated")
    before = registry.champion_version(source)
    if before is not None:
        lost = _tasks(registry.tags_of(source, before)) - _tasks(tags)
        verdict = f"it does not answer {', '.join(sorted(lost))}, as version {before} does" if lost else verdict
    passes = verdict == PASSED or before is None or approve
    if passes:
        registry.promote(source, number)
    return Promotion(number, before, passes, verdict)


def _tasks(tags: dict[str, str]) -> set[str]:
    return set(tags.get(TASKS_TAG, "").split())


def gate_verdict(verdicts: Sequence[Verdict]) -> str:
    """What the gate says of an evaluation: PASSED, or each task that is worse than its best baseline."""
    worse = [
        f"{v.task}: {v.metric} {v.candidate:.4f}, worse than {v.best_baseline} {v.baseline:.4f} "
        f"[{v.comparison.low:+.4f}, {v.comparison.high:+.4f}]"
        for v in verdicts
        if not v.holds
    ]
    return "; ".join(worse) or (PASSED if verdicts else "no task was judged")
