"""Legal holds: what must be kept for a while, such as the proof of an invoice, though the person asks to be forgotten.

While a hold lasts, forgetting a person restricts: its events and attributes go from the tables into the vault, where
nothing processes them, and everything else is erased.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.tables.person import RESTRICTED, Person, tombstone
from features.tables.privacy import Pseudonyms
from features.tables.vault import Vault
from features.workspace import part_files

LEDGER = "holds/ledger"
SCHEMA = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("until", pa.date32(), nullable=False),  # the last day of the hold
        pa.field("reason", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Hold:
    """The rows of `customer_id` are kept through the day `until`."""

    customer_id: str
    until: date
    reason: str


def knows(tables: Path, person: Person) -> bool:
    """Whether the tables have rows of a person."""
    found = (rows_of(tables / f"{name}.parquet", person) for name in ("events", "customers"))
    return any(rows is not None and rows.num_rows for rows in found)


def read_holds(vault: Vault) -> list[Hold]:
    """All holds, in order of their end."""
    rows = vault.read(LEDGER).to_pylist() if vault.path(LEDGER).exists() else []
    return sorted((Hold(**row) for row in rows), key=lambda hold: (hold.until, hold.customer_id))


def hold_of(vault: Vault, person: Person) -> Hold | None:
    """The hold on a person, the one that ends last."""
    mine = [hold for hold in read_holds(vault) if hold.customer_id in person.ids]
    return mine[-1] if mine else None


def put_hold(vault: Vault, person: Person, hold: Hold | None) -> None:
    """Set the hold on a person in the place of any it had; None: no hold."""
    others = [each for each in read_holds(vault) if each.customer_id not in person.ids]
    rows = [vars(each) for each in sorted([*others, *([hold] if hold else [])], key=lambda each: each.customer_id)]
    if rows:
        vault.write(LEDGER, pa.Table.from_pylist(rows, SCHEMA))
    elif vault.path(LEDGER).exists():
        vault.remove(LEDGER)


def restricted_entries(person: Person) -> tuple[str, ...]:
    """How the names of the entries begin that keep a person's rows while a hold lasts."""
    return tuple(f"{RESTRICTED}/{name}/" for name in person.tombstones)


def restrict(tables: Path, vault: Vault, person: Person, pseudonyms: Pseudonyms) -> None:
    """Copy a person's rows from the tables into the vault, beside those that are there already."""
    entry = f"{RESTRICTED}/{tombstone(min(person.ids))}"
    for name in ("events", "customers"):
        rows = rows_of(tables / f"{name}.parquet", person)
        if rows is not None and rows.num_rows:
            vault.append(f"{entry}/{name}", rows)
    names = {pseudonyms.of(raw_id): raw_id for raw_id in person.raw_ids}
    ids = sorted(person.ids)
    said = {"customer_id": pa.array(ids), "id": pa.array(map(names.get, ids), pa.string())}
    vault.write(f"{entry}/names", pa.table(said))


def rows_of(table: Path, person: Person) -> pa.Table | None:
    """A person's rows of a table; None: there is no table."""
    files = part_files(table)
    wanted = pc.field("customer_id").isin(sorted(person.ids))
    found = [pq.read_table(file, filters=wanted) for file in files]
    # A part file without a null may say that its column has none; of another one that need not hold.
    return pa.concat_tables(found, promote_options="default") if files else None
