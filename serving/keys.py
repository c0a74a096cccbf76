"""API keys: who may ask the service for what.

A key is shown once, when it is made; kept is its SHA-256. A slow hash would add nothing: the secret is 32 random bytes,
which nobody guesses, whatever a guess costs.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Lock
from typing import Literal, get_args

from features.errors import InputError
from features.tables.audit import Audit
from features.workspace import Workspace, alone, damaged, read_json, write_json

Role = Literal["score", "read", "aml", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""score: ask for scores and send events; read: ask about graded customers, the scheme and plays, and note
what persons decided about credit; aml: what is known of
suspected laundering; admin: metrics."""

PREFIX = "cs"
ID_BYTES, SECRET_BYTES = 4, 32
FRESH_SECONDS = 1.0
"""So long a change of the file may go unnoticed."""


@dataclass(frozen=True)
class Key:
    """A key without its secret. until: the last day it is good for, null: no end; revoked: since when it is not."""

    id: str
    name: str
    roles: tuple[Role, ...]
    digest: str
    created: str
    until: str | None = None
    revoked: str | None = None

    def good(self, day: date) -> bool:
        """Whether it opens anything on a day."""
        return self.revoked is None and (self.until is None or day.isoformat() <= self.until)


@dataclass(frozen=True)
class Caller:
    """Who asks. key: the id of the key; empty where none are asked for."""

    key: str
    roles: frozenset[str]


EVERYBODY = Caller("", frozenset(ROLES) - {"aml"})
"""The caller where no keys are asked for; what speaks of suspected laundering needs one always."""


@dataclass
class KeyRing:
    """The keys of a workspace, read again when their file changes."""

    path: Path
    _keys: dict[str, Key] = field(default_factory=dict)
    _seen: tuple[float, int] = (0.0, -1)
    _lock: Lock = field(default_factory=Lock)

    def caller(self, secret: str) -> Caller | None:
        """Whose key this is; None for one that is not, or no longer, good."""
        _, _, rest = secret.partition("_")
        key = self._current().get(rest.partition("_")[0])
        right = hmac.compare_digest(_digest(secret), key.digest if key else _digest(""))
        if key is None or not right or not key.good(datetime.now(UTC).date()):
            return None
        return Caller(key.id, frozenset(key.roles))

    def _current(self) -> dict[str, Key]:
        checked, mtime = self._seen
        if time.monotonic() - checked < FRESH_SECONDS:
            return self._keys
        with self._lock:
            there = self.path.stat().st_mtime_ns if self.path.exists() else 0
            if there != mtime:
                self._keys = {key.id: key for key in read_keys(self.path)}
            self._seen = time.monotonic(), there
        return self._keys


def keys_path(workspace: Workspace) -> Path:
    """The file of a workspace's keys."""
    return workspace.home / "keys.json"


def read_keys(path: Path) -> list[Key]:
    """All keys that were ever made, in order; none where there is no file. InputError for one that is damaged."""
    found = read_json(path) if path.exists() else []
    try:
        return [Key(**each | {"roles": tuple(each["roles"])}) for each in found]
    except (TypeError, KeyError) as error:
        raise damaged(path, error) from None


def add_key(workspace: Workspace, audit: Audit, name: str, roles: Sequence[str], until: date | None) -> str:
    """Make a key, and return its secret, which is nowhere else. InputError for what is no role, or no name."""
    unknown = [role for role in roles if role not in ROLES]
    if unknown or not roles:
        raise InputError("--role", f"'{unknown[0]}'" if unknown else "none", f"one or more of {', '.join(ROLES)}")
    if not name.strip():
        raise InputError("--name", "nothing", "who will use the key, as in shop")
    id_ = secrets.token_hex(ID_BYTES)
    secret = f"{PREFIX}_{id_}_{secrets.token_urlsafe(SECRET_BYTES)}"
    mine = tuple(role for role in ROLES if role in roles)
    end = until.isoformat() if until else None
    key = Key(id_, name.strip(), mine, _digest(secret), datetime.now(UTC).isoformat(timespec="seconds"), end)
    workspace.home.mkdir(parents=True, exist_ok=True)
    with alone(workspace.home):
        audit.append("key added", None, key=id_, name=key.name, roles=list(mine), until=end)
        _write(workspace, [*read_keys(keys_path(workspace)), key])
    return secret


def revoke_key(workspace: Workspace, audit: Audit, id_: str) -> Key:
    """End a key. InputError for one that is not there, or has ended."""
    with alone(workspace.home):
        known = read_keys(keys_path(workspace))
        mine = next((key for key in known if key.id == id_ and key.revoked is None), None)
        if mine is None:
            there = ", ".join(key.id for key in known if key.revoked is None) or "none"
            raise InputError("key", f"'{id_}'", f"the id of one that is good: {there}")
        ended = replace(mine, revoked=datetime.now(UTC).isoformat(timespec="seconds"))
        audit.append("key revoked", None, key=id_, name=mine.name)
        _write(workspace, [ended if key is mine else key for key in known])
    return ended


def _write(workspace: Workspace, keys: Sequence[Key]) -> None:
    path = keys_path(workspace)
    write_json(path, [asdict(key) for key in keys])
    path.chmod(0o600)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
