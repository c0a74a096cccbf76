"""`scoring laundering train` and `typologies`: the ranking of accounts, and how many findings there are.

Neither says who; yet both are for the role aml, whose key opens the log that notes them: of a small company a count
tells much.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from serving.laundering_commands import ByOption
from serving.options import AsOfOption, HomeOption, SourceOption, as_day, open_job, out

if TYPE_CHECKING:
    from datetime import datetime

    from serving.steps import Job


def register(app: typer.Typer) -> None:
    """Add the commands to `scoring laundering`."""
    app.command()(train)
    app.command()(typologies)


def train(
    source: SourceOption = "sample", home: HomeOption = None, as_of: AsOfOption = None, by: ByOption = None
) -> None:
    """Rank accounts by what was reported before: judged in folds beside the rules, registered in MLflow."""
    from features.transfers.settings import load_typologies
    from serving.laundering import open_officer
    from training import registry
    from training.laundering import card
    from training.laundering.learn import TASK, learn
    from training.laundering.publish import publish
    from training.laundering.settings import load_rank_settings

    settings, fit = load_rank_settings()
    with open_job(source, home) as job:
        day, own = _day(job, as_of), job.source
        open_officer(job, by).note("train", as_of=day)
        learnt = learn(
            job.workspace, own.company(), own.name, own.title, day, load_typologies(), settings, fit, job.progress
        )
        version = publish(job.workspace, learnt, settings, fit)
        live, before = not learnt.judgement.abstains, registry.champion_version(own.name, TASK)
        if live:
            registry.promote(own.name, version, TASK)
        else:
            registry.retire(own.name, TASK)
    if learnt.judgement.metrics:
        table = Table(*card.heads(learnt), title="Accounts that were reported, found by their transfers")
        for row in card.rows(learnt):
            table.add_row(*row)
        out.print(table)
    out.print(card.data(learnt), markup=False)
    out.print(card.verdict(learnt), markup=False)
    says = "it may raise grades from now on" if live else "it raises no grade"
    if before is not None and not live:
        says += f", nor does version {before}, which was live"
    out.print(f"Registered as {own.name}.{TASK}, version {version}: {says}.", markup=False)


def typologies(
    source: SourceOption = "sample", home: HomeOption = None, as_of: AsOfOption = None, by: ByOption = None
) -> None:
    """How many customers each typology finds, by stage; never whom."""
    import pyarrow.compute as pc

    from features.transfers.edges import read_edges
    from features.transfers.settings import NAMES, load_typologies
    from features.transfers.typologies import findings
    from serving.laundering import open_officer

    settings = load_typologies()
    with open_job(source, home) as job:
        day = _day(job, as_of)
        open_officer(job, by).note("typologies", as_of=day)
        edges = read_edges(job.workspace.tables, job.source.company(), day, settings.cash)
        found = findings(edges, day, settings)
    table = Table("typology", "stage", "customers", title=f"Findings as of {day}")
    for name in NAMES:
        count = pc.sum(pc.equal(found["typology"], name)).as_py() or 0
        table.add_row(name.replace("_", " "), getattr(settings.typologies, name).stage, f"{count:,}")
    out.print(table)
    out.print(
        f"{len(found['customer_id'].unique()):,} customers with a finding, {len(edges):,} transfers.", markup=False
    )


def _day(job: Job, given: datetime | None) -> date:
    """The date as of which is looked: by default the end of the data."""
    from features.tables.ingest import data_end

    return as_day(given) or data_end(job.report())
