"""What became of a grading: its predictions beside what happened."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from classification.snapshots import classify
from features.errors import InputError
from features.workspace import Workspace, read_json
from tests.conftest import Ran
from training import registry
from training.labels import answer
from training.outcomes import labels_at
from training.realised import Measure, intervals, realised, write_realised
from training.recipes import CHURN, DEMAND, VALUE
from training.snapshots import read_cuts, read_origin, read_snapshots

METRICS = {"test_churn_auc": 0.5, "test_churn_log_loss": 9.0, "test_value_ngini": 0.1}


@pytest.fixture(scope="module")
def closed(sample: Ran, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Path]:
    """The sample company in a copy of its own, graded a horizon before the end of its data."""
    home = tmp_path_factory.mktemp("realised") / "sample"
    shutil.copytree(sample.workspace.home, home)
    workspace = Workspace(home)
    base = read_snapshots(workspace, [read_cuts(workspace).test])[0]
    _, folder = classify(workspace, registry.fetch("sample"), base, read_origin(workspace))
    return workspace, folder


def test_outcomes_are_the_labels_of_training(closed: tuple[Workspace, Path]) -> None:
    """What happened after a date is what training learnt of that date, customer by customer."""
    workspace, _ = closed
    origin, day = read_origin(workspace), read_cuts(workspace).test
    snapshot = read_snapshots(workspace, [day])[0]
    end = date.fromisoformat("2026-11-01")
    known, labels = labels_at(workspace, origin.company, end, origin.horizon_days, [*snapshot.ids, "nobody"])
    assert known[:-1].all() and not known[-1]
    for recipe in (CHURN, VALUE, DEMAND):
        assert (labels[recipe.name][:-1] == answer(recipe, snapshot.labels, origin.horizon_days)).all()


def test_good_predictions_keep_their_promise(closed: tuple[Workspace, Path]) -> None:
    """A promise that was modest is kept, the files say so, and name no customer."""
    workspace, folder = closed
    about = registry.fetch("sample").about
    found = realised(workspace, folder, about, METRICS, resamples=100)
    assert {each.task for each in found.outcomes} == {"churn", "value", "demand"}
    churn = {m.name: m for m in found.outcomes[0].measures}
    assert churn["auc"].value > 0.6 and churn["auc"].low < churn["auc"].value < churn["auc"].high
    assert not any(m.broken for each in found.outcomes for m in each.measures)
    write_realised(found, folder)
    assert (folder / "realised.png").read_bytes().startswith(b"\x89PNG")
    text = (folder / "realised.json").read_text()
    assert not any(id_ in text for id_ in pq.read_table(folder / "grades.parquet")["customer_id"].to_pylist())
    assert realised(workspace, folder, about, METRICS, resamples=100) == found


def test_scores_that_lost_their_meaning_are_told(closed: tuple[Workspace, Path], tmp_path: Path) -> None:
    """Shuffled scores fall below what the test promised, in words."""
    workspace, folder = closed
    shutil.copytree(folder, tmp_path / folder.name)
    table = pq.read_table(folder / "grades.parquet")
    rng = np.random.default_rng(0)
    score = table["score_churn"].to_numpy(zero_copy_only=False)
    asked = np.isfinite(score)
    score = score.copy()
    score[asked] = rng.permutation(score[asked])
    table = table.set_column(table.column_names.index("score_churn"), "score_churn", pa.array(score, from_pandas=True))
    pq.write_table(table, tmp_path / folder.name / "grades.parquet")
    about = registry.fetch("sample").about
    found = realised(workspace, tmp_path / folder.name, about, {"test_churn_auc": 0.8}, resamples=100)
    assert [m.name for m in found.outcomes[0].measures if m.broken] == ["auc"]
    assert found.sentences[0].startswith("churn: auc 0.") and "promised 0.800" in found.sentences[0]


def test_outcomes_that_are_open_are_refused(closed: tuple[Workspace, Path], sample: Ran) -> None:
    """The last grading's outcomes lie in the future."""
    workspace, _ = closed
    with pytest.raises(InputError, match="outcomes that close on"):
        realised(workspace, workspace.grades / sample.folder.name, registry.fetch("sample").about)


def test_a_promise_is_broken_only_beyond_chance() -> None:
    """Worse inside the interval is chance; better is never broken; bias is wrong on either side."""
    assert not Measure("auc", 0.78, 0.75, 0.81, 0.80).broken
    assert Measure("auc", 0.70, 0.67, 0.73, 0.80).broken
    assert not Measure("auc", 0.90, 0.87, 0.93, 0.80).broken
    assert Measure("log_loss", 0.70, 0.67, 0.73, 0.50).broken
    assert not Measure("log_loss", 0.30, 0.27, 0.33, 0.50).broken
    assert Measure("bias", 0.60, 0.5, 0.7, 1.1).broken and Measure("bias", 1.8, 1.7, 1.9, 1.1).broken
    assert not Measure("bias", 1.0, 0.95, 1.05, 1.3).broken
    assert not Measure("auc", float("nan"), float("nan"), float("nan"), 0.8).broken
    assert not Measure("auc", 0.5, 0.4, 0.6, None).broken


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    """The mean of 300 exponentials: 95 % intervals hold it in about 95 of 100 samples."""
    rng = np.random.default_rng(3)
    hits = 0
    for seed in range(100):
        y = rng.exponential(size=300)
        _, low, high = intervals({"mean": lambda y, _, w: float((y * w).sum() / w.sum())}, y, y, 200, seed)["mean"]
        hits += low <= 1 <= high
    assert 87 <= hits <= 100


def test_the_command_prints_both_and_ends_well(
    closed: tuple[Workspace, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`scoring drift` tells what moved and how the closed predictions did, and leaves both beside the grades."""
    from serving.cli import app

    workspace, folder = closed
    with pytest.raises(SystemExit) as end:
        app(["drift", "--source", "sample", "--home", str(workspace.home)])
    printed = capsys.readouterr().out
    assert end.value.code == 0
    assert "Drift on 2026-11-01 against 2026-10-01" in printed and "promised" in printed
    assert read_json(folder / "realised.json")["as_of"] == folder.name[:10]
