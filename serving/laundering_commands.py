"""`scoring laundering`: money-laundering grades, their evidence, reviews and alerts; for those who have its key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from serving.options import HomeOption, SourceOption, as_day, open_job, out, write_for_owner

if TYPE_CHECKING:
    from serving.laundering import Officer
    from serving.steps import Job

app = typer.Typer(no_args_is_help=True, help=__doc__)

CustomerArgument = Annotated[str, typer.Argument(help="the company's own id")]
OnOption = Annotated[
    datetime | None,
    typer.Option("--on", formats=["%Y-%m-%d"], help="graded by what was known before; by default the end of the data"),
]
DoneOption = Annotated[
    datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="the day on which it was done; by default today")
]
SchemeOption = Annotated[
    str | None, typer.Option("--scheme", help="a version in configs/schemes/laundering, or a YAML file")
]
GradeOption = Annotated[str, typer.Option("--grade", help="a grade of the scheme")]
KindOption = Annotated[str, typer.Option("--kind", help="simplified, standard or enhanced")]
OutcomeOption = Annotated[str, typer.Option("--outcome", help="reported, cleared or monitor")]
ReasonOption = Annotated[str, typer.Option("--reason", help="why; it stays in the sealed records")]
ByOption = Annotated[str | None, typer.Option("--by", help="who acts or looks; by default the user of this computer")]
DaysOption = Annotated[int, typer.Option("--within", min=0, max=36_500, help="days within which a review is due")]
AllOption = Annotated[bool, typer.Option("--all", help="also those that are decided")]
ToOption = Annotated[Path, typer.Option("--to", help="the file of the page, for its owner only")]

SHOWN = 50
"""So many rows of a list are printed."""


@app.command()
def grade(
    source: SourceOption = "sample",
    home: HomeOption = None,
    on: OnOption = None,
    scheme: SchemeOption = None,
    by: ByOption = None,
) -> None:
    """Grade every customer by factors, events, transfers and the model that is live; keep the register of the day."""
    from classification.laundering.inputs import inputs_at
    from classification.laundering.scheme import CURRENT
    from features.transfers.settings import load_typologies

    with _officer(source, home, by) as (job, officer):
        day, tables = as_day(on) or officer.until, job.workspace.tables
        inputs = inputs_at(tables, officer.company, job.source.name, day, load_typologies(), officer.decided())
        found = officer.grade(scheme or CURRENT, day, inputs, job.progress)
    counts = found.group_by("grade").aggregate([([], "count_all")]).sort_by("grade")
    _print(["grade", "customers"], [[row["grade"], f"{row['count_all']:,}"] for row in counts.to_pylist()])
    out.print(f"{found.num_rows:,} customers graded at {day}. Next: scoring laundering due.", markup=False)


@app.command()
def show(
    customer: CustomerArgument, source: SourceOption = "sample", home: HomeOption = None, by: ByOption = None
) -> None:
    """A customer's grade with the evidence of each factor, what persons decided, and its alerts."""
    from classification.laundering.page import ground_said

    with _officer(source, home, by) as (_, officer):
        row, scheme, acts, alerts = officer.show(customer)
    name, said = scheme.names[row["grade"]], ground_said(scheme, row["ground"])
    out.print(f"{row['grade']} {name}, since {row['since']}: {said}. Total {row['score']:.1f} of 100.", markup=False)
    if row["grade"] != row["system_grade"]:
        system = ground_said(scheme, row["system_ground"])
        out.print(f"The system says {row['system_grade']}: {system}.", markup=False)
    done = f"{row['diligence_done']} on {row['diligence_on']}" if row["diligence_done"] else "none on record"
    out.print(f"Due diligence: {row['due_diligence']}; {done}.", markup=False)
    late = ", overdue" if row["overdue"] else ""
    out.print(f"First graded {row['graded_on']}; next review by {row['review_due']}{late}.", markup=False)
    _print(
        ["element", "factor", "value", "sub-score", "weight", "points"],
        [
            [
                factor.element,
                factor.title,
                "unknown" if row[f"value_{each}"] is None else row[f"value_{each}"],
                f"{row[f'sub_{each}']} of {scheme.scale}",
                f"{factor.weight:g}",
                f"{row[f'sub_{each}'] * factor.weight / scheme.scale:.1f}",
            ]
            for each, factor in scheme.factors.items()
        ],
    )
    for act in acts:
        what = " ".join(str(act[each]) for each in ("act", "grade", "kind") if act[each])
        out.print(f"{act['day']}  {what}  by {act['by']}  {act['reason']}", markup=False, soft_wrap=True)
    for alert in alerts:
        days = f"{alert['first_day']} to {alert['last_day']}"
        out.print(f"alert {alert['alert_id']}  {alert['typology']}  {days}  {alert['state']}", markup=False)


@app.command()
def assess(
    customer: CustomerArgument,
    grade: GradeOption,
    reason: ReasonOption,
    source: SourceOption = "sample",
    home: HomeOption = None,
    by: ByOption = None,
) -> None:
    """A person's grade for a customer, also against the system's; a second person confirms it."""
    with _officer(source, home, by) as (_, officer):
        waits = officer.assess(customer, grade, reason)
    counts = "It counts once a second person confirms it" if waits else "It counts now; a review once it is confirmed"
    out.print(f"{counts}: scoring laundering confirm.", markup=False)


@app.command()
def confirm(
    customer: CustomerArgument,
    grade: GradeOption,
    reason: ReasonOption,
    source: SourceOption = "sample",
    home: HomeOption = None,
    by: ByOption = None,
) -> None:
    """A second person confirms the last assessment of a customer, and says its grade."""
    with _officer(source, home, by) as (_, officer):
        officer.confirm(customer, grade, reason)
    out.print(f"Confirmed: {grade}.", markup=False)


@app.command()
def diligence(
    customer: CustomerArgument,
    kind: KindOption,
    reason: ReasonOption,
    source: SourceOption = "sample",
    home: HomeOption = None,
    on: DoneOption = None,
    by: ByOption = None,
) -> None:
    """Due diligence was done."""
    with _officer(source, home, by) as (_, officer):
        officer.diligence(customer, kind, as_day(on), reason)
    out.print("Noted.")


@app.command()
def alerts(
    source: SourceOption = "sample", home: HomeOption = None, everything: AllOption = False, by: ByOption = None
) -> None:
    """What was found in the transfers and waits for a person, the strongest first."""
    with _officer(source, home, by) as (_, officer):
        rows = officer.alerts(everything)
        names = officer.names({row["customer_id"] for row in rows})
    found = ("typology", "stage", "strength", "first_day", "last_day", "transfers", "state")
    _list("alerts", ("alert_id", "customer_id", *found), rows, names)


@app.command()
def decide(
    alert: Annotated[int, typer.Argument(help="a number of `laundering alerts`")],
    outcome: OutcomeOption,
    reason: ReasonOption,
    source: SourceOption = "sample",
    home: HomeOption = None,
    by: ByOption = None,
) -> None:
    """What comes of an alert."""
    with _officer(source, home, by) as (_, officer):
        officer.decide(alert, outcome, reason)
    out.print("Noted.")


@app.command()
def due(source: SourceOption = "sample", home: HomeOption = None, within: DaysOption = 30, by: ByOption = None) -> None:
    """Reviews that are due or overdue, assessments that wait for a second person, due diligence that is lacking; and
    how many customers have come since the last register."""
    with _officer(source, home, by) as (_, officer):
        rows = officer.due(within)
        came = officer.ungraded()
        names = officer.names({row["customer_id"] for row in rows})
    columns = ("customer_id", "grade", "review_due", "overdue", "waits", "due_diligence", "diligence_done")
    _list("customers to look at", columns, rows, names)
    if came:
        out.print(f"{len(came):,} customers have come since the register: scoring laundering grade.", markup=False)


@app.command()
def report(to: ToOption, source: SourceOption = "sample", home: HomeOption = None, by: ByOption = None) -> None:
    """The institution's report as a page: coverage, distribution, movement, what is overdue, alerts; no customer."""
    from classification.laundering.page import headlines

    with _officer(source, home, by) as (_, officer):
        found, page = officer.report()
    write_for_owner(to, page)
    for line in headlines(found):
        out.print(line, markup=False, soft_wrap=True)
    out.print(f"\nReport: {to}", markup=False, soft_wrap=True)


@contextmanager
def _officer(source: str, home: Path | None, by: str | None) -> Iterator[tuple[Job, Officer]]:
    """The officer's desk of a source."""
    from serving.laundering import open_officer

    with open_job(source, home) as job:
        yield job, open_officer(job, by)


def _list(what: str, columns: Sequence[str], rows: Sequence[dict[str, Any]], names: dict[str, str]) -> None:
    """Print a list, customers by the company's own ids, as far as they are known."""
    named = [{**row, "customer_id": names.get(row["customer_id"], row["customer_id"])} for row in rows[:SHOWN]]
    if named:
        _print([name.replace("_", " ") for name in columns], [[_cell(row[name]) for name in columns] for row in named])
    out.print(f"{len(rows):,} {what}." + (f" The first {SHOWN} are shown." if len(rows) > SHOWN else ""), markup=False)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def _print(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head, no_wrap=True)
    for row in rows:
        table.add_row(*map(escape, row))
    out.print(table)
