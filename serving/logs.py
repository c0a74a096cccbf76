"""One line of JSON a request: what was asked, by whom, and how it went. Nothing of any customer but a keyed digest."""

from __future__ import annotations

import sys
import traceback
from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

from features.tables.privacy import Pseudonyms

DIGITS = 12
"""Of the digest: enough to find the requests about one customer, by whoever has the key and the id."""


@dataclass(frozen=True)
class Log:
    """Lines go to `stream`; None for no log. pseudonyms: whose key makes the digests."""

    pseudonyms: Pseudonyms
    stream: TextIO | None = None

    def request(self, scope: MutableMapping[str, Any], request_id: bytes, status: int, seconds: float) -> None:
        """Note a request that was answered; of one in `serving.roles.UNTOLD` neither route nor customer."""
        if self.stream is None:
            return
        caller = scope.get("caller")
        said = {
            "at": _now(),
            "request": request_id.decode("ascii"),
            "method": scope["method"],
            "route": scope.get("template"),
            "status": status,
            "ms": round(1000 * seconds, 3),
            "key": caller.key if caller else None,
        }
        customer = scope.get("path_params", {}).get("customer_id")
        if customer and not scope.get("untold"):
            said["customer"] = self.name(customer)
        self._write(said)

    def failure(self, request_id: str, error: BaseException) -> None:
        """Note what went wrong: where, and of which type, but none of the values."""
        frames = traceback.extract_tb(error.__traceback__)
        places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-8:]]
        self._write({"at": _now(), "request": request_id, "failure": type(error).__name__, "in": places})

    def event(self, what: str, **said: object) -> None:
        """Note what happened to the service itself."""
        self._write({"at": _now(), "event": what, **said})

    def name(self, customer_id: str) -> str:
        """What stands for a customer in the log: another name than in the data."""
        return self.pseudonyms.of(f"log\0{customer_id.strip()}")[:DIGITS]

    def _write(self, said: dict[str, Any]) -> None:
        if self.stream is not None:
            self.stream.write(msgspec.json.encode(said).decode() + "\n")
            self.stream.flush()


def to_stdout(pseudonyms: Pseudonyms) -> Log:
    """A log on the standard output."""
    return Log(pseudonyms, sys.stdout)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
