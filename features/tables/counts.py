"""What became of a table's lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Counts:
    """Lines of one raw table: read = accepted + fixed + quarantined + dropped. fixed: accepted after mending, by rule;
    noted: taken in although something was odd, by rule, and so counted above, too."""

    table: str
    read: int = 0
    accepted: int = 0
    fixed: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)

    @property
    def missing(self) -> int:
        """Lines read that are in none of the counts: 0, or a line was lost."""
        return self.read - self.accepted - sum((self.fixed + self.quarantined + self.dropped).values())

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        kinds = (getattr(self, name) + getattr(other, name) for name in SIDES)
        return Counts(self.table, self.read + other.read, self.accepted + other.accepted, *kinds)

    def to_json(self) -> dict[str, Any]:
        """As the report has it, rules in order of name."""
        sides = {name: {rule: n for rule, n in sorted(getattr(self, name).items()) if n} for name in SIDES}
        return {"table": self.table, "read": self.read, "accepted": self.accepted, **sides}

    @staticmethod
    def from_json(found: dict[str, Any]) -> Counts:
        """What `to_json` gave."""
        sides = (Counter(found[name]) for name in SIDES)
        return Counts(found["table"], found["read"], found["accepted"], *sides)


SIDES = ("fixed", "quarantined", "dropped", "noted")


def added(before: Iterable[Counts], now: Iterable[Counts]) -> list[Counts]:
    """Table by table, in the order of `now`, then what only `before` has."""
    old = {counts.table: counts for counts in before}
    new = [old.pop(counts.table, Counts(counts.table)).plus(counts) for counts in now]
    return [*new, *old.values()]
