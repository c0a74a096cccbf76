"""What goes live is exactly what was registered, and answers one row as it answers many."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from features.errors import InputError
from features.workspace import read_json, write_json
from tests.conftest import Ran
from training import registry
from training.manifest import manifest_digest
from training.recipes import OUTPUTS, RECIPES
from training.release import load_release
from training.snapshots import read_snapshots


def test_one_row_and_many_give_the_same_bits(sample: Ran) -> None:
    """Every answer of every second customer, alone, in a crowd, and in another order."""
    release = registry.fetch("sample", sample.version)
    rows = read_snapshots(sample.workspace, [date(2026, 11, 1)])[0].rows
    together = release.score(rows)
    backwards = release.score(rows[::-1].copy())
    alone = [release.score(row[None, :]) for row in rows[::2]]
    for output in OUTPUTS:
        found = np.array([each[output][0] for each in alone])
        assert np.array_equal(found, together[output][::2], equal_nan=True)
        assert np.array_equal(backwards[output][::-1], together[output], equal_nan=True)


def test_odd_rows_get_an_answer_or_none(sample: Ran) -> None:
    """Nulls, infinities and huge numbers never raise, and never give a probability outside [0, 1]."""
    release = registry.fetch("sample", sample.version)
    rng = np.random.default_rng(0)
    rows = rng.choice([np.nan, np.inf, -np.inf, 0.0, 1.0, -1.0, 1e18, 5.0], (300, len(release_columns())))
    scores = release.score(rows)
    for output in OUTPUTS:
        found = scores[output][~np.isnan(scores[output])]
        assert (found >= 0).all() and (output in ("value", "demand", "intent", "segments") or (found <= 1).all())


def release_columns() -> tuple[str, ...]:
    from features.catalogue import NAMES

    return NAMES


@pytest.fixture
def copy(sample: Ran, tmp_path: Path) -> tuple[Path, str]:
    """A release's files, and the digest they were registered with."""
    folder = tmp_path / "release"
    shutil.copytree(sample.workspace.training / "release", folder)
    return folder, manifest_digest(folder)


def test_every_changed_byte_is_refused(copy: tuple[Path, str]) -> None:
    """In any file, the manifest included; so is a file added or lost."""
    folder, digest = copy
    assert load_release(folder, digest).digest == digest
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) >= 8
    for file in files:
        content = file.read_bytes()
        for at in (0, len(content) // 2, len(content) - 1):
            file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            with pytest.raises(InputError, match="refused"):
                load_release(folder, digest)
        file.unlink()
        with pytest.raises(InputError, match="refused"):
            load_release(folder, digest)
        file.write_bytes(content)
    for extra in (folder / "churn" / "extra.txt", folder / "extra.py"):
        extra.write_text("x")
        with pytest.raises(InputError, match="refused"):
            load_release(folder, digest)
        extra.unlink()


def test_other_feature_definitions_are_refused(copy: tuple[Path, str]) -> None:
    """A release trained on another catalogue would read the wrong columns."""
    folder, _ = copy
    about = read_json(folder / "release.json") | {"features": "0" * 16}
    write_json(folder / "release.json", about)
    manifest = read_json(folder / "manifest.json")
    import hashlib

    manifest["release.json"] = hashlib.sha256((folder / "release.json").read_bytes()).hexdigest()
    write_json(folder / "manifest.json", manifest)
    with pytest.raises(InputError, match="those of this installation"):
        load_release(folder, manifest_digest(folder))


def test_training_again_gives_the_same_bytes(sample: Ran) -> None:
    """Same rows, same seed, same release."""
    release = sample.workspace.training / "release"
    before = {path: path.read_bytes() for path in release.rglob("*") if path.is_file()}
    sample.job.train()
    assert {path: path.read_bytes() for path in release.rglob("*") if path.is_file()} == before
    sample.job.evaluate()


def test_nothing_is_pickled(sample: Ran) -> None:
    """A release is text, LightGBM's own format, JSON, YAML; and arrays of numbers."""
    files = [path for path in (sample.workspace.training / "release").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".txt", ".json", ".yaml", ".npz"}
    for path in files:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                assert all(arrays[name].dtype == np.float64 for name in arrays.files)
        else:
            path.read_text(encoding="utf-8")


def test_the_run_carries_what_a_reviewer_compares(sample: Ran) -> None:
    """Metrics by name beside the best baseline's, datasets with digests, pictures, models, the alias."""
    client = registry.connect()
    version = client.get_model_version("sample.customer-scorer", str(sample.version))
    run = client.get_run(version.run_id)
    for name in ("churn_auc", "value_ngini"):
        for suffix in ("", "_best_baseline", "_vs_baseline_low", "_vs_baseline_high"):
            assert f"test_{name}{suffix}" in run.data.metrics
    for model in ("bg_nbd", "mbg_nbd", "pareto_nbd", "rfm_cells"):
        assert f"test_churn_auc_{model}" in run.data.metrics
    for task in ("demand_ngini", "intent_auc", "potential_auc", "churn_ece", "value_bias", "segments_stability"):
        assert f"test_{task}" in run.data.metrics
    assert {d.dataset.name for d in run.inputs.dataset_inputs} == {"features-test", "features-train"}
    assert all(d.dataset.digest for d in run.inputs.dataset_inputs)
    plots = {artifact.path for artifact in client.list_artifacts(run.info.run_id, "plots")}
    drawn = ("calibration", "gains", "scores", "importance", "dependence")
    judged = [recipe.name for recipe in RECIPES if recipe.predicts != "segment"]
    assert {f"plots/{task}-{each}.png" for task in judged for each in drawn} | {"plots/segments-profile.png"} <= plots
    tables = {artifact.path for artifact in client.list_artifacts(run.info.run_id, "tables")}
    assert {f"tables/{task}-deciles.csv" for task in judged} | {"tables/tiers.csv"} <= tables
    files = {artifact.path for artifact in client.list_artifacts(run.info.run_id)}
    assert {"model-card.html", "gate.json", "evaluation.json"} <= files
    for recipe in RECIPES:
        assert client.search_model_versions(f"name = 'sample.{recipe.name}'")
    assert registry.champion_version("sample") == sample.version
    assert "| churn" in str(version.description) and "lightgbm" in str(version.description)
