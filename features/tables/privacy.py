"""Pseudonyms: a company's own ids stop at the door.

A pseudonym is the first 128 bits of HMAC-SHA-256 (RFC 2104, FIPS 198-1) over the id, in hexadecimal. Whoever lacks
the key can neither compute nor test one.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from features.errors import InputError

KEY_VARIABLE = "CUSTOMER_SCORING_KEY"
SHORTEST_KEY = 32
BLANKS = " \t\r\n\v\f\u00a0\u2003\u3000\ufeff"
"""What does not count around a cell, in ids and elsewhere."""


@dataclass(frozen=True)
class Pseudonyms:
    """Turns ids into pseudonyms with one key."""

    key: bytes = field(repr=False)

    def of(self, raw_id: str) -> str:
        """The pseudonym of an id: 32 hexadecimal digits. Blanks around an id do not count."""
        found = _keyed(self.key).copy()
        found.update(raw_id.strip(BLANKS).encode(errors="surrogatepass"))
        return found.hexdigest()[:32]

    def of_all(self, raw_ids: Iterable[str]) -> list[str]:
        """The pseudonyms of many ids, in their order."""
        return [self.of(raw_id) for raw_id in raw_ids]

    @property
    def fingerprint(self) -> str:
        """Tells one key from another without telling the key; stored beside the tables made with it."""
        return hmac.new(self.key, b"customer-scoring: which key is this?", hashlib.sha256).hexdigest()[:16]


@cache
def _keyed(key: bytes) -> hmac.HMAC:
    """Begun with the key, which takes longer than an id."""
    return hmac.new(key, digestmod=hashlib.sha256)


def key_file(name: str = "pseudonyms.key") -> Path:
    """Where a key lives when no environment variable carries it: outside every workspace."""
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "customer-scoring" / name


def load_pseudonyms() -> Pseudonyms:
    """The pseudonyms of this installation: key from the environment, else from its file, made on first use."""
    cure = "Restore the key from your backup; a new one gives every customer a new pseudonym."
    return Pseudonyms(load_key(KEY_VARIABLE, key_file(), cure))


def load_key(variable: str, file: Path, cure: str) -> bytes:
    """The key in an environment variable, else in its file, made on first use. Raises InputError, with `cure`, for one
    that is too short."""
    given = os.environb.get(variable.encode())
    place = str(file) if given is None else f"environment variable {variable}"
    key = (_read_or_make(file) if given is None else given).strip()
    if len(key) < SHORTEST_KEY:
        raise InputError(place, f"a key of {len(key)} characters", f"at least {SHORTEST_KEY}", cure)
    return key


def check_same_key(pseudonyms: Pseudonyms, fingerprint: str, place: Path) -> None:
    """Refuse tables whose pseudonyms were made with another key."""
    if not hmac.compare_digest(pseudonyms.fingerprint, fingerprint):
        raise InputError(
            place,
            f"pseudonyms made with key {fingerprint}",
            f"the key at hand, {pseudonyms.fingerprint}",
            f"Set {KEY_VARIABLE} or {key_file()} to the key used at ingest, or ingest again.",
        )


def _read_or_make(path: Path) -> bytes:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        mine = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_hex(32) + "\n")
        with contextlib.suppress(FileExistsError):  # another process was first: its key counts
            os.link(mine, path)
        mine.unlink()
    return path.read_bytes()
