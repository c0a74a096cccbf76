"""Taking a person out of tables, open ones and sealed ones; what does not have the person is not touched."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.tables.person import Person, pieces
from features.tables.privacy import BLANKS
from features.tables.rewrite import Rewritten, digest, rewrite
from features.tables.sources import CustomerTable, EventTable, Source
from features.tables.vault import Vault
from features.workspace import part_files

OWNERS = ("customer_id", "survivor", "merged_from")
"""Columns that say whose row it is."""

QUARANTINE = "quarantine"


def erase_rows(folder: Path, person: Person, but: Collection[str] = ()) -> list[Rewritten]:
    """Take the person out of every Parquet table below `folder`, which is staged: its rows go, and where the row of
    another names it (the partner of a transfer), a null is left. but: names of files that keep the person."""
    done = []
    tables = (path for path in folder.rglob("*.parquet") if path.parent.suffix != ".parquet" and path.name not in but)
    for table in sorted(tables):
        columns = _texts(pq.read_schema(part_files(table)[0])) if part_files(table) else []
        found = rewrite(table, columns, person.words, lambda rows: without(rows, person)) if columns else []
        place = (table if table.is_dir() else table.parent).relative_to(folder)
        done += [replace(each, file=(place / each.file).as_posix()) for each in found]
    return done


def erase_sealed(vault: Vault, person: Person, source: Source, but: tuple[str, ...] = ()) -> list[Rewritten]:
    """Take the person out of every entry of the vault whose name does not begin with one of `but`."""
    done = []
    for name in vault.names(""):
        old = vault.read(name)
        if name.startswith(but or ("\0",)):
            continue
        new = without_lines(old, person, source) if name.startswith(QUARANTINE) else without(old, person)
        if new is old:
            continue
        path = vault.path(name)
        before = digest(path)
        if new.num_rows:
            vault.write(name, new)
        else:
            vault.remove(name)
        after = digest(path) if new.num_rows else None
        done.append(Rewritten(f"vault/{path.relative_to(vault.folder)}", before, after, old.num_rows, new.num_rows))
    return done


def without(table: pa.Table, person: Person) -> pa.Table:
    """The rows of others, with null where one names the person; `table` itself when there is nothing of the person."""
    words = pa.array(sorted(person.words), pa.string())
    here = {name: pc.is_in(table[name], words.cast(table[name].type)) for name in _texts(table.schema)}
    here = {name: found for name, found in here.items() if pc.any(found).as_py()}
    if not here:
        return table
    for name, found in here.items():
        if name not in OWNERS and table.schema.field(name).nullable:
            position, field = table.schema.get_field_index(name), table.schema.field(name)
            table = table.set_column(position, field, pc.if_else(found, pa.scalar(None, field.type), table[name]))
    owned = [found for name, found in here.items() if name in OWNERS]
    for found in owned[1:]:
        owned[0] = pc.or_(owned[0], found)
    return table.filter(pc.invert(owned[0])) if owned else table


def without_lines(quarantine: pa.Table, person: Person, source: Source) -> pa.Table:
    """The refused lines without those that have an id of the person in a column of ids, or a telling one anywhere;
    `quarantine` itself when there is none."""
    columns = id_columns(source)
    tables, rows = quarantine["table"].to_pylist(), quarantine["row"].to_pylist()
    others = [not _is_of(json.loads(row), person, columns.get(of)) for of, row in zip(tables, rows, strict=True)]
    return quarantine if all(others) else quarantine.filter(pa.array(others))


def id_columns(source: Source) -> dict[str, set[str]]:
    """Table → its columns that hold ids of customers."""
    found: dict[str, set[str]] = {}
    for table in source.tables:
        match table:
            case EventTable():
                found[table.name] = {table.customer, *([table.counterparty] if table.counterparty else [])}
            case CustomerTable():
                found[table.name] = {table.customer}
    return found


def _is_of(cells: dict[str, str | None] | str, person: Person, columns: Collection[str] | None) -> bool:
    """cells: of a row, or the text of a line that is none; columns: those that hold ids; None: nobody knows which."""
    if isinstance(cells, str):
        return not person.raw_ids.isdisjoint(pieces(cells))
    for column, cell in cells.items():
        ids = person.raw_ids if columns is None or column in columns else person.words
        if cell is not None and str(cell).strip(BLANKS) in ids:
            return True
    return False


def _texts(schema: pa.Schema) -> list[str]:
    """The columns that hold texts."""
    return [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
