"""The vault: what only a person with its key may read, encrypted where it lies.

It holds the way back from a pseudonym, private attributes, and the lines that were refused, raw as they came. Models,
grading and serving never open it. Every entry is a table, as Parquet, under AES-256-GCM (NIST SP 800-38D) with its own
name as associated data, so that an entry can neither be read, nor changed, nor put in another's place without the key.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from features.errors import InputError
from features.tables.privacy import Pseudonyms

NONCE = 12
"""Bytes before the ciphertext: random, new with every writing."""

SUFFIX = ".sealed"


@dataclass(frozen=True)
class Vault:
    """The encrypted tables in `folder`. An entry's name may have slashes: `quarantine/00001-00000`."""

    folder: Path
    key: bytes = field(repr=False)

    def write(self, name: str, table: pa.Table) -> None:
        """Keep `table` under `name`, in place of what was there."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        sealed = seal(self.key, sink.getvalue().to_pybytes(), name)
        path = self.path(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.{os.getpid()}")
        new.touch(mode=0o600)
        new.write_bytes(sealed)
        new.replace(path)

    def append(self, name: str, rows: pa.Table) -> None:
        """Keep `rows` under `name`, below those that are there."""
        before = [self.read(name)] if self.path(name).exists() else []
        self.write(name, pa.concat_tables([*before, rows]))

    def read(self, name: str) -> pa.Table:
        """The table kept under `name`. Raises InputError for another key or a changed file."""
        path = self.path(name)
        sealed = path.read_bytes()
        return pq.read_table(pa.BufferReader(unseal(self.key, sealed, name, path)))

    def names(self, under: str) -> list[str]:
        """The names of all entries below `under`, in order."""
        found = (self.folder / under).rglob(f"*{SUFFIX}")
        return sorted(str(path.relative_to(self.folder)).removesuffix(SUFFIX) for path in found)

    def tables(self, under: str) -> Iterator[tuple[str, pa.Table]]:
        """Name and table of all entries below `under`, in order."""
        return ((name, self.read(name)) for name in self.names(under))

    def remove(self, name: str) -> None:
        """Forget an entry."""
        self.path(name).unlink()

    def path(self, name: str) -> Path:
        """The file of an entry."""
        return self.folder / f"{name}{SUFFIX}"


def seal(key: bytes, content: bytes, name: str) -> bytes:
    """`content`, encrypted: only the key opens it, and only under its name."""
    nonce = secrets.token_bytes(NONCE)
    return nonce + AESGCM(key).encrypt(nonce, content, name.encode())


def unseal(key: bytes, sealed: bytes, name: str, place: Path) -> bytes:
    """What was sealed. Raises InputError, which names `place`, for another key or changed bytes."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE], sealed[NONCE:], name.encode())
    except (InvalidTag, ValueError):
        raise InputError(
            place, "a file that this key does not open", "one sealed with it", "Restore the key, or the file."
        ) from None


def open_vault(tables: Path, pseudonyms: Pseudonyms) -> Vault:
    """The vault of the tables in the folder `tables`; its key is derived from that of the pseudonyms."""
    return Vault(tables / "vault", hashlib.sha256(b"customer-scoring: vault\0" + pseudonyms.key).digest())
