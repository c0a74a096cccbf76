"""The service keeps its own document: whatever is sent, it answers as the document says, and never fails."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from features.workspace import Workspace
from tests.conftest import Ran
from tests.serving.test_service import start

CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance,status_code_conformance"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("documents") / "log"


@pytest.fixture(scope="module")
def client(sample: Ran, log: Path) -> Iterator[httpx.Client]:
    shutil.copytree(sample.workspace.home, log.parent / "home")
    ran = replace(sample, job=replace(sample.job, workspace=Workspace(log.parent / "home")))
    yield from start(ran, log, more=("--log",))


def fuzz(client: httpx.Client, folder: Path, examples: int) -> int:
    """How many requests were made; each must be answered as the document says."""
    address = f"{client.base_url}".rstrip("/") + "/openapi.json"
    command = [sys.executable, "-m", "schemathesis.cli", "run", address, "--checks", CHECKS, "--seed", "7"]
    command += ["--phases", "coverage,fuzzing", "--max-examples", str(examples), "--exclude-path", "/v1/score/batch"]
    done = subprocess.run([*command, "--no-color", "--warnings", "off"], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stdout[-6000:]
    return int(re.findall(r"(\d+) generated", done.stdout)[0])


def test_the_service_is_as_its_document_says(client: httpx.Client, log: Path) -> None:
    """500 requests and more, valid and not; none fails."""
    assert fuzz(client, log.parent, 3) >= 500
    assert '"status":500' not in log.read_text() and '"failure"' not in log.read_text()


@pytest.mark.long
def test_the_service_is_as_its_document_says_at_length(client: httpx.Client, log: Path) -> None:
    """20,000 requests and more."""
    assert fuzz(client, log.parent, 1_500) >= 20_000
    assert '"failure"' not in log.read_text()


VISIT = b'{"ts": "2026-01-01", "kind": "visit"}'
NASTY = {
    "deep": b'{"customer_id": "x", "events": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "NaN": b'{"customer_id": "x", "events": [{"ts": "2026-01-01", "kind": "visit", "quantity": NaN}]}',
    "huge number": b'{"customer_id": "x", "events": [{"ts": "2026-01-01", "kind": "visit", "quantity": 1e308}]}',
    "bad UTF-8": b'{"customer_id": "\xff\xfe", "events": []}',
    "a name twice": b'{"customer_id": "x", "customer_id": "y", "events": []}',
    "not an object": b"[1]",
    "a long id": b'{"customer_id": "' + b"x" * 10_000 + b'", "events": []}',
    "10,001 events": b'{"customer_id": "x", "events": ['
    + b",".join([b'{"ts": "2026-01-01", "kind": "visit"}'] * 10_001)
    + b"]}",
    "100 MB": b" " * 100_000_000,
}


@pytest.mark.parametrize("name", list(NASTY))
def test_nonsense_is_a_problem_and_nothing_more(client: httpx.Client, name: str) -> None:
    """Refused with a problem document; the next request is answered as ever."""
    try:
        answer = client.post("/v1/score", content=NASTY[name], headers={"content-type": "application/json"})
    except httpx.TransportError:
        assert name == "100 MB"  # it was told 413 and the connection closed while it was still sending
    else:
        assert answer.status_code in (400, 413, 422) and answer.headers["content-type"] == "application/problem+json"
    assert client.post("/v1/score", json={"customer_id": "x", "events": []}).status_code == 200
