"""A customer as a person: every id it has, as pseudonyms and as the company writes them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from features.errors import InputError
from features.tables.merges import read_merges
from features.tables.privacy import BLANKS, Pseudonyms
from features.tables.vault import Vault
from features.workspace import read_json

FORGOTTEN = "forgotten.json"
"""The file beside the tables that lists the tombstones of those who were forgotten."""

RESTRICTED = "restricted"
"""Where in the vault the rows are that a legal hold keeps."""


@dataclass(frozen=True)
class Person:
    """ids: pseudonyms, of merged ids too; raw_ids: the company's own ids, as far as they are known."""

    ids: frozenset[str]
    raw_ids: frozenset[str] = field(repr=False)

    @property
    def tombstones(self) -> list[str]:
        """What stays of a person: it tells those who have the id that it was here, and nobody else anything."""
        return sorted(map(tombstone, self.ids))

    @property
    def words(self) -> frozenset[str]:
        """The texts that stand for this person wherever they are found."""
        return self.ids | {raw_id for raw_id in self.raw_ids if is_telling(raw_id)}


def tombstone(pseudonym: str) -> str:
    """What remains of an erased customer: the SHA-256 of its pseudonym, enough to know it again, not to name it."""
    return hashlib.sha256(pseudonym.encode()).hexdigest()


def is_telling(raw_id: str) -> bool:
    """Whether an id can be known for one wherever it stands. A short number or a plain word may mean anything: it is
    an id only in a column of ids."""
    return len(raw_id) >= (9 if raw_id.isdigit() else 6) and not raw_id.isalpha()


def find_person(tables: Path, vault: Vault, pseudonyms: Pseudonyms, raw_id: str) -> Person:
    """The person behind one of the company's ids, whether it is known here or not."""
    mine = pseudonyms.of(raw_id)
    under = read_merges(tables)
    survivor = under.get(mine, mine)
    ids = {mine, survivor, *(id_ for id_, other in under.items() if other == survivor)}
    raw_ids = {raw_id.strip(BLANKS)}
    for names in _names(vault, RESTRICTED):
        if not ids.isdisjoint(names):
            ids |= names.keys()
            raw_ids |= {id_ for id_ in names.values() if id_ is not None}
    for names in _names(vault, "names"):
        raw_ids |= {str(names[id_]) for id_ in ids & names.keys()}
    return Person(frozenset(ids), frozenset(raw_ids))


def own_ids(vault: Vault, ids: Collection[str]) -> dict[str, str]:
    """Pseudonym → the company's own id, for those of `ids` of whom the vault has it."""
    wanted = frozenset(ids)
    found = ((id_, name) for names in _names(vault, "names") for id_, name in names.items())
    return {id_: name for id_, name in found if id_ in wanted and name is not None}


def read_names(vault: Vault) -> pa.Table:
    """The way back, for exports: pseudonym (`customer_id`) → the company's own `id`, of everybody in the tables."""
    schema = pa.schema([("customer_id", pa.string()), ("id", pa.string())])
    return pa.concat_tables([schema.empty_table(), *(table.select(schema.names) for _, table in vault.tables("names"))])


def restricted_people(vault: Vault) -> list[Person]:
    """Those whose rows are in the vault because of a hold."""
    found = _names(vault, RESTRICTED)
    return [Person(frozenset(names), frozenset(filter(None, names.values()))) for names in found]


def _names(vault: Vault, under: str) -> Iterator[dict[str, str | None]]:
    """Pseudonym → the company's own id (null: unknown), for each table of names below `under`."""
    for name in vault.names(under):
        if name.startswith("names/") or name.endswith("/names"):
            table = vault.read(name)
            yield dict(zip(table["customer_id"].to_pylist(), table["id"].to_pylist(), strict=True))


def pieces(line: str) -> list[str]:
    """What may be the cells of a line that is no row."""
    return [piece.strip(BLANKS + "\"'") for piece in re.split(r"[,;|\s]", line)]


def names_forgotten(line: str, pseudonyms: Pseudonyms, tombstones: Collection[str]) -> bool:
    """Whether a line that is no row has the id of somebody who was forgotten in it."""
    return bool(tombstones) and any(tombstone(pseudonyms.of(piece)) in tombstones for piece in pieces(line) if piece)


def forgotten(tables: Path) -> list[str]:
    """The tombstones of all who were forgotten."""
    path = tables / FORGOTTEN
    found: list[str] = read_json(path) if path.exists() else []
    return found


class UnknownCustomerError(InputError):
    """Nobody of that id; which id it was is not repeated."""


def unknown_customer(place: str | Path) -> UnknownCustomerError:
    """The letter about an id of nobody."""
    return UnknownCustomerError(
        place, "nothing of a customer of that id", "the company's own id of a customer", "Look for blanks and zeros."
    )
