"""Publishing: a graded base → the online store, all of it or nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from classification.decisions import Override, read_overrides
from classification.grade import RANKED, Graded, LiveSet
from classification.months import read_notes
from classification.stability import OVERRIDE
from features.population import POPULATION
from features.progress import Progress, silent
from features.stored import histories, without_partners
from features.tables.consents import Consents, read_consents
from features.tables.merges import read_merges
from features.tables.person import forgotten, tombstone
from features.tables.rewrite import Rewritten, digest
from features.workspace import Workspace, alone
from serving.records import Records
from serving.store.sqlite import SCHEMA, open_file, store_path
from serving.store.state import Kept
from training.recipes import OUTPUTS
from training.snapshots import Snapshot

BATCH = 50_000
GONE = ("customers WHERE id", "records WHERE id", "histories WHERE id", "aliases WHERE id", "aliases WHERE survivor")
KNOWN = """
SELECT 1 FROM customers WHERE id = :id UNION ALL SELECT 1 FROM histories WHERE id = :id
UNION ALL SELECT 1 FROM aliases WHERE :id IN (id, survivor)
"""


@dataclass(frozen=True)
class Standing:
    """What holds of persons now, whatever was graded: who objects to what, what persons decided about classes (under
    each id of the customer), and the tombstones of those who were forgotten."""

    consents: Consents
    overrides: tuple[Override, ...]
    tombstones: tuple[str, ...]

    def but(self, ids: frozenset[str]) -> Standing:
        """The same without some customers, of whom the tombstones stay."""
        return replace(self.without_overrides(ids), consents=self.consents.but(ids))

    def without_overrides(self, ids: Collection[str]) -> Standing:
        """The same without what persons decided about some customers."""
        return replace(self, overrides=tuple(each for each in self.overrides if each.customer_id not in ids))


def standing(workspace: Workspace) -> Standing:
    """What the workspace says now; of those who were forgotten nothing but the tombstone, though they are still being
    taken out of the tables."""
    stones = tuple(forgotten(workspace.tables))
    found = Standing(read_consents(workspace.tables), tuple(overrides_by_id(workspace)), stones)
    consents, known = found.consents, frozenset(stones)
    ids = {each.customer_id for each in found.overrides} | consents.no_profiling | consents.no_marketing
    return found.but(frozenset(id_ for id_ in ids if tombstone(id_) in known)) if known else found


def to_take_out(file: sqlite3.Connection, held: Standing) -> frozenset[str]:
    """Whom a file knows and nobody may any more."""
    stones, out = frozenset(held.tombstones), held.consents.no_profiling
    if not stones and not out:
        return frozenset()
    ids = file.execute("SELECT id FROM customers UNION SELECT id FROM histories UNION SELECT id FROM aliases")
    return frozenset(id_ for (id_,) in ids if id_ in out or (stones and tombstone(id_) in stones))


def publish(workspace: Workspace, live: LiveSet, folder: Path, base: Snapshot, progress: Progress = silent) -> Path:
    """Write the states of a graded base to the store; readers see all of them or none.

    folder: of the graded snapshot; base: the feature rows and texts that were graded.
    """
    path, held = store_path(workspace, live.snapshot.id), standing(workspace)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = (
        workspace.home / f".publish.new-{os.getpid()}"
    )  # whoever revises the store meanwhile puts another folder there
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    new = aside / path.name
    try:
        with contextlib.closing(sqlite3.connect(new)) as db, db:
            db.execute("PRAGMA journal_mode = OFF")
            db.executescript(SCHEMA)
            for customer, record, kept in states(live, folder, base, progress):
                db.execute("INSERT INTO customers VALUES (?, ?)", (customer, kept))
                db.execute("INSERT INTO records VALUES (?, ?)", (customer, record))
            told = told_histories(workspace, held.consents)
            db.executemany("INSERT INTO histories VALUES (?, ?)", told)
            db.executemany("INSERT INTO aliases VALUES (?, ?)", read_merges(workspace.tables).items())
            _put_standing(db, held)
        with alone(workspace.home):  # so that nothing that was said meanwhile is lost
            if (now := standing(workspace)) != held:
                with contextlib.closing(open_file(new)) as db:
                    gone = to_take_out(db, now)
                revise(new, gone, now)
            new.replace(path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return path


def told_histories(workspace: Workspace, consents: Consents) -> Iterator[tuple[str, bytes]]:
    """The events of every customer who does not object to profiling."""
    return (each for each in histories(workspace.tables) if each[0] not in consents.no_profiling)


def states(
    live: LiveSet, folder: Path, base: Snapshot, progress: Progress = silent
) -> Iterator[tuple[str, bytes, bytes]]:
    """Pseudonym, record and `Kept` of every customer of a graded snapshot."""
    file = pq.ParquetFile(folder / "grades.parquet")
    done, total = 0, file.metadata.num_rows
    records = Records(live)
    place = {id_: i for i, id_ in enumerate(base.ids)}
    for batch in file.iter_batches(BATCH):
        progress("publish to the store", done, total)
        graded = _graded(live, pa.table(batch))
        ids = batch["customer_id"].to_pylist()
        where = np.array([place[id_] for id_ in ids])
        kept = zip(ids, _kept(graded, base, where), strict=True)
        for (customer, said), one in zip(kept, graded.each(), strict=True):
            yield customer, records.stored(one, live.snapshot.as_of), said
        done += len(ids)
    progress("publish to the store", total, total)


def _kept(graded: Graded, base: Snapshot, where: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Iterator[bytes]:
    """Of each customer what answers are made of."""
    rows = np.ascontiguousarray(base.rows[where])
    texts = {name: column.rows(where).to_arrow().to_pylist() for name, column in base.texts.items()}
    noted = [(name, np.flatnonzero((note != "") & (note != OVERRIDE))) for name, note in graded.notes.items()]
    held: dict[int, dict[str, tuple[str, str, str]]] = {}
    for name, places in noted:
        for i in places.tolist():
            said = graded.raw[name][i], graded.classes[name][i], graded.notes[name][i]
            held.setdefault(i, {})[name] = (str(said[0]), str(said[1]), str(said[2]))
    for i in range(len(rows)):
        mine = {name: column[i] for name, column in texts.items() if column[i] is not None}
        yield _encoder.encode(Kept(rows[i].tobytes(), mine, held.get(i, {})))


_encoder = msgspec.msgpack.Encoder()


def overrides_by_id(workspace: Workspace) -> list[Override]:
    """Every override that was not lifted, under each id of its customer, by id and dimension."""
    under = read_merges(workspace.tables)
    ids: dict[str, list[str]] = {}
    for id_, survivor in under.items():
        ids.setdefault(survivor, []).append(id_)
    found = [
        replace(each, customer_id=id_)
        for each in read_overrides(workspace)
        for id_ in (each.customer_id, *ids.get(each.customer_id, ()))
    ]
    return sorted(found, key=lambda each: (each.customer_id, each.dimension))


def revise(path: Path, gone: frozenset[str], held: Standing) -> Rewritten | None:
    """Put a file in the place of a store that lacks what it had of `gone`, freed pages too, and knows what holds of
    the others. Of those who were forgotten the histories of others lose the name, too.

    None, and the file is as it was, when it says so already.
    """
    held = held.without_overrides(gone)
    count = "SELECT count(*) FROM customers"
    with contextlib.closing(open_file(path)) as db:
        rows: int = db.execute(count).fetchone()[0]
        known = [id_ for id_ in gone if db.execute(KNOWN, {"id": id_}).fetchone()]
        said = [db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in ("consents", "overrides")]
        stones = [stone for (stone,) in db.execute("SELECT id FROM tombstones ORDER BY 1")]
        named = _naming(db, frozenset(id_ for id_ in gone if tombstone(id_) in held.tombstones))
        if not known and not named and said == [objections(held), decided(held)] and stones == sorted(held.tombstones):
            return None
    before = digest(path)
    new = path.with_suffix(f".{os.getpid()}.new")
    try:
        shutil.copyfile(path, new)
        with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = OFF")
            db.execute("PRAGMA secure_delete = ON")
            for column in GONE:
                db.executemany(f"DELETE FROM {column} = ?", [(id_,) for id_ in gone])
            db.executemany("UPDATE histories SET events = ? WHERE id = ?", named)
            _put_standing(db, held)
            left: int = db.execute(count).fetchone()[0]
            db.execute("VACUUM")
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    return Rewritten(path.name, before, digest(path), rows, left)


def _naming(db: sqlite3.Connection, ids: frozenset[str]) -> list[tuple[bytes, str]]:
    """The histories that name some customers as partners, without those names; and whose they are."""
    found = db.execute("SELECT id, events FROM histories") if ids else ()
    return [(new, id_) for id_, events in found if (new := without_partners(events, ids)) is not None]


def _put_standing(db: sqlite3.Connection, held: Standing) -> None:
    for table in ("consents", "overrides", "tombstones"):
        db.execute(f"DELETE FROM {table}")
    db.executemany("INSERT INTO consents VALUES (?, ?, ?)", objections(held))
    db.executemany("INSERT INTO overrides VALUES (?, ?, ?, ?, ?, ?)", decided(held))
    db.executemany("INSERT INTO tombstones VALUES (?)", [(stone,) for stone in held.tombstones])


def decided(held: Standing) -> list[tuple[str, ...]]:
    """A row for each override."""
    return [(o.customer_id, o.dimension, o.class_, o.until.isoformat(), o.by, o.reason) for o in held.overrides]


def objections(held: Standing) -> list[tuple[str, int, int]]:
    """A row for each who objects: to profiling, to marketing."""
    consents = held.consents
    ids = sorted(consents.no_profiling | consents.no_marketing)
    return [(id_, int(id_ in consents.no_profiling), int(id_ in consents.no_marketing)) for id_ in ids]


def _graded(live: LiveSet, table: pa.Table) -> Graded:
    def numbers(prefix: str, names: tuple[str, ...]) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
        return {name: table[f"{prefix}_{name}"].to_numpy().astype(float) for name in names}

    classes, raw = (
        {n: table[f"{part}_{n}"].to_numpy(zero_copy_only=False).astype(str) for n in live.scheme.dimensions}
        for part in ("class", "raw")
    )
    none = np.zeros(len(table), "<U8")
    notes = dict.fromkeys(live.scheme.dimensions, none) | read_notes(table["notes"])
    scores = numbers("score", OUTPUTS)
    standing = {each.name: table[each.name].to_numpy().astype(float) for each in POPULATION}
    codes = np.array(table["code"].to_pylist(), str)
    return Graded(scores, numbers("percentile", RANKED), standing, raw, classes, notes, {}, codes)
