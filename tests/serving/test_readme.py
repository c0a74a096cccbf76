"""The README's examples of the service, as a reader would run them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from features.workspace import Workspace
from tests.conftest import ROOT, Ran
from tests.serving.test_service import start

ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def client(sample: Ran, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(sample.workspace.home, folder / "home")
    ran = replace(sample, job=replace(sample.job, workspace=Workspace(folder / "home")))
    yield from start(ran, folder / "log")


def blocks(language: str, client: httpx.Client) -> list[str]:
    """The code of the section about scores, asking the server of the test."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Ask for a score")[2].partition("\n## ")[0]
    found = re.findall(rf"```{language}\n(.*?)```", section, re.S)
    return [each.replace(ADDRESS, str(client.base_url).rstrip("/")) for each in found]


def test_the_curl_examples_answer(client: httpx.Client, tmp_path: Path) -> None:
    """Each with the classes of the customer; the second with reasons."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")  # no Python package
    (script,) = blocks("sh", client)
    said = subprocess.run(["sh", "-ec", script.replace("curl ", "curl -sf ")], capture_output=True, check=True).stdout
    decoder, answers, rest = json.JSONDecoder(), [], said.decode()
    while rest:
        answer, end = decoder.raw_decode(rest)
        answers.append(answer)
        rest = rest[end:].lstrip()
    assert len(answers) == 3 and all(answer["classes"]["value"]["name"] for answer in answers)
    assert [answer["customer_id"] for answer in answers] == ["C10001"] * 3 and answers[1]["reasons"]


def test_the_python_example_answers(client: httpx.Client, capsys: pytest.CaptureFixture[str]) -> None:
    """It keeps an event and scores two customers."""
    (code,) = blocks("python", client)
    exec(compile(code, "README.md", "exec"), {})
    kept, one, other = capsys.readouterr().out.splitlines()
    assert kept.startswith("{'new': 1, 'repeated': 0}") and one[0] == other[0] == "{"
