"""A month of a customer's history, told to a person: what changed, each cause's share in it, what is held back."""

from __future__ import annotations

import math
from collections.abc import Mapping

from classification.history import CAUSES, Change, PastClass, PastMonth
from classification.scheme import Scheme
from classification.stability import HELD, ILLEGAL, OVERRIDE
from classification.why import CAUGHT_UP, RELEASED

WORDS = {"facts": "own facts", "model": "another model", "cutoff": "cut-off moved", "scheme": "another scheme"}
NOTED = {
    HELD: "held until that is sure",
    ILLEGAL: "which cannot follow the class before",
    OVERRIDE: "overridden by a person",
}
KINDS = {CAUGHT_UP: "its facts had moved before; now the class follows", RELEASED: "a person's override has ended"}


def causes(shares: Mapping[str, float]) -> str:
    """The shares of a change in whole per cent that add up to 100, the largest first: `75 % own facts, 25 % cut-off
    moved`. A share below 0 belongs to a cause that worked against the change."""
    exact = [100 * shares[cause] for cause in CAUSES]
    whole = [math.floor(share + 1e-9) for share in exact]
    short = sorted(range(len(exact)), key=lambda i: whole[i] - exact[i])[: 100 - sum(whole)]
    rounded = {cause: whole[i] + (i in short) for i, cause in enumerate(CAUSES)}
    told = sorted((cause for cause in CAUSES if rounded[cause]), key=lambda cause: -rounded[cause])
    return ", ".join(f"{rounded[cause]} % {WORDS[cause]}" for cause in told)


def account(month: PastMonth, schemes: tuple[Scheme, Scheme], dimension: str | None = None) -> list[str]:
    """A month in lines: its code, then every dimension that changed or whose class is not the raw one, and why.

    schemes: of the month before, and of this one; dimension: the only one that is asked about, told in any case.
    """
    lines = [f"{month.month}  {month.code}  release {month.release}, scheme {month.scheme}"]
    changes = {change.dimension: change for change in month.changes}
    for name, said in month.classes.items():
        change = changes.get(name)
        if name == dimension or (dimension is None and (change or said.note)):
            lines += [f"  {name}: {_headline(said, change, name, schemes)}"]
            lines += [f"    {each}" for each in _details(said, change, name, schemes)]
    return lines


def _headline(said: PastClass, change: Change | None, name: str, schemes: tuple[Scheme, Scheme]) -> str:
    now = _named(schemes[1], name, said.code)
    if change is None or change.before == change.after:
        return now
    return f"{_named(schemes[0], name, change.before)} → {now}"


def _details(said: PastClass, change: Change | None, name: str, schemes: tuple[Scheme, Scheme]) -> list[str]:
    lines = [f"by its facts alone {_named(schemes[1], name, said.raw)}, {NOTED[said.note]}"] if said.note else []
    if change is None:
        return lines
    lines += [KINDS[change.kind]] if change.kind in KINDS else []
    if change.raw_before != change.raw_after:
        shared = causes(change.shares) if change.shares else "not shared out: the release before is not at hand"
        raw = f"{change.raw_before} → {change.raw_after} by facts alone: "
        same = (change.raw_before, change.raw_after) == (change.before, change.after)
        lines.append(shared if same else raw + shared)
    return lines + ([change.reason] if change.reason else [])


def _named(scheme: Scheme, dimension: str, code: str) -> str:
    found = scheme.dimensions.get(dimension)
    return f"{code} {found.name_of(code)}" if found else code
