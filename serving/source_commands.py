"""`scoring source`: a company's own data, from the first look at the files to a source file that works."""

from __future__ import annotations

import secrets
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qs, urlsplit, urlunsplit

import typer

from features.errors import InputError
from features.tables.reading import Database
from features.tables.sources import SOURCES, Source, load_source
from features.workspace import Workspace, read_json
from serving.options import RawOption, out, progress_bars

if TYPE_CHECKING:
    from collections.abc import Iterator

    from features.tables.infer.look import Seen
    from features.tables.run import Ingested

source_app = typer.Typer(no_args_is_help=True, help="Bring your own data: propose a source file, try it.")


@source_app.command()
def init(
    places: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="files, folders, or postgresql://host/database?table=name")
    ],
    name: Annotated[str | None, typer.Option("--name", help="of the source; by default as the file")] = None,
    target: Annotated[Path | None, typer.Option("--out", help="by default configs/sources/<name>.yaml")] = None,
    table: Annotated[list[str] | None, typer.Option("--table", help="of the database; as often as needed")] = None,
    force: Annotated[bool, typer.Option("--force", help="write over a file that is there")] = False,
) -> None:
    """Look at your tables, and write a source file with the reason beside each guess."""
    from features.tables.infer.propose import propose
    from features.tables.infer.write import as_name, check_name, please_look, source_text

    seen = _look(places, table or [])
    called = check_name(name or (target.stem if target else as_name(seen.tables[0].name)))
    path = target or SOURCES / f"{called}.yaml"
    if path.stem != called or path.suffix not in (".yaml", ".yml"):
        raise InputError("--out", str(path), f"a file called {called}.yaml, as the source is", "Or leave it out.")
    if path.exists() and not force:
        raise InputError(path, "a source file", "a new name", "Name it with --name, or write over it with --force.")
    proposal = propose(called, seen.tables)
    looked_at = [file for looked in seen.tables for file in looked.files or (looked.name,)]
    text = source_text(proposal, looked_at[:10] + (["and others"] if looked_at[10:] else []), seen.skipped)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    _say(path, [*proposal.left_out, *seen.skipped], please_look(proposal), called, seen)


def _look(places: list[str], tables: list[str]) -> Seen:
    """Files and tables, whichever the places are."""
    from features.tables.infer.look import Seen, look_at_database, look_at_files

    urls = [place for place in places if place.startswith(("postgres://", "postgresql://"))]
    paths = [Path(place) for place in places if place not in urls]
    if urls and paths:
        raise InputError(" ".join(map(str, paths)), "files and a database", "one or the other")
    if not urls:
        return look_at_files(paths)
    databases = [database for url in urls for database in _databases(url, tables)]
    return Seen(Path(), tuple(map(look_at_database, databases)), ())


def _databases(url: str, tables: list[str]) -> list[Database]:
    parts = urlsplit(url)
    if parts.password is not None:
        raise InputError("the URL", "a password", "none in the URL", "Put it into PGPASSWORD or ~/.pgpass.")
    query = parse_qs(parts.query)
    names = tables or query.pop("table", [])
    if not names:
        raise InputError(url, "no table", "?table=name at its end, or --table name", "Give several by several --table.")
    rest = "&".join(f"{key}={value}" for key, values in query.items() if key != "table" for value in values)
    return [Database(url=urlunsplit(parts._replace(query=rest)), table=each) for each in names]


def _say(path: Path, left_out: list[str], doubts: list[str], name: str, seen: Seen) -> None:
    out.print(f"Wrote {path}.", markup=False)
    for title, lines in (("Left out:", left_out), ("Please look at:", doubts)):
        if lines:
            out.print(f"\n{title}", markup=False)
            for line in lines:
                out.print(f"- {line}", markup=False, soft_wrap=True)
    which = str(path) if path.parent != SOURCES else name
    raw = "" if seen.tables[0].database else f" --raw {seen.raw}"
    out.print(f"\nThen: scoring source check {which}{raw}", markup=False, soft_wrap=True)


@source_app.command()
def check(
    source: Annotated[str, typer.Argument(help="a name in configs/sources, or a YAML file")], raw: RawOption = None
) -> None:
    """Read all tables as the source file says, keep nothing, and tell what the data allow."""
    from serving import show
    from training.needs import holdings, lacking
    from training.recipes import load_settings

    described = load_source(source)
    with _ingested(described, raw) as (workspace, done):
        held = holdings(workspace.tables)
        out.print(show.rows(done.counts))
        report = read_json(workspace.tables / "report.json")
        out.print(
            f"\n{held.first_day} to {held.last_day}: {sum(held.kinds.values()):,} events of "
            f"{report['customers']:,} customers"
        )
        out.print(show.held(held.kinds))
        if held.attributes:
            out.print(show.attributes(held.attributes, described))
        out.print(show.allowed(lacking(held, load_settings())))


@contextmanager
def _ingested(described: Source, raw: Path | None) -> Iterator[tuple[Workspace, Ingested]]:
    """A passing workspace with the tables of a source, under a passing key."""
    from features.tables.ingest import ingest
    from features.tables.privacy import Pseudonyms
    from features.tables.simulate import simulate
    from serving.steps import SAMPLE

    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace(Path(scratch))
        if raw is None and described.name == SAMPLE:
            raw = workspace.simulated
            simulate(raw, 300)
        if raw is None and any(table.files for table in described.tables):
            raise InputError("--raw", "nothing", f"the folder of the files of {described.name}")
        key = Pseudonyms(secrets.token_bytes(32))
        with progress_bars() as progress:
            done = ingest(described, raw or Path(), workspace, key, progress)
        yield workspace, done


@source_app.command()
def schema() -> None:
    """Print the JSON Schema of source files; configs/schemas/source.schema.json is this."""
    from features.tables.infer.write import json_schema

    sys.stdout.write(json_schema())
