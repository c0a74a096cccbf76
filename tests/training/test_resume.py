"""A training run that was killed goes on where it stopped, and ends with the same bytes."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import Ran


def test_a_killed_run_goes_on(sample: Ran, tmp_path: Path) -> None:
    """What was computed before the kill is not computed again; the release is the same to the byte."""
    home = tmp_path / "home"
    home.mkdir()
    for part in ("tables", "features"):
        shutil.copytree(getattr(sample.workspace, part), home / part)
    command = [sys.executable, "-m", "serving.cli", "train", "--source", "sample", "--home", str(home)]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    kept = home / "training-kept"
    deadline = time.monotonic() + 300
    while len(list(kept.glob("*.parquet"))) < 2 and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not (home / "training").exists()
    before = {path: path.stat().st_mtime_ns for path in kept.glob("*.parquet")}
    assert len(before) >= 2
    watch = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seen: dict[Path, int] = {}
    while watch.poll() is None:
        seen |= {path: path.stat().st_mtime_ns for path in before if path.exists()}
        time.sleep(0.05)
    assert watch.returncode == 0 and seen.items() >= before.items()
    assert not kept.exists()
    for path in (sample.workspace.training / "release").rglob("*"):
        if path.is_file():
            there = home / "training" / "release" / path.relative_to(sample.workspace.training / "release")
            assert there.read_bytes() == path.read_bytes(), path.name
