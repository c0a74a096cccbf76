"""A run of all recipes: judged on test dates by models that never saw them, then refitted on all closed targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
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
from training.baselines import rivals as rivals_of
from training.examples import Base, Standing, read_base
from training.golden import golden_rows
from training.intent import IntentModel, LeadRule, fit_leads
from training.ladder import QUESTIONS, RULES, Rung, rung_of
from training.models.rungs import Lesson, fit_rung
from training.models.seen import Supervised
from training.recipes import CHURN, INTENT, POTENTIAL, RECIPES, SEGMENTS, Recipe, Settings, asked
from training.release import Release, TaskModel, load_task
from training.resume import Kept
from training.segments import Segmentation, SegmentModel, segmented

Array = NDArray[np.float64]

SAME_SEASON_DAYS = 20
"""How far from exactly one year before a date another may lie to count as its season."""

CANDIDATE = "candidate"


@dataclass(frozen=True)
class Order:
    """What to train. about: what the release should say of itself (source, title, currency…); scheme: the text of its
    file; active_days: `Origin.active_days`; standings: what `potential` learns from; rivals: name → the settings of
    another recipe, fitted and judged at the same dates; segments: the champion's, whose numbers and names are kept
    where they still hold."""

    about: Mapping[str, Any]
    scheme: str
    settings: Settings
    active_days: int | None
    standings: Mapping[date, Standing]
    rivals: Mapping[str, Settings]
    segments: SegmentModel | None = None


def train(workspace: Workspace, cuts: Cuts, order: Order, progress: Progress = silent) -> Release:
    """Fit all recipes; write the release, the predictions on the test dates and on which rung each task stands to
    `workspace.training`, all or nothing. A run that was killed goes on where it stopped."""
    base = read_base(workspace, cuts, order.settings, order.active_days, order.standings, progress)
    rungs = {recipe.name: rung_of(recipe, base) for recipe in RECIPES if recipe is not SEGMENTS}
    rivals = {name: settings.model_dump() for name, settings in order.rivals.items()}
    kept = Kept(workspace, [cuts.to_json(), order.settings.model_dump(), rivals])
    models: dict[str, TaskModel] = {}
    predictions: dict[str, list[pa.Table]] = {}
    steps = _steps(base, rungs)
    fitted = Parallel(n_jobs=-1, prefer="threads", return_as="generator")(
        delayed(_step)(kept, base, recipe, rungs[recipe.name], test, order.rivals) for recipe, test in steps
    )
    progress("fit models", 0, len(steps) + 1)
    for done, ((recipe, _), found) in enumerate(zip(steps, fitted, strict=True), 1):
        progress("fit models", done, len(steps) + 1)
        if isinstance(found, pa.Table):
            predictions.setdefault(recipe.name, []).append(found)
        else:
            models[recipe.name] = load_task(recipe.name, found)
    run: dict[str, Any] = {"cuts": cuts.to_json(), "settings": order.settings.model_dump()}
    segments = _segments(base, order)
    if isinstance(segments, str):
        rungs[SEGMENTS.name] = Rung(RULES, segments)
    else:
        rungs[SEGMENTS.name] = Rung("k-means", "")
        models[SEGMENTS.name] = segments.model
        run["segments"] = {
            "stability": segments.stability,
            "reassigned": segments.reassigned,
            "changes": [asdict(each) for each in segments.changes],
            "candidates": [asdict(each) for each in segments.candidates],
        }
    release = Release(_about(order, base, rungs), models, order.scheme)
    with staged(workspace.training) as folder:
        (folder / "release").mkdir()
        golden = golden_rows(base.snapshots[cuts.grade].rows, order.settings.seed)
        release.save(folder / "release", golden)
        (folder / "predictions").mkdir()
        for name, found in predictions.items():
            pq.write_table(_common(found), folder / "predictions" / f"{name}.parquet", compression="zstd")
        write_json(folder / "run.json", run)
    kept.clear()
    progress("fit models", len(steps) + 1, len(steps) + 1)
    return release


def _segments(base: Base, order: Order) -> Segmentation | str:
    """The segments on the date that is graded, stable about two and four months before too; or why the data do not
    allow any."""
    rows = base.snapshots[base.cuts.grade].rows
    if not (rows[:, POSITION["order_days"]] > 0).any():
        return f"there are no purchases before {base.cuts.grade}"
    earlier = [base.snapshots[day].rows for day in base.cuts.all[-5:-1:2]]
    try:
        return segmented(rows, order.settings.seed, order.segments, earlier)
    except ValueError as error:
        return str(error)


def fit_task(recipe: Recipe, rung: Rung, base: Base, at: date) -> Supervised | IntentModel:
    """The recipe's model for date `at`, from targets that close on or before it."""
    looks = base.settings.horizons(recipe)
    models = [_fit(recipe, rung, base, at, days) for days in looks]
    return IntentModel(tuple(models), looks, _leads(base, at, looks)) if recipe is INTENT else models[0]


def _steps(base: Base, rungs: Mapping[str, Rung]) -> list[tuple[Recipe, date | None]]:
    """What is to be fitted: each task for each of its test dates, and (None) for serving."""
    answered = [recipe for recipe in RECIPES if recipe.name in rungs and rungs[recipe.name].name != RULES]
    return [(recipe, test) for recipe in answered for test in (*_judging(recipe, base), None)]


def _judging(recipe: Recipe, base: Base) -> list[date]:
    """The test dates that can judge a recipe: models can be fitted for them, and not all had the same outcome. On the
    highest rung all can."""
    days, looks = base.settings.horizons(recipe)[0], base.settings.horizons(recipe)
    found = []
    for test in base.cuts.tests(days):
        taught = [_labels(recipe, base, base.cuts.train(test, look), look) for look in looks]
        if base.rivals[test] and all(map(_varies, [*taught, _labels(recipe, base, (test,), days)])):
            found.append(test)
    return found


def _labels(recipe: Recipe, base: Base, dates: Sequence[date], days: int) -> Array:
    found = [each.label for day in dates if (each := base.examples(recipe, days, day)) is not None]
    return np.concatenate(found) if found else np.empty(0)


def _varies(label: Array) -> bool:
    return label.size > 0 and bool(label.min() < label.max())


def _step(
    kept: Kept, base: Base, recipe: Recipe, rung: Rung, test: date | None, rivals: Mapping[str, Settings]
) -> pa.Table | Path:
    """The predictions of a test date, or the folder of the model that is served."""
    if test is None:
        return kept.files(recipe.name, lambda folder: fit_task(recipe, rung, base, base.cuts.grade).save(folder))
    return kept.table(f"{recipe.name}-{test}", lambda: judged(recipe, rung, base, test, rivals))


def _fit(recipe: Recipe, rung: Rung, base: Base, at: date, days: int) -> Supervised:
    dates = base.cuts.train(at, days)
    examples = {day: each for day in dates if (each := base.examples(recipe, days, day)) is not None}
    year_ago = at - timedelta(days=365)
    nearest = min(examples, key=lambda day: abs((day - year_ago).days), default=at)
    season = examples[nearest] if abs((nearest - year_ago).days) <= SAME_SEASON_DAYS else None
    rhythm, settings = base.rhythms[at], base.settings
    if rhythm is None:
        raise ValueError(f"{recipe.name}: nobody has bought on two days before {at}")
    asked_of = None
    if recipe is not POTENTIAL:
        rows = base.snapshots[at].rows
        asked_of = rows[base.asked(recipe, at) & (rows[:, POSITION["order_days"]] > 0)]
    lesson = Lesson(list(examples.values()), season, rhythm, days, asked_of)
    return fit_rung(rung.name, QUESTIONS[recipe.name], lesson, settings.boosting, settings.seed)


def _leads(base: Base, at: date, looks: Sequence[int]) -> LeadRule:
    found = []
    for days in looks:
        rows, bought = [], []
        for day in base.cuts.train(at, days):
            lead = ~(base.snapshots[day].rows[:, POSITION["order_days"]] > 0)
            rows.append(base.snapshots[day].rows[lead])
            bought.append(1 - base.label(INTENT, days, day)[lead])
        found.append((np.vstack(rows), np.concatenate(bought)) if rows else (np.empty((0, len(POSITION))), np.empty(0)))
    return fit_leads(found)


def judged(recipe: Recipe, rung: Rung, base: Base, test: date, rivals: Mapping[str, Settings]) -> pa.Table:
    """Pseudonyms, right answer, the candidate's, the baselines' and the rivals' answers for the customers of a test
    date who were asked and ever bought."""
    days = base.settings.horizons(recipe)[0]
    snapshot = base.snapshots[test]
    asked = base.asked(recipe, test) & (snapshot.rows[:, POSITION["order_days"]] > 0)
    rows = snapshot.rows[asked]
    examples = [each for day in base.cuts.train(test, days) if (each := base.examples(recipe, days, day)) is not None]
    actual = base.label(recipe, days, test)[asked]
    candidate = fit_task(recipe, rung, base, test).predict(rows, days)
    simple = rivals_of(QUESTIONS[recipe.name], examples, base.rivals[test], rows, days)
    if recipe is INTENT:
        actual, simple = 1 - actual, {name: 1 - silence for name, silence in simple.items()}
    columns: dict[str, Any] = {
        "test": pa.array([test] * len(rows), pa.date32()),
        "customer_id": pa.array(snapshot.ids[asked], pa.string()),
        "actual": actual,
        CANDIDATE: candidate,
        **simple,
    }
    for name, settings in rivals.items():
        rival = replace(base, settings=base.settings.model_copy(update={"boosting": settings.boosting}))
        columns[name] = fit_task(recipe, rung, rival, test).predict(rows, days)
    return pa.table(columns)


def _common(tables: Sequence[pa.Table]) -> pa.Table:
    """The columns that all test dates have, one below the other."""
    names = [name for name in tables[-1].column_names if all(name in table.column_names for table in tables)]
    return pa.concat_tables([table.select(names) for table in tables])


def _about(order: Order, base: Base, rungs: Mapping[str, Rung]) -> dict[str, Any]:
    """What release.json says."""
    settings, cuts = order.settings, base.cuts
    rows = base.snapshots[cuts.grade].rows
    bought = int((rows[:, POSITION["order_days"]] > 0).sum())
    active = int(asked(CHURN, rows, order.active_days).sum())
    return {
        **order.about,
        "features": FINGERPRINT,
        "horizon_days": settings.horizon_days,
        "intent_days": list(settings.intent_days),
        "potential_days": settings.potential_days,
        "active_days": order.active_days,
        "churn_population": {"customers": len(rows), "bought": bought, "asked": active, "left_out": bought - active},
        "tested_at": cuts.test.isoformat(),
        "trained_through": cuts.grade.isoformat(),
        "tasks": [name for name, rung in rungs.items() if rung.name != RULES],
        "rungs": {name: vars(rung) for name, rung in rungs.items()},
        "skipped": {name: rung.missing for name, rung in rungs.items() if rung.name == RULES},
        "settings": settings.model_dump(mode="json"),
    }
