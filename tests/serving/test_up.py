"""`scoring up`, the second half of `make run`: service and MLflow UI together, and both gone after Ctrl-C."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.conftest import Ran


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_both_answer_and_both_end(sample: Ran, tmp_path: Path) -> None:
    """Each URL answers; Ctrl-C ends everything with exit code 0."""
    service, ui = free_port(), free_port()
    command = [sys.executable, "-m", "serving.cli", "up", "--home", str(sample.workspace.home)]
    with (tmp_path / "log").open("wb") as log:
        up = subprocess.Popen(
            [*command, "--port", str(service), "--ui-port", str(ui)], stdout=log, stderr=log, start_new_session=True
        )
    urls = [f"http://127.0.0.1:{service}/readyz", f"http://127.0.0.1:{ui}/health"]
    try:
        for _ in range(240):
            if all(answers(url) for url in urls):
                break
            assert up.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.5)
        else:
            pytest.fail((tmp_path / "log").read_text())
    finally:
        up.send_signal(signal.SIGINT)
        assert up.wait(40) == 0
    time.sleep(0.5)
    assert not any(answers(url) for url in urls)
    printed = (tmp_path / "log").read_text()
    assert f"http://127.0.0.1:{service}/docs" in printed and f"http://127.0.0.1:{ui}" in printed
