"""Forgetting a person: everywhere in the workspace, with proof, and so that a rerun finishes what a killed run began.

First the tombstone, so that nothing of the person comes in again; then all that was made of the tables; the tables
last, for they say which ids are the person's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pyarrow.compute as pc

from features.errors import InputError
from features.tables.erasure import erase_rows, erase_sealed
from features.tables.holds import Hold, hold_of, put_hold, restrict, restricted_entries, rows_of
from features.tables.person import FORGOTTEN, Person, forgotten, restricted_people, unknown_customer
from features.tables.rewrite import Rewritten
from features.tables.vault import open_vault
from features.workspace import staged, write_json
from serving.desk import Desk, check_reason, revise_stores
from serving.intake import take_arrivals
from serving.store.publish import standing
from training import registry


@dataclass(frozen=True)
class Forgotten:
    """What was done. until: the last day of the hold that keeps events and attributes in the vault; files: those that
    were rewritten; searched: how many files were then read without finding the person; own_files: the company's own
    files that have the person still; releases: the versions trained when the person was known."""

    until: date | None
    files: list[Rewritten]
    searched: int
    own_files: tuple[str, ...]
    releases: list[int]


def forget(desk: Desk, person: Person, reason: str, today: date) -> Forgotten:
    """Erase a person, or restrict it while a hold lasts, and prove it by search.

    Raises InputError when nothing is known of the person, and when the search finds a trace afterwards.
    """
    tables = desk.workspace.tables
    check_reason(reason, person)
    before = desk.search(person)
    if not before.found and set(person.tombstones).isdisjoint(forgotten(tables)):
        raise unknown_customer(desk.workspace.home)
    hold = hold_of(desk.vault, person)
    hold = hold if hold and hold.until >= today else None
    releases = _releases(desk, person)
    desk.audit.append("forget", person, reason, releases=releases, until=str(hold.until) if hold else None)
    _put_tombstones(desk, person)
    desk.discard_reports()
    _forget_arrivals(desk, person)
    held = standing(desk.workspace)
    files = desk.revise(
        person,
        reason,
        lambda folder: erase_rows(folder, person) + revise_stores(folder, person.ids, held),
    )
    desk.place.revise(person.ids)
    files += _erase_tables(desk, person, reason, hold)
    kept = _kept(person) if hold else ()
    after = desk.search(person, tuple(f"tables/vault/{name}" for name in kept))
    desk.audit.append("search", person, reason, files_searched=after.files, found=len(after.found))
    if after.found:
        raise InputError(
            desk.workspace.home,
            f"traces of the person in {', '.join(after.found[:10])}",
            "none",
            "Remove those files, or run `scoring forget` again; the person is not forgotten yet.",
        )
    return Forgotten(hold.until if hold else None, files, after.files, desk.own_files(person), releases)


def forget_due(desk: Desk, today: date) -> list[Forgotten]:
    """Erase those whose hold has ended."""
    vault = desk.vault
    due = [p for p in restricted_people(vault) if not (hold := hold_of(vault, p)) or hold.until < today]
    return [forget(desk, person, "the hold has ended", today) for person in due]


def set_hold(desk: Desk, raw_id: str, until: date, reason: str, today: date) -> None:
    """Keep a person's events and attributes through `until`, whatever is asked; takes the place of an earlier hold."""
    person = desk.person(raw_id)
    check_reason(reason, person)
    if until < today:
        raise InputError("--until", str(until), f"a day from {today} on")
    if not desk.known(person) and not any(person.ids & other.ids for other in restricted_people(desk.vault)):
        raise unknown_customer(desk.workspace.home)
    with staged(desk.workspace.tables, keep=True) as folder:
        put_hold(open_vault(folder, desk.pseudonyms), person, Hold(desk.pseudonyms.of(raw_id), until, reason))
        desk.audit.append("hold", person, reason, until=str(until))


def _erase_tables(desk: Desk, person: Person, reason: str, hold: Hold | None) -> list[Rewritten]:
    with staged(desk.workspace.tables, keep=True) as folder:
        vault = open_vault(folder, desk.pseudonyms)
        if hold:
            restrict(folder, vault, person, desk.pseudonyms)
        files = erase_rows(folder, person) + erase_sealed(vault, person, desk.source, _kept(person) if hold else ())
        desk.log("revise", person, reason, desk.workspace.tables.name, files)
    return files


def _kept(person: Person) -> tuple[str, ...]:
    """The entries of the vault that a hold keeps."""
    return (*restricted_entries(person), "holds/")


def _forget_arrivals(desk: Desk, person: Person) -> None:
    """What waits goes into the tables, which are erased last: an event of another may name the person."""
    with desk.place.inboxes() as inboxes:
        for inbox in inboxes:
            take_arrivals(desk.source, desk.workspace, desk.pseudonyms, inbox)
            inbox.forget(person.ids)


def _put_tombstones(desk: Desk, person: Person) -> None:
    tombstones = sorted({*forgotten(desk.workspace.tables), *person.tombstones})
    with staged(desk.workspace.tables, keep=True) as folder:
        write_json(folder / FORGOTTEN, tombstones)


def _releases(desk: Desk, person: Person) -> list[int]:
    """The releases trained on a base that had the person: now, or when an earlier run asked."""
    first = _first_day(desk, person)
    through = registry.trained_through(desk.source.name) if first else {}
    said = {version for line in desk.audit.lines(person) for version in line.get("releases", ())}
    return sorted(said | {version for version, day in through.items() if first and first < day})


def _first_day(desk: Desk, person: Person) -> date | None:
    """The first day on which the person was known."""
    days = []
    for name, column in (("events", "day"), ("customers", "valid_from")):
        rows = rows_of(desk.workspace.tables / f"{name}.parquet", person)
        if rows is not None and rows.num_rows:
            days.append(pc.min(pc.fill_null(rows[column], date.min)).as_py())
    return min(days, default=None)
