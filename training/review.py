"""One MLflow run per candidate: metrics by name, datasets with digests, pictures, the registered release."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pyarrow as pa
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.types import ColSpec, DataType, Schema

from features.catalogue import NAMES
from features.progress import Progress, silent
from features.workspace import Workspace, read_json, read_parquet
from training import plots, registry
from training.candidate import CANDIDATE
from training.evaluate import Verdict, predictions, run_facts
from training.recipes import RECIPES, SEGMENTS
from training.segments import SegmentModel

OUTPUTS = {"probability": "p_churn", "amount": "spend_in_horizon", "segment": "segment"}


class Described(MetaDataset):
    """A dataset of which MLflow keeps the description only."""

    @property
    def profile(self) -> None:
        """The number of rows is said in the source."""
        return


def publish(
    workspace: Workspace, source: str, verdicts: list[Verdict], tags: Mapping[str, str], progress: Progress = silent
) -> int:
    """Log the candidate of `workspace.training` and register it; returns the version of its release.

    tags: what else to note of the release's version, such as the verdict of the gate.
    """
    folder = workspace.needs(workspace.training / "release", "scoring train")
    about, run = read_json(folder / "release.json"), run_facts(workspace)
    with registry.open_run(source, f"{source} {run['cuts']['grade']}"):
        progress("log to MLflow", 0, 4)
        mlflow.set_tags(dict(tags))
        mlflow.log_params(registry.flat({**run["settings"], "tested_at": run["cuts"]["test"]}))
        mlflow.log_params({"train_dates": len(run["cuts"]["train"]), "trained_through": run["cuts"]["grade"]})
        mlflow.log_params({f"skipped.{task}": why[:250] for task, why in about["skipped"].items()})
        metrics = {name: number for verdict in verdicts for name, number in verdict.named().items()}
        metrics |= {f"test_{task}_stability": number for task, number in run["stability"].items()}
        metrics["test_customers"] = float(run["customers"]["eligible"])
        mlflow.log_metrics({name: number for name, number in metrics.items() if np.isfinite(number)})
        progress("log to MLflow", 1, 4)
        _log_datasets(workspace, run["cuts"]["test"], run["cuts"]["train"])
        progress("log to MLflow", 2, 4)
        for name, png in _pictures(workspace, verdicts, about).items():
            _log_bytes(f"plots/{name}.png", png)
        mlflow.log_artifact(str(workspace.training / "evaluation.json"))
        progress("log to MLflow", 3, 4)
        outputs = {recipe.name: OUTPUTS[recipe.predicts] for recipe in RECIPES if recipe.name in about["tasks"]}
        version = registry.register(source, folder, outputs, tags, summary(verdicts, about))
        progress("log to MLflow", 4, 4)
    return version


def summary(verdicts: Sequence[Verdict], about: Mapping[str, Any]) -> str:
    """What a reviewer reads first, in Markdown: each task beside its best baseline, and what was skipped."""
    lines = [
        f"Judged on customers of {about['tested_at']}, refitted through {about['trained_through']}.",
        "",
        "| task | metric | model | best baseline | difference [95 %] |",
        "|---|---|---|---|---|",
    ]
    for v in verdicts:
        interval = f"{v.comparison.difference:+.4f} [{v.comparison.low:+.4f}, {v.comparison.high:+.4f}]"
        lines.append(
            f"| {v.task} | {v.metric} | {v.candidate:.4f} | {v.baseline:.4f} ({v.best_baseline}) | {interval} |"
        )
    lines += ["", *(f"- {task}: skipped, {why}" for task, why in about["skipped"].items())]
    return "\n".join(lines)


def _log_datasets(workspace: Workspace, test: str, train: list[str]) -> None:
    """The feature rows of the test date and of the training dates; pseudonyms stay out of MLflow.

    Only what they are is logged, with a digest of all values: MLflow would look at every cell to infer the schema.
    """
    table = read_parquet(workspace.features / "features.parquet").drop(["customer_id"])
    schema = Schema([ColSpec(DataType.datetime, "as_of"), *(ColSpec(DataType.double, name) for name in NAMES)])
    for context, days in (("test", [test]), ("train", train)):
        rows = table.filter(pa.compute.is_in(table["as_of"].cast(pa.string()), pa.array(days, pa.string())))
        about = {"file": "features/features.parquet of the workspace", "rows": rows.num_rows, "dates": len(days)}
        digest = hashlib.sha256(rows["as_of"].cast(pa.int32()).to_numpy().tobytes())
        for name in NAMES:
            digest.update(rows[name].to_numpy().tobytes())
        name, source = f"features-{context}", CodeDatasetSource(about)
        mlflow.log_input(Described(source, name, digest.hexdigest()[:8], schema), context=context)


def _pictures(workspace: Workspace, verdicts: list[Verdict], about: Mapping[str, Any]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    by_name = {recipe.name: recipe for recipe in RECIPES}
    for verdict in verdicts:
        columns = predictions(workspace, by_name[verdict.task])
        amount = by_name[verdict.task].predicts == "amount"
        per = 10.0 ** about["decimals"] if amount else 1.0  # amounts in major units
        trio = columns["actual"] / per, columns[CANDIDATE] / per, columns[verdict.best_baseline] / per
        what = "spend in the horizon" if amount else f"{verdict.task} probability"
        found[f"{verdict.task}-calibration"] = plots.calibration(*trio, verdict.best_baseline, what)
        of = "spend in the horizon" if amount else "churned customers"
        found[f"{verdict.task}-gains"] = plots.gains(*trio, verdict.best_baseline, of)
        found[f"{verdict.task}-scores"] = plots.distribution(trio[1], what, log=amount)
    if SEGMENTS.name in about["tasks"]:
        segments = SegmentModel.load(workspace.training / "release" / SEGMENTS.name)
        found["segments-profile"] = plots.segment_profile(segments.profile, about["decimals"])
    return found


def _log_bytes(path: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / Path(path).name
        file.write_bytes(content)
        mlflow.log_artifact(str(file), str(Path(path).parent))
