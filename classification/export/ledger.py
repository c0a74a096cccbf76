"""What was handed over last to a target, per customer, so that the next time only what changed is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from classification.export.cells import written
from classification.export.target import Target
from features.tables.privacy import Pseudonyms
from features.workspace import Workspace, clear_up, read_parquet, staged

SCHEMA = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),  # in which of the target's files the customer is
        pa.field("digest", pa.string(), nullable=False),  # of its row there
    ]
)

CUSTOMERS = b"customers"
"""What the file notes beside its rows: how many it had when it was written."""

BETWEEN = "\x1f"
"""What stands between two cells when a row is digested; no cell of one line has it."""

BYTES = 16
"""Of a digest."""


@dataclass(frozen=True)
class Ledger:
    """rows: SCHEMA, in order of customer_id; erased: how many were taken out since by `scoring forget` or an objection
    to profiling, of whom nothing else is known here."""

    rows: pa.Table
    erased: int

    def changed(self, ids: pa.Array, digests: pa.Array) -> pa.Array:
        """Which customers' rows are new, or other ones than those handed over last."""
        return pc.invert(pc.fill_null(pc.equal(self._of("digest", ids), digests), False))

    def files(self, ids: pa.Array) -> pa.Array:
        """In which file each customer was handed over; null: in none."""
        return self._of("file", ids)

    def after(self, handed: pa.Table, gone: pa.Array, erased: int) -> Ledger:
        """The ledger once some rows were handed over, and some customers were said to be gone."""
        ids = pa.concat_arrays([handed["customer_id"].combine_chunks(), gone])
        others = self.rows.filter(pc.invert(pc.is_in(self.rows["customer_id"], ids)))
        return Ledger(pa.concat_tables([others, handed]).sort_by("customer_id"), erased)

    def _of(self, name: str, ids: pa.Array) -> pa.Array:
        return self.rows[name].combine_chunks().take(pc.index_in(ids, self.rows["customer_id"].combine_chunks()))


def read_ledger(workspace: Workspace, target: str) -> Ledger:
    """What was handed over to a target; nothing yet where there is no file. What a killed run left is mended first."""
    clear_up(workspace.exports)
    path = ledger_path(workspace, target)
    if not path.exists():
        return Ledger(SCHEMA.empty_table(), 0)
    rows = read_parquet(path)
    noted = int((rows.schema.metadata or {}).get(CUSTOMERS, rows.num_rows))
    return Ledger(rows.cast(SCHEMA), noted - rows.num_rows)


def write_ledger(workspace: Workspace, target: str, ledger: Ledger) -> None:
    """Put a ledger in the place of the one before it, all or nothing; those of other targets stay."""
    rows = ledger.rows
    rows = rows.replace_schema_metadata({CUSTOMERS: str(rows.num_rows + ledger.erased).encode()})
    with staged(workspace.exports, keep=True) as folder:
        path = folder / ledger_path(workspace, target).name
        path.unlink(missing_ok=True)
        pq.write_table(rows, path, compression="zstd")


def ledger_path(workspace: Workspace, target: str) -> Path:
    """The file of a target's ledger."""
    return workspace.exports / f"{target}.parquet"


def digests(cells: pa.Table, name: str, target: Target, pseudonyms: Pseudonyms) -> pa.Array:
    """A digest of each row as it is written, and of the file's headers: another mapping is another row.

    cells: of the file called `name`. Columns that are no reason to hand a row over again are left out. Keyed (BLAKE2b,
    RFC 7693), for a row may carry ids of the company.
    """
    headers = [column.header for column in target.files[name].columns if column.change]
    told = cells.select([header for header in headers if header in cells.column_names])
    secret = hashlib.sha256(b"customer-scoring: exports\0" + pseudonyms.key).digest()
    first = hashlib.blake2b(BETWEEN.join([name, *cells.column_names, ""]).encode(), digest_size=BYTES, key=secret)
    found: list[str] = []
    for texts in written(told, target):
        columns = [pc.fill_null(column.combine_chunks(), "") for column in texts.columns]
        found += [_digest(first, line) for line in pc.binary_join_element_wise(*columns, BETWEEN).to_pylist()]
    return pa.array(found, pa.string())


def _digest(first: hashlib.blake2b, line: str) -> str:
    found = first.copy()
    found.update(line.encode())
    return found.hexdigest()
