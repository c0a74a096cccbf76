"""The release as MLflow's own server takes it: a Python model over a data frame of feature rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from features.catalogue import NAMES
from training.intent import IntentModel
from training.manifest import manifest_digest
from training.recipes import BY_NAME
from training.release import Release, load_release

SIGNATURE = ModelSignature(Schema([ColSpec("double", name) for name in NAMES]))


class AllTasks(mlflow.pyfunc.PythonModel):
    """Every answer of a release; task: only those of one task."""

    def __init__(self, task: str | None = None) -> None:
        self.task = task

    def load_context(self, context: Any) -> None:
        """Read the release."""
        folder = Path(context.artifacts["release"])
        self.release: Release = load_release(folder, manifest_digest(folder))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """A column per answer."""
        rows = model_input[list(NAMES)].to_numpy()
        if self.task is None:
            return pd.DataFrame(self.release.score(rows))
        model = self.release.models[self.task]
        if isinstance(model, IntentModel):
            answers = list(model.answers(rows))
        else:
            answers = [model.predict(rows, self.release.horizon(self.task))]
        return pd.DataFrame(dict(zip(BY_NAME[self.task].outputs, answers, strict=True)))


def save(release: Path, to: Path, task: str | None = None) -> None:
    """As `mlflow models serve` and `mlflow.pyfunc.load_model` find it."""
    mlflow.pyfunc.save_model(
        to,
        python_model=AllTasks(task),
        artifacts={"release": str(release)},
        signature=SIGNATURE,
        pip_requirements=["mlflow"],
    )
