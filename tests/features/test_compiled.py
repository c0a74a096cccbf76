"""What numba compiled is kept apart for each state of the sources."""

from __future__ import annotations

import os
from pathlib import Path

import numba
import pytest

from features import compiled


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of three files, with a loop, a feature, and neither."""
    monkeypatch.setattr(compiled, "ROOT", tmp_path)
    for name, text in {
        "training/loop.py": "import numba",
        "features/catalogue/value.py": "A = 1",
        "features/other.py": "B = 1",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def place(given: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it is kept when the environment says `given`."""
    monkeypatch.setenv(compiled.VARIABLE, given)
    compiled.keep_apart()
    return Path(os.environ[compiled.VARIABLE])


def test_another_loop_or_feature_is_another_place(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else changes leaves it where it is."""
    monkeypatch.setattr("numba.config.CACHE_DIR", numba.config.CACHE_DIR)
    first = place("/var/cache/numba", monkeypatch)
    assert first.parent == Path("/var/cache/numba")
    (sources / "features" / "other.py").write_text("B = 2")
    assert place("/var/cache/numba", monkeypatch) == first
    seen = {first}
    for name in ("training/loop.py", "features/catalogue/value.py"):
        (sources / name).write_text((sources / name).read_text() + "\n")
        seen.add(place("/var/cache/numba", monkeypatch))
    (sources / "training" / "loop.py").rename(sources / "training" / "renamed.py")
    seen.add(place("/var/cache/numba", monkeypatch))
    assert len(seen) == 4


def test_a_process_that_is_started_keeps_to_the_place(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not put below itself."""
    monkeypatch.setattr("numba.config.CACHE_DIR", numba.config.CACHE_DIR)
    first = place("/var/cache/numba", monkeypatch)
    assert place(str(first), monkeypatch) == first
    assert place("", monkeypatch).parent == sources / "features" / "__pycache__"


def test_numba_keeps_its_code_there() -> None:
    """In this very process."""
    assert Path(numba.config.CACHE_DIR).name == Path(os.environ[compiled.VARIABLE]).name
    assert Path(numba.config.CACHE_DIR).name.startswith("numba-")
