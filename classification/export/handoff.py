"""Handing a graded month over to another system: all of it once, then only what changed.

The files come first, in a folder that is put in place as one, and then the ledger that says what was handed over: an
export that is killed between the two is done again by the next, and nothing that changed is ever left out. Whoever
imports the files by the external id, in the order of the exports, has what a full export would give.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from classification.export import gone
from classification.export.base import Base, Order, Plays, read_base, read_people
from classification.export.cells import can_hold, cells
from classification.export.files import write_cells
from classification.export.ledger import SCHEMA, Ledger, digests, read_ledger, write_ledger
from classification.export.target import Target, target_path
from features.errors import InputError
from features.progress import Progress, silent
from features.tables.audit import Audit
from features.tables.privacy import Pseudonyms
from features.workspace import Workspace, staged


@dataclass(frozen=True)
class HandedOver:
    """What was done. rows: file → customers in it; files: names of what was written, none where nothing changed.

    same: customers whose rows the target has already; refused: those whose id nobody knows, or the target cannot hold;
    erased: customers who were forgotten, or objected to profiling, since the export before.
    """

    rows: dict[str, int]
    files: tuple[str, ...]
    same: int
    refused: int
    erased: int


@dataclass(frozen=True)
class _Part:
    """A file of the target: the cells of the customers that it may get, and whether each is handed over now.

    noted: what the ledger will say of those.
    """

    name: str
    cells: pa.Table
    chosen: pa.Array
    noted: pa.Table
    refused: int


def hand_over(
    workspace: Workspace,
    order: Order,
    pseudonyms: Pseudonyms,
    audit: Audit,
    plays: Plays | None = None,
    progress: Progress = silent,
) -> HandedOver:
    """Write the files of a month that a target has not had yet, and note what it has now.

    Raises InputError for a folder that is there already or lies in the workspace, and for a target that names what the
    month does not have; then nothing is written.
    """
    check_folder(order.folder, workspace)
    progress("read the month", 0, 1)
    people = read_people(workspace, pseudonyms)
    base = read_base(workspace, order, people, plays)
    progress("read the month", 1, 1)
    name = ledger_name(order.name)
    ledger = read_ledger(workspace, name)
    parts = [_part(each, mine, order, ledger, pseudonyms) for each, mine in _parted(base, order.target)]
    handed = pa.concat_tables([part.noted for part in parts])
    left = gone.ROWS.empty_table() if order.within else gone.left(ledger, base, people)
    told = gone.as_cells(pa.concat_tables([gone.moved(ledger, handed), left]), people, order.target)
    rows = {part.name: part.noted.num_rows for part in parts} | {gone.GONE: told.num_rows}
    files = _write(order, parts, told, rows, audit, progress) if any(rows.values()) else ()
    new = ledger.after(handed, left["customer_id"].combine_chunks(), ledger.erased if order.within else 0)
    if new != ledger:
        write_ledger(workspace, name, new)
    same = sum(part.cells.num_rows - part.noted.num_rows for part in parts)
    return HandedOver(rows, files, same, sum(part.refused for part in parts), ledger.erased)


def ledger_name(target: str) -> str:
    """What the ledger of a target is called, be it a name or the path of its file."""
    return target_path(target).stem


def check_folder(folder: Path, workspace: Workspace) -> None:
    """Refuse a folder that is there, for the files in it may still have to be imported; and one in the workspace."""
    home = workspace.home.resolve()
    if folder.resolve().is_relative_to(home):
        raise InputError(
            folder,
            f"a folder in the workspace {home.name}",
            "one outside it",
            "The files name customers by the company's own ids, of which `scoring forget` leaves no trace there.",
        )
    if folder.exists():
        raise InputError(
            folder,
            "something that is there already",
            "a new folder",
            "Import what is in it first: the next export has only what changed since.",
        )


def _parted(base: Base, target: Target) -> Iterator[tuple[str, Base]]:
    """Each file's customers: everybody is in the first that takes them."""
    for name, file in target.files.items():
        mine = base.among(file.within)
        yield name, base.rows(mine)
        base = base.rows(pc.invert(mine))


def _part(name: str, base: Base, order: Order, ledger: Ledger, pseudonyms: Pseudonyms) -> _Part:
    """Chosen are those within whose row is new or another one, or all of them for a full export; and of those outside
    whom the target has with another row, for what it has of them would be no longer true."""
    file = order.target.files[name]
    held = can_hold(base.ids, order.target, file.id)
    base = base.rows(held)
    ids, made = base.grades["customer_id"].combine_chunks(), cells(base, file, order.target)
    found = digests(made, name, order.target, pseudonyms)
    changed, inside = ledger.changed(ids, found), base.among({name: [each] for name, each in order.within.items()})
    chosen = pc.and_(changed, pc.or_(inside, ledger.files(ids).is_valid()))
    chosen = pc.or_(chosen, inside) if order.full else chosen
    noted = pa.table([ids, pa.repeat(name, len(ids)), found], schema=SCHEMA).filter(chosen)
    return _Part(name, made, chosen, noted, len(held) - len(ids))


def _write(
    order: Order, parts: list[_Part], told: pa.Table, rows: dict[str, int], audit: Audit, progress: Progress
) -> tuple[str, ...]:
    """All files at once; the line in the audit log comes before they are in place."""
    files: list[str] = []
    with staged(order.folder) as folder:
        for part in parts:
            mine = part.cells.filter(part.chosen).sort_by(order.target.files[part.name].id.header)
            files += write_cells(folder, part.name, mine, order.target, progress)
        files += write_cells(folder, gone.GONE, told, order.target, progress)
        audit.append(
            "export",
            None,
            format=ledger_name(order.name),
            month=order.month.name,
            within=dict(order.within),
            full=order.full,
            rows=rows,
        )
    return tuple(files)
