"""One MLflow run per candidate: metrics by name, datasets with digests, pictures, the card, the registered release."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pyarrow as pa
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.types import ColSpec, DataType, Schema

from features.catalogue import NAMES, POSITION
from features.progress import Progress, silent
from features.workspace import Workspace, read_json, read_parquet
from training import plots, registry
from training.backtest import Cuts
from training.card import model_card
from training.evaluate import Verdict, run_facts
from training.html import Rows
from training.manifest import manifest_digest
from training.pictures import decile_tables, pictures, reasons_pictures
from training.recipes import RECIPES, SEGMENTS
from training.release import load_release
from training.segments import SegmentModel
from training.snapshots import read_snapshots

ROOM = "\u2003"


@dataclass(frozen=True)
class Extras:
    """What those who know more than training add to a run: the gate's verdict, who would change class.

    tags: of the run and of the release's version; metrics; files: path in the run → content; notes: heading in the
    model card → columns and rows.
    """

    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    notes: Mapping[str, tuple[Sequence[str], Rows]] = field(default_factory=dict)


class Described(MetaDataset):
    """A dataset of which MLflow keeps the description only."""

    @property
    def profile(self) -> None:
        """The number of rows is said in the source."""
        return


def publish(
    workspace: Workspace, source: str, verdicts: Sequence[Verdict], extras: Extras, progress: Progress = silent
) -> int:
    """Log the candidate of `workspace.training` and register it; returns the version of its release."""
    folder = workspace.needs(workspace.training / "release", "scoring train")
    about, run = read_json(folder / "release.json"), run_facts(workspace)
    cuts = Cuts.from_json(run["cuts"])
    version = (registry.latest_version(source) or 0) + 1
    with registry.open_run(source, f"v{version}, through {cuts.grade}"):
        progress("log to MLflow", 0, 4)
        mlflow.set_tags(dict(extras.tags))
        mlflow.log_params(_params(about, run, cuts))
        metrics = {**_metrics(verdicts, about, run), **extras.metrics}
        mlflow.log_metrics({name: number for name, number in metrics.items() if np.isfinite(number)})
        progress("log to MLflow", 1, 4)
        _log_datasets(workspace, cuts.tests(about["horizon_days"]), cuts.train(cuts.grade, about["horizon_days"]))
        progress("log to MLflow", 2, 4)
        for path, content in _files(workspace, verdicts, about, extras):
            log_bytes(path, content)
        progress("log to MLflow", 3, 4)
        outputs = {recipe.name: list(recipe.outputs) for recipe in RECIPES if recipe.name in about["tasks"]}
        version = registry.register(source, folder, outputs, extras.tags, summary(verdicts, about))
        progress("log to MLflow", 4, 4)
    return version


def summary(verdicts: Sequence[Verdict], about: Mapping[str, Any]) -> str:
    """What a reviewer reads first, in Markdown: each task beside its best baseline, and what was skipped."""
    heads = ("task", "rung", "metric", "model", "best baseline", "difference [95 %]", "dates")
    rows = [
        (
            v.task,
            about["rungs"][v.task]["name"],
            v.metric,
            f"{v.candidate:.4f}",
            f"{v.baseline:.4f} ({v.best_baseline})",
            f"{v.comparison.difference:+.4f} [{v.comparison.low:+.4f}, {v.comparison.high:+.4f}]",
            ", ".join(v.dates),
        )
        for v in verdicts
    ]
    lines = [f"Judged on outcomes that no model had seen, refitted through {about['trained_through']}.", ""]
    # the UI puts no room between cells: an em space does
    lines += [f"| {' | '.join(f'{cell}{ROOM}' for cell in row)} |" for row in (heads, *rows)]
    lines.insert(3, "|" + "---|" * len(heads))
    lines += ["", *(f"- {task}: skipped, {why}" for task, why in about["skipped"].items())]
    return "\n".join(lines)


def _params(about: Mapping[str, Any], run: Mapping[str, Any], cuts: Cuts) -> dict[str, Any]:
    """The settings by their names, the dates, and the rung of each task."""
    return {
        **registry.flat(run["settings"]),
        "tested_at": " ".join(map(str, cuts.tests(about["horizon_days"]))),
        "trained_through": cuts.grade.isoformat(),
        "active_days": about["active_days"],
        **{f"rung.{task}": rung["name"] for task, rung in about["rungs"].items()},
        **{f"skipped.{task}": why[:250] for task, why in about["skipped"].items()},
    }


def _metrics(verdicts: Sequence[Verdict], about: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, float]:
    found = {name: number for verdict in verdicts for name, number in verdict.named().items()}
    for name in ("stability", "reassigned"):
        number = run.get("segments", {}).get(name)
        found |= {} if number is None else {f"test_segments_{name}": number}
    return found | {f"customers_{name}": float(count) for name, count in about["churn_population"].items()}


def _files(
    workspace: Workspace, verdicts: Sequence[Verdict], about: Mapping[str, Any], extras: Extras
) -> Iterator[tuple[str, bytes]]:
    """Path in the run → content of everything that a person looks at."""
    folder = workspace.training / "release"
    drawn = pictures(workspace, verdicts, about)
    if SEGMENTS.name in about["tasks"]:
        segments = SegmentModel.load(folder / SEGMENTS.name)
        drawn["segments-profile"] = plots.segment_profile(segments.profile, about["decimals"])
    release = load_release(folder, manifest_digest(folder))
    rows = read_snapshots(workspace, [date.fromisoformat(about["trained_through"])])[0].rows
    drawn |= reasons_pictures(release, rows[rows[:, POSITION["order_days"]] > 0])
    data = read_json(workspace.tables / "report.json")
    yield "model-card.html", model_card(about, data, verdicts, drawn, extras.notes).encode()
    yield from ((f"plots/{name}.png", png) for name, png in drawn.items())
    yield from ((f"tables/{name}.csv", text.encode()) for name, text in decile_tables(workspace, verdicts).items())
    yield "evaluation.json", (workspace.training / "evaluation.json").read_bytes()
    yield from extras.files.items()


def _log_datasets(workspace: Workspace, tests: Sequence[date], train: Sequence[date]) -> None:
    """The feature rows of the test dates and of the training dates; pseudonyms stay out of MLflow.

    Only what they are is logged, with a digest of all values: MLflow would look at every cell to infer the schema.
    """
    table = read_parquet(workspace.features / "features.parquet").drop(["customer_id"])
    schema = Schema([ColSpec(DataType.datetime, "as_of"), *(ColSpec(DataType.double, name) for name in NAMES)])
    for context, days in (("test", tests), ("train", train)):
        rows = table.filter(pa.compute.is_in(table["as_of"], pa.array(days, pa.date32())))
        about = {"file": "features/features.parquet of the workspace", "rows": rows.num_rows, "dates": len(days)}
        digest = hashlib.sha256(rows["as_of"].cast(pa.int32()).to_numpy().tobytes())
        for name in NAMES:
            digest.update(rows[name].to_numpy().tobytes())
        name, source = f"features-{context}", CodeDatasetSource(about)
        mlflow.log_input(Described(source, name, digest.hexdigest()[:8], schema), context=context)


def log_bytes(path: str, content: bytes) -> None:
    """Put a file into the run that is open, at `path` of its artifacts."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / Path(path).name
        file.write_bytes(content)
        mlflow.log_artifact(str(file), str(Path(path).parent) if "/" in path else None)
