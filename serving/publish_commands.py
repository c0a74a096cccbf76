"""`scoring publish`: a graded base into the online store."""

from __future__ import annotations

from typing import Annotated

import typer

from features.errors import InputError
from serving.options import HomeOption, SourceOption, open_job, out

GradedOption = Annotated[
    str | None, typer.Option("--month", help="a month that was graded, as in 2026-10; by default what is live")
]
SnapshotOption = Annotated[str | None, typer.Option("--snapshot", help="id of a grading, as answers name it")]
StoreOption = Annotated[
    str | None,
    typer.Option("--store", help="address of a Redis, as redis://host:6379/0, instead of the settings'"),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(publish)


def publish(
    source: SourceOption = "sample",
    home: HomeOption = None,
    month: GradedOption = None,
    snapshot: SnapshotOption = None,
    store: StoreOption = None,
) -> None:
    """Load a graded base into the online store; readers see all of it or none of it."""
    from dataclasses import replace

    from serving.publishing import find_snapshot, publish_again
    from serving.store.redis_client import shown

    if month is not None and snapshot is not None:
        raise InputError("--snapshot", "an id, and a month", "one of both")
    with open_job(source, home) as job:
        place = job.place if store is None else replace(job.place, address=store)
        id_ = publish_again(job, place, find_snapshot(job, month, snapshot))
    where = shown(place.address) if place.address else job.workspace.store
    out.print(f"Published: {id_} in {where}", markup=False)
