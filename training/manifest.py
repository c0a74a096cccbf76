"""The manifest of a folder of plain files: the SHA-256 of each, so that a changed one is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

from features.errors import InputError
from features.workspace import read_json, write_json

MANIFEST = "manifest.json"
MLFLOW_FILES = ("MLmodel", "registered_model_meta")
"""What MLflow puts beside a model; nothing of it is read."""


def write_manifest(folder: Path) -> str:
    """Write the manifest of a folder's files into it; returns the digest of the manifest."""
    write_json(folder / MANIFEST, _digests(folder))
    return manifest_digest(folder)


def manifest_digest(folder: Path) -> str:
    """SHA-256 of a folder's manifest, which names the exact bytes of all its files."""
    return _sha256(folder / MANIFEST)


def check_manifest(folder: Path, digest: str, name: str) -> None:
    """Raise InputError unless the manifest has that digest and every file is as the manifest says.

    digest: from a place that whoever can change the files cannot reach; name: what the folder is called in errors.
    """
    found = {MANIFEST: _sha256(folder / MANIFEST)}
    _compare(found, {MANIFEST: digest}, name)
    _compare(_digests(folder), read_json(folder / MANIFEST), name)


def _compare(found: dict[str, str], wanted: dict[str, str], name: str) -> None:
    for file in sorted(set(wanted) | set(found)):
        if wanted.get(file) != found.get(file):
            raise InputError(
                f"{name}: {file}",
                found.get(file, "no such file"),
                wanted.get(file, "no such file"),
                "It was changed after it was registered: it is refused.",
            )


def _digests(folder: Path) -> dict[str, str]:
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: _sha256(files[name]) for name in sorted(files) if name not in (MANIFEST, *MLFLOW_FILES)}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no such file"
