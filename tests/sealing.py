"""Puts into the vault what belongs there, where ingest has left it in the open."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.tables.erasure import id_columns
from features.tables.events import CUSTOMERS
from features.tables.privacy import Pseudonyms
from features.tables.rewrite import write_part
from features.tables.sources import CustomerTable, Source
from features.tables.vault import open_vault
from features.workspace import Workspace

PEOPLE = pa.schema(
    [
        pa.field("customer_id", pa.string()),
        pa.field("attribute", pa.string()),
        pa.field("value", pa.string()),
        pa.field("valid_from", pa.date32()),
        pa.field("role", pa.string()),
    ]
)


def seal(workspace: Workspace, source: Source, pseudonyms: Pseudonyms, raw: Path) -> None:
    """Names, people and quarantine → vault; nothing to do where there is no open quarantine."""
    tables, vault = workspace.tables, open_vault(workspace.tables, pseudonyms)
    quarantine = tables / "quarantine.parquet"
    if not quarantine.exists():
        return
    if (refused := pq.read_table(quarantine)).num_rows:
        vault.write("quarantine/00001-00000", refused)
    quarantine.unlink()
    ids: set[str] = set()
    people: list[dict[str, object]] = []
    for table in source.tables:
        for file in table.files if table.name in id_columns(source) else ():
            rows = pd.read_csv(raw / file, dtype=str)
            for column in id_columns(source)[table.name]:
                ids |= set(rows[column].dropna().str.strip())
            if isinstance(table, CustomerTable):
                people += _people(table, rows, pseudonyms)
    names = sorted(ids)
    vault.write("names/00001-00000", pa.table({"customer_id": pseudonyms.of_all(names), "id": names}))
    if people:
        vault.write("people/00001-00000", pa.Table.from_pylist(people, PEOPLE))
    customers = pq.read_table(tables / "customers.parquet", schema=CUSTOMERS)
    write_part(customers.filter(pc.not_equal(customers["family"], "private")), tables / "customers.parquet")


def _people(table: CustomerTable, rows: pd.DataFrame, pseudonyms: Pseudonyms) -> list[dict[str, object]]:
    private = {name: each.column for name, each in table.attributes.items() if each.family == "private"}
    said = [(name, column, "identity") for name, column in table.identity.items()]
    said += [(name, column, "private") for name, column in private.items()]
    return [
        {"customer_id": pseudonyms.of(row[table.customer]), "attribute": name, "value": row[column], "role": role}
        for _, row in rows.iterrows()
        for name, column, role in said
        if not pd.isna(row[column]) and not pd.isna(row[table.customer])
    ]
