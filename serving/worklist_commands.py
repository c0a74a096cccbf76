"""`scoring worklist`: whom to answer, whom to visit, where to save, and who is whose, from the last graded month."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from serving.options import (
    HomeOption,
    MonthOption,
    SourceOption,
    WithinOption,
    as_classes,
    as_day,
    open_job,
    out,
    write_for_owner,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from classification.playbook import Playbook
    from classification.worklists import Base
    from serving.steps import Job

app = typer.Typer(no_args_is_help=True, help=__doc__)

CsvOption = Annotated[Path | None, typer.Option("--csv", help="write the list to this file, too")]
IdsOption = Annotated[bool, typer.Option("--ids", help="customers by the company's own ids; the audit log notes it")]
OnOption = Annotated[
    datetime | None,
    typer.Option("--on", formats=["%Y-%m-%d"], help="the day of the list; by default the day after the month"),
]
SHOWN, DIGITS = 50, 10
"""So many rows are printed, with so many digits of a pseudonym; a file has all."""

AMOUNTS = ("service_cost_365d", "cap", "over", "open", "expected_loss", "overdue_amount", "expected", "billed")
NUMBERS = (*AMOUNTS, "age_days", "customers", "invoices", "days", "days_overdue", "dso", "probability")


@app.command()
def complaints(
    source: SourceOption = "sample",
    home: HomeOption = None,
    month: MonthOption = None,
    within: WithinOption = None,
    on: OnOption = None,
    to: CsvOption = None,
    ids: IdsOption = False,
) -> None:
    """Complaints that are open: of the best customers first, then the oldest."""
    from classification.worklists import open_complaints

    with _month(source, home, month, within) as (job, base):
        day = as_day(on) or base.as_of
        give(job, f"complaints open on {day}", open_complaints(base, day), to, ids)


@app.command()
def visits(
    source: SourceOption = "sample",
    home: HomeOption = None,
    month: MonthOption = None,
    within: WithinOption = None,
    on: OnOption = None,
    to: CsvOption = None,
    ids: IdsOption = False,
) -> None:
    """When key customers are due for a visit of the representative and the supervisor."""
    from classification.worklists import due_visits

    with _month(source, home, month, within) as (job, base):
        day = as_day(on) or base.as_of
        give(job, f"visits, as due on {day}", due_visits(base, _playbook(job), day), to, ids)


@app.command()
def cap(
    source: SourceOption = "sample",
    home: HomeOption = None,
    month: MonthOption = None,
    within: WithinOption = None,
    to: CsvOption = None,
    ids: IdsOption = False,
) -> None:
    """Customers whose service cost more in 365 days than their class allows."""
    from classification.worklists import over_cap

    with _month(source, home, month, within) as (job, base):
        give(job, f"customers over the cap on {base.as_of}", over_cap(base, _playbook(job)), to, ids)


@app.command()
def owners(
    source: SourceOption = "sample", home: HomeOption = None, month: MonthOption = None, within: WithinOption = None
) -> None:
    """How many customers each owner has: own manager, automation, campaign."""
    from classification.worklists import owners as who_is_whose

    with _month(source, home, month, within) as (job, base):
        out.print(
            table(f"Whose the customers are on {base.as_of}", who_is_whose(base, _playbook(job)).to_pylist(), job)
        )


@contextmanager
def _month(source: str, home: Path | None, month: str | None, within: list[str] | None) -> Iterator[tuple[Job, Base]]:
    """A graded month of a source, and its customers."""
    from classification.months import find_month
    from classification.worklists import read_base

    with open_job(source, home) as job:
        job.report()
        base = read_base(job.workspace, find_month(job.workspace, month))
        yield job, base.within(as_classes(within, base.scheme, "--within"))


def _playbook(job: Job) -> Playbook:
    from classification.playbook_use import note_playbook, playbook_in_use

    found = playbook_in_use(job.workspace)
    note_playbook(job.workspace, found, None, "first used by a worklist")
    return found


def give(job: Job, what: str, found: pa.Table, to: Path | None, ids: bool) -> None:
    """Print a list, and write it to a file where one is asked for."""
    rows = found.to_pylist()
    if ids:
        rows = _by_own_ids(job, what, rows)
    if to is not None:
        page = io.StringIO()
        lines = csv.DictWriter(page, found.column_names, lineterminator="\n")
        lines.writeheader()
        lines.writerows(rows)
        write_for_owner(to, page.getvalue())
    shown = [row if ids else {**row, "customer_id": row["customer_id"][:DIGITS]} for row in rows[:SHOWN]]
    out.print(table(f"{len(rows):,} {what}", shown, job) if rows else f"No {what}.")
    if len(rows) > SHOWN:
        out.print(f"and {len(rows) - SHOWN:,} more: --csv FILE has all.", markup=False)
    if to is not None:
        out.print(f"Written to {to}.", markup=False)


def _by_own_ids(job: Job, what: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with the company's own ids, as far as the vault has them; the audit log says that they were asked."""
    from features.tables.audit import open_audit
    from features.tables.person import own_ids

    names = own_ids(job.vault(), {row["customer_id"] for row in rows})
    open_audit(job.workspace.home).append("names", None, list=what, customers=len(names))
    return [{**row, "customer_id": names.get(row["customer_id"], row["customer_id"])} for row in rows]


def table(title: str, rows: list[dict[str, Any]], job: Job) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.min_width = len(title)
    for name in rows[0] if rows else ():
        table.add_column(name.replace("_", " "), justify="right" if name in NUMBERS else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(escape(_cell(name, value, job)) for name, value in row.items()))
    return table


def _cell(name: str, value: Any, job: Job) -> str:
    """A value for people: amounts in the currency's major unit, what is not so left blank."""
    if value is None or value is False:
        return "never" if name == "last" else ""
    if value is True:
        return name.replace("_", " ")
    if name in AMOUNTS:
        return f"{value / 10**job.source.decimals:,.{job.source.decimals}f} {job.source.currency}"
    if isinstance(value, float):
        return f"{value:,.3g}"
    return f"{value:,}" if name in NUMBERS else f"{value}"
