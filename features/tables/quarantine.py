"""Refused lines: kept in the vault as they came, with file, line and rule, for a person to look at."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pyarrow as pa

from features.tables.readers import Misfit
from features.tables.vault import Vault

QUARANTINE = "quarantine"
LINES_PER_ENTRY = 250_000
REFUSED = pa.schema(
    [
        pa.field("table", pa.string()),
        pa.field("file", pa.string()),
        pa.field("line", pa.int64()),
        pa.field("rule", pa.string()),
        pa.field("found", pa.string()),  # the cell to blame; null: no single one is
        pa.field("row", pa.string()),  # the cells as they came: a JSON object, or a JSON text of what is no row
    ]
)


class Refused:
    """The lines that one run refuses, on their way into the vault."""

    def __init__(self, vault: Vault, batch: int, is_forgotten: Callable[[str], bool] = lambda line: False) -> None:
        """Entries of the run number `batch`. is_forgotten: whether a line that is no row is not to be kept."""
        self._vault, self._batch, self._is_forgotten = vault, batch, is_forgotten
        self._waiting: list[pa.Table] = []
        self._written = 0
        self.lines = 0

    def add(
        self,
        table: str,
        files: Sequence[str],
        lines: pa.Array,
        rule: str,
        blamed: str | None,
        raw: pa.Table,
    ) -> None:
        """Lines that break a rule, with their cells as they came. blamed: the column of the cell to blame."""
        found = raw[blamed].to_pylist() if blamed else [None] * len(files)
        texts = [json.dumps(row, ensure_ascii=False) for row in raw.to_pylist()]
        self._add([[table] * len(files), list(files), lines, [rule] * len(files), found, texts])

    def add_texts(self, table: str, file: str, rule: str, misfits: Sequence[Misfit]) -> None:
        """Lines that are no rows, but for those that name somebody who was forgotten."""
        misfits = [misfit for misfit in misfits if not self._is_forgotten(misfit.text)]
        texts = [json.dumps(misfit.text, ensure_ascii=False) for misfit in misfits]
        many = len(misfits)
        lines, found = [misfit.line for misfit in misfits], [misfit.found for misfit in misfits]
        self._add([[table] * many, [file] * many, lines, [rule] * many, found, texts])

    def flush(self) -> None:
        """Put what waits into the vault."""
        if self._waiting:
            self._vault.write(f"{QUARANTINE}/{self._batch:05d}-{self._written:05d}", pa.concat_tables(self._waiting))
            self._waiting, self._written = [], self._written + 1

    def _add(self, columns: list[object]) -> None:
        self._waiting.append(pa.table(columns, schema=REFUSED))
        self.lines += self._waiting[-1].num_rows
        if sum(part.num_rows for part in self._waiting) >= LINES_PER_ENTRY:
            self.flush()


def refused_lines(vault: Vault) -> pa.Table:
    """All lines in quarantine, with the entry they are in and their place in it (`entry`, `at`)."""
    parts = [
        part.append_column("entry", pa.array([name] * part.num_rows, pa.string())).append_column(
            "at", pa.array(range(part.num_rows), pa.int64())
        )
        for name, part in vault.tables(QUARANTINE)
    ]
    places = [pa.field("entry", pa.string()), pa.field("at", pa.int64())]
    return pa.concat_tables([pa.schema([*REFUSED, *places]).empty_table(), *parts])


def take_out(vault: Vault, taken: pa.Table) -> None:
    """Remove lines that `refused_lines` gave from quarantine."""
    for name in pa.compute.unique(taken["entry"]).to_pylist():
        out = set(taken.filter(pa.compute.equal(taken["entry"], name))["at"].to_pylist())
        part = vault.read(name)
        left = part.filter(pa.array([at not in out for at in range(part.num_rows)]))
        if left.num_rows:
            vault.write(name, left)
        else:
            vault.remove(name)
