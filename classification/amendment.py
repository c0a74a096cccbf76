"""Another scheme for the models that are live: a new release of theirs, which a person has to let go live."""

from __future__ import annotations

from dataclasses import dataclass, replace

from classification.challenge import swap_files, swap_metrics
from classification.difference import differences
from classification.gate_report import AGAINST_TAG, GATE_TAG
from classification.grade import take_snapshot
from classification.past import VALUE_DIMENSION
from classification.released import scheme_tags
from classification.scheme import Scheme, read_scheme
from classification.swap import SwapSet, swap_set
from classification.wording import Money
from features.errors import InputError
from features.progress import Progress, silent
from training import registry
from training.recipes import POTENTIAL
from training.reissue import reissue
from training.release import SCHEME_FILE, Release
from training.review import Extras
from training.snapshots import Origin, Snapshot

REASON_TAG, BY_TAG, MODELS_TAG = "scheme_reason", "scheme_by", "models_of"
"""Why a release has another scheme than its models were trained with, who wants it, and whose models they are."""


@dataclass(frozen=True)
class Amendment:
    """A release with another scheme. version: its number; champion: that of the release whose models it has; old, new:
    the schemes; swap: who changes class; differences: dimension → what is different; caution: what else to know, empty
    for nothing."""

    version: int
    champion: int
    old: Scheme
    new: Scheme
    swap: SwapSet
    differences: dict[str, list[str]]
    caution: str


def amend(
    champion: Release, text: str, base: Snapshot, origin: Origin, reason: str, by: str, progress: Progress = silent
) -> Amendment:
    """Register the champion's models with the scheme in `text`; base: the customers whose change of class is told.

    It goes live by `promote` with somebody's approval. Raises InputError where the champion has that scheme already.
    """
    old, new = read_scheme(champion.scheme, SCHEME_FILE), read_scheme(text, "the scheme")
    found = differences(old, new, Money(champion.about["currency"], champion.about["decimals"]))
    if not found and old.version == new.version:
        name = f"{registry.model_name(origin.source)} version {champion.version}"
        raise InputError(name, f"scheme {old.version} already", "another one", "`scoring scheme new` makes one.")
    number = (registry.latest_version(origin.source) or 0) + 1
    other = replace(champion, scheme=text, version=number)
    swap = swap_set(take_snapshot(champion, base, origin), take_snapshot(other, base, origin), base)
    tags = {
        GATE_TAG: f"the scheme becomes {new.version}, it was {old.version}: a person decides ({reason})",
        AGAINST_TAG: str(champion.version),
        REASON_TAG: reason,
        BY_TAG: by,
        MODELS_TAG: str(champion.version),
        **scheme_tags(new),
    }
    metrics = {**swap_metrics(swap), "gate_passed": 0.0}
    extras = Extras(tags, metrics, swap_files(swap, champion.about["currency"]))
    caution = _caution(champion, old, new)
    about = _description(champion.version, (old, new), (reason, by), found, caution, swap)
    version = reissue(origin.source, champion, text, extras, about, progress)
    return Amendment(version, champion.version, old, new, swap, found, caution)


def _caution(champion: Release, old: Scheme, new: Scheme) -> str:
    """Where a model has learnt what the classes were."""
    if POTENTIAL.name not in champion.models or _lowest(old) == _lowest(new):
        return ""
    return f"`{POTENTIAL.name}` learnt who rises from the lowest class of value as {old.version} has it: train again."


def _lowest(scheme: Scheme) -> object:
    """What decides who is of the lowest class of value."""
    dimension = scheme.dimensions.get(VALUE_DIMENSION)
    if dimension is None or dimension.share is None:
        return dimension and dimension.rule
    share = dimension.share
    return share.fact, share.of, share.first, list(share.top.values())[-2]


def _description(
    champion: int,
    schemes: tuple[Scheme, Scheme],
    decision: tuple[str, str],
    found: dict[str, list[str]],
    caution: str,
    swap: SwapSet,
) -> str:
    """What a reviewer reads first, in Markdown."""
    (old, new), (reason, by) = schemes, decision
    lines = [
        f"The models of version {champion} with scheme {new.version} instead of {old.version}. {by}: {reason}",
        "",
        *(f"- {name}: {line}" for name, each in found.items() for line in each),
        *([f"- {caution}"] if caution else []),
    ]
    return "\n".join([*lines, "", swap.markdown()])[:MOST_SAID]


MOST_SAID = 4_500
"""Characters of a description that every registry takes."""
