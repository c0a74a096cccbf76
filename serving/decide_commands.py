"""`scoring decide`: what a person decides about a customer's credit; advice decides nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from serving.credit_desk import Said
from serving.options import HomeOption, SourceOption, open_job, out

app = typer.Typer(no_args_is_help=True, help=__doc__)

CustomerArgument = Annotated[str, typer.Argument(help="the company's own id")]
OutcomeOption = Annotated[str, typer.Option("--outcome", help="granted, limited or refused")]
LimitOption = Annotated[float | None, typer.Option("--limit", min=0, max=1e12, help="of the credit, in the major unit")]
ReasonOption = Annotated[str, typer.Option("--reason", help="why, without any identifier; `scoring access` tells it")]
ByOption = Annotated[str | None, typer.Option("--by", help="who acts; by default the user of this computer")]
WhichOption = Annotated[str | None, typer.Option("--decision", help="its number; by default the customer's last")]
ContestedOption = Annotated[bool, typer.Option("--contested", help="only those that wait for a review")]


@app.command()
def credit(
    customer: CustomerArgument,
    outcome: OutcomeOption,
    reason: ReasonOption,
    limit: LimitOption = None,
    source: SourceOption = "sample",
    home: HomeOption = None,
    by: ByOption = None,
) -> None:
    """Decide about a customer's credit; what is advised today is kept beside the decision."""
    _say(customer, source, home, by, Said("decided", reason, outcome), limit)


@app.command()
def contest(
    customer: CustomerArgument,
    reason: ReasonOption,
    decision: WhichOption = None,
    source: SourceOption = "sample",
    home: HomeOption = None,
    by: ByOption = None,
) -> None:
    """Note that the customer contests a decision, and why."""
    _say(customer, source, home, by, Said("contested", reason, decision=decision))


@app.command()
def review(
    customer: CustomerArgument,
    outcome: OutcomeOption,
    reason: ReasonOption,
    limit: LimitOption = None,
    decision: WhichOption = None,
    source: SourceOption = "sample",
    home: HomeOption = None,
    by: ByOption = None,
) -> None:
    """Decide again about what was contested; not for the person who decided."""
    _say(customer, source, home, by, Said("reviewed", reason, outcome, decision=decision), limit)


@app.command("list")
def list_decisions(
    source: SourceOption = "sample", home: HomeOption = None, contested: ContestedOption = False
) -> None:
    """Decisions as they stand; customers by their pseudonyms, shortened."""
    from classification.credit.decisions import decisions

    with open_job(source, home) as job:
        job.report()
        found = [each for each in decisions(job.workspace.decisions) if not contested or each.state == "contested"]
        unit = 10**job.source.decimals
    for each in found:
        limit = "" if each.limit is None else f" to {each.limit / unit:,.2f}"
        said = f"{each.decision}  {each.customer_id[:8]}…  {each.outcome}{limit}  {each.state}  on {each.on}"
        out.print(f"{said}  by {each.by}  {each.reason}", markup=False, soft_wrap=True)
    if not found:
        out.print("No decision waits for a review." if contested else "No decisions.")


def _say(customer: str, source: str, home: Path | None, by: str | None, said: Said, limit: float | None = None) -> None:
    """Note an act and print the decision as it then stands; limit: in the major unit."""
    from features.tables.audit import open_audit
    from features.tables.privacy import check_same_key, load_pseudonyms
    from serving.credit_desk import CreditDesk

    with open_job(source, home) as job:
        pseudonyms = load_pseudonyms()
        check_same_key(pseudonyms, job.report()["key"], job.workspace.tables)
        desk = CreditDesk(job.workspace, pseudonyms, open_audit(job.workspace.home, by))
        minor = None if limit is None else round(limit * 10**job.source.decimals)
        done = desk.say(customer, replace(said, limit=minor), job.source.today())
    if done.advice is None:
        out.print("Nothing was advised about this customer; the decision stands on its reason alone.", markup=False)
    out.print(f"Decision {done.decision}: {done.outcome}, {done.state} by {done.by} on {done.on}.", markup=False)
