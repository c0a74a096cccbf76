"""What goes live: a release that passed the gate or that a person approved, and the way back to an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from classification.evidence import read_evidence
from classification.gate import GateSettings, Standing, gate
from classification.gate_report import AGAINST_TAG, GATE_TAG, PASSED, GateReport
from features.errors import InputError
from features.tables.audit import Audit, this_user
from features.workspace import Workspace
from training import registry
from training.ledger import Action, Entry, Ledger, read_ledger
from training.promotion import write
from training.recipes import RECIPES

TASKS_TAG = "tasks"


@dataclass(frozen=True)
class Promotion:
    """What happened to a release at the gate. before: the version that was live (None: the first); approved_by: who
    overruled the gate; empty when nobody had to."""

    version: int
    before: int | None
    promoted: bool
    verdict: str
    approved_by: str = ""


def examine(
    workspace: Workspace,
    source: str,
    tasks: Sequence[str],
    settings: GateSettings,
    reassigned: float | None = None,
) -> GateReport:
    """Judge the candidate in a workspace against the release that is live.

    tasks: what the candidate answers; reassigned: share of customers that its segments number otherwise than the
    champion's. Its `tags()` go onto the registered version: `promote` reads them.
    """
    champion = registry.champion_version(source)
    answered = _tasks(registry.tags_of(source, champion)) if champion is not None else frozenset()
    kinds = {recipe.name: recipe.predicts for recipe in RECIPES if recipe.predicts != "segment"}
    evidence = read_evidence(workspace, kinds, settings.slices)
    return gate(evidence, Standing(champion, frozenset(tasks), answered, reassigned), settings)


def promote(source: str, version: int | None = None, approve: str = "", by: str = "") -> Promotion:
    """Make a release (by default the newest) the champion, when it passed the gate against the release that is live.

    The first one goes live whatever the gate said: any honest release is better than none. approve: the person who
    lets it go live all the same; by: who promotes, by default the user of the machine. Raises InputError when there is
    nothing to promote, when its files are not as they were registered, and when somebody else was quicker.
    """
    number = version if version is not None else registry.latest_version(source)
    if number is None:
        raise InputError(
            registry.model_name(source), "no release", "one to promote", "Run `scoring train` and `scoring evaluate`."
        )
    seen = read_ledger(source)
    verdict = _verdict(source, number, seen.alias)
    if seen.alias == number:
        return Promotion(number, number, True, "it is live already")
    passes = verdict == PASSED or seen.alias is None
    if not passes and not approve:
        return Promotion(number, seen.alias, False, verdict)
    return _go_live(seen, "promote", number, verdict, "" if passes else approve, by)


def rollback(source: str, to: int | None = None, approve: str = "", by: str = "") -> Promotion:
    """Make an earlier release the champion again, by default the one that was live before.

    Raises InputError when there is none, and when version `to` never was live and nobody approves it.
    """
    seen = read_ledger(source)
    number = to if to is not None else seen.before()
    place = registry.model_name(source)
    if seen.alias is None or number is None:
        raise InputError(place, "no release that was live before", "one", "`scoring releases` lists them.")
    if number == seen.alias:
        raise InputError(f"{place} version {number}", "the release that is live", "an earlier one")
    since = [line.when for line in seen.standing if line.entry.to == number]
    if not since and not approve:
        raise InputError(
            f"{place} version {number}",
            "a release that never was live",
            "one that was: `scoring releases` lists them",
            "Promote it, or name who approves it: --approve NAME.",
        )
    why = f"it was live from {since[-1]:%Y-%m-%d %H:%M} UTC" if since else "it never was live"
    return _go_live(seen, "rollback", number, why, "" if since else approve, by)


def note(audit: Audit, action: Action, done: Promotion) -> None:
    """Add to the audit log that another release is live, if so. Which was live when, the ledger alone decides."""
    if done.promoted and done.before != done.version:
        said = {"version": done.version, "was": done.before, "approved_by": done.approved_by}
        audit.append(action, None, done.verdict, **said)


def _go_live(seen: Ledger, action: Action, number: int, why: str, approved_by: str, by: str) -> Promotion:
    release = registry.fetch(seen.source, number)  # what cannot be loaded is never made live
    write(seen, Entry(action, seen.alias, number, by or this_user(), why, release.digest, approved_by))
    return Promotion(number, seen.alias, True, why, approved_by)


def _verdict(source: str, number: int, champion: int | None) -> str:
    """What the gate said, if it said it of the release that is live now."""
    tags = registry.tags_of(source, number)
    if GATE_TAG not in tags:
        return "it was never evaluated"
    if champion is None:
        return tags[GATE_TAG]
    if tags.get(AGAINST_TAG) != str(champion):
        rival = f"version {tags[AGAINST_TAG]}" if tags.get(AGAINST_TAG) else "the baselines only"
        return f"it was judged against {rival}, and version {champion} is live now: train and evaluate it again"
    lost = _tasks(registry.tags_of(source, champion)) - _tasks(tags)
    return f"it does not answer {', '.join(sorted(lost))}, as version {champion} does" if lost else tags[GATE_TAG]


def _tasks(tags: dict[str, str]) -> frozenset[str]:
    return frozenset(tags.get(TASKS_TAG, "").split())
