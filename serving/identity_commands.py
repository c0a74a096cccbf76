"""`scoring identity`: customers who appear under several ids: find, decide, undo."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serving.options import HomeOption, SourceOption, open_job, out

if TYPE_CHECKING:
    from features.tables.privacy import Pseudonyms

app = typer.Typer(no_args_is_help=True, help=__doc__)

MergeArgument = Annotated[int, typer.Argument(help="a number of `identity list`")]
MergesArgument = Annotated[list[int], typer.Argument(help="numbers of `identity list`")]
ByOption = Annotated[str | None, typer.Option("--by", help="who decides; by default the user of this machine")]
AllOption = Annotated[bool, typer.Option("--all", help="what is decided, too")]

NEXT = "Next: scoring features, then scoring classify."


@contextmanager
def _tables(source: str, home: Path | None) -> Iterator[tuple[Path, Pseudonyms]]:
    """The tables of a source, and the pseudonyms that they were made with."""
    from features.tables.privacy import load_pseudonyms

    with open_job(source, home) as job:
        job.vault()  # the key is the right one
        yield job.workspace.tables, load_pseudonyms()


def _decider(by: str | None) -> str:
    from features.tables.audit import this_user

    return by or this_user()


@app.command()
def resolve(source: SourceOption = "sample", home: HomeOption = None, by: ByOption = None) -> None:
    """Find customers under several ids: merge those that are certain, propose the likely ones."""
    from features.tables import identity

    with _tables(source, home) as (tables, pseudonyms):
        done = identity.resolve(tables, pseudonyms, _decider(by))
    out.print(f"{done.people:,} ids compared: {done.merged:,} merged, {done.proposed:,} proposed.", markup=False)
    out.print(f"To decide on: scoring identity list. {NEXT}", markup=False)


@app.command("list")
def list_findings(source: SourceOption = "sample", home: HomeOption = None, everything: AllOption = False) -> None:
    """What is proposed, most probable first; says nothing of who it is."""
    from features.tables import identity
    from serving import show

    with _tables(source, home) as (tables, pseudonyms):
        found = identity.read_ledger(tables, pseudonyms).findings
    out.print(show.findings([f for f in found if everything or f.state == "proposed"]))


@app.command("show")
def show_finding(merge: MergeArgument, source: SourceOption = "sample", home: HomeOption = None) -> None:
    """Both customers side by side, as the vault knows them."""
    from features.tables import identity
    from serving import show

    with _tables(source, home) as (tables, pseudonyms):
        finding = identity.read_ledger(tables, pseudonyms).numbered(merge)
        sides = identity.side_by_side(tables, pseudonyms, finding)
    out.print(show.side_by_side(finding, sides))


@app.command()
def accept(
    merges: MergesArgument, source: SourceOption = "sample", home: HomeOption = None, by: ByOption = None
) -> None:
    """Merge what was proposed."""
    from features.tables import identity

    with _tables(source, home) as (tables, pseudonyms):
        identity.accept(tables, pseudonyms, merges, _decider(by))
    out.print(f"Merged. {NEXT}", markup=False)


@app.command()
def reject(
    merges: MergesArgument, source: SourceOption = "sample", home: HomeOption = None, by: ByOption = None
) -> None:
    """Tell apart what was proposed; it is not proposed again."""
    from features.tables import identity

    with _tables(source, home) as (tables, pseudonyms):
        identity.reject(tables, pseudonyms, merges, _decider(by))
    out.print("Told apart.", markup=False)


@app.command()
def undo(merge: MergeArgument, source: SourceOption = "sample", home: HomeOption = None, by: ByOption = None) -> None:
    """Take a merge back; the tables are what they were without it."""
    from features.tables import identity

    with _tables(source, home) as (tables, pseudonyms):
        identity.undo(tables, pseudonyms, merge, _decider(by))
    out.print(f"Undone. {NEXT}", markup=False)


@app.command("merge")
def merge_by_hand(
    one: Annotated[str, typer.Argument(help="the company's own id")],
    other: Annotated[str, typer.Argument(help="another id of the same customer")],
    source: SourceOption = "sample",
    home: HomeOption = None,
    by: ByOption = None,
) -> None:
    """Merge two ids that are known to be one customer."""
    from features.tables import identity

    with _tables(source, home) as (tables, pseudonyms):
        number = identity.merge_by_hand(tables, pseudonyms, one, other, _decider(by))
    out.print(f"Merged as number {number}. {NEXT}", markup=False)
