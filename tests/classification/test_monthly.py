"""The monthly run: the same bytes again, nothing half done, every change accounted for."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from classification.months import months
from classification.report.page import to_html
from classification.report.report import make_report
from classification.scheme import CURRENT, load_scheme
from classification.warning import early_warnings
from features.company import Company
from features.errors import InputError
from features.workspace import Workspace
from serving.reporting import setting_of
from serving.steps import Job
from tests.conftest import Ran

SCHEME = load_scheme(CURRENT)
NAMES = ("2026-09", "2026-10")


def copy_of(sample: Ran, home: Path) -> Job:
    """The sample company's job in a workspace of its own."""
    shutil.copytree(sample.workspace.home, home)
    return replace(sample.job, workspace=Workspace(home))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that a monthly run leaves, but for what says when or how drift was drawn."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".parquet", ".json", ".npz")}


@pytest.fixture(scope="module")
def job(sample: Ran, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Two months of the sample company."""
    job = copy_of(sample, tmp_path_factory.mktemp("monthly") / "home")
    for name in NAMES:
        assert job.reclassify(name).written
    return job


@pytest.fixture(scope="module")
def both(job: Job) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The grades of the two months, by customer."""
    one, other = (pq.read_table(job.workspace.months / name / "grades.parquet").to_pandas() for name in NAMES)
    return one.set_index("customer_id"), other.set_index("customer_id")


@pytest.fixture(scope="module")
def changes(job: Job) -> pd.DataFrame:
    """Who changed in the second month."""
    return pq.read_table(job.workspace.months / NAMES[1] / "changes.parquet").to_pandas()


def test_a04_a_month_graded_again_is_the_same_to_the_byte(job: Job) -> None:
    """The run finds it and leaves it; made anew from nothing it has the same bytes."""
    folder = job.workspace.months / NAMES[1]
    before = contents(folder)
    assert {"grades.parquet", "changes.parquet", "reasons.parquet", "ranks.npz", "snapshot.json", "month.json"} <= set(
        before
    )
    assert not job.reclassify(NAMES[1]).written and contents(folder) == before
    shutil.rmtree(folder)
    assert job.reclassify(NAMES[1]).written and contents(folder) == before


def test_a29_a10_the_month_has_its_alerts_and_what_customers_said(job: Job) -> None:
    """Of the customers it graded, as known at its end; the report tells of them."""
    month = months(job.workspace)[-1]
    company, tables = Company.from_json(job.report()["company"]), job.workspace.tables
    graded = pq.read_table(month.folder / "grades.parquet").to_pandas().set_index("customer_id")
    alerts = pq.read_table(month.folder / "alerts.parquet")
    assert alerts == early_warnings(tables, company, month.as_of)
    assert len(alerts) > 10 and set(alerts["customer_id"].to_pylist()) <= set(graded.index)
    said = pq.read_table(month.folder / "expected.parquet").to_pandas()
    assert len(said) > 5 and set(said["customer_id"]) <= set(graded.index)
    refusals = pq.read_table(month.folder / "refusals.parquet").to_pandas()
    total = refusals[refusals["class"].isna()].set_index("reason")["refusals"]
    by_class = refusals[refusals["class"].notna()].groupby("reason")["refusals"].sum()
    assert (total >= by_class[total.index]).all() and total["price"] > 0
    assert total.sum() - by_class.sum() < 5  # who objects to profiling has no class
    report = make_report(job.workspace, setting_of(job, month))
    assert report.alerts and report.alerts.watched == len(set(alerts["customer_id"].to_pylist()))
    assert report.feedback and report.feedback.refusals is not None
    assert report.feedback.refusals["refusals"].to_pylist() == total.tolist()
    assert set(report.feedback.expected["expected"].to_pylist()) <= set(said["expected"])
    page = to_html(report)
    assert "Why customers did not buy" in page and "Purchases that customers announced" in page and "price" in page
    mine = make_report(job.workspace, setting_of(job, month), within={"value": "A"}).feedback
    assert mine and mine.refusals is not None
    assert pc.sum(mine.refusals["refusals"]).as_py() == refusals.loc[refusals["class"] == "A", "refusals"].sum()
    other = make_report(job.workspace, setting_of(job, month), within={"demand": "H"})
    assert other.feedback and other.feedback.refusals is None and "Why customers" not in to_html(other)


def test_months_stand_on_one_another(job: Job) -> None:
    """No month is graded before one that is there; each names the one before it; the future is not graded."""
    first, second = months(job.workspace)
    assert (first.before, second.before) == (None, first.id)
    with pytest.raises(InputError, match="2026-10, which was graded already"):
        job.reclassify("2026-08")
    with pytest.raises(InputError, match="a month up to 2026-10"):
        job.reclassify("2026-11")
    for nonsense in ("2026-13", "october", ""):
        with pytest.raises(InputError, match="2026-1"):
            job.reclassify(nonsense or "x")


def test_every_change_is_in_the_list_and_no_other(
    both: tuple[pd.DataFrame, pd.DataFrame], changes: pd.DataFrame
) -> None:
    """Class by class, against the two months' own grades."""
    old, new = both
    everyone = old.index.intersection(new.index)
    assert changes["customer_id"].isin(everyone).all() and not changes.duplicated(["customer_id", "dimension"]).any()
    for name in SCHEME.dimensions:
        mine = changes[changes["dimension"] == name].set_index("customer_id")
        was, now = (table.loc[everyone, [f"class_{name}", f"raw_{name}"]] for table in both)
        assert set(mine.index) == set(everyone[(was != now).any(axis=1)])
        assert (mine["before"] == was.loc[mine.index, f"class_{name}"]).all()
        assert (mine["raw_after"] == now.loc[mine.index, f"raw_{name}"]).all()


def test_b01_the_shares_of_a_change_add_up(changes: pd.DataFrame) -> None:
    """To 1 where the raw class moved; there are none where it stayed. One release and one scheme graded both months,
    so facts and cut-offs share it all; only shares of the base have cut-offs that move."""
    shares = changes[["share_facts", "share_model", "share_cutoff", "share_scheme"]]
    moved = changes["raw_before"] != changes["raw_after"]
    assert np.allclose(shares[moved].sum(axis=1), 1) and shares[~moved].isna().all(axis=None)
    assert (shares.loc[moved, ["share_model", "share_scheme"]] == 0).all(axis=None)
    by = changes[moved].groupby("dimension")["share_cutoff"].sum()
    assert {name for name, share in by.items() if share > 0} <= {n for n, d in SCHEME.dimensions.items() if d.share}
    assert by["value"] > 0 and (changes["reason"] != "").all()


def test_classes_are_held_until_they_are_sure(both: tuple[pd.DataFrame, pd.DataFrame], changes: pd.DataFrame) -> None:
    """A dimension that waits for a second month has held some; one that shares out the base none."""
    held = changes[changes["kind"] == "held"]
    assert {"behaviour", "engagement"} <= set(held["dimension"])
    assert not any(SCHEME.dimensions[name].hold is None for name in held["dimension"])
    new = both[1]
    for name, dimension in SCHEME.dimensions.items():
        if dimension.hold is None and dimension.moves is None:
            assert (new[f"class_{name}"] == new[f"raw_{name}"]).all(), name


def test_a_restated_month_takes_the_place_of_the_old(sample: Ran, tmp_path: Path) -> None:
    """Other data give another month: refused, unless somebody says why; the month before it stays untouched."""
    job = copy_of(sample, tmp_path / "home")
    job.reclassify("2026-09")
    job.reclassify("2026-10")
    first, before = contents(job.workspace.months / "2026-09"), contents(job.workspace.months / "2026-10")
    for part in sorted((job.workspace.tables / "customers.parquet").glob("*.parquet")):
        table = pq.read_table(part)
        pq.write_table(table.filter([name != "region" for name in table["attribute"].to_pylist()]), part)
    with pytest.raises(InputError, match="a month that was graded does not change"):
        job.reclassify("2026-10")
    assert contents(job.workspace.months / "2026-10") == before
    assert job.reclassify("2026-10", restate="the regions were wrong").written
    assert "the regions were wrong" in (job.workspace.home / "audit.jsonl").read_text()
    assert contents(job.workspace.months / "2026-10") != before and contents(job.workspace.months / "2026-09") == first


KILLED = "import sys; from serving.cli import main; sys.argv = ['scoring', *sys.argv[1:]]; main()"


def _kill_at(job: Job, seconds: float) -> bool:
    """Start the second month and kill it after a while; whether it had ended before."""
    words = [sys.executable, "-c", KILLED, "reclassify", "--home", str(job.workspace.home), "--month", NAMES[1]]
    run = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
    try:
        run.wait(seconds)
    except subprocess.TimeoutExpired:
        run.send_signal(signal.SIGKILL)
        run.wait()
        return False
    return True


def _kill_often(sample: Ran, whole: Job, home: Path, times: int) -> None:
    job = copy_of(sample, home)
    job.reclassify(NAMES[0])
    wanted, first = contents(whole.workspace.months / NAMES[1]), contents(job.workspace.months / NAMES[0])
    rng, longest = np.random.default_rng(5), 0.0
    started = time.monotonic()
    assert _kill_at(job, 600)
    longest = time.monotonic() - started
    for _ in range(times):
        shutil.rmtree(job.workspace.months / NAMES[1], ignore_errors=True)
        _kill_at(job, rng.uniform(0.3, 1.0) * longest)
        assert contents(job.workspace.months / NAMES[0]) == first
        there = [month.name for month in months(job.workspace)]
        assert there in ([NAMES[0]], list(NAMES))
        if there == list(NAMES):
            final = contents(job.workspace.months / NAMES[1])
            assert {name: final[name] for name in final if "drift" not in name}.items() <= wanted.items()
        job.reclassify(NAMES[1])
        assert contents(job.workspace.months / NAMES[1]) == wanted
        assert [month.name for month in months(job.workspace)] == list(NAMES)


def test_a_killed_run_leaves_the_old_state_or_the_new(sample: Ran, job: Job, tmp_path: Path) -> None:
    """Run again, it ends with the bytes of an undisturbed run, and the history has neither gap nor duplicate."""
    _kill_often(sample, job, tmp_path / "home", 1)


@pytest.mark.long
def test_killed_at_twenty_moments(sample: Ran, job: Job, tmp_path: Path) -> None:
    """The same at twenty random moments."""
    _kill_often(sample, job, tmp_path / "home", 20)
