"""promote, rollback, releases, compare: what goes live was judged against what is live, and the ledger tells."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import mlflow
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from classification.gate import GateSettings
from classification.gate_report import AGAINST_TAG, GATE_TAG, PASSED
from classification.promote import TASKS_TAG, examine, promote
from classification.scheme import scheme_text
from features.catalogue import FINGERPRINT
from features.errors import InputError
from features.tables.audit import read_lines, this_user
from features.workspace import Workspace
from training import registry
from training.ledger import PROMOTIONS, read_ledger
from training.release import Release

SOURCE = "sample"
Said = tuple[int, str, str]


def register(folder: Path, verdict: str, against: str, tasks: str = "churn value", auc: float = 0.8) -> int:
    """A release without models, judged as told."""
    about = {"source": SOURCE, "title": "A shop", "features": FINGERPRINT, "tasks": [], "skipped": {}}
    Release(about, {}, scheme_text("2026-01")).save(folder)
    tags = {GATE_TAG: verdict, AGAINST_TAG: against, TASKS_TAG: tasks}
    with registry.open_run(SOURCE, "a release"):
        mlflow.log_metrics({"test_churn_auc": auc, "test_churn_auc_mbg_nbd": 0.7, "test_churn_log_loss": 1 - auc})
        return registry.register(SOURCE, folder, {}, tags, "")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SQLite file of a registry with four releases: 1 was judged alone, 2 and 3 passed against 1, 4 failed."""
    path = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path / 'mlflow.db'}")
        verdicts = (("churn: auc is worse", ""), (PASSED, "1"), (PASSED, "1"), ("churn: auc is worse", "1"))
        for i, (verdict, against) in enumerate(verdicts, 1):
            folder = path / f"release-{i}"
            folder.mkdir()
            assert register(folder, verdict, against, auc=0.8 + i / 100) == i
    return path / "mlflow.db"


@pytest.fixture
def store(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry of one's own."""
    copy = Path(shutil.copy(template, tmp_path / "mlflow.db"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{copy}")
    return copy


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Runs a command; its exit code, what it printed, and what it complained of."""
    from serving.cli import main

    def command(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["scoring", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return command


def test_what_failed_goes_live_only_when_somebody_approves(
    store: Path, said: Callable[..., Said], tmp_path: Path
) -> None:
    """The first one always does, its verdict in the ledger; a later one is refused, or says who let it."""
    home = ("--home", tmp_path)
    code, out, _ = said("promote", *home, "--version", 1, "--by", "anna")
    assert code == 0 and "version 1 is live (the first one; churn: auc is worse)" in out
    code, out, _ = said("promote", *home)
    assert code == 1 and "version 4 was not promoted: churn: auc is worse." in out and "Version 1 stays live" in out
    code, out, _ = said("promote", *home, "--approve", "bo", "--by", "anna")
    assert code == 0 and "version 4 is live" in out and "approved by bo" in out
    first, second = (line.entry for line in read_ledger(SOURCE).lines)
    assert (first.who, first.approved_by, first.why) == ("anna", "", "churn: auc is worse")
    assert (second.before, second.to, second.approved_by) == (1, 4, "bo")
    assert second.manifest == registry.tags_of(SOURCE, 4)[registry.MANIFEST_TAG]
    code, out, _ = said("promote", *home, "--version", 4)
    assert code == 0 and "it is live already" in out and len(read_ledger(SOURCE).lines) == 2
    for line, entry in zip(read_lines(tmp_path / "audit.jsonl"), (first, second), strict=True):  # what went live, only
        assert (line["action"], line["by"], line["person"], line["reason"]) == ("promote", "anna", [], entry.why)
        assert (line["version"], line["was"], line["approved_by"]) == (entry.to, entry.before, entry.approved_by)


def test_a_verdict_against_an_older_champion_does_not_count(store: Path) -> None:
    """Version 3 beat version 1; since version 2 is live that says nothing."""
    promote(SOURCE, 1)
    assert promote(SOURCE, 2).promoted
    refused = promote(SOURCE, 3)
    assert not refused.promoted and "judged against version 1, and version 2 is live now" in refused.verdict
    assert registry.champion_version(SOURCE) == 2


def test_a_task_must_not_get_lost(store: Path, tmp_path: Path) -> None:
    """Whatever the gate's tag says."""
    promote(SOURCE, 1)
    (tmp_path / "release").mkdir()
    refused = promote(SOURCE, register(tmp_path / "release", PASSED, "1", tasks="churn"))
    assert not refused.promoted and refused.verdict == "it does not answer value, as version 1 does"


def test_the_candidate_is_examined_against_what_is_live(store: Path, tmp_path: Path) -> None:
    """The champion's tasks are those of its registered version; the verdict carries its number."""
    workspace = Workspace(tmp_path)
    (workspace.training / "predictions").mkdir(parents=True)
    n = 400
    churned = [float(i % 3 == 0) for i in range(n)]
    answers = {"candidate": [0.1 + 0.7 * y for y in churned], "rfm_cells": [1 / 3] * n}
    rows = {"test": [date(2026, 1, 1)] * n, "customer_id": [str(i) for i in range(n)], "actual": churned}
    pq.write_table(pa.table({**rows, **answers}), workspace.training / "predictions" / "churn.parquet")
    some = GateSettings(resamples=100, ece=1.0)
    assert examine(workspace, SOURCE, ["churn"], some).tags() == {GATE_TAG: PASSED, AGAINST_TAG: ""}
    promote(SOURCE, 1)
    report = examine(workspace, SOURCE, ["churn"], some)
    assert report.tags()[AGAINST_TAG] == "1" and "no task of version 1 lost: value" in report.verdict
    assert examine(workspace, SOURCE, ["churn", "value"], some).passed


def one_of_two(uri: str, barrier: Barrier, version: int, told: Any) -> None:
    os.environ["MLFLOW_TRACKING_URI"] = uri
    registry.connect()
    barrier.wait(60)
    try:
        told.put(promote(SOURCE, version).promoted)
    except InputError:
        told.put(False)


def test_of_two_that_passed_at_the_same_time_one_goes_live(store: Path) -> None:
    """Both were judged against version 1; whoever is second finds another champion, or another line."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["tests.serving.test_release_commands"])
    promote(SOURCE, 1)
    barrier, told = forks.Barrier(2), forks.Queue()
    uri = os.environ["MLFLOW_TRACKING_URI"]
    processes = [forks.Process(target=one_of_two, args=(uri, barrier, version, told)) for version in (2, 3)]
    for each in processes:
        each.start()
    answers = sorted(told.get(timeout=120) for _ in processes)
    for each in processes:
        each.join(60)
    assert answers == [False, True]
    found = read_ledger(SOURCE)
    assert found.standing[-1].entry.to == found.alias and len(found.standing) == 2 and not found.findings()


def test_rollback_goes_back(store: Path, said: Callable[..., Said], tmp_path: Path) -> None:
    """To what was live before, or to any release that ever was; never to one that was not, but with a name."""
    home = ("--home", tmp_path / "home")
    assert said("rollback", *home)[0] == 2
    promote(SOURCE, 1)
    promote(SOURCE, 2)
    code, out, _ = said("rollback", *home, "--by", "cleo")
    assert code == 0 and "version 1 is live (it was live from 20" in out
    assert (read_ledger(SOURCE).lines[-1].entry.action, read_ledger(SOURCE).lines[-1].entry.who) == ("rollback", "cleo")
    code, _, error = said("rollback", *home)
    assert code == 2 and "no release that was live before" in error
    assert said("rollback", *home, "--to", 2)[0] == 0 and registry.champion_version(SOURCE) == 2
    code, _, error = said("rollback", *home, "--to", 3)
    assert code == 2 and "never was live" in error and registry.champion_version(SOURCE) == 2
    assert said("rollback", *home, "--to", 3, "--approve", "bo")[0] == 0 and registry.champion_version(SOURCE) == 3
    assert said("rollback", *home, "--to", 77, "--approve", "bo")[0] == 2 and registry.champion_version(SOURCE) == 3
    assert not read_ledger(SOURCE).findings()
    done = [(line["by"], line["was"], line["version"]) for line in read_lines(tmp_path / "home" / "audit.jsonl")]
    assert done == [("cleo", 2, 1), (this_user(), 1, 2), (this_user(), 2, 3)]


def test_a_release_whose_files_were_changed_does_not_go_live(store: Path, template: Path, tmp_path: Path) -> None:
    """Neither forwards nor back: what cannot be served is never made the champion."""
    (tmp_path / "release").mkdir()
    version = register(tmp_path / "release", PASSED, "")
    artifacts = (template.parent / "artifacts").rglob("release.json")
    artifact = max(artifacts, key=lambda path: path.stat().st_mtime_ns)
    artifact.write_text(artifact.read_text().replace("A shop", "B shop"))
    with pytest.raises(InputError, match="refused"):
        promote(SOURCE, version)
    assert registry.champion_version(SOURCE) is None and not read_ledger(SOURCE).lines


def test_releases_tells_what_was_live_and_finds_changes(store: Path, said: Callable[..., Said]) -> None:
    """Every line with who, when and why; exit 1 and the line's number once somebody has changed one."""
    promote(SOURCE, 1, by="anna")
    promote(SOURCE, 2, by="bo")
    today = datetime.now(UTC).date()
    code, out, _ = said("releases", "--at", today)
    assert code == 0 and f"Live on {today}: version 2." in out and "2 lines hold" in out
    assert "anna" in out and "– → 1" in out and "1 → 2" in out and PASSED in out
    assert f"Live on {today - timedelta(1)}: nothing." in said("releases", "--at", today - timedelta(1))[1]
    client = registry.connect()
    client.set_model_version_tag(registry.model_name(SOURCE, PROMOTIONS), "1", "who", "somebody else")
    code, _, error = said("releases")
    assert code == 1 and "line 1 is not as line 2 found it" in error


def test_compare_prints_both_and_the_page(store: Path, said: Callable[..., Said]) -> None:
    """Metrics of each, the better one named, both verdicts, and a link with both runs and their experiment."""
    code, out, _ = said("compare", 1, 2)
    assert code == 0
    lines = {line.split()[0]: line.split() for line in out.splitlines() if line.startswith("test_")}
    assert lines["test_churn_auc"] == ["test_churn_auc", "0.8100", "0.8200", "+0.0100", "2"]
    assert lines["test_churn_log_loss"][-1] == "2" and "test_churn_auc_mbg_nbd" not in lines
    assert PASSED in out and "churn: auc is worse" in out
    client = registry.connect()
    for version in (1, 2):
        assert f"%22{client.get_model_version('sample.customer-scorer', str(version)).run_id}%22" in out
    assert "/#/compare-runs?runs=%5B%22" in out and "&experiments=%5B%221%22%5D" in out
    assert said("compare", 1, 99)[0] == 2
