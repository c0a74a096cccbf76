"""A release once more: the very same models, with another scheme."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import mlflow
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from features.progress import Progress, silent
from training import registry
from training.manifest import MLFLOW_FILES, check_manifest, write_manifest
from training.recipes import RECIPES
from training.release import SCHEME_FILE, Release
from training.review import Extras, log_bytes


def reissue(source: str, release: Release, scheme: str, extras: Extras, about: str, progress: Progress = silent) -> int:
    """Register the models of a registered release with another scheme's text; returns the new version.

    The new run hangs below the run of that release, and has its params and metrics, for the models are the same; so
    has the version its tags, where `extras` has no others. about: the description. Raises InputError when the files
    are not as they were registered.
    """
    params, metrics, run_id = registry.run_of(source, release.version)
    with (
        registry.downloaded(source, registry.SCORER, release.version) as (files, tags),
        tempfile.TemporaryDirectory() as scratch,
    ):
        check_manifest(files, release.digest, f"{registry.model_name(source)} version {release.version}")
        folder = Path(scratch) / "release"
        shutil.copytree(files, folder, ignore=shutil.ignore_patterns(*MLFLOW_FILES))
        (folder / SCHEME_FILE).write_text(scheme, encoding="utf-8")
        write_manifest(folder)
        progress("log to MLflow", 0, 1)
        number = (registry.latest_version(source) or 0) + 1
        with registry.open_run(source, f"v{number}, models of v{release.version}"):
            parent = {MLFLOW_PARENT_RUN_ID: run_id} if run_id else {}
            mlflow.set_tags({**parent, **extras.tags})
            mlflow.log_params(params)
            mlflow.log_metrics({**_of_the_models(metrics), **extras.metrics})
            for path, content in extras.files.items():
                log_bytes(path, content)
            outputs = [o for recipe in RECIPES if recipe.name in release.about["tasks"] for o in recipe.outputs]
            version = registry.register_release(source, folder, outputs, {**tags, **extras.tags}, about)
        progress("log to MLflow", 1, 1)
    return version


def _of_the_models(metrics: Mapping[str, float]) -> dict[str, float]:
    """Those that speak of the models alone, and so hold for both versions."""
    return {name: number for name, number in metrics.items() if name.startswith(("test_", "customers_"))}
