"""One MLflow run per judged model of cases, and its version in the registry."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import mlflow
import pyarrow as pa
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

from features.errors import InputError
from features.progress import Progress, silent
from features.workspace import Workspace
from training import registry
from training.cases import card, fairness_card
from training.cases.fairness import Fairness
from training.cases.learn import MODEL, Learnt
from training.cases.model import CaseModel
from training.cases.pictures import pictures
from training.cases.points import to_csv
from training.cases.portable import SCORECARD
from training.cases.question import Question
from training.cases.settings import CaseSettings
from training.manifest import check_manifest

EMPTY: Mapping[str, Any] = MappingProxyType({})

_TYPES = {"number": DataType.double, "category": DataType.string, "boolean": DataType.boolean}


class _Described(MetaDataset):
    """A dataset of which MLflow keeps the description only."""

    @property
    def profile(self) -> None:
        """The number of cases is said in the source."""
        return


def publish(
    workspace: Workspace,
    learnt: Learnt,
    settings: CaseSettings,
    progress: Progress = silent,
    fairness: Fairness | None = None,
    more: Mapping[str, Any] = EMPTY,
) -> int:
    """Log what `learn` left and register `<source>.<task>`; returns the version. Ids of cases stay behind.

    fairness: what the model does to groups of cases, for the card, the summary, fairness.csv and a picture. more: other
    settings that made it, by their names in MLflow.
    """
    question, found = learnt.question, learnt.judgement
    with registry.open_run(question.source, f"{question.source} {question.task}"):
        progress("log to MLflow", 0, 3)
        tags = {"rung": found.rung, "verdict": card.verdict(learnt), "judged_by": found.plan}
        mlflow.set_tags(tags)
        mlflow.log_params(registry.flat({**settings.model_dump(), **more}))
        mlflow.log_params({"chosen": found.chosen, "columns": len(question.columns), "cases": len(learnt.cases)})
        mlflow.log_params({f"left_out.{name}": why for name, why in question.left_out.items()})
        mlflow.log_metrics(found.named())
        _log_datasets(learnt)
        progress("log to MLflow", 1, 3)
        _log_files(workspace, learnt, fairness)
        progress("log to MLflow", 2, 3)
        tags |= {registry.MANIFEST_TAG: learnt.digest}
        folder, signature = workspace.training / MODEL, _signature(question)
        said = card.summary(learnt, fairness)
        version = registry.register_model(question.source, question.task, folder, signature, tags, said)
        progress("log to MLflow", 3, 3)
    return version


def fetch_model(source: str, task: str, version: int) -> CaseModel:
    """A registered model, every file checked against its manifest.

    Raises InputError where there is no such version, or its files were changed.
    """
    with checked(source, task, version) as folder:
        return CaseModel.load(folder)


@contextmanager
def checked(source: str, task: str, version: int) -> Iterator[Path]:
    """A passing copy of a registered model's files, each checked against the manifest."""
    with registry.downloaded(source, task, version) as (folder, tags):
        name = f"{registry.model_name(source, task)} version {version}"
        if registry.MANIFEST_TAG not in tags:
            raise InputError(name, "no manifest", "one registered by `scoring run`")
        check_manifest(folder, tags[registry.MANIFEST_TAG], name)
        yield folder


def _signature(question: Question) -> ModelSignature:
    inputs = Schema([ColSpec(_TYPES[kind], name, required=False) for name, kind in question.kinds.items()])
    return ModelSignature(inputs, Schema([ColSpec("double", f"p_{question.task}")]))


def _log_datasets(learnt: Learnt) -> None:
    """The cases that judged, and all: what they are, with a digest of their values."""
    question, cases, rows = learnt.question, learnt.cases, pa.array(learnt.answers.rows)
    contexts = {"train": (cases.table, cases.label)}
    if learnt.judgement.prefix == "test":
        contexts["test"] = (cases.table.take(rows), cases.label[learnt.answers.rows])
    schema = Schema([ColSpec(_TYPES[kind], name) for name, kind in question.kinds.items()])
    for context, (table, label) in contexts.items():
        digest = hashlib.sha256(label.tobytes())
        for name in question.columns:
            for part in table[name].combine_chunks().to_pylist():
                digest.update(repr(part).encode())
        about = {"file": "tables/cases.parquet of the workspace", "rows": table.num_rows}
        dataset = _Described(CodeDatasetSource(about), f"cases-{context}", digest.hexdigest()[:8], schema)
        mlflow.log_input(dataset, context=context)


def _log_files(workspace: Workspace, learnt: Learnt, fairness: Fairness | None) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        by_group = {"fairness": fairness_card.picture(fairness)} if fairness and any(fairness.columns.values()) else {}
        for name, png in (pictures(learnt) | by_group).items():
            Path(scratch, f"{name}.png").write_bytes(png)
        mlflow.log_artifacts(scratch, "plots")
    mlflow.log_text(to_csv(learnt.scorecard.lines), f"{SCORECARD}.csv")
    mlflow.log_text(learnt.scorecard.sql("postgres"), f"{SCORECARD}.sql")
    if fairness:
        mlflow.log_text(fairness_card.to_csv(fairness), "fairness.csv")
    mlflow.log_text(card.card(learnt, fairness), "model-card.html")
    mlflow.log_artifact(str(workspace.training / "judgement.json"))
