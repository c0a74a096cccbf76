"""Where requests about one person's data are answered: what all of them need."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from features.errors import InputError
from features.tables.audit import Audit, open_audit
from features.tables.erasure import id_columns
from features.tables.holds import knows
from features.tables.person import Person, find_person
from features.tables.privacy import Pseudonyms, check_same_key, load_pseudonyms
from features.tables.rewrite import Rewritten
from features.tables.search import Searched, search
from features.tables.sources import Source
from features.tables.vault import Vault, open_vault
from features.workspace import Workspace, clear_up, staged
from serving.settings import load_serving
from serving.steps import Job
from serving.store.place import Place
from serving.store.publish import Standing, revise


@dataclass(frozen=True)
class Desk:
    """A source, its workspace, the key of its pseudonyms, the log of what is done here, and the address of a Redis that
    is served from."""

    source: Source
    workspace: Workspace
    pseudonyms: Pseudonyms
    audit: Audit
    redis: str = field(default="", repr=False)

    @property
    def vault(self) -> Vault:
        """What only this desk opens."""
        return open_vault(self.workspace.tables, self.pseudonyms)

    @property
    def place(self) -> Place:
        """Where the online store lies that the service asks."""
        return Place(self.workspace, self.source.name, self.redis)

    def person(self, raw_id: str) -> Person:
        """The person behind one of the company's ids, known or not."""
        return find_person(self.workspace.tables, self.vault, self.pseudonyms, raw_id)

    def known(self, person: Person) -> bool:
        """Whether the tables have rows of the person."""
        return knows(self.workspace.tables, person)

    def search(self, person: Person, but: tuple[str, ...] = ()) -> Searched:
        """Look for the person in every file of the workspace but the company's own, and the laundering records, which
        the law keeps and nobody tells of."""
        hidden = tuple(f"{path.name}/" for path in (self.workspace.simulated, self.workspace.laundering))
        return search(self.workspace.home, person, self.vault, id_columns(self.source), (*hidden, *but))

    def own_files(self, person: Person) -> tuple[str, ...]:
        """The company's own files in the workspace that have the person."""
        folder = self.workspace.simulated
        return search(folder, person, self.vault, {}).found if folder.exists() else ()

    def revise(self, person: Person, reason: str, change: Callable[[Path], list[Rewritten]]) -> list[Rewritten]:
        """Let `change` revise a copy of each folder that was made of the tables, put it in place, and log its files."""
        hidden = [path.name for path in (self.workspace.simulated, self.workspace.tables, self.workspace.laundering)]
        hidden.append(self.workspace.arrivals.name)
        folders = [path for path in sorted(self.workspace.home.iterdir()) if path.is_dir()]
        done: list[Rewritten] = []
        for folder in folders:
            if folder.name in hidden or folder.name.startswith("."):
                continue
            with staged(folder, keep=True) as new:
                for left in new.rglob("*.new"):  # half of a file, of a run that was killed
                    left.unlink()
                files = change(new)
                self.log("revise", person, reason, folder.name, files)
            done += files
        return done

    def discard_reports(self) -> None:
        """Reports tell customers one from another; `scoring report` makes them again, without those who are gone."""
        shutil.rmtree(self.workspace.reports, ignore_errors=True)

    def log(self, action: str, person: Person, reason: str, folder: str, files: list[Rewritten]) -> None:
        """Note the files that are about to be put in place, if any."""
        if files:
            said: list[dict[str, Any]] = [
                {"file": f"{folder}/{each.file}", "before": each.before, "after": each.after} for each in files
            ]
            self.audit.append(action, person, reason, files=said)


def open_desk(job: Job, by: str | None = None) -> Desk:
    """The desk of a job's workspace; by: who acts, by default the user of this computer.

    Raises InputError without tables, or with another key than theirs.
    """
    pseudonyms, report = load_pseudonyms(), job.report()
    check_same_key(pseudonyms, report["key"], job.workspace.tables)
    _clear_up(job.workspace.home)
    audit = open_audit(job.workspace.home, by)
    return Desk(job.source, job.workspace, pseudonyms, audit, load_serving().store)


def revise_stores(folder: Path, gone: frozenset[str], held: Standing) -> list[Rewritten]:
    """Take customers out of the online stores below `folder`, and tell them what holds of the others."""
    found = ((file, revise(file, gone, held)) for file in sorted(folder.rglob("*.sqlite")))
    return [done for _, done in found if done is not None]


def check_reason(reason: str, person: Person) -> None:
    """Refuse a reason that would carry an id into the audit log."""
    if any(word in reason for word in person.ids | person.raw_ids if word):
        raise InputError("--reason", "an id of the customer", "a reason without it", "The log keeps no identifier.")


def _clear_up(home: Path) -> None:
    """What killed runs left of folders they were making."""
    for left in sorted(home.rglob(".*-*")):
        match = re.fullmatch(r"\.(.+)\.(new|old)-\d+", left.name)
        if match and left.is_dir():
            clear_up(left.with_name(match[1]))
