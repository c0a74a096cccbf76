"""`scoring scheme`: the standard of classification looked at, checked, compared, renewed and put to use."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import InputError
from features.tables.sources import load_source
from features.workspace import Workspace
from serving.options import HomeOption, MonthOption, SourceOption, err, open_job, out

if TYPE_CHECKING:
    from classification.scheme import Scheme

scheme_app = typer.Typer(no_args_is_help=True, help="The standard of classification: check, show, compare, renew, use.")

VersionArgument = Annotated[str, typer.Argument(help="a version in configs/schemes, or a YAML file")]
OneOrAll = Annotated[str | None, typer.Argument(help="a version, or a YAML file; by default all in configs/schemes")]
OneOrCurrent = Annotated[str | None, typer.Argument(help="a version, or a YAML file; by default the one in use")]
DimensionOption = Annotated[str | None, typer.Option("--dimension", help="only this one")]
FromOption = Annotated[str | None, typer.Option("--from", help="the version it replaces; by default the one in use")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="as in dimensions.value.share.top.A=0.10; as often as needed"),
]
ReasonOption = Annotated[str, typer.Option("--reason", help="why; it goes into the audit log")]
ByOption = Annotated[str, typer.Option("--by", help="who does it; by default the user of this machine")]
ReadAsOption = Annotated[str | None, typer.Option("--version", help="which wrote the code; by default the one in use")]
ToOption = Annotated[str | None, typer.Option("--to", help="a later version: what the code says there")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(scheme_app, name="scheme")


@scheme_app.command()
def check(which: OneOrAll = None) -> None:
    """Everything that is wrong with a scheme, and with its codes beside those of the version before."""
    from classification.released import released_schemes
    from classification.scheme import load_scheme, scheme_path
    from classification.soundness import file_flaws, scheme_files
    from serving import scheme_tables

    flawed = False
    try:
        released = released_schemes()
    except InputError as error:  # a scheme can be checked without a registry that answers
        released = {}
        err.print(f"Not compared with what was released:\n{error.letter()}", markup=False)
    for path in [scheme_path(which)] if which else scheme_files():
        flaws = file_flaws(path, released)
        for flaw in flaws:
            err.print(flaw.letter(), markup=False)
        if not flaws:
            out.print(scheme_tables.dimensions(load_scheme(str(path))))
        flawed |= bool(flaws)
    if flawed:
        raise typer.Exit(2)


@scheme_app.command()
def show(
    which: OneOrCurrent = None,
    dimension: DimensionOption = None,
    source: SourceOption = "sample",
    home: HomeOption = None,
) -> None:
    """A scheme in words, with the cut-offs of the last grading by it where the workspace has one."""
    from classification.scheme import load_scheme
    from classification.snapshots import snapshot_cutoffs
    from classification.wording import Money
    from features.workspace import read_json
    from serving import scheme_tables
    from serving.scheme_steps import in_use, newest_graded

    workspace, described = _workspace(source, home), load_source(source)
    scheme = load_scheme(which or in_use(workspace))
    names = [_known(scheme, dimension)] if dimension else list(scheme.dimensions)
    folder = newest_graded(workspace, scheme.version)
    cutoffs = snapshot_cutoffs(folder, scheme) if folder else {}
    money = Money(described.currency, described.decimals)
    for name in names:
        for part in scheme_tables.dimension(name, scheme.dimensions[name], cutoffs.get(name, {}), money):
            out.print(part)
    if not dimension:
        out.print(scheme_tables.levels(scheme), markup=False)
    if folder:
        out.print(f"\nCut-offs of {read_json(folder / 'snapshot.json')['as_of']}: {folder}", markup=False)


@scheme_app.command()
def diff(
    old: VersionArgument,
    new: VersionArgument,
    source: SourceOption = "sample",
    home: HomeOption = None,
    month: MonthOption = None,
) -> None:
    """What differs between two schemes, and how many customers of the last month would change class."""
    from classification.difference import differences
    from classification.effect import effect
    from classification.months import find_month, months
    from classification.scheme import load_scheme
    from classification.wording import Money
    from serving import scheme_tables

    was, now, described = load_scheme(old), load_scheme(new), load_source(source)
    found = differences(was, now, Money(described.currency, described.decimals))
    if not found:
        out.print(f"{now.version} says the same as {was.version}.", markup=False)
        return
    out.print(scheme_tables.differences(was, now, found), markup=False, soft_wrap=True)
    workspace = _workspace(source, home)
    if months(workspace) or month:
        graded = find_month(workspace, month)
        for part in scheme_tables.effect(effect(graded.folder, was, now), graded.name):
            out.print(part)


@scheme_app.command()
def new(
    version: Annotated[str, typer.Argument(help="as in 2027-01")],
    old: FromOption = None,
    changes: SetOption = None,
    source: SourceOption = "sample",
    home: HomeOption = None,
) -> None:
    """Write a new version: the file of the one it replaces, changed as told, comments and all."""
    from classification.draft import draft
    from classification.scheme import SCHEMES, load_scheme, scheme_text
    from classification.soundness import text_flaws
    from serving.scheme_steps import in_use

    old = old or in_use(_workspace(source, home))
    before = load_scheme(old)
    path = SCHEMES / f"{version}.yaml"
    if path.exists():
        raise InputError(path, "a scheme", "a version that is not there", "A scheme never changes: name a new version.")
    text = draft(scheme_text(old), version, changes or [])
    flaws = text_flaws(text, path, {})
    for flaw in flaws:
        err.print(flaw.letter(), markup=False)
    if flaws:
        err.print(f"{path} was not written.", markup=False)
        raise typer.Exit(2)
    path.write_text(text, encoding="utf-8")
    out.print(f"Wrote {path}.\nThen: scoring scheme diff {before.version} {version}", markup=False)


@scheme_app.command()
def use(
    version: VersionArgument,
    reason: ReasonOption,
    by: ByOption = "",
    source: SourceOption = "sample",
    home: HomeOption = None,
) -> None:
    """Register the models that are live with another scheme; somebody's approval then lets it go live."""
    from serving import scheme_tables
    from serving.scheme_steps import use as use_scheme

    with open_job(source, home) as job:
        done = use_scheme(job, version, reason, by)
    for part in scheme_tables.amendment(done, job.source.name, job.source.currency):
        out.print(part, markup=False)


@scheme_app.command()
def decode(
    code: Annotated[str, typer.Argument(help="whole, or cut off after one of its levels")],
    version: ReadAsOption = None,
    to: ToOption = None,
    source: SourceOption = "sample",
    home: HomeOption = None,
) -> None:
    """What a class code says; --to: what a later version of the scheme would say instead."""
    from classification.forward import forward_code
    from classification.scheme import load_scheme
    from serving import scheme_tables
    from serving.scheme_steps import in_use

    wrote = load_scheme(version or in_use(_workspace(source, home)))
    try:
        found = wrote.decode(code)
    except ValueError as error:
        cure = "--version names the scheme that wrote it; `scoring scheme show` tells how codes are made up."
        raise InputError(f"a code of scheme {wrote.version}", f"'{code}'", str(error), cure) from None
    out.print(scheme_tables.classes(found, wrote, f"{code} in {wrote.version}"))
    if to is not None:
        later = load_scheme(to)
        mapped = forward_code(code, wrote.version, later)
        out.print(scheme_tables.classes(later.decode(mapped), later, f"{mapped} in {later.version}"))


@scheme_app.command()
def schema() -> None:
    """Print the JSON Schema of scheme files; configs/schemas/scheme.schema.json is this."""
    from classification.scheme import Scheme
    from features.config import json_schema

    sys.stdout.write(json_schema(Scheme, "A classification scheme: which classes there are, and who belongs to which"))


def _workspace(source: str, home: Path | None) -> Workspace:
    return Workspace(home or Path("data") / load_source(source).name)


def _known(scheme: Scheme, dimension: str) -> str:
    if dimension not in scheme.dimensions:
        raise InputError("--dimension", f"'{dimension}'", f"one of {', '.join(scheme.dimensions)}")
    return dimension
