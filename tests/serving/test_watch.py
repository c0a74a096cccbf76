"""What is promoted goes live by itself, whole; what is broken does not, and what was live stays."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import mlflow
import pytest

from features.errors import InputError
from features.workspace import Workspace
from serving.opening import Sign, open_service, sign_of
from serving.service import Service
from serving.watch import Trouble, Watch
from tests.conftest import Ran
from tests.serving.test_service import start
from training import registry
from training.reissue import reissue
from training.review import Extras


@pytest.fixture(scope="module")
def two(sample: Ran, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """A registry and a workspace of their own: versions 1 and 2 of a release, both with a graded base; 1 is live."""
    folder = tmp_path_factory.mktemp("two")
    store = registry.store_file()
    assert store is not None
    with pytest.MonkeyPatch.context() as patch:
        shutil.copy(store, folder / "mlflow.db")
        shutil.copytree(sample.workspace.home, folder / "home")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        ran = replace(sample, job=replace(sample.job, workspace=Workspace(folder / "home")))
        source, first = ran.job.source.name, registry.champion_version(ran.job.source.name)
        assert first is not None
        release = registry.fetch(source, first)
        extras = Extras({"kind": "reissued"})
        second = reissue(source, release, release.scheme.replace("title: Value", "title: Worth"), extras, "again")
        registry.promote(source, second)
        ran.job.classify()
        registry.promote(source, first)
        yield replace(ran, version=second)
        registry.connect()


class Live:
    """What a watch makes live, and what it tells."""

    def __init__(self, ran: Ran) -> None:
        self.services: list[Service] = []
        self.troubles: list[Trouble | None] = []
        self.watch = Watch(
            lambda: sign_of(ran.job), lambda: open_service(ran.job), self.services.append, self.troubles.append, 0.0,
            sign_of(ran.job),
        )  # fmt: skip

    @property
    def versions(self) -> list[int]:
        return [each.scorer.live.release.version for each in self.services]


def test_what_is_promoted_goes_live(two: Ran) -> None:
    """And back again; nothing happens while nothing changes."""
    live, source = Live(two), two.job.source.name
    live.watch.once()
    assert live.services == []
    for version in (two.version, 1, two.version):
        registry.promote(source, version)
        live.watch.once()
        live.watch.once()
    assert live.versions == [two.version, 1, two.version] and live.troubles == []
    registry.promote(source, 1)


def breakages(two: Ran) -> dict[str, tuple[Path, Callable[[Path], None]]]:
    """Name → a file or folder of version 2, and how it is broken."""
    source = two.job.source.name
    found = registry.connect().get_model_version(registry.model_name(source), str(two.version))
    with registry.downloaded(source, registry.SCORER, two.version) as (files, _):
        assert (files / "release.json").exists()
    model = Path(mlflow.artifacts.download_artifacts(f"models:/{registry.model_name(source)}/{found.version}"))
    grades = next(two.workspace.grades.glob(f"*-v{two.version}"))
    snapshot = json.loads((grades / "snapshot.json").read_text())["id"]

    def change(path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-2] + b"7\n")

    def remove(path: Path) -> None:
        path.rename(path.with_name("away"))

    assert model.is_dir()
    return {
        "a changed model": (model / "churn" / "forest.txt", change),
        "a changed scheme": (model / "scheme.yaml", change),
        "no snapshot": (grades, remove),
        "no states": (two.workspace.store / f"{snapshot}.sqlite", remove),
    }


@pytest.mark.parametrize("name", ["a changed model", "a changed scheme", "no snapshot", "no states"])
def test_what_is_broken_stays_out(two: Ran, name: str) -> None:
    """It is told once more each time it is tried; mended, it goes live."""
    live, source = Live(two), two.job.source.name
    path, break_ = breakages(two)[name]
    kept = None if path.is_dir() else path.read_bytes()
    break_(path)
    registry.promote(source, two.version)
    try:
        live.watch.once()
        live.watch.once()
        assert live.services == [] and [each.times for each in live.troubles if each] == [1, 2]
    finally:
        away = path.with_name("away")
        if away.exists():
            away.rename(path)
        elif kept is not None:
            path.write_bytes(kept)
    live.watch.once()
    assert live.versions == [two.version] and live.troubles[-1] is None
    registry.promote(source, 1)


def test_a_registry_that_is_gone_changes_nothing(two: Ran) -> None:
    """And is taken up again when it is back."""
    live = Live(two)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "sqlite:////proc/nowhere/mlflow.db")
        live.watch.once()
        assert live.services == [] and live.troubles[-1] is not None
    live.watch.once()
    assert live.troubles[-1] is None and live.services == []


def test_whatever_fails_the_watch_goes_on() -> None:
    """An error that nobody thought of is trouble, too."""
    told: list[Trouble | None] = []

    def look() -> Sign:
        raise ZeroDivisionError

    watch = Watch(look, lambda: pytest.fail("never"), lambda service: None, told.append, 0.01, None)
    watch.start()
    while len(told) < 3:
        time.sleep(0.01)
    watch.stop()
    assert told[-1] is not None and told[-1].what == "ZeroDivisionError"


CHANGES, REQUESTS, CALLERS = 20, 3_000, 16


def test_the_champion_changes_twenty_times_under_load(two: Ran, tmp_path: Path) -> None:
    """3,000 requests by 16 callers: none fails, and each answer is of one release with its own snapshot."""
    changing_under_load(two, tmp_path, REQUESTS)


@pytest.mark.long
def test_the_champion_changes_under_a_long_load(two: Ran, tmp_path: Path) -> None:
    """The same with 100,000 requests."""
    changing_under_load(two, tmp_path, 100_000)


def changing_under_load(two: Ran, tmp_path: Path, requests: int) -> None:
    seen: list[tuple[int, str]] = []
    failed: list[object] = []
    for client in start(two, tmp_path / "log", more=("--watch", "0.05")):
        wanted = client.get("/v1/customers/C10006").json()["scores"]

        def call(url: str, wanted: object = wanted) -> None:
            with httpx.Client(base_url=url, timeout=30) as own:
                for _ in range(requests // CALLERS):
                    answer = own.post("/v1/score/C10006")
                    said = answer.json()
                    if answer.status_code != 200 or said["scores"] != wanted:
                        failed.append(said)
                    seen.append((said["live"]["version"], said["live"]["snapshot"]))

        callers = [threading.Thread(target=call, args=(str(client.base_url),)) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        changes = 0
        while any(caller.is_alive() for caller in callers) or changes < CHANGES:
            version = (two.version, 1)[changes % 2]
            registry.promote(two.job.source.name, version)
            _until(client, version)
            changes += 1
        for caller in callers:
            caller.join()
        assert failed == [] and len(seen) == requests // CALLERS * CALLERS and changes >= CHANGES
    assert len(set(seen)) == 2 and {version for version, _ in seen} == {1, two.version}
    registry.promote(two.job.source.name, 1)


def _until(client: httpx.Client, version: int) -> None:
    for _ in range(2_000):
        if client.get("/v1/release").json()["live"]["version"] == version:
            return
    pytest.fail("never went live")


def test_a_release_that_is_not_there_is_said(two: Ran) -> None:
    """Without a champion nothing is opened."""
    with pytest.raises(InputError, match="champion"):
        registry.live_version("nobody")
