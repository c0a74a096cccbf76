"""`scoring why`: one customer's classes month by month, and why they changed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import InputError
from serving.options import HomeOption, SourceOption, open_job, out

if TYPE_CHECKING:
    from classification.history import PastMonth
    from serving.steps import Job

CustomerArgument = Annotated[str, typer.Argument(help="the company's own id")]
OneMonthOption = Annotated[str | None, typer.Option("--month", help="as in 2026-10; by default every month")]
DimensionOption = Annotated[str | None, typer.Option("--dimension", help="only this one; by default all that changed")]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(why)


def why(
    customer: CustomerArgument,
    source: SourceOption = "sample",
    home: HomeOption = None,
    month: OneMonthOption = None,
    dimension: DimensionOption = None,
) -> None:
    """A customer's code in every month, what changed and by how much each cause; and why its scores are what they
    are."""
    from classification.history import history
    from classification.months import find_month
    from features.tables.person import unknown_customer

    with open_job(source, home) as job:
        id_, asked = _pseudonym(job, customer), find_month(job.workspace, month)
        past = history(job.workspace, id_)
        if not past:
            raise unknown_customer(job.workspace.home)
        if dimension and dimension not in past[-1].classes:
            raise InputError("--dimension", f"'{dimension}'", f"one of {', '.join(past[-1].classes)}")
        lines = _accounts(past, month, dimension)
        lines += [*_decided(job, id_, dimension), *_reasons(past[-1], asked.folder, id_, dimension)]
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)


def _pseudonym(job: Job, customer: str) -> str:
    """The pseudonym under which a customer is graded. Raises InputError for who objects to profiling."""
    from features.tables.consents import read_consents
    from features.tables.merges import read_merges
    from features.tables.privacy import check_same_key, load_pseudonyms

    tables, pseudonyms = job.workspace.tables, load_pseudonyms()
    check_same_key(pseudonyms, job.report()["key"], tables)
    mine = pseudonyms.of(customer)
    if mine in read_consents(tables).no_profiling:
        raise InputError(tables, "a customer who has objected to profiling", "one who has not")
    return read_merges(tables).get(mine, mine)


def _accounts(past: list[PastMonth], month: str | None, dimension: str | None) -> list[str]:
    from classification.account import account
    from classification.scheme import load_scheme

    schemes = {each.scheme: load_scheme(each.scheme) for each in past}
    told = [(a, b) for a, b in pairwise([past[0], *past]) if month in (None, b.month)]
    return [line for a, b in told for line in account(b, (schemes[a.scheme], schemes[b.scheme]), dimension)]


def _decided(job: Job, id_: str, dimension: str | None) -> list[str]:
    """What persons decided that holds today."""
    from classification.decisions import read_overrides

    today = job.source.today()
    mine = [each for each in read_overrides(job.workspace) if each.customer_id == id_ and each.until >= today]
    lines = [
        f"  {each.dimension}: {each.class_} through {each.until}, by {each.by}: {each.reason}"
        for each in mine
        if dimension in (None, each.dimension)
    ]
    return ["Decided by a person", *lines] if lines else []


def _reasons(last: PastMonth, folder: Path, id_: str, dimension: str | None) -> list[str]:
    """What moves the scores of a month most; of one dimension, those that it looks at."""
    from classification.history import score_reasons
    from classification.scheme import load_scheme

    facts = load_scheme(last.scheme).dimensions[dimension].rule.facts if dimension else None
    told = [each for each in score_reasons(folder, id_) if facts is None or each.task in facts]
    return ["What moves the scores most", *(f"  {each.task}: {each.reason}" for each in told)] if told else []
