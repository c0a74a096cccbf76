"""`scoring key`: who may ask the service for what."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from features.tables.audit import open_audit
from features.tables.sources import load_source
from features.workspace import Workspace
from serving.keys import ROLES, add_key, keys_path, read_keys, revoke_key
from serving.options import HomeOption, SourceOption, as_day, out, workspace_of

app = typer.Typer(no_args_is_help=True, help=__doc__)

RoleOption = Annotated[list[str], typer.Option("--role", help=f"as often as needed: {', '.join(ROLES)}")]
NameOption = Annotated[str, typer.Option("--name", help="who will use it, as in shop")]
UntilOption = Annotated[
    datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="the last day it is good for")
]
ByOption = Annotated[str | None, typer.Option("--by", help="who acts; by default the user of this computer")]


@app.command()
def add(
    role: RoleOption,
    name: NameOption,
    source: SourceOption = "sample",
    home: HomeOption = None,
    until: UntilOption = None,
    by: ByOption = None,
) -> None:
    """Make a key; it is shown once, and nowhere kept."""
    workspace = _workspace(source, home)
    secret = add_key(workspace, open_audit(workspace.home, by), name, role, as_day(until))
    out.print(secret, markup=False, soft_wrap=True)


@app.command("list")
def list_keys(source: SourceOption = "sample", home: HomeOption = None) -> None:
    """All keys, without their secrets."""
    table = Table("id", "name", "roles", "created", "until", "revoked")
    for key in read_keys(keys_path(_workspace(source, home))):
        table.add_row(key.id, key.name, ", ".join(key.roles), key.created, key.until or "", key.revoked or "")
    out.print(table)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="the id of the key")],
    source: SourceOption = "sample",
    home: HomeOption = None,
    by: ByOption = None,
) -> None:
    """End a key at once; a running service knows within a second."""
    workspace = _workspace(source, home)
    done = revoke_key(workspace, open_audit(workspace.home, by), key)
    out.print(f"Revoked: {done.id} ({done.name}).", markup=False)


def _workspace(source: str, home: Path | None) -> Workspace:
    return workspace_of(load_source(source).name, home)
