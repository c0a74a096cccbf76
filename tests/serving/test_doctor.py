"""`scoring doctor`: whatever is broken is said by its check, with the cure; the others are made all the same."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from features.tables.audit import Audit
from features.workspace import Workspace, read_json, write_json
from serving import doctor_installation
from serving.cli import app
from serving.doctor import CHECKS, Outcome, examine
from serving.keys import add_key, keys_path, read_keys, revoke_key
from serving.patient import Patient
from serving.store.arrivals import Arrivals
from serving.store.place import Place
from serving.store.redis_client import About
from serving.store.sqlite import arrivals_path
from serving.store.state import Arrival
from tests.conftest import Ran
from tests.redis_server import PASSWORD, RedisServer, redis_running, redis_server
from training import registry
from training.release import Release

__all__ = ["redis_running", "redis_server"]

NOW = datetime.now(UTC)
CANARY = "CANARY-4711"


@pytest.fixture
def home(sample: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sample in a workspace of its own, which others may enter, and no key files of this machine."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("CUSTOMER_SCORING_STORE", raising=False)
    shutil.copytree(sample.workspace.home, tmp_path / "home")
    (tmp_path / "home").chmod(0o755)
    return tmp_path / "home"


def outcomes(home: Path, *names: str, source: str = "sample") -> dict[str, Outcome]:
    """What some checks find, by default all."""
    checks = [check for check in CHECKS if not names or check.name in names]
    return {each.name: each for each in examine(Patient(source, home), checks)}


def letters(home: Path, name: str) -> str:
    """What a check finds wrong, as it is printed."""
    return "\n".join(each.letter() for each in outcomes(home, name)[name].wrong)


def printed(home: Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["doctor", "--home", str(home)], catch_exceptions=False)
    return done.exit_code, done.output


def test_a_healthy_installation_is_told_so(home: Path) -> None:
    """A line a check, exit code 0, and nothing is changed or made."""
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    code, said = printed(home)
    lines = said.splitlines()
    assert (code, lines[-1]) == (0, "Nothing wrong."), said
    assert [line.split()[:2] for line in lines[:-1]] == [["ok", check.name] for check in CHECKS]
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before
    assert not (home.parent / "config").exists()


def test_what_is_broken_stops_only_what_depends_on_it(home: Path) -> None:
    """Several things at once: each has its letter, exit code 1, and the other checks are made."""
    next(home.glob("grades/*/reasons.parquet")).unlink()
    (home / "keys.json").write_text("[]")
    (home / "keys.json").chmod(0o644)
    code, said = printed(home)
    state = {line[10:].split()[0]: line[:9].strip() for line in said.splitlines() if line[:9].strip() in STATES}
    assert code == 1 and said.splitlines()[-1] == "2 wrong."
    assert {name for name, each in state.items() if each == "wrong"} == {"snapshot", "keys"}
    assert {name for name, each in state.items() if each == "not made"} == {"published"}
    assert "reasons.parquet" in said and "scoring classify" in said and "chmod 600" in said


STATES = ("ok", "wrong", "not made")


def test_libraries_are_those_of_the_lock(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version, none, another Python; where there is no lock, the pins of the package count."""
    real = doctor_installation.version

    def changed(name: str) -> str:
        if name == "scipy":
            raise doctor_installation.PackageNotFoundError(name)
        return "0.1" if name == "numpy" else real(name)

    monkeypatch.setattr(doctor_installation, "version", changed)
    monkeypatch.setattr(doctor_installation.platform, "python_version", lambda: "3.10.2")
    said = letters(home, "libraries")
    assert "Python\n  found 3.10.2; wanted" in said and "make setup" in said
    assert "requirements.lock: numpy\n  found 0.1; wanted ==2" in said
    assert "requirements.lock: scipy\n  found nothing installed" in said
    assert said.count("found") == 3
    monkeypatch.setattr(doctor_installation, "LOCK", Path("nowhere.lock"))
    assert "pyproject.toml: numpy\n  found 0.1; wanted ==2" in letters(home, "libraries")


def test_the_key_is_there_and_that_of_the_tables(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing, another, too short; none is ever made."""
    another = "another key, of more than thirty-two characters"
    for key, wanted in ((another, "pseudonyms made with key"), ("short", "a key of 5 characters")):
        monkeypatch.setenv("CUSTOMER_SCORING_KEY", key)
        said = letters(home, "key")
        assert wanted in said and key not in said
    monkeypatch.delenv("CUSTOMER_SCORING_KEY")
    assert "pseudonyms.key\n  found nothing; wanted the key" in letters(home, "key")
    assert not (home.parent / "config").exists()


def test_settings_and_source_must_load(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a source only what needs none is looked at."""
    text = Path("configs/serving.yaml").read_text()
    (tmp_path / "serving.yaml").write_text(text + "colour: red\n")
    monkeypatch.setattr("serving.settings.SERVING", tmp_path / "serving.yaml")
    assert "colour" in letters(home, "settings")
    found = outcomes(home, source="nowhere")
    made = {name for name, each in found.items() if not each.before}
    assert made == {"libraries", "source", "settings"} and found["source"].wrong


@pytest.mark.parametrize("how", ["cut", "changed", "no report", "no events"])
def test_tables_are_read_to_the_end(home: Path, how: str) -> None:
    """A file that was cut or changed, and one that is not there."""
    path = sorted((home / "tables" / "events.parquet").glob("*.parquet"))[0]
    content = path.read_bytes()
    if how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "changed":
        path.write_bytes(content[:100] + bytes(2_000) + content[2_100:])
    elif how == "no report":
        path = home / "tables" / "report.json"
        path.unlink()
    else:
        path = path.parent
        shutil.rmtree(path)
    said = letters(home, "tables")
    assert str(path) in said and "scoring ingest" in said


def test_the_registry_has_a_champion(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None there, empty, outdated, away; a password in its address is not told."""
    file = registry.store_file()
    assert file is not None
    old = shutil.copy(file, tmp_path / "old.db")
    with sqlite3.connect(old) as db:
        db.execute("UPDATE alembic_version SET version_num = '0a8213491aaa'")
    db.close()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none.db")
    assert "none.db\n  found nothing; wanted an MLflow registry" in letters(home, "registry")
    assert not (tmp_path / "none.db").exists()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{old}")
    assert "an outdated schema" in letters(home, "registry") and "mlflow db upgrade" in letters(home, "registry")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/new.db")
    registry.connect()
    assert "no version with the alias champion" in letters(home, "registry")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:{PASSWORD}@127.0.0.1:9")
    said = letters(home, "registry")
    assert said.startswith("http://127.0.0.1:9\n") and PASSWORD not in said


@pytest.fixture
def artifacts(sample: Ran) -> Iterator[Path]:
    """The files of the champion, as they were afterwards."""
    uri = registry.connect().get_model_version_download_uri(registry.model_name("sample"), str(sample.version))
    folder = Path(uri.removeprefix("file://"))
    aside = folder.with_name("aside")
    shutil.copytree(folder, aside)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)


def test_the_release_is_verified(home: Path, artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was changed, answers that are others, files that are not there."""
    score = Release.score
    with monkeypatch.context() as patch:
        patch.setattr(
            Release, "score", lambda self, rows: {name: 1.01 * each for name, each in score(self, rows).items()}
        )
        said = letters(home, "release")
    assert "golden.npz" in said and "other answers" in said
    path = artifacts / "release.json"
    path.write_text(path.read_text() + " ")
    said = letters(home, "release")
    assert "release.json" in said and "changed after it was registered" in said and "scoring rollback" in said
    shutil.rmtree(artifacts)
    assert "found" in letters(home, "release")
    assert not outcomes(home, "registry", "snapshot")["snapshot"].wrong


@pytest.mark.parametrize("file", ["reasons.parquet", "grades.parquet", "ranks.npz", "snapshot.json"])
def test_the_grading_is_complete(home: Path, file: str) -> None:
    """Each file of the newest snapshot, when it is lost and when it is cut."""
    path = next(home.glob(f"grades/*/{file}"))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert file in letters(home, "snapshot")
    path.unlink()
    assert file in letters(home, "snapshot")


def test_the_grading_is_that_of_the_champion_and_whole(home: Path) -> None:
    """Of another release, of fewer customers, and none at all."""
    path = next(home.glob("grades/*/snapshot.json"))
    about = read_json(path)
    write_json(path, about | {"manifest": "0" * 64, "customers": about["customers"] + 1})
    said = letters(home, "snapshot")
    assert "a grading by another release" in said and f"{about['customers']:,} customers; wanted" in said
    shutil.rmtree(home / "grades")
    assert "no snapshot graded by release" in letters(home, "snapshot")


def test_sqlite_finds_no_fault(home: Path) -> None:
    """Of the states, and of what arrived; a store that is lost is not published."""
    (path,) = (home / "store").glob("*.sqlite")
    content = path.read_bytes()
    path.write_bytes(content[:4_096] + os.urandom(40_960) + content[45_056:])
    said = letters(home, "store")
    assert f"{path}\n  found a damaged file" in said and "scoring publish" in said
    path.unlink()
    arrivals = arrivals_path(Workspace(home))
    arrivals.parent.mkdir()
    arrivals.write_bytes(content[:8_000])
    assert str(arrivals) in letters(home, "store")
    assert "scoring publish" in letters(home, "published")


def test_redis_answers_and_keeps_what_it_answers(
    home: Path, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Away, forgetful, without what is live; and well once that is published. Its password is never told."""
    monkeypatch.setenv("CUSTOMER_SCORING_STORE", f"unix://:{PASSWORD}@/nowhere/socket?db=0")
    found = outcomes(home)
    assert "does not answer" in found["redis"].wrong[0].letter() and PASSWORD not in str(found)
    assert {each.name for each in found.values() if each.before} == {"durability", "published", "waiting"}
    monkeypatch.setenv("CUSTOMER_SCORING_STORE", redis_server.address)
    assert "scoring publish" in letters(home, "published")
    place = Patient("sample", home).job.place
    place.load(str(read_json(next(home.glob("grades/*/snapshot.json")))["id"]))
    with redis_server.client() as client:
        client.config_set("appendfsync", "everysec")
        client.config_set("maxmemory-policy", "allkeys-lru")
        said = letters(home, "durability")
        assert "appendfsync everysec, not always" in said and "allkeys-lru" in said and "redis.conf" in said
        client.config_set("appendfsync", "always")
        client.config_set("maxmemory-policy", "noeviction")
    code, said = printed(home)
    assert code == 0 and PASSWORD not in said
    monkeypatch.setattr(Place, "about", lambda self: About("5.0.14", time.time() - 3_660))
    assert "Redis 5.0.14; wanted version 6" in letters(home, "redis")
    assert "a clock that differs by 6" in letters(home, "clock")


def test_api_keys_are_their_owners_and_good(home: Path) -> None:
    """Over, soon over, readable by others, damaged; one that was revoked is no trouble."""
    workspace, audit = Workspace(home), Audit(home / "audit.jsonl", "eva")
    days = {"of last year": -1, "of this month": 10, "of next year": 400}
    secrets = [add_key(workspace, audit, name, ["read"], (NOW + timedelta(days=d)).date()) for name, d in days.items()]
    said = letters(home, "keys")
    assert "(of last year)\n  found that its last day was" in said
    assert "(of this month)\n  found that its last day is" in said and "(of next year)" not in said
    assert not any(secret in said for secret in secrets)
    for each in read_keys(keys_path(workspace))[:2]:
        revoke_key(workspace, audit, each.id)
    assert outcomes(home, "keys")["keys"].notes == ("1 good API keys",)
    keys_path(workspace).chmod(0o640)
    assert "found permissions 640; wanted 600" in letters(home, "keys")
    keys_path(workspace).chmod(0o600)
    for damage in ("[", '[{"id": "x"}]', "[7]"):
        keys_path(workspace).write_text(damage)
        assert "keys.json\n  found a damaged file" in letters(home, "keys")


def test_there_is_room_on_the_disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For what the next run writes."""
    monkeypatch.setattr(doctor_installation.shutil, "disk_usage", lambda path: SimpleNamespace(free=400_000_000))
    assert f"{home}\n  found 0.4 GB free; wanted 1.0 GB" in letters(home, "disk")


def test_what_arrived_does_not_wait_for_ever(home: Path) -> None:
    """How many events, since when; not whose they are."""
    arrivals = Arrivals(arrivals_path(Workspace(home)))
    arrivals.add([Arrival(CANARY, "1", (NOW - timedelta(days=2)).isoformat(), b"{}", b"{}")])
    (note,) = outcomes(home, "waiting")["waiting"].notes
    assert note.startswith("1 events, the first since 20") and CANARY not in note
    arrivals.add([Arrival(CANARY, "2", (NOW - timedelta(days=40)).isoformat(), b"{}", b"{}")])
    arrivals.close()
    said = letters(home, "waiting")
    assert "found 2 events, the first since 20" in said and "scoring ingest" in said and CANARY not in said


def test_others_may_read_nothing(home: Path, tmp_path: Path) -> None:
    """Neither a file in a folder that is open, nor a key."""
    shown, hidden = home / "grades" / "list.csv", home / "tables" / "list.csv"
    for path in (shown, hidden):
        path.write_text("x")
        path.chmod(0o644)
    key = tmp_path / "config" / "customer-scoring" / "aml.key"
    key.parent.mkdir(parents=True)
    key.write_text("x" * 32)
    key.chmod(0o640)
    said = letters(home, "access")
    assert f"{shown}\n  found a file that everybody may read" in said and f"chmod o-rwx {shown}" in said
    assert str(hidden) not in said and f"{key}\n  found permissions 640" in said
    home.chmod(0o700)
    assert str(shown) not in letters(home, "access")


def test_the_clock_is_not_behind_the_files(home: Path) -> None:
    """A file of the future says that one of two clocks was wrong."""
    ahead = time.time() + 3_690
    os.utime(home / "tables" / "report.json", (ahead, ahead))
    said = letters(home, "clock")
    assert "report.json\n  found that it was written 6" in said and "NTP" in said


def test_a_check_that_fails_itself_is_told_and_the_others_are_made(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is; nothing of what it said is passed on."""

    def fails(*_: object) -> Callable[..., object]:
        raise RuntimeError(CANARY)

    monkeypatch.setattr("serving.doctor_live.read_ranks", fails)
    found = outcomes(home, "snapshot", "clock")
    assert "RuntimeError" in found["snapshot"].wrong[0].letter() and not found["clock"].wrong
    assert CANARY not in json.dumps([each.letter() for each in found["snapshot"].wrong])
