"""`scoring playbook`: what is to be done for each class: check it, look at it, take it into use."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from features.errors import InputError
from serving.options import HomeOption, SourceOption, as_classes, open_job, out

if TYPE_CHECKING:
    from classification.playbook import Playbook
    from classification.scheme import Scheme

TITLE = "A playbook: what to do for the customers of each class"

app = typer.Typer(no_args_is_help=True, help=__doc__)

PlaybookArgument = Annotated[
    str | None, typer.Argument(help="a version in configs/playbooks, or a YAML file; by default the current one")
]
ClassOption = Annotated[
    list[str] | None, typer.Option("--class", help="a class, as in value=A; of several the play they make together")
]
NoMarketingOption = Annotated[bool, typer.Option("--no-marketing", help="as for a customer who objects to marketing")]
WhyOption = Annotated[str, typer.Option("--reason", help="why, for the audit log")]
ByOption = Annotated[str | None, typer.Option("--by", help="who decides; by default the user of this computer")]


@app.command()
def check(playbook: PlaybookArgument = None) -> None:
    """Whether every class that the playbook covers has a play, and none that the scheme does not have."""
    from classification.playbook import CURRENT, load_playbook

    found = load_playbook(playbook or CURRENT)
    classes = sum(map(len, found.plays.values()))
    out.print(
        f"Playbook {found.version} ({found.digest}): {classes} classes of {len(found.plays)} dimensions of scheme "
        f"{', '.join(found.schemes)} have a play.",
        markup=False,
        soft_wrap=True,
    )


@app.command()
def show(
    playbook: PlaybookArgument = None, classes: ClassOption = None, no_marketing: NoMarketingOption = False
) -> None:
    """The plays of every class; or with --class the play of a customer of these classes."""
    from classification.playbook import CURRENT, load_playbook
    from classification.plays import play_of
    from classification.scheme import load_scheme

    found = load_playbook(playbook or CURRENT)
    scheme = load_scheme(found.schemes[-1])
    if classes is None:
        out.print(_all(found, scheme))
        return
    play = play_of(found, as_classes(classes, scheme, "--class"), no_marketing)
    table = _table(f"Playbook {found.version}: {', '.join(classes)}", "", "play", "because of")
    for name, value in vars(play).items():
        if name != "because" and value not in (None, (), {}):
            table.add_row(name, escape(_said(value)), play.because.get(name, ""))
    out.print(table)


@app.command()
def use(
    version: Annotated[str, typer.Argument(help="a version in configs/playbooks")],
    source: SourceOption = "sample",
    home: HomeOption = None,
    reason: WhyOption = "",
    by: ByOption = None,
) -> None:
    """Take a playbook into use from now on; the audit log says who, when and why."""
    from classification.playbook import load_playbook
    from classification.playbook_use import use_playbook

    if not reason:
        raise InputError("scoring playbook use", "no --reason", "why it is used from now on")
    found = load_playbook(version)
    with open_job(source, home) as job:
        job.report()
        use_playbook(job.workspace, found, by, reason)
    out.print(f"Playbook {found.version} ({found.digest}) is in use; start the service anew.", markup=False)


@app.command()
def schema() -> None:
    """Print the JSON Schema of playbooks; configs/schemas/playbook.schema.json is this."""
    from classification.playbook import Playbook
    from features.config import json_schema

    sys.stdout.write(json_schema(Playbook, TITLE))


def _all(playbook: Playbook, scheme: Scheme) -> Table:
    table = _table(f"Playbook {playbook.version}", "class", "", "play")
    table.add_row("everyone", "", escape(_said(playbook.everyone.model_dump())))
    for name, plays in playbook.plays.items():
        for class_, play in plays.items():
            said = _said(play.model_dump(exclude_defaults=True))
            table.add_row(f"{name}={class_}", escape(scheme.dimensions[name].name_of(class_)), escape(said))
    return table


def _said(value: Any) -> str:
    """A part of a play for people: what is not said, left out."""
    if hasattr(value, "model_dump"):
        value = value.model_dump()
    if not isinstance(value, dict):
        return "\n".join(value) if isinstance(value, tuple) else f"{value}"
    said = {name: _said(each).replace("\n", ", ") for name, each in value.items() if each not in (None, (), {}, False)}
    return "\n".join(name if text == "True" else f"{name}: {text}" for name, text in said.items())


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "class")
    return table
