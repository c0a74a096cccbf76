"""A service that starts while the registry is away: from a verified copy of what was live last, until it is back."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.errors import InputError
from features.tables.privacy import Pseudonyms
from features.workspace import Workspace
from serving.opening import open_service, open_spare
from serving.spare import FILES, NOTE, Spare, spare_of
from serving.watch import Trouble, Watch
from serving.worker import Served, application
from tests.conftest import Ran
from tests.serving.test_drift import told
from tests.serving.test_service import start
from training import registry
from training.reissue import reissue
from training.review import Extras


@pytest.fixture
def ran(sample: Ran, tmp_path: Path) -> Iterator[Ran]:
    """The sample with a registry of its own, in the folder `db`, and a workspace of its own."""
    store = registry.store_file()
    assert store is not None
    with pytest.MonkeyPatch.context() as patch:
        (tmp_path / "db").mkdir()
        shutil.copy(store, tmp_path / "db" / "mlflow.db")
        shutil.copytree(
            sample.workspace.home, tmp_path / "home", ignore=shutil.ignore_patterns(sample.workspace.live.name)
        )
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'db' / 'mlflow.db'}")
        yield replace(sample, job=replace(sample.job, workspace=Workspace(tmp_path / "home")))
    registry.connect()


def away(folder: Path) -> None:
    """The registry does not answer: its folder is none."""
    (folder / "db").rename(folder / "gone")
    (folder / "db").touch()


def back(folder: Path) -> None:
    (folder / "db").unlink()
    (folder / "gone").rename(folder / "db")


def test_it_starts_without_the_registry_and_turns_to_it(ran: Ran, tmp_path: Path) -> None:
    """`/readyz` says stale, and so does the meter; once the registry is back, its champion goes live by itself."""
    source = ran.job.source.name
    service = open_service(ran.job)
    release, first = service.scorer.live.release, ran.version
    service.store.close()
    extras = Extras({"kind": "reissued"})
    second = reissue(source, release, release.scheme.replace("title: Value", "title: Worth"), extras, "again")
    registry.promote(source, second)
    ran.job.classify()
    away(tmp_path)
    for client in start(ran, tmp_path / "log", more=("--watch", "0.2", "--log")):
        ready = client.get("/readyz").json()
        assert ready["stale"] and ready["live"]["version"] == first
        assert told(client.get("/metrics").text, "stale") == {"": 1}
        assert client.post("/v1/score/C10006").json()["live"]["version"] == first
        back(tmp_path)
        until = time.monotonic() + 120
        while client.get("/v1/release").json()["live"]["version"] != second:
            assert time.monotonic() < until
            time.sleep(0.2)
        assert "stale" not in client.get("/readyz").json()
        assert told(client.get("/metrics").text, "stale") == {"": 0}
    assert '"event":"stale"' in (tmp_path / "log").read_text()
    assert json.loads((ran.workspace.live / "spare" / NOTE).read_text())["version"] == second


def test_a_changed_copy_is_refused(ran: Ran, pseudonyms: Pseudonyms) -> None:
    """One byte of any file, one more file, another version or digest in the note, or another installation's key."""
    open_service(ran.job).store.close()
    spare = spare_of(ran.workspace, ran.job.source.name, pseudonyms)
    assert spare.open().version == ran.version
    files = [path for path in sorted(spare.folder.rglob("*")) if path.is_file() and path.name != "MLmodel"]
    assert {FILES, NOTE} == {path.relative_to(spare.folder).parts[0] for path in files} and len(files) > 8
    for path in files:
        if path.name == "registered_model_meta":
            continue  # MLflow's, and never read
        kept = path.read_bytes()
        path.write_bytes(kept[:-2] + bytes([kept[-2] ^ 1]) + kept[-1:])
        with pytest.raises(InputError):
            spare.open()
        path.write_bytes(kept)
    (spare.folder / FILES / "more").touch()
    with pytest.raises(InputError, match="more"):
        spare.open()
    (spare.folder / FILES / "more").unlink()
    note = json.loads((spare.folder / NOTE).read_text())
    for change in ({"version": note["version"] + 1}, {"manifest": "0" * 64}, {"mac": ""}, {"version": None}):
        (spare.folder / NOTE).write_text(json.dumps(note | change))
        with pytest.raises(InputError, match="refused"):
            spare.open()
    (spare.folder / NOTE).write_text(json.dumps(note))
    for other in (replace(spare, source="another"), replace(spare, key=b"x" * 32)):
        with pytest.raises(InputError, match="refused"):
            other.open()
    assert open_spare(ran.job).scorer.live.release.digest == note["manifest"]


def test_a_damaged_copy_is_made_again(ran: Ran, pseudonyms: Pseudonyms) -> None:
    """The next time that the registry's release is opened; a whole one is left as it is."""
    spare = spare_of(ran.workspace, ran.job.source.name, pseudonyms)
    for damage in (spare.folder / NOTE, spare.folder / FILES / "release.json"):
        open_service(ran.job).store.close()
        made = spare.folder.stat().st_ino
        open_service(ran.job).store.close()
        assert spare.folder.stat().st_ino == made
        damage.write_bytes(b"{")
        with pytest.raises(InputError):
            spare.open()
    open_service(ran.job).store.close()
    assert spare.open().version == ran.version


def test_without_a_copy_it_is_said(ran: Ran, tmp_path: Path) -> None:
    """The letter names both; a registry that answers, but has no champion, is no reason to start from the copy."""
    served = Served(ran.job.source.name, str(ran.workspace.home), None, False, False, 1.0)
    with pytest.MonkeyPatch.context() as patch:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        patch.setenv("MLFLOW_TRACKING_URI", f"http://eva:secret@127.0.0.1:{port}")
        begun = time.monotonic()
        with pytest.raises(InputError, match="an MLflow registry that answers") as told_:
            application(served)
        assert time.monotonic() - begun < 60
        assert "spare" in str(told_.value) and "secret" not in str(told_.value)
    open_service(ran.job).store.close()
    registry.retire(ran.job.source.name)
    with pytest.raises(InputError, match="champion"):
        application(served)


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(
    ran: Ran, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is served, and said."""
    (tmp_path / "file").touch()
    release = registry.fetch(ran.job.source.name)
    Spare("sample", tmp_path / "file" / "spare", b"k" * 32).keep(tmp_path, release)
    assert "no copy" in caplog.text


def test_trouble_there_is_from_the_start_is_told(sample: Ran) -> None:
    """And is over with the first look that finds what is live."""
    said: list[Trouble | None] = []
    trouble = Trouble("away", datetime.now(UTC), 1)
    watch = Watch(lambda: None, lambda: pytest.fail("never"), lambda s: None, said.append, 60.0, None, trouble)  # type: ignore[arg-type, return-value]
    watch.start()
    watch.stop()
    watch.once()
    assert said == [trouble, None]
