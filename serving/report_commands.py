"""`scoring report`: a month as a page and lists, for people who do not look at tables of everybody."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serving.options import HomeOption, MonthOption, SourceOption, WithinOption, as_classes, open_job, out

AgainstOption = Annotated[str | None, typer.Option("--against", help="an earlier month; by default the one before")]
FolderOption = Annotated[Path | None, typer.Option("--out", help="a folder outside the workspace, instead of its own")]
IdsOption = Annotated[
    bool, typer.Option("--ids", help="customers by the company's own ids, with --out; the audit log notes it")
]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(report)


def report(
    source: SourceOption = "sample",
    home: HomeOption = None,
    month: MonthOption = None,
    against: AgainstOption = None,
    within: WithinOption = None,
    to: FolderOption = None,
    ids: IdsOption = False,
) -> None:
    """Who is in which class, who moved and why, whom to look at next: one page, and a CSV file per list."""
    from classification.months import find_month
    from classification.report.headlines import headlines
    from classification.scheme import load_scheme
    from serving.reporting import report_month

    with open_job(source, home) as job:
        asked = find_month(job.workspace, month)
        classes = as_classes(within, load_scheme(asked.scheme), "--within")
        found, page = report_month(job, asked.name, against, classes, to, ids)
    for line in headlines(found):
        out.print(line, markup=False, soft_wrap=True)
    out.print(f"\nReport: {page}", markup=False, soft_wrap=True)
