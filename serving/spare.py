"""The spare: a copy of the release that was live last, to start from while the registry does not answer.

Beside the files lies which version they are, with the digest of their manifest, under a MAC with the installation's
key: whoever changes a byte of them would have to have that, too.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from features.errors import InputError
from features.tables.privacy import Pseudonyms
from features.workspace import Workspace, alone, read_json, staged, write_json
from training.manifest import check_manifest
from training.registry import model_name
from training.release import Release, load_release

LOG = logging.getLogger(__name__)
FILES, NOTE = "release", "live.json"


@dataclass(frozen=True)
class Spare:
    """The copy of a source's release in `folder`."""

    source: str
    folder: Path
    key: bytes = field(repr=False)

    def keep(self, files: Path, release: Release) -> None:
        """Keep a release that was opened from `files`, in place of the one before, unless it is there already.

        What is served does not depend on it: a folder that cannot be written to is a warning.
        """
        try:
            self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with alone(self.folder.parent):
                if not self._has(release):
                    with staged(self.folder) as new:
                        shutil.copytree(files, new / FILES)
                        write_json(new / NOTE, self._note(release.version, release.digest))
        except OSError as error:
            LOG.warning("no copy of the release is kept in %s: %s", self.folder, error.strerror or type(error).__name__)

    def open(self) -> Release:
        """The release, verified as one of the registry is. Raises InputError where there is none, and where anything
        of it was changed."""
        note = self._noted()
        if note is None:
            raise InputError(self.folder, "no release", "one that was served before", "Start the registry.")
        version, digest = note.get("version"), note.get("manifest")
        mac = str(note.get("mac", ""))
        if not isinstance(version, int) or not hmac.compare_digest(self._mac(version, str(digest)), mac):
            raise InputError(
                self.folder / NOTE,
                "what this installation's key did not sign",
                "the note of a release that was served before",
                "It was changed: it is refused. Start the registry.",
            )
        return load_release(self.folder / FILES, str(digest), version, str(self.folder / FILES))

    def _has(self, release: Release) -> bool:
        try:
            if self._noted() != self._note(release.version, release.digest):
                return False
            check_manifest(self.folder / FILES, release.digest, str(self.folder))
        except InputError:
            return False
        return True

    def _noted(self) -> dict[str, object] | None:
        path = self.folder / NOTE
        found = read_json(path) if path.exists() else None
        return found if isinstance(found, dict) else None

    def _note(self, version: int, digest: str) -> dict[str, object]:
        said = {"release": model_name(self.source), "version": version, "manifest": digest}
        return said | {"mac": self._mac(version, digest)}

    def _mac(self, version: int, digest: str) -> str:
        said = "\0".join([model_name(self.source), str(version), digest])
        return hmac.digest(self.key, said.encode(), "sha256").hex()


def spare_of(workspace: Workspace, source: str, pseudonyms: Pseudonyms) -> Spare:
    """That of a workspace; its key is derived from that of the pseudonyms."""
    key = hashlib.sha256(b"customer-scoring: spare\0" + pseudonyms.key).digest()
    return Spare(source, workspace.live / "spare", key)
