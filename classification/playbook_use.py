"""Which playbook a workspace uses, and the line in its audit log that says since when and why."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from classification.playbook import CURRENT, Playbook, load_playbook, playbook_path
from features.errors import InputError
from features.tables.audit import open_audit
from features.workspace import Workspace, read_json, write_json

FILE = "playbook.json"
"""The file of a workspace that names the playbook in use: version and digest."""


def playbook_in_use(workspace: Workspace) -> Playbook:
    """The playbook that was taken into use last, as its file is now; by default the current one."""
    return load_playbook(_noted(workspace).get("version", CURRENT))


def path_in_use(workspace: Workspace) -> Path:
    """Where its file is."""
    return playbook_path(_noted(workspace).get("version", CURRENT))


def use_playbook(workspace: Workspace, playbook: Playbook, by: str | None, reason: str) -> None:
    """Take a playbook of `configs/playbooks` into use from now on. by: who, by default the user of this computer."""
    if not playbook_path(playbook.version).exists():
        raise InputError(
            playbook_path(playbook.version), "nothing", "the playbook that is to be used", "Put its file there."
        )
    said = {"version": playbook.version, "digest": playbook.digest}
    open_audit(workspace.home, by).append("playbook", None, reason, **said)
    path = _path(workspace)
    new = path.with_name(f".{FILE}.{os.getpid()}")
    write_json(new, said)
    new.chmod(0o600)
    new.replace(path)


def note_playbook(workspace: Workspace, playbook: Playbook, by: str | None, reason: str) -> bool:
    """Take a playbook into use unless its content is in use already; whether it was not."""
    if _noted(workspace).get("digest") == playbook.digest:
        return False
    use_playbook(workspace, playbook, by, reason)
    return True


def _noted(workspace: Workspace) -> dict[str, Any]:
    path = _path(workspace)
    found: dict[str, Any] = read_json(path) if path.exists() else {}
    return found


def _path(workspace: Workspace) -> Path:
    return workspace.home / FILE
