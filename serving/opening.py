"""What is live, opened: alias → release → its newest grading snapshot → the states of its customers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from classification.playbook_use import path_in_use
from classification.snapshots import newest_snapshot
from features.tables.privacy import load_pseudonyms
from features.traits import read_categories
from serving.drift import graded_scores
from serving.plays import open_plays
from serving.scorer import Scorer
from serving.service import Service
from serving.spare import spare_of
from serving.steps import Job
from training import registry
from training.release import Release


@dataclass(frozen=True)
class Sign:
    """By what it is seen that something else is to be live. version, digest: of the champion; snapshot: the folder that
    it graded last; and when that, the table of items, and the playbook in use were written."""

    version: int
    digest: str
    snapshot: tuple[Path, int]
    items: int
    playbook: tuple[Path, int]


def sign_of(job: Job) -> Sign:
    """What the registry and the workspace say now. Raises InputError where there is no champion, or no snapshot, and
    AwayError where the registry does not answer."""
    source, workspace = job.source.name, job.workspace
    registry.knock()
    version, tags = registry.live(source)
    folder, playbook = newest_snapshot(workspace, version), path_in_use(workspace)
    return Sign(
        version,
        tags.get(registry.MANIFEST_TAG, ""),
        (folder, _written(folder / "snapshot.json")),
        _written(workspace.tables / "items.parquet"),
        (playbook, _written(playbook)),
    )


def _written(path: Path) -> int:
    """When a file was, in nanoseconds; 0 for none."""
    return path.stat().st_mtime_ns if path.exists() else 0


def open_service(job: Job, playbook: str | None = None) -> Service:
    """The live set with its store and plays, warm: every file verified, the golden answers given again.

    playbook: a version, by default that in use. A copy of the release is kept, to start from while the registry is
    away. Raises InputError for what is missing, damaged or was changed.
    """
    keep = spare_of(job.workspace, job.source.name, load_pseudonyms()).keep
    return _opened(job, playbook, registry.fetch(job.source.name, keep=keep))


def open_spare(job: Job, playbook: str | None = None) -> Service:
    """The same of the release that was served last, without the registry."""
    return _opened(job, playbook, spare_of(job.workspace, job.source.name, load_pseudonyms()).open())


def _opened(job: Job, playbook: str | None, release: Release) -> Service:
    live, pseudonyms = job.graded(release)
    store = job.place.store(live.snapshot.id)
    scorer = Scorer(live, pseudonyms, read_categories(job.workspace.tables))
    scorer.warm()
    plays = open_plays(job.workspace, live.scheme, playbook)
    scores = graded_scores(newest_snapshot(job.workspace, release.version), live)
    return Service(scorer, store, job.workspace, plays, scores)
