"""The ledger of promotions: which release was live when, who decided it, and why.

It lives in the registry itself, so that it works wherever MLFLOW_TRACKING_URI points: each line is a version of the
registered model `<source>.promotions`, numbered by the database. A writer notes the last line it has seen, and a line
is valid iff it is the very next one: of several writers at once exactly one is, for every reader alike. Lines are
never changed; each carries a digest of all lines that its writer had seen, so that a change is found.

Whoever may write to the registry's database could also write the digests anew: note the last one elsewhere where that
matters. `training.promotion` writes the lines.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

from features.errors import InputError
from training import registry

PROMOTIONS = "promotions"
DONE = "done"
START = "0" * 64
"""What the first line carries in the place of a digest."""

Action = Literal["promote", "rollback"]
State = Literal["live", "past", "void", "under way"]


@dataclass(frozen=True)
class Entry:
    """What a person or a job decided. before: the version that was live; approved_by: who overruled the gate;
    manifest: SHA-256 of the release's manifest."""

    action: Action
    before: int | None
    to: int
    who: str
    why: str
    manifest: str
    approved_by: str = ""


@dataclass(frozen=True)
class Line:
    """An entry in its place. seen: the last line when it was decided (0: none), previous: digest of all lines up to
    that one; after: the last line that had taken effect; done: empty until the alias was moved, then a digest."""

    number: int
    entry: Entry
    when: datetime
    seen: int
    after: int
    previous: str
    done: str = ""

    @property
    def valid(self) -> bool:
        """Whether nobody wrote between its writer's look and its writing."""
        return self.number == self.seen + 1

    def tags(self) -> dict[str, str]:
        """As the registry keeps it."""
        said = {name: "" if value is None else str(value) for name, value in vars(self.entry).items()}
        at = self.when.isoformat(timespec="microseconds")
        return {**said, "when": at, "seen": str(self.seen), "after": str(self.after), "previous": self.previous}

    def digest(self, before: str) -> str:
        """SHA-256 of the digest of the lines before it and of this line."""
        said = json.dumps([before, self.number, self.tags()], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(said.encode()).hexdigest()


@dataclass(frozen=True)
class Ledger:
    """All lines of a source, oldest first, and the version that the alias names."""

    source: str
    lines: tuple[Line, ...]
    alias: int | None

    @property
    def last(self) -> int:
        """Number of the last line; 0 when there is none."""
        return self.lines[-1].number if self.lines else 0

    @cached_property
    def standing(self) -> tuple[Line, ...]:
        """The lines that took effect: from the last valid one backwards, each the line that its follower builds on."""
        valid = {line.number: line for line in self.lines if line.valid}
        if not valid:
            return ()
        newest = valid[max(valid)]
        took_effect = newest.done or self.alias == newest.entry.to
        last = newest.number if took_effect else newest.after
        found = []
        for number in sorted(valid, reverse=True):
            if number <= last:  # the line itself; the one before it where somebody deleted it
                found.append(valid[number])
                last = min(valid[number].after, number - 1)
        return tuple(reversed(found))

    @property
    def newest(self) -> int:
        """Number of the last valid line; 0 when there is none."""
        return max((line.number for line in self.lines if line.valid), default=0)

    @property
    def pending(self) -> Line | None:
        """A valid last line whose promotion has not moved the alias: under way, or killed."""
        valid = [line for line in self.lines if line.valid]
        return valid[-1] if valid and valid[-1] not in self.standing else None

    def state(self, line: Line) -> State:
        """What became of a line."""
        if line in self.standing:
            return "live" if line == self.standing[-1] else "past"
        return "under way" if line == self.pending else "void"

    def live_at(self, when: datetime) -> int | None:
        """The version that was live at an instant; None before the first promotion."""
        found = [line.entry.to for line in self.standing if line.when <= when]
        return found[-1] if found else None

    def released_since(self, when: datetime) -> tuple[int, ...]:
        """The versions that were live at any time since then, in the order in which they first were."""
        then = self.live_at(when)
        later = [line.entry.to for line in self.standing if line.when > when]
        return tuple(dict.fromkeys([*([] if then is None else [then]), *later]))

    def before(self) -> int | None:
        """The version that was live before the one that is: promotions go on, rollbacks go back to an earlier one."""
        stack: list[int] = []
        for line in self.standing:
            if line.entry.action == "rollback" and line.entry.to in stack:
                while stack[-1] != line.entry.to:
                    stack.pop()
            else:
                stack.append(line.entry.to)
        return stack[-2] if len(stack) > 1 else None

    def digest(self, through: int) -> str:
        """Of all lines up to number `through`; START for none."""
        return self._digests.get(through, START)

    @cached_property
    def _digests(self) -> dict[int, str]:
        found, last = {}, START
        for line in self.lines:
            last = found[line.number] = line.digest(last)
        return found

    def findings(self) -> list[str]:
        """What is not as it was written; empty when all is well."""
        numbers = [line.number for line in self.lines]
        found = [f"line {number} is gone" for number in range(1, self.last + 1) if number not in numbers]
        checked = 0
        for line in self.lines:
            if self.digest(line.seen) != line.previous:
                found.append(f"{_between(checked + 1, line.seen)} not as line {line.number} found it")
            if line.done and line.done != self.digest(line.number) and not found:
                found.append(f"line {line.number} is not as it was written")
            checked = max(checked, line.seen)
        if self.standing and self.standing[-1].entry.to != self.alias:
            said = f"version {self.alias}" if self.alias else "nothing"
            found.append(f"{said} is live, the ledger says version {self.standing[-1].entry.to}")
        return found


def _between(first: int, last: int) -> str:
    return f"line {last} is" if first >= last else f"one of the lines {first} to {last} is"


def read_ledger(source: str) -> Ledger:
    """The ledger of a source as it is now. Raises InputError for a registry that does not answer, and for a version
    of the model that is no line."""
    found = registry.versions(source, PROMOTIONS)
    return Ledger(source, tuple(_line(source, each) for each in found), registry.champion_version(source))


def _line(source: str, found: registry.Registered) -> Line:
    tags = found.tags
    try:
        entry = Entry(
            "rollback" if tags["action"] == "rollback" else "promote",
            int(tags["before"]) if tags["before"] else None,
            int(tags["to"]), tags["who"], tags["why"], tags["manifest"], tags["approved_by"],
        )  # fmt: skip
        when = datetime.fromisoformat(tags["when"])
        return Line(
            found.number, entry, when, int(tags["seen"]), int(tags["after"]), tags["previous"], tags.get(DONE, "")
        )
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{registry.model_name(source, PROMOTIONS)} version {found.number}",
            f"no line of the ledger ({error})",
            "only what `scoring promote` and `scoring rollback` write",
            "Somebody changed it: restore the registry from a backup.",
        ) from None
