"""A release: the models, the feature list and the scheme that belong together, as a folder of plain files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.batch import usable_cores
from features.catalogue import FINGERPRINT, POSITION
from features.errors import InputError
from features.workspace import read_json, write_json
from training.explain import Contributions
from training.golden import check_golden, write_golden
from training.intent import IntentModel
from training.manifest import check_manifest, write_manifest
from training.models.rungs import load_model
from training.models.seen import Supervised
from training.models.together import Together
from training.recipes import BY_NAME, INTENT, OUTPUTS, POTENTIAL, SEGMENTS, VALUE, Recipe, asked, longest_silence
from training.segments import SegmentModel

Array = NDArray[np.float64]

TaskModel = Supervised | IntentModel | SegmentModel

SCHEME_FILE = "scheme.yaml"
DESCRIPTION = "release.json"
RECENCY, ORDER_DAYS = POSITION["recency_days"], POSITION["order_days"]
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
            return dict(zip(OUTPUTS, self._score(rows), strict=True))
        blocks = [rows[first : first + ROWS_AT_ONCE] for first in range(0, len(rows), ROWS_AT_ONCE)]
        with ThreadPoolExecutor(usable_cores()) as pool:
            return dict(zip(OUTPUTS, np.hstack(list(pool.map(self._score, blocks))), strict=True))

    def score_one(self, row: Array) -> dict[str, float]:
        """The same of one row (features,)."""
        rows, recency, scores = row[None], row[RECENCY].item(), dict.fromkeys(OUTPUTS, math.nan)
        bought, active_days = recency == recency, self.about["active_days"]
        answers = self._together.answers(rows) if bought or row[ORDER_DAYS] > 0 else self._nothing
        found = answers[:, 0].tolist()
        for recipe, model, parts, _ in self._tasks:
            if isinstance(model, IntentModel):
                scores |= zip(recipe.outputs, model.told(rows, answers[parts])[:, 0].tolist(), strict=True)
            elif isinstance(model, SegmentModel):
                scores[recipe.name] = model.predict(rows).item() if bought else math.nan
            elif recency <= longest_silence(recipe, active_days):  # null is not
                scores[recipe.name] = found[parts.start]
        return scores

    def score_each(self, rows: Array) -> dict[str, Array]:
        """`score`, as `score_one` gives it row by row."""
        each = [self.score_one(row) for row in rows]
        return {output: np.array([one[output] for one in each]) for output in OUTPUTS}

    def _score(self, rows: Array) -> Array:
        """Shape (outputs, n)."""
        everybody = bool(asked(VALUE, rows, None).all())
        answers = self._together.answers(rows) if everybody else self._of_buyers(rows)
        out = np.full((len(OUTPUTS), len(rows)), np.nan)
        for recipe, model, parts, outputs in self._tasks:
            if isinstance(model, IntentModel):
                told = model.told(rows, answers[parts])
            else:
                told = model.predict(rows) if isinstance(model, SegmentModel) else answers[parts]
            if recipe.asked == "active" or not (everybody or recipe.asked == "everyone"):
                told = np.where(asked(recipe, rows, self.about["active_days"]), told, np.nan)
            out[outputs] = told
        return out

    def _of_buyers(self, rows: Array) -> Array:
        """What each model that was fitted to labels answers, (models, n); NaN for customers who never bought."""
        bought = asked(VALUE, rows, None) | (rows[:, ORDER_DAYS] > 0)
        found = np.full((len(self._together.models), len(rows)), np.nan)
        found[:, bought] = self._together.answers(rows[bought])
        return found

    @cached_property
    def _nothing(self) -> Array:
        """What the models answer of one who never bought."""
        return np.full((len(self._together.models), 1), np.nan)

    @cached_property
    def _together(self) -> Together:
        """The models that were fitted to labels, task by task."""
        return Together(tuple(part for name, model in self.models.items() for part in self._parts(name, model)))

    @cached_property
    def _tasks(self) -> list[tuple[Recipe, TaskModel, slice, slice]]:
        """Each task with its model, the places of the answers of its parts, and of its outputs."""
        found, first = [], 0
        for name, model in self.models.items():
            parts, recipe = len(self._parts(name, model)), BY_NAME[name]
            place = OUTPUTS.index(name)
            found.append((recipe, model, slice(first, first + parts), slice(place, place + len(recipe.outputs))))
            first += parts
        return found

    def _parts(self, name: str, model: TaskModel) -> Sequence[tuple[Supervised, int]]:
        """The models that a task is made of, with the days that they look ahead; of segments none."""
        if isinstance(model, SegmentModel):
            return ()
        return model.parts if isinstance(model, IntentModel) else ((model, self.horizon(name)),)

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
    for ask in (release.score, release.score_each):
        check_golden(folder, ask, name or str(folder))
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
