"""A run of all recipes: judged on the test date by models that never saw it, then refitted on all closed targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from joblib import Parallel, delayed
from numpy.typing import NDArray

from features.catalogue import FINGERPRINT, POSITION
from features.progress import Progress, silent
from features.workspace import Workspace, staged, write_json
from training.backtest import Cuts
from training.baselines import baselines
from training.fit import Examples, Model, fit
from training.needs import days_needed
from training.recipes import CHURN, RECIPES, SEGMENTS, Recipe, Settings, eligible
from training.release import Release
from training.rhythm import Rhythm, fit_rhythm
from training.segments import FEWEST_PER_SEGMENT, fit_segments, stability
from training.snapshots import Snapshot, read_snapshots

Array = NDArray[np.float64]

SAME_SEASON_DAYS = 20
"""How far from exactly one year before a date another may lie to count as its season."""

CANDIDATE = "candidate"


@dataclass(frozen=True)
class Base:
    """All snapshots of a run, and the BTYD models fitted at each of their dates (None: nobody bought twice)."""

    cuts: Cuts
    snapshots: Mapping[date, Snapshot]
    rhythms: Mapping[date, Rhythm | None]
    settings: Settings


def train(
    workspace: Workspace,
    cuts: Cuts,
    settings: Settings,
    about: dict[str, Any],
    scheme: str,
    progress: Progress = silent,
) -> Release:
    """Fit all recipes; write the release, the predictions on the test date and why tasks were skipped to
    `workspace.training`, all or nothing.

    about: what else the release should say of itself (source, title); scheme: the text of the scheme file.
    """
    base = _read(workspace, cuts, settings, progress)
    test = base.snapshots[cuts.test]
    models: dict[str, Model] = {}
    skipped: dict[str, str] = {}
    predictions: dict[str, dict[str, NDArray[Any]]] = {}
    stabilities: dict[str, float] = {}
    for done, recipe in enumerate(RECIPES):
        progress("fit models", done, len(RECIPES))
        missing = what_is_missing(recipe, base)
        if missing:
            skipped[recipe.name] = missing
        elif recipe is SEGMENTS:
            stabilities[recipe.name] = stability(test.rows, settings.segments, settings.seed)
            rows = base.snapshots[cuts.grade].rows
            models[recipe.name] = fit_segments(rows, settings.segments, settings.seed)
        else:
            predictions[recipe.name] = _judge(recipe, base)
            models[recipe.name] = _fit(recipe, base, cuts.refit, cuts.grade)
    progress("fit models", len(RECIPES), len(RECIPES))
    release = Release(
        {
            **about,
            "features": FINGERPRINT,
            "horizon_days": settings.horizon_days,
            "active_days": settings.active_days,
            "tested_at": cuts.test.isoformat(),
            "trained_through": cuts.grade.isoformat(),
            "tasks": sorted(models),
            "skipped": skipped,
        },
        models,
        scheme,
    )
    with staged(workspace.training) as folder:
        (folder / "release").mkdir()
        release.save(folder / "release")
        for name, columns in predictions.items():
            pq.write_table(pa.table(columns), folder / f"{name}.parquet", compression="zstd")
        write_json(folder / "run.json", {
            "cuts": cuts.to_json(),
            "settings": settings.model_dump(),
            "customers": {"test": len(test.ids), "eligible": int(_asked(base, cuts.test).sum())},
            "stability": stabilities,
        })  # fmt: skip
    return release


def what_is_missing(recipe: Recipe, base: Base) -> str:
    """Why the data do not allow a recipe; empty when they do."""
    test, settings = base.snapshots[base.cuts.test], base.settings
    if not (test.rows[:, POSITION["orders"]] > 0).any():
        return f"there are no purchases before {test.as_of}"
    if recipe.needs_amounts and not (np.nan_to_num(test.rows[:, POSITION["line_max"]]) > 0).any():
        return "the purchases have no amounts"
    if recipe is SEGMENTS:
        dates = (test, base.snapshots[base.cuts.grade])
        found = min(int((each.rows[:, POSITION["orders"]] > 0).sum()) for each in dates)
        wanted = 2 * FEWEST_PER_SEGMENT * settings.segments
        return "" if found >= wanted else f"{found} customers with a purchase, at least {wanted} are needed"
    if not base.cuts.train:
        return f"too few days of data to train and to test, {days_needed(settings)} are needed"
    if base.rhythms[base.cuts.test] is None or base.rhythms[base.cuts.grade] is None:
        return "no customer has bought on two days"
    asked = _asked(base, test.as_of)
    if asked.sum() < settings.fewest_customers:
        return f"{asked.sum()} customers who bought lately, at least {settings.fewest_customers} are needed"
    for what, days in (("test date", (test.as_of,)), ("training dates", base.cuts.train), ("dates", base.cuts.refit)):
        examples = [each for day in days if (each := _examples(recipe, base, day)) is not None]
        label = np.concatenate([each.label for each in examples]) if examples else np.empty(0)
        above = int((label > 0).sum())
        fewest = min(above, label.size - above) if recipe is CHURN else above
        if fewest < settings.fewest_per_class or label.min() == label.max():
            said = "churned and as many kept customers" if recipe is CHURN else "customers who spent"
            return f"{fewest} {said} on the {what}, at least {settings.fewest_per_class} are needed"
    return ""


def _read(workspace: Workspace, cuts: Cuts, settings: Settings, progress: Progress) -> Base:
    snapshots = {snapshot.as_of: snapshot for snapshot in read_snapshots(workspace, cuts.all)}
    rhythms: dict[date, Rhythm | None] = {}
    found = Parallel(n_jobs=-1, return_as="generator")(
        delayed(_rhythm)(snapshots[day].rows[:, _RHYTHM_INPUTS]) for day in cuts.all
    )
    for done, (day, rhythm) in enumerate(zip(cuts.all, found, strict=True)):
        progress("fit purchase rhythms", done + 1, len(cuts.all))
        rhythms[day] = rhythm
    return Base(cuts, snapshots, rhythms, settings)


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


def _asked(base: Base, day: date) -> NDArray[np.bool_]:
    return eligible(base.snapshots[day].rows, base.settings.active_days)


def _examples(recipe: Recipe, base: Base, day: date) -> Examples | None:
    """The eligible customers of a date with their label; None where the date has none or no rhythm."""
    snapshot, rhythm = base.snapshots[day], base.rhythms[day]
    asked = _asked(base, day)
    if rhythm is None or not asked.any() or recipe.label is None or recipe.column is None:
        return None
    return Examples(snapshot.rows[asked], rhythm, recipe.label(snapshot.labels[recipe.column])[asked])


def _fit(recipe: Recipe, base: Base, days: tuple[date, ...], at: date) -> Model:
    """The recipe's model for date `at`, from the targets of `days`."""
    rhythm = base.rhythms[at]
    found = {day: _examples(recipe, base, day) for day in days}
    examples = {day: each for day, each in found.items() if each is not None}
    if rhythm is None or not examples:
        raise ValueError(f"{recipe.name}: no training date has customers who bought on two days")
    year_ago = at - timedelta(days=365)
    nearest = min(examples, key=lambda day: abs((day - year_ago).days))
    season = examples[nearest] if abs((nearest - year_ago).days) <= SAME_SEASON_DAYS else None
    settings = base.settings
    return fit(recipe, list(examples.values()), season, rhythm, settings.horizon_days, settings.boosting, settings.seed)


def _judge(recipe: Recipe, base: Base) -> dict[str, NDArray[Any]]:
    """Pseudonyms, actual, candidate's and baselines' answers of the eligible customers of the test date."""
    test = base.snapshots[base.cuts.test]
    asked = _asked(base, test.as_of)
    rows, horizon = test.rows[asked], base.settings.horizon_days
    examples = [each for day in base.cuts.train if (each := _examples(recipe, base, day)) is not None]
    actual = _examples(recipe, base, test.as_of)
    model = _fit(recipe, base, base.cuts.train, test.as_of)
    return {
        "customer_id": test.ids[asked],
        "actual": actual.label if actual else np.empty(0),
        CANDIDATE: model.predict(rows, horizon),
        **baselines(recipe, examples, test.rows, rows, horizon),
    }
