"""The main job on real data, and the claims of the README."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from features.attributes import attribute_table
from features.tables.events import FAMILIES
from features.tables.sources import SOURCES, load_source, source_kind
from features.tables.table_source import load_table_source
from features.workspace import Workspace, read_json
from serving.cli import app
from serving.steps import Job
from tests.conftest import ROOT, Ran, real_data, run_job
from tests.features.tables.test_ingest import Shop, shop
from training.recipes import RECIPES

__all__ = ["shop"]


def evaluation(ran: Ran) -> dict[str, dict[str, object]]:
    return {task["task"]: task for task in json.loads((ran.workspace.training / "evaluation.json").read_text())}


def on_date(task: dict[str, object], day: str) -> tuple[float, float]:
    """The candidate's deciding metric on one test date, and the best baseline's."""
    dates, metric = task["dates"], task["metric"]
    by_date = dict(zip(dates, task["by_date"], strict=True))[day]  # type: ignore[arg-type, call-overload]
    found = {model: values[metric] for model, values in by_date.items()}
    return found.pop("candidate"), max(found.values())


@pytest.mark.real
def test_online_retail_beats_its_baselines(online_retail: Ran) -> None:
    """Tested on 2011-09-10: churn AUC ≥ .805, value nGini ≥ .825; over both test dates churn, demand, intent and
    potential above their best baseline, and no task below it by more than .002."""
    found = evaluation(online_retail)
    assert on_date(found["churn"], "2011-09-10")[0] >= 0.805
    assert on_date(found["value"], "2011-09-10")[0] >= 0.825
    assert set(found) == {"churn", "value", "demand", "intent", "potential"}
    for name, task in found.items():
        least = -0.002 if name == "value" else 0.0
        assert len(task["dates"]) == 2 and task["comparison"]["difference"] > least, name  # type: ignore[arg-type, index]
    checks = read_json(online_retail.workspace.training / "gate.json")["checks"]
    assert all(check["passed"] for check in checks if " against " in check["check"]) and len(checks) >= 12
    assert read_json(online_retail.workspace.features / "cuts.json")["test"] == "2011-09-10"


@pytest.mark.long
@pytest.mark.real
def test_cdnow_is_no_worse_than_its_baselines(tmp_path: Path) -> None:
    """Tested on the latest date whose labels close, and one before; all tasks on the highest rung."""
    raw = real_data("cdnow/CDNOW_master.txt.gz")
    cdnow = run_job(Job(load_source("cdnow"), Workspace(tmp_path), raw))
    for name, task in evaluation(cdnow).items():
        for day in task["dates"]:  # type: ignore[attr-defined]
            mine, best = on_date(task, day)
            assert mine >= best - 0.004, (name, day)
    rungs = read_json(cdnow.workspace.training / "release" / "release.json")["rungs"]
    assert {rung["name"] for rung in rungs.values()} == {"lightgbm", "k-means"}
    assert read_json(cdnow.workspace.features / "cuts.json")["test"] == "1998-04-02"


def test_the_sample_company_runs_and_is_live(sample: Ran) -> None:
    """Every task answered, nothing skipped, a release promoted, everybody graded who did not object."""
    about = read_json(sample.workspace.training / "release" / "release.json")
    assert about["tasks"] == [recipe.name for recipe in RECIPES] and about["skipped"] == {}
    # with the second numbers of 18, without the 9 numbers of those who object to profiling
    assert read_json(sample.folder / "snapshot.json")["customers"] == 609


def test_a20_every_attribute_has_a_family(sample: Ran) -> None:
    """Of all that is known of the sample's customers; private ones are nobody's input."""
    found = attribute_table(sample.workspace.tables, [date(2026, 11, 1)])
    families = set(found["family"].to_pylist())
    assert len(found) > 1_000 and families <= set(FAMILIES) - {"private", "consent"} and len(families) > 1


def test_a40_rules_and_clustering_run(sample: Ran) -> None:
    """By the main job: classes by conditions and learned segments, several of each in use."""
    live, _, _ = sample.job.live()
    assert live.scheme.dimensions["lifecycle"].first_match and live.scheme.dimensions["segment"].given
    grades = pq.read_table(sample.folder / "grades.parquet")
    for name in ("lifecycle", "segment"):
        assert len(set(grades[f"class_{name}"].to_pylist())) > 3


@pytest.fixture
def own_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry in which no release of the same name came before."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/registry/mlflow.db")


@pytest.mark.usefixtures("own_registry")
def test_what_the_data_do_not_allow_is_skipped_with_the_reason(shop: Shop) -> None:
    """Purchases without amounts: value says what is missing, the others are fitted, everyone is classified."""
    import numpy as np

    rng = np.random.default_rng(0)
    lines = [
        f"c{c},{np.datetime64('2024-01-01') + day},{c}-{day},,x"
        for c, rate in enumerate(rng.gamma(1, 15, 500))
        for day in np.unique(rng.integers(0, 700 if c % 3 else 400, 1 + int(rate)))
    ]
    source = (
        shop()
        .read_text()
        .replace("    amount: amount\n", "")
        .replace("      - {is: return, when: {amount: {below: 0}}}\n", "")
    )
    path = shop(lines="\n".join(lines) + "\n", source=source)
    ran = run_job(Job(load_source(str(path)), Workspace(path.parent / "home"), path.parent))
    about = read_json(ran.workspace.training / "release" / "release.json")
    assert {"churn", "demand", "intent", "segments"} <= set(about["tasks"])
    assert about["skipped"]["value"] == "the purchases have no amounts"
    classes = read_json(ran.folder / "snapshot.json")["classes"]
    assert "U" not in classes["segment"] and sum(c["customers"] for c in classes["churn"].values()) == 500


@pytest.mark.usefixtures("own_registry")
def test_too_few_customers_skip_every_task(shop: Shop) -> None:
    """The release says for each task what is missing for the next rung, and still classifies."""
    lines = "".join(
        f"c{c},{year}-{month:02d}-{1 + c:02d},{c}-{year}-{month},{5 + c},x\n"
        for c in range(9)
        for year in (2024, 2025)
        for month in range(1, 13)
    )
    path = shop(lines=lines)
    ran = run_job(Job(load_source(str(path)), Workspace(path.parent / "home"), path.parent))
    about = read_json(ran.workspace.training / "release" / "release.json")
    assert about["tasks"] == [] and set(about["skipped"]) == {recipe.name for recipe in RECIPES}
    assert "at least" in about["skipped"]["churn"]
    assert read_json(ran.folder / "snapshot.json")["classes"]["value"]["A"]["customers"] == 1


@pytest.mark.usefixtures("own_registry")
def test_young_sales_and_odd_homes_run_to_the_end(shop: Shop) -> None:
    """Purchases that begin half-way skip what cannot be learnt; a folder's name is never a pattern or an address."""
    lines = "".join(
        f"c{c},2025-{m:02d}-{1 + c % 28:02d},{c}-{m},{1 + c % 7},x\n"
        for c in range(300)
        for m in range(1 + c % 6, 13, 5)
    )
    path = shop(lines="early,2023-01-01,0,1,x\nlate,2025-12-30,1,1,x\n" + lines)
    ran = run_job(Job(load_source(str(path)), Workspace(path.parent / "a?b#c%20*[d]"), path.parent))
    live, _, _ = ran.job.live()
    assert live.release.version == ran.version
    rungs = read_json(ran.workspace.training / "release" / "release.json")["rungs"]
    assert all(rung["missing"] for rung in rungs.values() if rung["name"] in ("btyd", "rfm", "rules"))


@pytest.mark.parametrize("path", sorted(SOURCES.glob("*.yaml")) or [ROOT / "none"], ids=lambda p: p.stem)
def test_every_source_file_can_be_read(path: Path) -> None:
    """The files in configs are valid and named as they say."""
    load = load_table_source if source_kind(str(path)) == "table" else load_source
    assert load(str(path)).name == path.stem


def _help(*command: str) -> str:
    """What a command, or one of a group of commands, says of itself."""
    shown = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, command
    return shown.output


def test_the_readme_names_only_what_there_is(scoring: Callable[..., tuple[int, str]]) -> None:
    """Every make target, command, option and path of the README exists."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`?make ([a-z-]+)", readme)):
        if target.startswith("bench-"):
            assert (ROOT / f"benchmarks/{target[6:]}.py").exists(), target
        else:
            assert re.search(rf"^{target}:", makefile, re.M), target
    commands = set(re.findall(r"(?:^|`)scoring ([a-z-]+)", readme, re.M))
    assert len(commands) >= 8
    for command in commands:
        shown = _help(command)
        for line in re.findall(rf"scoring {command}([^\n`]*)", readme):
            word = re.match(r" ([a-z][a-z-]*)", line)
            own = _help(command, word[1]) if word and re.search(rf"^\W*{word[1]} ", shown, re.M) else shown
            for option in re.findall(r"(--[a-z-]+)", line):
                assert option in own, (command, option)
    for path in re.findall(r"`((?:features|training|classification|serving|configs|tests)/[\w/.-]*)`", readme):
        assert (ROOT / path).exists(), path


def test_the_lock_names_no_address() -> None:
    """Pins and hashes only."""
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-uv.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text and "--hash=sha256:" in text
