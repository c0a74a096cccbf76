"""What a store knows of a customer, and what every store can do, wherever it keeps it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from classification.decisions import Override
from features.online import Event


class Kept(msgspec.Struct, array_like=True, frozen=True):
    """What a store keeps of a customer beside its record: row, the float64 of its features as bytes; texts and held as
    `State` has them."""

    row: bytes
    texts: dict[str, str | None]
    held: dict[str, tuple[str, str, str]]

    @property
    def features(self) -> NDArray[np.float64]:
        """The feature row. It may be written into as any other: for one that may not numba compiles all loops anew."""
        return np.frombuffer(bytearray(self.row))


@dataclass(frozen=True)
class Arrival:
    """An event that arrived. at: when (ISO 8601, UTC); event: as `features.stored` writes it; line: the same with the
    company's own ids, sealed, for the event table."""

    customer: str
    event_id: str
    at: str
    event: bytes
    line: bytes


class StoreError(Exception):
    """The store does not answer; its text names no customer."""


class State(NamedTuple):
    """A customer in one grading snapshot, and what came since.

    customer: its pseudonym, that of the survivor where ids were merged. row (features,): its feature row at the date of
    the snapshot; None for whom that does not know.
    texts: attributes and traits by name. held: dimension → raw class, class and note, where the class that counts is
    not the raw one. arrived: whether events came since the snapshot was published. forgotten: the id was erased, and
    nothing may be kept of it again.
    """

    customer: str
    row: NDArray[np.float64] | None = None
    texts: Mapping[str, str | None] = {}
    held: Mapping[str, tuple[str, str, str]] = {}
    no_profiling: bool = False
    no_marketing: bool = False
    overrides: tuple[Override, ...] = ()
    arrived: bool = False
    forgotten: bool = False


class Store(Protocol):
    """The states of one snapshot; safe to share between threads. Every method raises StoreError where the store does
    not answer, and answers again once it is back, without a restart.

    snapshot: its id. local: whether asking takes microseconds, so that it may be done on the event loop.
    """

    snapshot: str
    local: bool

    def find(self, pseudonym: str) -> State:
        """What is known of a customer, in one round trip; of nobody a state without a record."""
        ...

    def find_many(self, pseudonyms: Sequence[str]) -> list[State]:
        """The same of many, in their order."""
        ...

    def record(self, customer: str) -> bytes | None:
        """A customer (a `State.customer`) as the grading left it, as JSON; None for whom it does not know."""
        ...

    def history(self, customer: str) -> list[Event]:
        """All events of a customer (a `State.customer`): those of the snapshot, then those that arrived since."""
        ...

    def append(self, customer: str, arrivals: Sequence[Arrival]) -> int:
        """Keep events of a customer (a `State.customer`), so that nothing is lost once this has returned; how many were
        new: an id that is there already is one event."""
        ...

    def check(self) -> None:
        """Whether the store answers; StoreError where not."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Inbox(Protocol):
    """Events that arrived and are not yet in the event table, and those that are since lately: a published state that
    is still read may lack them. Every method raises StoreError where they cannot be kept or found."""

    def add(self, arrivals: Sequence[Arrival]) -> int:
        """Keep them, all or none, so that nothing is lost once this has returned; how many were not there yet."""
        ...

    def of(self, customers: Collection[str]) -> list[Arrival]:
        """The arrivals of some customers, in the order in which they came."""
        ...

    def waiting(self) -> list[Arrival]:
        """Those that the event table does not have yet, in the order in which they came."""
        ...

    def taken(self, arrivals: Sequence[Arrival]) -> None:
        """Note that the event table has them, or never will."""
        ...

    def published(self) -> None:
        """Note that a published state has what was taken, and let go of what the one before it had."""
        ...

    def forget(self, customers: Collection[str]) -> None:
        """Let go of all that some customers have, and of their names in what others have, so that no byte of them
        stays. What waits is to be taken before: the sealed lines of others that name them go, too."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...
