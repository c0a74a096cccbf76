"""The image and what runs beside it: no container is started, but all that the files name is there, and works."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import click
import httpx
import mlflow
import pytest
import redis
import typer
import yaml
from packaging.specifiers import SpecifierSet

from features.workspace import Workspace
from serving.cli import app
from serving.drift import Drift
from serving.keys import ROLES
from serving.meters import Meters
from serving.records import Answer
from serving.roles import ALLOWED, OPEN
from serving.store.place import Place
from serving.store.state import StoreError
from tests.conftest import ROOT
from tests.postgres import postgres_url
from tests.redis_server import RedisServer, redis_running
from training import registry
from training.drift.reference import Reference

__all__ = ["postgres_url", "redis_running"]

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("scoring", "mlflow")
PROMETHEUS = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text())
ALERTS = (ROOT / "deploy/alerts.yml").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LINES = re.sub(r"\\\n\s*", "", DOCKERFILE).splitlines()
"""Of the Dockerfile, each whole."""

OTHERS = {
    "PATH",
    "HOME",
    "PYTHONPATH",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONUNBUFFERED",
    "MPLCONFIGDIR",
    "NUMBA_CACHE_DIR",
}
"""Variables that the system, Python, Matplotlib and Numba read."""


def instructions(word: str) -> list[str]:
    return [line.removeprefix(f"{word} ") for line in LINES if line.startswith(f"{word} ")]


def secret_names(service: str) -> list[str]:
    return [each if isinstance(each, str) else each["source"] for each in SERVICES[service].get("secrets", [])]


def test_every_copy_has_its_source_and_nothing_else_goes_in() -> None:
    """What is copied is there, and let in; what is let in is copied; secrets, data and keys are not."""
    copied = [each for line in instructions("COPY") if "--from" not in line for each in line.split()[:-1]]
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert next(line for line in ignored if not line.startswith("#")) == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == set(copied)
    assert all((ROOT / each).exists() for each in copied)
    assert not any(fnmatch.fnmatch(each, pattern) for each in copied for pattern in ("data*", "mlruns*", "*secret*"))
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    for folder in {path.parts[0] for path in Path().glob("*/__init__.py")} - {"tests", "benchmarks"}:
        assert folder in copied, folder
    (install,) = [line for line in instructions("RUN") if "pip install" in line]
    assert {"--require-hashes", "--no-deps", "requirements.lock"} <= set(install.split())


def test_versions_are_pinned() -> None:
    """Of each image to the patch; Python is one that the project allows, the image has the project's version."""
    bases = [line.split()[0] for line in instructions("FROM")]
    images = {*bases, *(each["image"] for each in SERVICES.values())}
    assert len(set(bases)) == 1 and all(
        re.fullmatch(r"[a-z/-]+:v?\d+\.\d+(\.\d+)?(-[a-z-]+)?", each) for each in images
    )
    python = bases[0].split(":")[1].split("-")[0]
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)
    assert {SERVICES[each]["image"] for each in OURS} == {f"customer-scoring:{PROJECT['version']}"}
    lock = (ROOT / "requirements.lock").read_text()
    assert re.search(r"^psycopg==", lock, re.M) and re.search(r"^redis==", lock, re.M)


def test_nothing_has_rights_it_does_not_need() -> None:
    """A user without rights, a read-only root, no capabilities, ports of this machine; Redis and database have none."""
    assert instructions("USER") == ["10001:10001"]
    for name, service in SERVICES.items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and "privileged" not in service
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert name in OURS or int(service["user"].split(":")[0]) > 0
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    for name in ("postgres", "redis"):
        assert "ports" not in SERVICES[name]
        assert all(COMPOSE["networks"][each] == {"internal": True} for each in SERVICES[name]["networks"])


def test_what_is_named_is_declared_and_used() -> None:
    """Networks, volumes, secrets, services that others wait for, files that are mounted."""
    volumes = [each.split(":")[0] for service in SERVICES.values() for each in service.get("volumes", [])]
    assert {each for each in volumes if not each.startswith(".")} == set(COMPOSE["volumes"])
    assert all((ROOT / each).is_file() for each in volumes if each.startswith("."))
    assert {each for service in SERVICES.values() for each in service["networks"]} == set(COMPOSE["networks"])
    assert {each for name in SERVICES for each in secret_names(name)} == set(COMPOSE["secrets"])
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES and how == {"condition": "service_healthy"} and "healthcheck" in SERVICES[other]


def test_secrets_are_files() -> None:
    """None stands in a file of ours or in an environment that is declared; what a container reads it is given."""
    for secret in COMPOSE["secrets"].values():
        assert list(secret) == ["file"] and secret["file"].startswith("./deploy/secrets/")
    for name, service in SERVICES.items():
        for variable in service.get("environment", {}):
            assert not re.search("KEY|PASSWORD|TOKEN|SECRET", variable) or variable.endswith("_FILE"), variable
        text = json.dumps(service)
        assert set(re.findall(r"/run/secrets/(\w+)", text)) <= set(secret_names(name))
        assert not re.search(r"://[^/@\s\"]*:[^/@\s\"]+@", text)
    entrypoint = (ROOT / "deploy/entrypoint.sh").read_text()
    assert set(re.findall(r"/run/secrets/(\w+)", entrypoint)) <= set(secret_names("scoring"))
    (key,) = [each for each in SERVICES["scoring"]["secrets"] if isinstance(each, dict)]
    assert key["target"] == "/etc/customer-scoring/pseudonyms.key" and "XDG_CONFIG_HOME=/etc" in DOCKERFILE


def test_variables_are_those_that_are_read() -> None:
    """By our code, or by what is known to read them."""
    set_ = {name for line in instructions("ENV") for name in re.findall(r"(\w+)=", line)}
    set_ |= {name for each in OURS for name in SERVICES[each].get("environment", {})}
    set_ |= set(re.findall(r"export (\w+)", (ROOT / "deploy/entrypoint.sh").read_text()))
    packages = ("features", "training", "classification", "serving")
    code = "".join(path.read_text() for each in packages for path in (ROOT / each).rglob("*.py"))
    assert {"MLFLOW_TRACKING_URI", "CUSTOMER_SCORING_STORE", "XDG_CONFIG_HOME"} <= set_
    assert [name for name in set_ - OTHERS if f'"{name}"' not in code] == []


def scoring_calls() -> list[list[str]]:
    """The words of every call of `scoring`: of the image, of compose, and of the document."""
    (by_default,) = instructions("CMD")
    page = (ROOT / "docs/serving.md").read_text().partition("## In containers")[2].partition("\n## ")[0]
    said = [
        shlex.split(line.split(">")[0], comments=True)
        for line in re.findall(r"run --rm(?: -T)? scoring ([^\n]*)", page)
    ]
    assert len(said) == 3
    return [json.loads(by_default), SERVICES["scoring"]["command"], *said]


def test_commands_and_options_exist() -> None:
    """Those of ours, and those of the MLflow server."""
    root = typer.main.get_command(app)
    for words in scoring_calls():
        command: Any = root
        rest = list(words)
        while isinstance(getattr(command, "commands", None), dict) and rest:
            command = command.commands[rest.pop(0)]
        with command.make_context(words[0], rest) as context:
            assert context.params
    served = SERVICES["scoring"]["command"]
    assert served[served.index("--keys") + 1] == "required" and int(served[served.index("--workers") + 1]) > 1
    from mlflow.cli import cli

    assert isinstance(cli, click.Group)
    known = {option for each in cli.commands["server"].params for option in each.opts}
    assert set(re.findall(r"--[a-z-]+", SERVICES["mlflow"]["command"][0])) <= known


def test_the_health_of_the_service_is_asked_without_a_key() -> None:
    """By Python alone, at a route that needs none, at the port that is served."""
    (check,) = instructions("HEALTHCHECK")
    words = json.loads(check.partition("CMD ")[2])
    address = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", words[2])
    assert words[:2] == ["python", "-c"] and address == [("8000", "/readyz")] and "/readyz" in OPEN
    compile(words[2], "HEALTHCHECK", "exec")
    assert instructions("EXPOSE") == ["8000"] and SERVICES["scoring"]["ports"] == ["127.0.0.1:8000:8000"]
    assert "8000" in SERVICES["scoring"]["command"]


def test_prometheus_asks_for_what_there_is() -> None:
    """The route, a key of the role that may ask, and meters and routes that exist."""
    (job,) = PROMETHEUS["scrape_configs"]
    assert ALLOWED[job["metrics_path"]] == ("admin",) and "admin" in ROLES
    assert job["authorization"]["credentials_file"] == "/run/secrets/metrics_key"
    assert secret_names("prometheus") == ["metrics_key"]
    assert job["static_configs"] == [{"targets": ["scoring:8000"]}]
    assert set(SERVICES["prometheus"]["networks"]) & set(SERVICES["scoring"]["networks"])
    meters = Meters()
    meters.answered({"method": "GET"}, 200, 0.1)
    meters.scored(Answer(b"", {}, {"value": "A"}, "a grading"))
    drift = Drift("a grading", Reference(date(2026, 11, 1), "", "", {}), meters.classes)
    there = {*re.findall(r"^(\w+)[ {]", meters.page().decode(), re.M), *(each.name for each in drift.metrics([]))}
    rules = [rule for group in yaml.safe_load(ALERTS)["groups"] for rule in group["rules"]]
    named = {name for rule in rules for name in re.findall(r"customer_scoring_\w+", rule["expr"])}
    assert len(rules) >= 5 and len(named) >= 5 and named <= there
    assert set(re.findall(r'route="([^"]+)"', ALERTS)) <= set(ALLOWED)
    assert set(re.findall(r'job="([^"]+)"', ALERTS)) == {job["job_name"]}
    assert all(rule["annotations"]["summary"] for rule in rules)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running(service: str, folder: Path, **changes: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command of a service as compose gives it to its shell, with some words changed; ended by its own pid."""
    (text,) = SERVICES[service]["command"]
    for old, new in {"$$": "$", "/run/secrets": str(folder), **changes}.items():
        assert old in text, old
        text = text.replace(old, new)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*SERVICES[service]["entrypoint"], text],
            env={**os.environ, "PATH": path},
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def test_redis_runs_as_compose_says(redis_running: RedisServer, tmp_path: Path) -> None:
    """It keeps what it acknowledged, takes its password, and no list of processes shows that."""
    (tmp_path / "redis_password").write_text("a-word-of-the-tests\n")
    port = free_port()
    changes = {"--dir /data": f"--dir {tmp_path} --bind 127.0.0.1 --port {port}"}
    with running("redis", tmp_path, **changes) as process:
        place = Place(Workspace(tmp_path), "bank", f"redis://:a-word-of-the-tests@127.0.0.1:{port}/0")
        lacks = ["an answer"]
        for _ in range(200):
            try:
                lacks = place.lacks()
                break
            except StoreError:
                assert process.poll() is None, (tmp_path / "log").read_text()
                time.sleep(0.05)
        assert lacks == []
        with pytest.raises(redis.AuthenticationError), redis.Redis(port=port) as stranger:
            stranger.ping()
        said = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert b"redis-server" in said and b"a-word" not in said


def test_mlflow_runs_on_postgresql_as_compose_says(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The registry answers through it, files go and come by it, and strangers' names for it are refused."""
    (tmp_path / "postgres_password").write_text(os.environ["PGPASSWORD"] + "\n")
    port = free_port()
    changes = {
        "postgresql+psycopg://mlflow@postgres:5432/mlflow": postgres_url.replace("postgresql:", "postgresql+psycopg:"),
        "0.0.0.0 --port 5000 --workers 2": f"127.0.0.1 --port {port} --workers 1",
        "/mlflow/artifacts": str(tmp_path / "artifacts"),
        "127.0.0.1:5000": f"127.0.0.1:{port}",
    }
    monkeypatch.setenv("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    address = f"http://127.0.0.1:{port}"
    with running("mlflow", tmp_path, **changes) as process:
        for _ in range(600):
            try:
                if httpx.get(f"{address}/health").status_code == 200:
                    break
            except httpx.TransportError:
                assert process.poll() is None, (tmp_path / "log").read_text()
                time.sleep(0.1)
        asked = f"{address}/api/2.0/mlflow/experiments/search"
        hosts = {
            host: httpx.post(asked, json={"max_results": 1}, headers={"host": host}) for host in ("mlflow:5000", "evil")
        }
        assert [answer.status_code for answer in hosts.values()] == [200, 403]
        request.addfinalizer(lambda: mlflow.set_tracking_uri(None))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        assert registry.champion_version("bank") is None
        with registry.open_run("bank", "a run") as run:
            mlflow.log_text("kept", "note.txt")
        assert mlflow.artifacts.load_text(f"runs:/{run}/note.txt") == "kept"
    assert [path.read_text() for path in (tmp_path / "artifacts").rglob("note.txt")] == ["kept"]


def test_the_entrypoint_gives_the_password_to_the_service_alone(tmp_path: Path) -> None:
    """In the address of the store, of which all else is in the file; without the secret there is none."""
    text = (ROOT / "deploy/entrypoint.sh").read_text().replace("/run/secrets", str(tmp_path))
    (tmp_path / "python").write_text('#!/bin/sh\necho "${CUSTOMER_SCORING_STORE:-none} $*"\n')
    (tmp_path / "python").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def said() -> str:
        words = ["sh", "-c", text, "entrypoint", "doctor", "--source", "a b"]
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout

    assert said() == "none -m serving.cli doctor --source a b\n"
    (tmp_path / "redis_password").write_text("word\n")
    assert said().startswith("redis://:word@redis:6379/0 ")
    assert "redis" in SERVICES and set(SERVICES["redis"]["networks"]) <= set(SERVICES["scoring"]["networks"])
