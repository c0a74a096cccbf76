"""Everything that talks to MLflow: runs, registered models, the alias that is live.

One release is one version of `<source>.customer-scorer`; the alias `champion` names the one that is live. Each task is
also a registered model of its own, so that its versions can be compared. Files are native and plain: the flavour
`customer_scoring` names release.json, and nothing is pickled.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from features.catalogue import FINGERPRINT, NAMES
from features.errors import InputError
from training.manifest import manifest_digest
from training.release import Release, load_release

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema
from sqlalchemy.exc import SQLAlchemyError

SCORER = "customer-scorer"
CHAMPION = "champion"
DEFAULT_STORE = Path("mlruns")
FLAVOUR = "customer_scoring"
MANIFEST_TAG = "manifest_sha256"
FEATURES_TAG = "features"


PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433, "http": 80, "https": 443}
KNOCK_SECONDS = 3.0


class AwayError(InputError):
    """The registry does not answer at all."""


def tracking_uri() -> str:
    """MLFLOW_TRACKING_URI, or the SQLite file below mlruns/."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{DEFAULT_STORE.resolve() / 'mlflow.db'}"


def without_words(text: str) -> str:
    """A text without the names and passwords in the addresses in it."""
    return re.sub(r"://[^@/\s]*@", "://", text)


def shown_uri() -> str:
    """The tracking URI as it may be told."""
    return without_words(tracking_uri())


def model_name(source: str, task: str = SCORER) -> str:
    """Registered models are named by source, so that one company's data never challenge another's champion."""
    return f"{source}.{task}"


def connect() -> mlflow.MlflowClient:
    """A client of the registry; makes the SQLite file's folder, and the database in it, when they are not there.

    Raises AwayError where it does not answer.
    """
    uri = tracking_uri()
    with _quiet(), _reported(AwayError):
        if uri.startswith("sqlite:///"):
            Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(uri)
        client = mlflow.MlflowClient()
        client.search_registered_models(max_results=1)  # a registry that cannot answer says so here
        return client


def knock() -> None:
    """Raise AwayError at once where nobody listens at the registry's address: MLflow would try again for minutes."""
    said = urlsplit(tracking_uri())
    port = said.port or PORTS.get(said.scheme.partition("+")[0])
    if said.hostname and port:
        with _reported(AwayError):
            socket.create_connection((said.hostname, port), KNOCK_SECONDS).close()


@contextmanager
def open_run(source: str, name: str) -> Iterator[str]:
    """A run in the source's experiment; yields its id. A failure inside marks the run as failed."""
    client = connect()
    with _quiet():
        experiment = client.get_experiment_by_name(source)
        id_ = experiment.experiment_id if experiment else client.create_experiment(source, artifact_root(source))
    with mlflow.start_run(experiment_id=id_, run_name=name) as run:
        yield run.info.run_id


def artifact_root(source: str) -> str | None:
    """Beside the SQLite file; None lets a tracking server decide."""
    uri = tracking_uri()
    if not uri.startswith("sqlite:///"):
        return None
    return (Path(uri.removeprefix("sqlite:///")).resolve().parent / "artifacts" / source).as_uri()


def register(
    source: str, folder: Path, tasks: Mapping[str, list[str]], tags: Mapping[str, str], description: str
) -> int:
    """Register the release in `folder`, and each task's part of it, from inside a run; returns the release's version.

    tasks: task → what its answers are called. The digest of the manifest goes into a tag of the version: it lives
    in the database, apart from the files it vouches for.
    """
    for task, outputs in tasks.items():
        _log_model(folder / task, model_name(source, task), task, {}, description, _signature(outputs))
    return register_release(source, folder, [name for outputs in tasks.values() for name in outputs], tags, description)


def register_release(
    source: str, folder: Path, outputs: Sequence[str], tags: Mapping[str, str], description: str
) -> int:
    """Register the release in `folder` alone, from inside a run: its tasks' models are registered already."""
    tags = {**tags, MANIFEST_TAG: manifest_digest(folder), FEATURES_TAG: FINGERPRINT}
    return _log_model(folder, model_name(source), "release", tags, description, _signature(outputs))


def register_model(
    source: str, task: str, folder: Path, signature: ModelSignature, tags: Mapping[str, str], description: str
) -> int:
    """Register a model that is no part of a release, from inside a run; returns the version of `<source>.<task>`."""
    return _log_model(folder, model_name(source, task), task, tags, description, signature)


@contextmanager
def downloaded(source: str, task: str, version: int) -> Iterator[tuple[Path, dict[str, str]]]:
    """A passing copy of a registered model's files, and the version's tags; InputError where there is none."""
    found = _version(connect(), source, version, task)
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        uri = f"models:/{model_name(source, task)}/{version}"
        yield Path(mlflow.artifacts.download_artifacts(uri, dst_path=scratch)), dict(found.tags)


class _Flavour:
    """What `Model.log` asks of a flavour: put the files there and describe them."""

    __name__ = FLAVOUR

    @staticmethod
    def save_model(path: str, mlflow_model: Model, folder: Path, signature: ModelSignature) -> None:
        """Copy `folder` to `path` and add the MLmodel file."""
        shutil.copytree(folder, path)
        mlflow_model.signature = signature
        mlflow_model.add_flavor(FLAVOUR, format="plain files: LightGBM text, JSON, YAML")
        mlflow_model.save(str(Path(path) / "MLmodel"))


def _signature(outputs: Sequence[str]) -> ModelSignature:
    """That of a model that reads feature rows."""
    return ModelSignature(_doubles(NAMES), _doubles(outputs) if outputs else None)


def _doubles(names: Sequence[str]) -> Schema:
    return Schema([ColSpec("double", name) for name in names])


def _log_model(
    folder: Path, registered: str, name: str, tags: Mapping[str, str], description: str, signature: ModelSignature
) -> int:
    with _quiet():
        info = Model.log(artifact_path=None, name=name, flavor=_Flavour(), folder=folder, signature=signature)
        client = mlflow.MlflowClient()
        if not client.search_registered_models(f"name = '{registered}'"):
            client.create_registered_model(registered)
        version = client.create_model_version(
            registered, info.model_uri, info.run_id, dict(tags), description=description, model_id=info.model_id
        )
    return int(version.version)


def promote(source: str, version: int, task: str = SCORER) -> None:
    """Make a version the champion: the one step that changes what is live."""
    client = connect()
    _version(client, source, version, task)
    client.set_registered_model_alias(model_name(source, task), CHAMPION, str(version))


def retire(source: str, task: str = SCORER) -> None:
    """Take the alias from the champion, if there is one: nothing is live until the next promotion."""
    if champion_version(source, task) is not None:
        with _reported():
            connect().delete_registered_model_alias(model_name(source, task), CHAMPION)


def champion_version(source: str, task: str = SCORER) -> int | None:
    """The version that is live; None before the first promotion."""
    found = _champion(source, task)
    return None if found is None else int(found.version)


def _champion(source: str, task: str = SCORER) -> ModelVersion | None:
    with _reported():
        try:
            return connect().get_model_version_by_alias(model_name(source, task), CHAMPION)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):  # no model; no alias
                return None
            raise


def live_version(source: str) -> int:
    """The version of the release that is live; InputError when there is none."""
    return live(source)[0]


def live(source: str) -> tuple[int, dict[str, str]]:
    """The same, and what was noted of it when it was registered."""
    found = _champion(source)
    if found is None:
        raise InputError(
            f"{shown_uri()}: {model_name(source)}",
            "no version with the alias champion",
            "a promoted release",
            f"Run `scoring run --source {source}`, or `scoring promote` after `scoring evaluate`.",
        )
    return int(found.version), dict(found.tags)


def latest_version(source: str) -> int | None:
    """The newest registered version; None when there is none."""
    with _reported():
        found = connect().search_model_versions(f"name = '{model_name(source)}'")
    return max((int(version.version) for version in found), default=None)


def trained_through(source: str) -> dict[int, date]:
    """Version → the day before which its customers were known, for every registered release of a source."""
    client = connect()
    with _reported():
        found = client.search_model_versions(f"name = '{model_name(source)}'")
        runs = {int(each.version): client.get_run(str(each.run_id)) for each in found}
    return {version: date.fromisoformat(run.data.params["trained_through"]) for version, run in sorted(runs.items())}


def tags_of(source: str, version: int) -> dict[str, str]:
    """What was noted of a version when it was registered."""
    return dict(_version(connect(), source, version).tags)


def answers_here(source: str, version: int) -> bool:
    """Whether a release was made with this installation's feature definitions."""
    return tags_of(source, version).get(FEATURES_TAG, FINGERPRINT) == FINGERPRINT


def fetch(source: str, version: int | None = None, keep: Callable[[Path, Release], None] | None = None) -> Release:
    """Load a release, by default the champion, every file checked against its manifest.

    keep: is given the passing folder of its files, and the release. Raises InputError when there is none, or when its
    files were changed.
    """
    number = version if version is not None else live_version(source)
    found = _version(connect(), source, number)
    digest = found.tags.get(MANIFEST_TAG)
    if digest is None:
        raise InputError(
            f"{model_name(source)} version {number}", "no manifest", "one registered by `scoring evaluate`"
        )
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        uri = f"models:/{model_name(source)}/{number}"
        with _reported():
            folder = Path(mlflow.artifacts.download_artifacts(uri, dst_path=scratch))
        release = load_release(folder, digest, number, uri)
        if keep:
            keep(folder, release)
        return release


def _version(client: mlflow.MlflowClient, source: str, version: int, task: str = SCORER) -> ModelVersion:
    try:
        return client.get_model_version(model_name(source, task), str(version))
    except MlflowException as error:
        raise InputError(
            f"{shown_uri()}: {model_name(source, task)}",
            f"no version {version} ({error.error_code})",
            "a registered one",
        ) from None


@contextmanager
def _reported(kind: type[InputError] = InputError) -> Iterator[None]:
    """A registry that cannot be used is a letter to its user."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        found = without_words(" ".join(str(error).split()))[:200]
        raise kind(shown_uri(), found, "an MLflow registry that answers", "Look at MLFLOW_TRACKING_URI.") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """MLflow and Alembic report each step of theirs on stderr; errors still pass."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@dataclass(frozen=True)
class Registered:
    """A version of a registered model. run_id: the run that registered it; empty for one without a run; name: that of
    the model."""

    number: int
    tags: dict[str, str]
    run_id: str
    name: str


def versions(source: str, task: str = SCORER) -> list[Registered]:
    """All versions of a registered model that were not deleted, oldest first; empty when there is no such model."""
    return sorted(_search(f"name = '{model_name(source, task)}'"), key=lambda each: each.number)


def tagged(tag: str) -> list[Registered]:
    """All versions of any registered model that carry a tag, in order of name and number."""
    return sorted(_search(f"tags.{tag} LIKE '%'"), key=lambda each: (each.name, each.number))


def is_there() -> bool:
    """Whether there is a registry to ask: a server, or a SQLite file that was made."""
    file = store_file()
    return file is None or file.exists()


def _search(wanted: str) -> list[Registered]:
    client, found, token = connect(), list[ModelVersion](), None
    with _reported():
        while token != "":
            page = client.search_model_versions(wanted, page_token=token)
            found, token = [*found, *page], page.token or ""
    return [Registered(int(each.version), dict(each.tags), str(each.run_id or ""), each.name) for each in found]


def append(source: str, task: str, about: int, tags: Mapping[str, str], description: str) -> int:
    """Add a version without files to `<source>.<task>`, about a release's version; returns its number.

    The database numbers versions one after the other, whoever adds them, and never uses a number again.
    """
    client, name = connect(), model_name(source, task)
    with _reported(), _quiet():
        if not client.search_registered_models(f"name = '{name}'"):
            with suppress(MlflowException):  # another may just have made it
                client.create_registered_model(name)
        uri = f"models:/{model_name(source)}/{about}"
        return int(client.create_model_version(name, uri, tags=dict(tags), description=description).version)


def note(source: str, task: str, version: int, key: str, value: str) -> None:
    """Set a tag of a version."""
    with _reported():
        connect().set_model_version_tag(model_name(source, task), str(version), key, value)


def store_file() -> Path | None:
    """The SQLite file of the registry; None where a server or another database keeps it."""
    uri = tracking_uri()
    return Path(uri.removeprefix("sqlite:///")).resolve() if uri.startswith("sqlite:///") else None


def metrics_of(source: str, version: int) -> dict[str, float]:
    """The metrics of the run that registered a version."""
    return run_of(source, version)[1]


def run_of(source: str, version: int) -> tuple[dict[str, str], dict[str, float], str]:
    """Params, metrics and id of the run that registered a version; empty where there was none."""
    client = connect()
    run_id = _version(client, source, version).run_id
    if not run_id:
        return {}, {}, ""
    with _reported():
        found = client.get_run(run_id).data
        return dict(found.params), dict(found.metrics), run_id


def comparison_page(source: str, one: int, other: int) -> str:
    """The path in the UI that shows the runs of two versions side by side: their metrics, settings and pictures."""
    client = connect()
    runs = [str(_version(client, source, version).run_id) for version in (one, other)]
    with _reported():
        experiments = sorted({client.get_run(run).info.experiment_id for run in runs})
    said = [quote(json.dumps(each, separators=(",", ":"))) for each in (runs, experiments)]
    return f"/#/compare-runs?runs={said[0]}&experiments={said[1]}"


def ui_command(host: str, port: int) -> list[str]:
    """The command that serves the MLflow UI of this registry."""
    return [
        sys.executable, "-m", "mlflow", "server", "--backend-store-uri", tracking_uri(),
        "--host", host, "--port", str(port), "--workers", "1",
    ]  # fmt: skip


def ui_environment() -> dict[str, str]:
    """Telemetry off, and none of the job processes that this project has no use for."""
    return {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def version_page(source: str, version: int) -> str:
    """The path of a version in the UI."""
    return f"/#/models/{model_name(source)}/versions/{version}"


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as MLflow params: dotted names."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found
