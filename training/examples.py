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
from training.labels import orders_name, spend, spend_name
from training.labels import silent as bought_nothing
from training.models.examples import Examples
from training.recipes import DEMAND, POTENTIAL, VALUE, Recipe, Settings, asked
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
    """All snapshots of a run, the BTYD models fitted at each of their dates (None: nobody bought twice), and where
    customers stood at the dates that `potential` learns from."""

    cuts: Cuts
    snapshots: Mapping[date, Snapshot]
    rhythms: Mapping[date, Rhythm | None]
    standings: Mapping[date, Standing]
    settings: Settings
    active_days: int | None

    def asked(self, recipe: Recipe, day: date) -> Mask:
        """Whom a recipe is asked of on a date; shape (n,)."""
        found = asked(recipe, self.snapshots[day].rows, self.active_days)
        return found & self.standings[day].lowest if recipe is POTENTIAL else found

    def label(self, recipe: Recipe, horizon_days: int, day: date) -> Array:
        """The right answers of a date, shape (n,), for everybody, asked or not."""
        labels = self.snapshots[day].labels
        if recipe is POTENTIAL:
            return self.standings[day].rose.astype(float)
        if recipe is VALUE:
            return spend(labels[spend_name(horizon_days)])
        orders = labels[orders_name(horizon_days)]
        return orders if recipe is DEMAND else bought_nothing(orders)

    def examples(self, recipe: Recipe, horizon_days: int, day: date) -> Examples | None:
        """The customers of a date with an answer to learn from: those asked who ever bought. None: there are none."""
        snapshot, rhythm = self.snapshots[day], self.rhythms[day]
        learnt = self.asked(recipe, day) & (snapshot.rows[:, POSITION["order_days"]] > 0)
        if not learnt.any():
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
    rhythms: dict[date, Rhythm | None] = {}
    found = Parallel(n_jobs=-1, return_as="generator")(
        delayed(_rhythm)(snapshots[day].rows[:, _RHYTHM_INPUTS]) for day in cuts.all
    )
    for done, (day, rhythm) in enumerate(zip(cuts.all, found, strict=True)):
        progress("fit purchase rhythms", done + 1, len(cuts.all))
        rhythms[day] = rhythm
    return Base(cuts, snapshots, rhythms, standings, settings, active_days)


_RHYTHM_NAMES = ("order_days", "recency_days", "tenure_days", "spend_per_order_day")
_RHYTHM_INPUTS = [POSITION[name] for name in _RHYTHM_NAMES]


def _rhythm(columns: Array) -> Rhythm | None:
    """Fitted in another process: only the four columns it needs travel there."""
    rows = np.full((len(columns), len(POSITION)), np.nan)
    rows[:, _RHYTHM_INPUTS] = columns
    try:
        return fit_rhythm(rows)
    except ValueError:
        return None
