"""The servers beside ours: an echo, what a tutorial would write, MLflow's, and frameworks of serving around our scorer.

BentoML and LitServe get environments of their own under data/benchmarks: the packages of requirements.lock, and over
them those of their locks. LitServe fits beside ours; BentoML needs a later certifi and an earlier OpenTelemetry.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from benchmarks.measure import ROOT
from benchmarks.peers import serving_pyfunc
from benchmarks.peers.serving_apps import ANSWER, MODELS
from benchmarks.peers.serving_scorer import HOME
from benchmarks.report import say
from benchmarks.serving_company import Company
from benchmarks.serving_servers import Start

ENVIRONMENTS = ROOT / "data/benchmarks/peers"
LOCKS = ROOT / "benchmarks/peers"
PYTHON = sys.executable


def echo(company: Company, answer: bytes, scratch: Path) -> Start:
    """The same requests, answered by the same bytes always."""
    file = scratch / "answer"
    file.write_bytes(answer)
    os.environ[ANSWER] = str(file)
    return Start("echo", [PYTHON, "-m", "benchmarks.peers.serving_apps", "echo"], "/docs", company.by_path)


def naive(company: Company, scratch: Path) -> Start:
    """A pyfunc a task, asked one after the other."""
    release = company.job.workspace.training / "release"
    for task in company.job.live()[0].release.models:
        serving_pyfunc.save(release, scratch / "tasks" / task, task)
    os.environ[MODELS] = str(scratch / "tasks")
    command = [PYTHON, "-m", "benchmarks.peers.serving_apps", "naive"]
    return Start("naive FastAPI", command, "/docs", company.by_name, slow=True)


def mlflow(company: Company, scratch: Path) -> Start:
    """One pyfunc of all models."""
    serving_pyfunc.save(company.job.workspace.training / "release", scratch / "all")
    command = [PYTHON, "-m", "mlflow", "models", "serve", "-m", str(scratch / "all"), "--env-manager", "local", "-p"]
    return Start("mlflow models serve", command, "/ping", company.by_split, slow=True)


def frameworks(company: Company) -> Iterator[Start]:
    """BentoML and LitServe; what they answer is our whole answer."""
    os.environ |= {HOME: str(company.job.workspace.home), "BENTOML_DO_NOT_TRACK": "true"}
    bento = ["-m", "bentoml", "serve", "benchmarks.peers.serving_bentoml:Scorer", "--working-dir", str(ROOT)]
    command = [environment("bentoml"), *bento, "--host", "127.0.0.1", "--port"]
    yield Start("BentoML", command, "/readyz", company.by_body("/score"))
    command = [environment("litserve"), "-m", "benchmarks.peers.serving_litserve"]
    yield Start("LitServe", command, "/health", company.by_body("/predict"))


def environment(name: str) -> str:
    """The Python of a peer's environment, which is made on first use and again whenever a lock changes."""
    locks = [ROOT / "requirements.lock", LOCKS / f"{name}.lock"]
    folder, digest = ENVIRONMENTS / name, sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()
    python, stamp = folder / "bin/python", folder / "installed"
    if not stamp.exists() or stamp.read_text() != digest:
        say(f"install {name} into {folder}")
        subprocess.run([PYTHON, "-m", "venv", "--without-pip", "--clear", str(folder)], check=True)
        for lock in locks:
            install = [str(Path(PYTHON).parent / "uv"), "pip", "install", "--quiet", "--python", str(python)]
            subprocess.run([*install, "--require-hashes", "-r", str(lock)], check=True)
        stamp.write_text(digest)
    return str(python)
