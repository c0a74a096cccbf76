"""`scoring export`: hand a graded month over to another system, in the format that it imports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serving.options import HomeOption, MonthOption, SourceOption, WithinOption, as_classes, open_job, out
from serving.privacy_commands import ByOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from classification.export.base import Plays
    from classification.export.handoff import HandedOver
    from classification.months import Month
    from features.workspace import Workspace

FormatOption = Annotated[
    str, typer.Option("--format", help="zoho, fxiaoke, csv, json, another name in configs/exports, or a YAML file")
]
OutOption = Annotated[
    Path, typer.Option("--out", help="a new folder outside the workspace; its files carry the company's own ids")
]
FullOption = Annotated[bool, typer.Option("--full", help="every customer, not only those of whom something changed")]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(export)


def export(
    target: FormatOption,
    folder: OutOption,
    source: SourceOption = "sample",
    home: HomeOption = None,
    month: MonthOption = None,
    within: WithinOption = None,
    full: FullOption = False,
    by: ByOption = None,
) -> None:
    """The classes and plays of a month for another system; after the first time only what changed since."""
    from classification.export.base import Order
    from classification.export.handoff import hand_over
    from classification.export.target import load_target
    from classification.months import find_month
    from classification.scheme import load_scheme
    from serving.desk import open_desk

    described = load_target(target)
    with open_job(source, home) as job:
        desk, found = open_desk(job, by), find_month(job.workspace, month)
        classes = as_classes(within, load_scheme(found.scheme), "--within")
        order = Order(target, described, found, folder, job.source.decimals, classes, full)
        plays = _plays(job.workspace, found, by)
        done = hand_over(job.workspace, order, desk.pseudonyms, desk.audit, plays, job.progress)
    out.print(_said(done, folder, described.title, found.name), markup=False)


def _plays(workspace: Workspace, month: Month, by: str | None) -> Plays:
    """What the playbook in use says, nothing where it is for classes of another scheme; looked up when it is asked."""
    from classification.export.plays import plays_in
    from classification.playbook_use import note_playbook, playbook_in_use
    from classification.worklists import due_visits, read_base

    def said(grades: pa.Table) -> Mapping[str, pa.Array]:
        playbook = playbook_in_use(workspace)
        if month.scheme not in playbook.schemes:
            return {}
        note_playbook(workspace, playbook, by, "first used by an export")
        return plays_in(playbook, due_visits(read_base(workspace, month), playbook, month.as_of))(grades)

    return said


def _said(done: HandedOver, folder: Path, title: str, month: str) -> str:
    counts = ", ".join(f"{name} {rows:,}" for name, rows in done.rows.items())
    where = f"Written to {folder}: {', '.join(done.files)}." if done.files else "Nothing changed; nothing is written."
    lines = [f"{month} for {title}: {counts}; {done.same:,} that it has already.", where]
    if done.refused:
        lines += [f"Left out: {done.refused:,} whose id is not known, or is one that the format cannot hold unchanged."]
    if done.erased:
        lines += [
            f"{done.erased:,} were forgotten, or objected to profiling, since the last export. Those who objected are "
            "in the file of those who are gone; who was forgotten is not known here any more."
        ]
    return "\n".join(lines)
