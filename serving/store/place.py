"""Where the online store of a workspace lies: in its own files, and, where an address is set, in a Redis besides, which
is what is then served."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from classification.grade import LiveSet
from features.errors import InputError
from features.progress import Progress, silent
from features.workspace import Workspace
from serving.settings import load_serving
from serving.store import redis_publish
from serving.store.arrivals import Arrivals
from serving.store.publish import publish
from serving.store.redis import RedisStore
from serving.store.redis_client import About, Server, about, lacks_durability, shown
from serving.store.redis_inbox import RedisInbox
from serving.store.sqlite import SqliteStore, arrivals_path, store_path
from serving.store.state import Inbox, Store, StoreError
from training.snapshots import Snapshot


@dataclass(frozen=True)
class Place:
    """address: of a Redis, empty for none; source: whose keys are used there. It may hold a password."""

    workspace: Workspace
    source: str
    address: str = field(default="", repr=False)

    def store(self, snapshot: str) -> Store:
        """The states of a snapshot. InputError where they were never published there, or a Redis does not answer."""
        if not self.address:
            path = self.workspace.needs(store_path(self.workspace, snapshot), "scoring classify")
            return SqliteStore(path, arrivals_path(self.workspace))
        store = RedisStore(Server(self.address, self.source), snapshot)
        with self._letters():
            store.check()
        return store

    @contextlib.contextmanager
    def inboxes(self) -> Iterator[list[Inbox]]:
        """Where events arrive, and where they did before there was a Redis. InputError where one does not answer."""
        found: list[Inbox] = [Arrivals(arrivals_path(self.workspace))]
        if self.address:
            found.append(RedisInbox(self._patient()))
        with self._letters(), contextlib.ExitStack() as stack:
            for each in found:
                stack.callback(each.close)
            yield found

    def publish(self, live: LiveSet, folder: Path, base: Snapshot, progress: Progress = silent) -> None:
        """Write the states of a graded base; readers see all of them or none. InputError where a Redis does not answer:
        then the files have them, and `load` goes on from there.

        folder: of the graded snapshot; base: the feature rows and texts that were graded.
        """
        publish(self.workspace, live, folder, base, progress)
        self.load(live.snapshot.id, progress)
        with self.inboxes() as inboxes:
            for each in inboxes:
                each.published()

    def load(self, snapshot: str, progress: Progress = silent) -> None:
        """Put what the files have of a snapshot where it is served, if that is a Redis."""
        if self.address:
            path = self.workspace.needs(store_path(self.workspace, snapshot), "scoring classify")
            with self._letters(), contextlib.closing(self._patient()) as server:
                redis_publish.load(server, path, self.workspace, progress)

    def revise(self, gone: Collection[str] = ()) -> None:
        """Take customers out of a Redis, and tell it what holds of the others; the files are revised where they lie.

        What waits is to be taken into the event table before. InputError where it does not answer.
        """
        if self.address:
            with self._letters(), contextlib.closing(self._patient()) as server:
                redis_publish.revise(server, gone, self.workspace)

    def lacks(self) -> list[str]:
        """By what an acknowledged event may be lost; empty for nothing. StoreError where a Redis does not answer."""
        if not self.address:
            return []
        with contextlib.closing(Server(self.address, self.source)) as server:
            return lacks_durability(server)

    def about(self) -> About | None:
        """Version and clock of the Redis, None for files. StoreError where it does not answer."""
        if not self.address:
            return None
        with contextlib.closing(Server(self.address, self.source)) as server:
            return about(server)

    def _patient(self) -> Server:
        return Server(self.address, self.source, redis_publish.SECONDS)

    @contextlib.contextmanager
    def _letters(self) -> Iterator[None]:
        try:
            yield
        except StoreError as error:
            where = shown(self.address) if self.address else self.workspace.arrivals
            raise InputError(where, str(error), "a store that answers", "Run it again once it does.") from None


def place_of(workspace: Workspace, source: str) -> Place:
    """Where the settings say that it lies."""
    return Place(workspace, source, load_serving().store)
