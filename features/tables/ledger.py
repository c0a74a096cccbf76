"""What was found and decided about ids that may be one customer, kept in the vault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal

import pyarrow as pa

from features.errors import InputError
from features.tables.events import INSTANT
from features.tables.groups import Groups, Pair
from features.tables.vault import Vault

ENTRY = "identity/ledger"

State = Literal["proposed", "merged", "rejected", "undone"]

LEDGER = pa.schema(
    [
        pa.field("merge", pa.int64(), nullable=False),  # its number
        pa.field("customer_id", pa.string(), nullable=False),  # pseudonym of the id that came later
        pa.field("survivor", pa.string(), nullable=False),  # pseudonym of the id that came first
        pa.field("state", pa.string(), nullable=False),  # one of State
        pa.field("how", pa.string(), nullable=False),  # strong, probable, by hand
        pa.field("probability", pa.float64()),  # null: by hand
        pa.field("reasons", pa.list_(pa.string()), nullable=False),  # what agrees, in words; no value
        pa.field("decided_at", INSTANT),  # null: proposed
        pa.field("decided_by", pa.string()),  # the person who decided, or whose run it was
    ]
)


@dataclass(frozen=True)
class Finding:
    """A row of LEDGER: two ids, and what was decided about them."""

    merge: int
    customer_id: str
    survivor: str
    state: State
    how: str
    probability: float | None
    reasons: Sequence[str]
    decided_at: datetime | None = None
    decided_by: str | None = None

    @property
    def pair(self) -> Pair:
        """The two ids, in alphabetical order."""
        return (min(self.customer_id, self.survivor), max(self.customer_id, self.survivor))


class Ledger:
    """All findings, by number. Two ids told apart, by a rejection or an undoing, are never brought together again
    but by a person."""

    def __init__(self, findings: Sequence[Finding] = ()) -> None:
        self._of = {finding.pair: finding for finding in findings}

    @classmethod
    def read(cls, vault: Vault) -> Ledger:
        """The ledger in the vault; empty before the first finding."""
        rows = vault.read(ENTRY).to_pylist() if vault.path(ENTRY).exists() else []
        return cls([Finding(**row) for row in rows])

    def write(self, vault: Vault) -> None:
        """Keep it in the vault, but for proposals about two ids that have become one customer over others."""
        merged = self.merged()
        kept = [f for f in self.findings if f.state != "proposed" or not merged.joined(f.pair)]
        rows = [{field.name: getattr(f, field.name) for field in fields(Finding)} for f in kept]
        vault.write(ENTRY, pa.Table.from_pylist(rows, LEDGER))

    @property
    def findings(self) -> list[Finding]:
        """In the order of their numbers."""
        return sorted(self._of.values(), key=lambda finding: finding.merge)

    @property
    def next_number(self) -> int:
        """The number of the next finding."""
        return 1 + max((finding.merge for finding in self._of.values()), default=0)

    def about(self, pair: Pair) -> Finding | None:
        """What is known of two ids, in alphabetical order."""
        return self._of.get(pair)

    def numbered(self, merge: int) -> Finding:
        """The finding of a number."""
        for finding in self._of.values():
            if finding.merge == merge:
                return finding
        raise InputError(f"merge {merge}", "nothing", "a number of `scoring identity list --all`")

    def put(self, finding: Finding) -> None:
        """Add a finding, or put it in the place of what was known of its two ids."""
        self._of[finding.pair] = finding

    def merged(self) -> Groups:
        """The groups of ids that are one customer."""
        return Groups(finding.pair for finding in self.findings if finding.state == "merged")

    def told_apart(self, pair: Pair, groups: Groups) -> Finding | None:
        """The finding that speaks against joining the groups of two ids: one about these two or others in them."""
        sides = {groups.of(pair[0]), groups.of(pair[1])}
        for finding in self._of.values():
            if finding.state in ("rejected", "undone") and {groups.of(name) for name in finding.pair} == sides:
                return finding
        return None
