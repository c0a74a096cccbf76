"""One MLflow run per ranking of accounts, and its version in the registry: figures of all accounts together, only."""

from __future__ import annotations

import tempfile
from pathlib import Path

import mlflow
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from features.errors import InputError
from features.workspace import Workspace
from training import registry
from training.cases.model import RULES, CaseModel
from training.cases.settings import CaseSettings
from training.laundering import card
from training.laundering.learn import JUDGEMENT, MODEL, TASK, Learnt
from training.laundering.settings import RankSettings
from training.manifest import check_manifest

MANY = 50
"""Reported accounts, from which on a curve of their recall is drawn."""


def publish(workspace: Workspace, learnt: Learnt, settings: RankSettings, fit: CaseSettings) -> int:
    """Log what `learn` left and register `<source>.laundering`; returns the version. No id and no row of an account
    goes there, nor of fewer than MANY reported ones a curve, on which each is a step that can be counted."""
    found = learnt.judgement
    with registry.open_run(learnt.source, f"{learnt.source} {TASK}"):
        tags = {"rung": RULES if found.abstains else found.chosen, "verdict": card.verdict(learnt)}
        mlflow.set_tags(tags)
        mlflow.log_params(registry.flat({**settings.model_dump(mode="json"), "fit": fit.model_dump()}))
        mlflow.log_params({"as_of": learnt.as_of.isoformat(), "chosen": found.chosen})
        mlflow.log_metrics({"accounts": found.accounts, "reported": found.reported, **found.named()})
        mlflow.log_text(card.card(learnt), "model-card.html")
        mlflow.log_artifact(str(workspace.laundering_model / JUDGEMENT))
        if learnt.scores and found.reported >= MANY:
            with tempfile.TemporaryDirectory() as scratch:
                Path(scratch, "recall.png").write_bytes(card.recall_picture(learnt))
                mlflow.log_artifacts(scratch, "plots")
        tags |= {registry.MANIFEST_TAG: learnt.digest}
        folder, signature = workspace.laundering_model / MODEL, _signature(learnt)
        return registry.register_model(learnt.source, TASK, folder, signature, tags, card.summary(learnt))


def fetch_ranking(source: str, version: int) -> CaseModel:
    """A registered ranking, every file checked against its manifest; InputError where there is none, or it changed."""
    with registry.downloaded(source, TASK, version) as (folder, tags):
        name = f"{registry.model_name(source, TASK)} version {version}"
        if registry.MANIFEST_TAG not in tags:
            raise InputError(name, "no manifest", "one registered by `scoring laundering train`")
        check_manifest(folder, tags[registry.MANIFEST_TAG], name)
        return CaseModel.load(folder)


def _signature(learnt: Learnt) -> ModelSignature:
    inputs = Schema([ColSpec("double", name, required=False) for name in learnt.accounts.table.column_names])
    return ModelSignature(inputs, Schema([ColSpec("double", "score")]))
