"""The commands that answer a person's request about its data."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from features.errors import InputError
from features.workspace import Workspace
from serving.options import HomeOption, SourceOption, as_day, open_job, out

CustomerArgument = Annotated[str, typer.Argument(help="the company's own id")]
ReasonOption = Annotated[str, typer.Option("--reason", help="why, for the audit log; without any identifier")]
ToldOption = Annotated[str, typer.Option("--reason", help="why; `scoring access` tells it to the person")]
ByOption = Annotated[str | None, typer.Option("--by", help="who decides; by default the user of this computer")]
SinceOption = Annotated[datetime | None, typer.Option("--since", formats=["%Y-%m-%d"], help="from this day on (UTC)")]
ActionOption = Annotated[str | None, typer.Option("--action", help="only what is called so, such as `promote`")]
UntilOption = Annotated[datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="the last day of the hold")]

HEAD = ("before", "at", "by", "action", "person", "reason")
"""What every line of the audit log has."""

audit_app = typer.Typer(no_args_is_help=True, help="The log of who did what, when and why.")


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(forget)
    app.command()(hold)
    app.command()(access)
    app.command("opt-out")(opt_out)
    app.add_typer(audit_app, name="audit")


def forget(
    customer: Annotated[str | None, typer.Argument(help="the company's own id")] = None,
    source: SourceOption = "sample",
    home: HomeOption = None,
    reason: ReasonOption = "",
    by: ByOption = None,
    due: Annotated[bool, typer.Option("--due", help="all whose hold has ended, instead of one customer")] = False,
) -> None:
    """Erase a person everywhere, and prove it by search; under a hold, restrict it to the vault."""
    from serving.desk import open_desk
    from serving.forgetting import forget as forget_one
    from serving.forgetting import forget_due

    if (customer is None) != due:
        raise InputError("scoring forget", "a customer and --due, or neither", "one of them")
    with open_job(source, home) as job:
        desk, today = open_desk(job, by), job.source.today()
        done = forget_due(desk, today) if customer is None else [forget_one(desk, desk.person(customer), reason, today)]
    for each in done:
        kept = f" Events and attributes stay in the vault until {each.until}, under a hold." if each.until else ""
        out.print(f"Forgotten: {len(each.files)} files rewritten; {each.searched} files searched, 0 hits.{kept}")
        if each.own_files:
            out.print(f"Not erased, for they are the company's own: {', '.join(each.own_files)}.", markup=False)
        if each.releases:
            versions = ", ".join(map(str, each.releases))
            out.print(f"Releases trained when the person was known: {versions}. They hold no row of it; train anew.")
    if due and not done:
        out.print("No hold has ended.")


def hold(
    customer: Annotated[str, typer.Argument(help="the company's own id; `list` without --until lists all holds")],
    source: SourceOption = "sample",
    home: HomeOption = None,
    until: UntilOption = None,
    reason: ToldOption = "",
    by: ByOption = None,
) -> None:
    """Keep a person's events and attributes until a day, though it asks to be forgotten; `hold list` lists all."""
    from features.tables.holds import read_holds
    from features.tables.person import restricted_people
    from serving.desk import open_desk
    from serving.forgetting import set_hold

    if until is None and customer != "list":
        raise InputError("scoring hold", "no --until", "the last day of the hold, or `scoring hold list`")
    if until is not None and not reason:
        raise InputError("scoring hold", "no --reason", "why the data must be kept")
    with open_job(source, home) as job:
        desk, today = open_desk(job, by), job.source.today()
        if until is not None:
            set_hold(desk, customer, until.date(), reason, today)
            out.print(f"Held until {until.date()}.")
            return
        holds, restricted = read_holds(desk.vault), restricted_people(desk.vault)
    for each in holds:
        state = "restricted" if any(each.customer_id in person.ids for person in restricted) else "in use"
        over = ", over: `scoring forget --due` erases those restricted" if each.until < today else ""
        out.print(f"{each.customer_id[:8]}…  until {each.until}  {state}  {each.reason}{over}", markup=False)
    if not holds:
        out.print("No holds.")


def access(
    customer: CustomerArgument,
    source: SourceOption = "sample",
    home: HomeOption = None,
    to: Annotated[Path | None, typer.Option("--out", help="a new file; by default it is printed")] = None,
    by: ByOption = None,
) -> None:
    """All that is held about one person, as JSON for that person."""
    from serving.access import document
    from serving.desk import open_desk

    with open_job(source, home) as job:
        desk = open_desk(job, by)
        said = json.dumps(document(desk, customer), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        desk.audit.append("access", desk.person(customer))
    if to is None:
        sys.stdout.write(said)
        return
    with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(said)
    out.print(f"Written to {to}.", markup=False)


def opt_out(
    customer: CustomerArgument,
    source: SourceOption = "sample",
    home: HomeOption = None,
    profiling: Annotated[bool, typer.Option("--profiling", help="no scores, grades and classes")] = False,
    marketing: Annotated[bool, typer.Option("--marketing", help="no canvassing")] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="take the objection back")] = False,
    reason: ReasonOption = "",
    by: ByOption = None,
) -> None:
    """Note that a person objects to profiling or marketing, from today on."""
    from serving.desk import open_desk
    from serving.opt_out import MARKETING, PROFILING
    from serving.opt_out import opt_out as object_to

    objections = [name for name, asked in ((PROFILING, profiling), (MARKETING, marketing)) if asked]
    if not objections:
        raise InputError("scoring opt-out", "neither --profiling nor --marketing", "at least one")
    with open_job(source, home) as job:
        object_to(open_desk(job, by), customer, objections, withdraw, reason, job.source.today())
    out.print(f"Noted: {', '.join(objections)} {'withdrawn' if withdraw else 'from today on'}.")


@audit_app.command("verify")
def verify_audit(source: SourceOption = "sample", home: HomeOption = None) -> None:
    """Check that no line of the log was changed, added or taken out."""
    from features.tables.audit import verify

    lines, last = verify(_log(source, home))
    out.print(f"{lines} lines hold; the digest of the last is {last}.")


@audit_app.command("list")
def list_audit(
    source: SourceOption = "sample",
    home: HomeOption = None,
    since: SinceOption = None,
    action: ActionOption = None,
) -> None:
    """Who did what, when and why, oldest first; checks first that the log holds."""
    from features.tables.audit import read_lines

    lines = read_lines(_log(source, home), as_day(since), action)
    for line in lines:
        out.print(_told(line), markup=False, soft_wrap=True)
    if not lines:
        out.print("No lines.")


def _told(line: dict[str, Any]) -> str:
    """A line for people: when, who, what, and why; of lists of things how many there are."""
    details = {name: value for name, value in line.items() if name not in HEAD and value not in (None, "", [])}
    said = (f"{name} {len(each) if isinstance(each, list) else each}" for name, each in details.items())
    why = [f"because: {line['reason']}"] if line["reason"] else []
    when = f"{datetime.fromisoformat(line['at']):%Y-%m-%d %H:%M:%S}"
    return "  ".join([when, line["by"], line["action"], *said, *why])


def _log(source: str, home: Path | None) -> Path:
    """The audit log of a source's workspace."""
    from features.tables.audit import open_audit
    from features.tables.sources import load_source

    return open_audit(Workspace(home or Path("data") / load_source(source).name).home).path
