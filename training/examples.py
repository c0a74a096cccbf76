"""What a run learns from: all snapshots with their rhythms, and of each the customers a recipe is asked of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from features.catalogue import POSITION
from features.progress import Progress, silent
from features.workspace import Workspace
from training.backtest import Cuts
from training.btyd import MODELS
from training.labels import answer
from training.models.inputs import Examples
from training.recipes import POTENTIAL, Recipe, Settings, asked
from training.rhythm import Rhythm, fit_rhythm
from training.snapshots import Snapshot, read_snapshots

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Standing:
    """Where the customers of a snapshot stood by value, and what became of them. lowest (n,): whether in the lowest
    class; rose (n,): whether in a higher one when the labels of `potential` closed."""

    lowest: Mask
    rose: Mask


@dataclass(frozen=True)
class Base:
    """All snapshots of a run, the BTYD model of the recipes fitted at each of their dates (None: nobody bought twice),
    every BTYD model fitted at the test dates, and where customers stood at the dates that `potential` learns from."""

    cuts: Cuts
    snapshots: Mapping[date, Snapshot]
    rhythms: Mapping[date, Rhythm | None]
    rivals: Mapping[date, dict[str, Rhythm]]
    standings: Mapping[date, Standing]
    settings: Settings
    active_days: int | None

    def asked(self, recipe: Recipe, day: date) -> Mask:
        """Whom a recipe is asked of on a date; shape (n,)."""
        found = asked(recipe, self.snapshots[day].rows, self.active_days)
        return found & self.standings[day].lowest if recipe is POTENTIAL else found

    def label(self, recipe: Recipe, horizon_days: int, day: date) -> Array:
        """The right answers of a date, shape (n,), for everybody, asked or not."""
        if recipe is POTENTIAL:
            return self.standings[day].rose.astype(float)
        return answer(recipe, self.snapshots[day].labels, horizon_days)

    def examples(self, recipe: Recipe, horizon_days: int, day: date) -> Examples | None:
        """The customers of a date with an answer to learn from: those asked who ever bought. None: there are none, or
        nobody has bought on two days."""
        snapshot, rhythm = self.snapshots[day], self.rhythms[day]
        learnt = self.asked(recipe, day) & (snapshot.rows[:, POSITION["order_days"]] > 0)
        if rhythm is None or not learnt.any():
            return None
        return Examples(snapshot.rows[learnt], rhythm, self.label(recipe, horizon_days, day)[learnt])


def read_base(
    workspace: Workspace,
    cuts: Cuts,
    settings: Settings,
    active_days: int | None,
    standings: Mapping[date, Standing],
    progress: Progress = silent,
) -> Base:
    """The snapshots of all dates of `cuts`, with a rhythm fitted at each."""
    snapshots = {snapshot.as_of: snapshot for snapshot in read_snapshots(workspace, cuts.all)}
    tests = sorted({day for look in cuts.looks for day in cuts.tests(look[0])})
    asked_for = [(day, OWN) for day in cuts.all] + [(day, name) for day in tests for name in MODELS if name != OWN]
    fitted = Parallel(n_jobs=-1, return_as="generator")(
        delayed(_rhythm)(snapshots[day].rows[:, _RHYTHM_INPUTS], name) for day, name in asked_for
    )
    found: dict[tuple[date, str], Rhythm | None] = {}
    for done, (key, rhythm) in enumerate(zip(asked_for, fitted, strict=True)):
        progress("fit purchase rhythms", done + 1, len(asked_for))
        found[key] = rhythm
    rivals = {day: {name: each for name in MODELS if (each := found[day, name])} for day in tests}
    return Base(cuts, snapshots, {day: found[day, OWN] for day in cuts.all}, rivals, standings, settings, active_days)


OWN = "mbg_nbd"
"""The BTYD model whose outputs the recipes see."""

_RHYTHM_NAMES = ("order_days", "recency_days", "tenure_days", "spend_per_order_day")
_RHYTHM_INPUTS = [POSITION[name] for name in _RHYTHM_NAMES]


def _rhythm(columns: Array, name: str) -> Rhythm | None:
    """Fitted in another process: only the four columns it needs travel there."""
    rows = np.full((len(columns), len(POSITION)), np.nan)
    rows[:, _RHYTHM_INPUTS] = columns
    try:
        return fit_rhythm(rows, name)
    except ValueError:
        return None
