"""One customer under several ids: found, decided, and put under one id in the tables.

Every change is made in a staged copy of the tables: the ledger, `merges.parquet` and the rows change together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from features.errors import InputError
from features.tables.groups import Groups
from features.tables.ledger import Finding, Ledger, State
from features.tables.matching import Match, match
from features.tables.merges import first_events, is_customer, survivors, write_merges
from features.tables.privacy import Pseudonyms
from features.tables.sources import IDENTITY
from features.tables.vault import Vault, open_vault
from features.workspace import staged


@dataclass(frozen=True)
class Resolved:
    """How many people were compared, and the pairs of ids newly merged and newly proposed."""

    people: int
    merged: int
    proposed: int


def resolve(tables: Path, pseudonyms: Pseudonyms, by: str) -> Resolved:
    """Find the customers who are one person or firm: merge where that is certain, propose where it is likely.

    Raises InputError where the tables came without columns that tell persons apart.
    """
    people = read_people(open_vault(tables, pseudonyms))
    if not people.num_rows:
        raise InputError(
            tables / "vault",
            "nothing that tells persons apart",
            f"one of {', '.join(IDENTITY)} of a customer table",
            "Map the columns under `identity:` of a customer table in the source file, and ingest again.",
        )
    found = match(people)
    counts = {"merged": 0, "proposed": 0}

    def note(ledger: Ledger) -> None:
        for finding in _new_findings(found, ledger, _first(tables, found), by):
            ledger.put(finding)
            counts[finding.state] += 1

    _change(tables, pseudonyms, note)
    return Resolved(people.num_rows, counts["merged"], counts["proposed"])


def accept(tables: Path, pseudonyms: Pseudonyms, merges: Sequence[int], by: str) -> None:
    """Merge what was proposed, or once rejected or undone. All or nothing."""

    def note(ledger: Ledger) -> None:
        for number in merges:
            _merge(ledger, ledger.numbered(number), by)

    _change(tables, pseudonyms, note)


def reject(tables: Path, pseudonyms: Pseudonyms, merges: Sequence[int], by: str) -> None:
    """Tell two ids apart for good. All or nothing."""
    _change(tables, pseudonyms, lambda ledger: _decide(ledger, merges, "proposed", "rejected", by))


def undo(tables: Path, pseudonyms: Pseudonyms, merge: int, by: str) -> None:
    """Take a merge back: the tables are what they were without it."""
    _change(tables, pseudonyms, lambda ledger: _decide(ledger, [merge], "merged", "undone", by))


def merge_by_hand(tables: Path, pseudonyms: Pseudonyms, one: str, other: str, by: str) -> int:
    """Merge two of the company's own ids; returns the number of the merge."""
    ids = (pseudonyms.of(one), pseudonyms.of(other))
    for place, name in zip(("the first id", "the second id"), ids, strict=True):
        if not is_customer(tables, name):
            raise InputError(place, "an id of no customer", "one that the tables have")
    if ids[0] == ids[1]:
        raise InputError("the two ids", "the same id twice", "two ids of one customer")
    number = 0

    def note(ledger: Ledger) -> None:
        nonlocal number
        later, earlier = _in_order(ids, first_events(tables, ids))
        known = ledger.about((min(ids), max(ids)))
        number = known.merge if known else ledger.next_number
        _merge(ledger, Finding(number, later, earlier, "proposed", "by hand", None, ()), by)

    _change(tables, pseudonyms, note)
    return number


def read_ledger(tables: Path, pseudonyms: Pseudonyms) -> Ledger:
    """What was found and decided."""
    return Ledger.read(open_vault(tables, pseudonyms))


def read_people(vault: Vault) -> pa.Table:
    """customer_id and the columns IDENTITY, text or null; of each person the last values by `valid_from`."""
    entries = [table for _, table in vault.tables("people")]
    rows = pa.concat_tables(entries) if entries else pa.table({"role": pa.array([], pa.string())})
    rows = rows.filter(pc.equal(rows["role"], "identity"))
    if not rows.num_rows:
        return pa.table({name: pa.array([], pa.string()) for name in ("customer_id", *IDENTITY)})
    rows = rows.append_column("nr", pa.array(range(rows.num_rows), pa.int64()))
    order = [("valid_from", "ascending", "at_start"), ("nr", "ascending", "at_end")]
    people: dict[str, dict[str, str]] = {}
    for row in rows.sort_by(order).select(["customer_id", "attribute", "value"]).to_pylist():
        people.setdefault(row["customer_id"], {})[row["attribute"]] = row["value"]
    columns = {name: pa.array([p.get(name) for p in people.values()], pa.string()) for name in IDENTITY}
    return pa.table({"customer_id": pa.array(people, pa.string()), **columns})


def side_by_side(tables: Path, pseudonyms: Pseudonyms, finding: Finding) -> tuple[dict[str, str], dict[str, str]]:
    """What the vault knows of the two ids, the later one first: fact → value, empty where it is not known."""
    vault = open_vault(tables, pseudonyms)
    people = {row.pop("customer_id"): row for row in read_people(vault).to_pylist()}
    ids = {row["customer_id"]: row["id"] for _, names in vault.tables("names") for row in names.to_pylist()}
    first = first_events(tables, finding.pair)

    def side(name: str) -> dict[str, str]:
        since = f"{datetime.fromtimestamp(first[name] / 1e6, UTC):%Y-%m-%d}" if name in first else None
        facts = {"id": ids.get(name), **people.get(name, dict.fromkeys(IDENTITY)), "first event": since}
        return {fact: value or "" for fact, value in facts.items()}

    return side(finding.customer_id), side(finding.survivor)


def _change(tables: Path, pseudonyms: Pseudonyms, note: Callable[[Ledger], None]) -> None:
    """Note something in the ledger, and let the tables follow."""
    with staged(tables, keep=True) as folder:
        vault = open_vault(folder, pseudonyms)
        ledger = Ledger.read(vault)
        note(ledger)
        ledger.write(vault)
        groups = ledger.merged()
        ids = [name for group in groups.members() for name in group]
        write_merges(folder, survivors(groups, first_events(folder, ids)))


def _new_findings(found: list[Match], ledger: Ledger, first: dict[str, int], by: str) -> list[Finding]:
    """What the matches say that is not decided yet: certain ones first, then by probability."""
    groups, number, new = ledger.merged(), ledger.next_number, []
    for m in sorted(found, key=lambda m: (not m.strong, -m.probability, m)):
        pair = (m.one, m.other)
        known = ledger.about(pair)
        if (known and not (m.strong and known.state == "proposed")) or groups.joined(pair):
            continue
        if ledger.told_apart(pair, groups):
            continue
        later, earlier = _in_order(pair, first)
        finding = Finding(
            known.merge if known else number, later, earlier, "proposed", "probable", m.probability, m.reasons
        )
        if m.strong:
            groups.join(pair)
            finding = replace(finding, state="merged", how="strong", decided_at=datetime.now(UTC), decided_by=by)
        new.append(finding)
        number += known is None
    return new


def _merge(ledger: Ledger, finding: Finding, by: str) -> None:
    groups = ledger.merged()
    if groups.joined(finding.pair):
        raise InputError(f"merge {finding.merge}", "two ids that are one customer already", "two customers")
    against = ledger.told_apart(finding.pair, groups)
    if against and against.pair != finding.pair:
        raise InputError(
            f"merge {finding.merge}",
            f"customers whom merge {against.merge} tells apart",
            "nothing against it",
            f"If they are one, accept merge {against.merge} first.",
        )
    ledger.put(replace(finding, state="merged", decided_at=datetime.now(UTC), decided_by=by))


def _decide(ledger: Ledger, merges: Sequence[int], was: State, becomes: State, by: str) -> None:
    for number in merges:
        finding = ledger.numbered(number)
        if finding.state != was:
            raise InputError(f"merge {number}", f"a merge that is {finding.state}", f"one that is {was}")
        ledger.put(replace(finding, state=becomes, decided_at=datetime.now(UTC), decided_by=by))


def _first(tables: Path, found: list[Match]) -> dict[str, int]:
    return first_events(tables, {name for m in found for name in (m.one, m.other)})


def _in_order(pair: tuple[str, str], first: dict[str, int]) -> tuple[str, str]:
    """The id that came later, and the one that came first."""
    ((later, earlier),) = survivors(Groups([pair]), first).items()
    return later, earlier
