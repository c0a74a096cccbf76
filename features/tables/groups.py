"""Ids that belong together because pairs of them do."""

from __future__ import annotations

from collections.abc import Iterable

Pair = tuple[str, str]


class Groups:
    """Ids that pairs have joined, directly or over others."""

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self._up: dict[str, str] = {}
        for pair in pairs:
            self.join(pair)

    def of(self, name: str) -> str:
        """One id that stands for the group of `name`, whichever it is."""
        while (up := self._up.get(name, name)) != name:
            self._up[name] = name = self._up.get(up, up)
        return name

    def joined(self, pair: Pair) -> bool:
        """Whether the two are in one group."""
        return self.of(pair[0]) == self.of(pair[1])

    def join(self, pair: Pair) -> None:
        """Make the groups of the two one."""
        one, other = sorted(map(self.of, pair))
        self._up[other] = one

    def members(self) -> list[list[str]]:
        """The ids of each group of two or more."""
        found: dict[str, list[str]] = {}
        for name in sorted({*self._up, *self._up.values()}):
            found.setdefault(self.of(name), []).append(name)
        return [group for group in found.values() if len(group) > 1]
