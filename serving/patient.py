"""What `scoring doctor` looks at: an installation and a workspace, each part found when it is asked for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from classification.snapshots import newest_snapshot
from features.errors import InputError
from features.tables.sources import Source, load_source
from features.workspace import Workspace
from serving.options import workspace_of
from serving.steps import Job
from training import registry

Said = InputError | str
"""What a check says: a finding, or what is as it should be and worth telling."""


@dataclass(frozen=True)
class Patient:
    """A source by its name, and its workspace, by default data/<source>."""

    source: str
    home: Path | None = None

    @cached_property
    def described(self) -> Source:
        """Its description; InputError for one that is none."""
        return load_source(self.source)

    @cached_property
    def workspace(self) -> Workspace:
        """Its workspace."""
        return workspace_of(self.described.name, self.home)

    @cached_property
    def job(self) -> Job:
        """Its steps."""
        return Job(self.described, self.workspace)

    @cached_property
    def champion(self) -> int:
        """The version that is live; InputError where there is none."""
        return registry.live_version(self.described.name)

    @cached_property
    def snapshot(self) -> Path:
        """The folder of the newest grading by the champion; InputError where there is none."""
        return newest_snapshot(self.workspace, self.champion)

    @cached_property
    def files(self) -> list[tuple[Path, os.stat_result]]:
        """Everything in the workspace that stays while it is looked at."""
        found = []
        for path in sorted(self.workspace.home.rglob("*")):
            with contextlib.suppress(FileNotFoundError):
                found.append((path, path.lstat()))
        return found


def letters(*looks: Callable[[], object]) -> Iterator[InputError]:
    """What several looks find: one that fails does not stop the next."""
    for look in looks:
        try:
            look()
        except InputError as error:
            yield error
