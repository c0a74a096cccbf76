"""A release: the models, the feature list and the scheme that belong together, as a folder of plain files."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.batch import usable_cores
from features.catalogue import FINGERPRINT
from features.errors import InputError
from features.workspace import read_json, write_json
from training.explain import Contributions
from training.golden import check_golden, write_golden
from training.intent import IntentModel
from training.manifest import check_manifest, write_manifest
from training.models.inputs import Supervised
from training.models.rungs import load_model
from training.recipes import BY_NAME, INTENT, OUTPUTS, POTENTIAL, SEGMENTS, asked
from training.segments import SegmentModel

Array = NDArray[np.float64]

TaskModel = Supervised | IntentModel | SegmentModel

SCHEME_FILE = "scheme.yaml"
DESCRIPTION = "release.json"
ROWS_AT_ONCE = 8_192
"""Rows that a thread scores at a time."""


@dataclass(frozen=True)
class Release:
    """Everything that turns a feature row into scores.

    about: what release.json says (source, dates, skipped tasks…); models: task → model; version: its number in the
    registry, 0 before it has one; digest: SHA-256 of its manifest, which names its exact bytes.
    """

    about: dict[str, Any]
    models: Mapping[str, TaskModel]
    scheme: str
    version: int = 0
    digest: str = ""

    def score(self, rows: Array) -> dict[str, Array]:
        """Every answer per row: rows (n, features) → output → (n,); NaN where a task is not asked of a customer or was
        skipped. `potential` answers for everybody who bought: the classes say of whom it is asked. One row and many
        give the same bits."""
        if len(rows) <= ROWS_AT_ONCE:
            return self._score(rows)
        blocks = [rows[first : first + ROWS_AT_ONCE] for first in range(0, len(rows), ROWS_AT_ONCE)]
        with ThreadPoolExecutor(usable_cores()) as pool:
            parts = list(pool.map(self._score, blocks))
        return {output: np.concatenate([part[output] for part in parts]) for output in OUTPUTS}

    def _score(self, rows: Array) -> dict[str, Array]:
        scores: dict[str, Array] = {}
        groups: dict[str, tuple[NDArray[np.bool_], Array]] = {}
        for name, model in self.models.items():
            recipe = BY_NAME[name]
            if recipe.asked not in groups:
                mask = asked(recipe, rows, self.about["active_days"])
                groups[recipe.asked] = mask, rows if mask.all() else rows[mask]
            mask, mine = groups[recipe.asked]
            if len(mine):
                answers = self._answers(name, model, mine)
                spread = answers if mine is rows else [_spread(answer, mask) for answer in answers]
                scores |= zip(recipe.outputs, spread, strict=True)
        nothing = np.full(len(rows), np.nan)
        return {output: scores.get(output, nothing) for output in OUTPUTS}

    def _answers(self, name: str, model: TaskModel, rows: Array) -> tuple[Array, ...]:
        if isinstance(model, IntentModel):
            return model.answers(rows)
        return (model.predict(rows, self.horizon(name)),)

    def horizon(self, task: str) -> int:
        """The days that a task looks ahead; of `intent` the nearest."""
        if task == INTENT.name:
            return int(self.about["intent_days"][0])
        return int(self.about["potential_days" if task == POTENTIAL.name else "horizon_days"])

    def save(self, folder: Path, golden: Array | None = None) -> None:
        """Write release.json, scheme.yaml, a folder per task, the answers for the rows `golden` (n, features), and the
        manifest of them all."""
        for name, model in self.models.items():
            (folder / name).mkdir(parents=True)
            model.save(folder / name)
        (folder / SCHEME_FILE).write_text(self.scheme, encoding="utf-8")
        write_json(folder / DESCRIPTION, self.about)
        if golden is not None:
            write_golden(folder, golden, self.score(golden))
        write_manifest(folder)


def _spread(answer: Array, mask: NDArray[np.bool_]) -> Array:
    """The answers (m,) for the rows of `mask` (n,), NaN for the others; shape (n,)."""
    found = np.full(len(mask), np.nan)
    found[mask] = answer
    return found


def load_release(folder: Path, digest: str, version: int = 0, name: str = "") -> Release:
    """Read a release after every file of it was checked.

    digest: that of the manifest, from a place that whoever can change the files cannot reach; name: what the release
    is called in errors, where the folder is a passing one. Raises InputError when
    a file was changed, added or lost, when the release was made with other feature definitions, and when it does not
    answer as it did.
    """
    check_manifest(folder, digest, name or str(folder))
    about = read_json(folder / DESCRIPTION)
    if about["features"] != FINGERPRINT:
        raise InputError(
            f"{name or folder}: {DESCRIPTION}",
            f"features {about['features']}",
            f"{FINGERPRINT}, those of this installation",
            "Train a release with this version of the software, or serve it with the version that trained it.",
        )
    models = {name: load_task(name, folder / name) for name in about["tasks"]}
    release = Release(about, models, (folder / SCHEME_FILE).read_text(encoding="utf-8"), version, digest)
    check_golden(folder, release.score, name or str(folder))
    return release


def contributions(release: Release, task: str, rows: Array) -> Contributions | None:
    """Why a task answers as it does for customers who have bought, rows (n, features); None for a task without a
    model, and for segments."""
    model = release.models.get(task)
    if model is None or isinstance(model, SegmentModel):
        return None
    return model.explain(rows, release.horizon(task))


def load_task(name: str, folder: Path) -> TaskModel:
    """A task's model as it was saved."""
    if name == SEGMENTS.name:
        return SegmentModel.load(folder)
    return IntentModel.load(folder) if name == INTENT.name else load_model(folder)
