"""The laundering records of a workspace: every file sealed, changed all or nothing, every act and look noted.

| entry | what |
|---|---|
| `register/<date>` | a row per customer, as `classification.laundering.register` grades them at a date |
| `acts` | what persons decided, a row per act, never changed (`reviews`) |
| `alerts` | what was found in the transfers, an alert each (`alerts`) |
| `log` | who did or looked at what, and when |
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from classification.laundering.role import load_aml_key
from features.errors import InputError
from features.tables.events import INSTANT
from features.tables.vault import Vault
from features.workspace import Workspace, staged

REGISTER, LOG_ENTRY = "register", "log"

LOG = pa.schema(
    [
        pa.field("at", INSTANT, nullable=False),
        pa.field("by", pa.string(), nullable=False),
        pa.field("action", pa.string(), nullable=False),
        pa.field("customer_id", pa.string()),  # null: about nobody in particular
        pa.field("said", pa.string(), nullable=False),  # JSON
    ]
)


@dataclass(frozen=True)
class Records:
    """The sealed tables in `folder`; `by`: who acts or looks."""

    folder: Path
    key: bytes = field(repr=False)
    by: str

    @contextmanager
    def changing(self) -> Iterator[Records]:
        """The same records to read and to change; what is changed counts when the block ends well, and not before.
        Those who change wait for one another."""
        with staged(self.folder, keep=True) as new:
            yield Records(new, self.key, self.by)

    def read(self, name: str, schema: pa.Schema) -> pa.Table:
        """A table, without rows where there is none yet. Raises InputError for another key."""
        return self._vault.read(name) if self._vault.path(name).exists() else schema.empty_table()

    def write(self, name: str, table: pa.Table) -> None:
        """Keep a table, within `changing`."""
        self._vault.write(name, table)

    def append(self, name: str, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
        """Keep rows below those that are there, within `changing`."""
        self.write(name, pa.concat_tables([self.read(name, schema), pa.Table.from_pylist(rows, schema)]))

    def note(self, action: str, customer: str | None = None, **said: Any) -> None:
        """Add a line to the log, within `changing`; customer: a pseudonym."""
        line = {"at": datetime.now(UTC), "by": self.by, "action": action, "customer_id": customer}
        text = json.dumps(said, ensure_ascii=False, default=str)
        self.append(LOG_ENTRY, [line | {"said": text}], LOG)

    def days(self) -> list[date]:
        """The dates of the registers, in order."""
        return [date.fromisoformat(name.partition("/")[2]) for name in self._vault.names(REGISTER)]

    def register(self, day: date | None = None) -> pa.Table:
        """The register of a date, by default the last. Raises InputError where there is none."""
        days = self.days()
        if not days or (day is not None and day not in days):
            there = f"one of {', '.join(map(str, days[-5:]))}" if days else "a register"
            said = f"no register of {day or 'any date'}"
            raise InputError(self.folder, said, there, "Run `scoring laundering grade`.")
        return self._vault.read(register_name(day or days[-1]))

    @property
    def _vault(self) -> Vault:
        return Vault(self.folder, self.key)


def register_name(day: date) -> str:
    """The entry of a date's register."""
    return f"{REGISTER}/{day}"


def open_records(workspace: Workspace, by: str) -> Records:
    """The records of a workspace, for who has the key of the role."""
    return Records(workspace.laundering, load_aml_key(workspace.laundering), by)
