"""A release: the models, the feature list and the scheme that belong together, as a folder of plain files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.catalogue import FINGERPRINT
from features.errors import InputError
from features.workspace import read_json, write_json
from training.fit import LOADERS, Model
from training.recipes import RECIPES, SEGMENTS, eligible
from training.segments import SegmentModel

Array = NDArray[np.float64]

MANIFEST_TAG = "manifest"
SCHEME_FILE = "scheme.yaml"
DESCRIPTION = "release.json"


@dataclass(frozen=True)
class Release:
    """Everything that turns a feature row into scores.

    about: what release.json says (source, dates, skipped tasks…); models: task → model; version: its number in the
    registry, 0 before it has one.
    """

    about: dict[str, Any]
    models: Mapping[str, Model]
    scheme: str
    version: int = 0
    manifest: dict[str, str] = field(default_factory=dict)

    def score(self, rows: Array) -> dict[str, Array]:
        """Every task's score per row: rows (n, features) → task → (n,); NaN where a task is not asked of a customer
        or was skipped. One row and many give the same bits."""
        scores = {recipe.name: np.full(len(rows), np.nan) for recipe in RECIPES}
        asked = eligible(rows, self.about["active_days"])
        for name, model in self.models.items():
            if name == SEGMENTS.name:
                scores[name] = model.predict(rows, self.about["horizon_days"])
            elif asked.any():
                scores[name][asked] = model.predict(rows[asked], self.about["horizon_days"])
        return scores

    def save(self, folder: Path) -> None:
        """Write release.json, scheme.yaml and a folder per task."""
        for name, model in self.models.items():
            (folder / name).mkdir(parents=True)
            model.save(folder / name)
        (folder / SCHEME_FILE).write_text(self.scheme, encoding="utf-8")
        write_json(folder / DESCRIPTION, self.about)


def load_release(folder: Path, manifest: Mapping[str, str] | None = None, version: int = 0) -> Release:
    """Read a release; with a manifest, every file is checked before any is read.

    Raises InputError when a file was changed or lost, or when the release was made with other feature definitions.
    """
    if manifest is not None:
        check_manifest(folder, manifest)
    about = read_json(folder / DESCRIPTION)
    if about["features"] != FINGERPRINT:
        raise InputError(
            folder / DESCRIPTION,
            f"features {about['features']}",
            f"{FINGERPRINT}, those of this installation",
            "Train a release with this version of the software, or serve it with the version that trained it.",
        )
    loaders = {**LOADERS, SEGMENTS.name: SegmentModel.load}
    models = {name: loaders[name](folder / name) for name in about["tasks"]}
    scheme = (folder / SCHEME_FILE).read_text(encoding="utf-8")
    return Release(about, models, scheme, version, dict(manifest or {}))


def manifest_of(folder: Path) -> dict[str, str]:
    """Relative path → SHA-256 of every file below `folder`, in order of path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def manifest_digest(manifest: Mapping[str, str]) -> str:
    """One short digest of a manifest: names a release's exact bytes."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]


def check_manifest(folder: Path, manifest: Mapping[str, str]) -> None:
    """Raise InputError unless every file of the manifest is there, byte for byte."""
    for name, digest in manifest.items():
        path = folder / name
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no such file"
        if found != digest:
            raise InputError(path, found, digest, "The release was changed after it was registered: it is refused.")
