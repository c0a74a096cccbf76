"""Grading a whole base: the promises of the scheme kept on real customers."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pyarrow.parquet as pq
import pytest

from classification.promote import promote, rollback
from classification.scheme import CURRENT, load_scheme
from classification.snapshots import classify, load_live_set
from features.population import Ranks
from features.workspace import read_json
from tests.conftest import Ran
from training import registry
from training.snapshots import read_origin, read_snapshots


@pytest.mark.real
def test_a02_key_is_the_top_five_percent(online_retail: Ran) -> None:
    """A is the top 5 % by spend of 365 days; the cut-off is stored; nobody above it is not A."""
    grades = pq.read_table(online_retail.folder / "grades.parquet").to_pandas()
    key = grades[grades["class_value"] == "A"]
    assert len(key) == math.ceil(0.05 * len(grades))
    assert key["spend_365d"].min() >= grades.loc[grades["class_value"] != "A", "spend_365d"].max()
    assert read_json(online_retail.folder / "snapshot.json")["cutoffs"]["value"]["A"] == key["spend_365d"].min()


@pytest.mark.real
def test_a01_everyone_has_one_class_and_one_code(online_retail: Ran) -> None:
    """Every customer with an event is graded once, and the code says its classes."""
    grades = pq.read_table(online_retail.folder / "grades.parquet").to_pandas()
    assert grades["customer_id"].is_unique
    assert len(grades) == online_retail.job.report()["customers"]
    coding = load_scheme(CURRENT).coding
    dimensions = [name for _, name in coding.parts if name]
    said = grades[[f"class_{name}" for name in dimensions]].agg("".join, axis=1)
    assert (grades["code"].str.replace("-", "") == said).all()


def test_grading_again_gives_the_same_bytes(sample: Ran) -> None:
    """Same release, same base, same files: grades, reasons, ranks and the snapshot; drift is told afterwards."""
    before = {path.name: path.read_bytes() for path in sample.folder.iterdir() if "drift" not in path.name}
    assert {"grades.parquet", "reasons.parquet", "ranks.npz", "snapshot.json"} == set(before)
    base = read_snapshots(sample.workspace, [date(2026, 11, 1)])[0]
    release = registry.fetch("sample", sample.version)
    classify(sample.workspace, release, base, read_origin(sample.workspace))
    assert {path.name: path.read_bytes() for path in sample.folder.iterdir()} == before


def test_a_live_set_read_back_grades_the_same(sample: Ran) -> None:
    """Cut-offs and ranks survive the file, infinite cut-offs included."""
    release = registry.fetch("sample", sample.version)
    base = read_snapshots(sample.workspace, [date(2026, 11, 1)])[0]
    graded = load_live_set(sample.folder, release).grade(base.rows, base.texts)
    table = pq.read_table(sample.folder / "grades.parquet").to_pandas()
    assert list(table["code"]) == list(graded.codes)
    for name, ranks in graded.percentiles.items():
        assert np.array_equal(table[f"percentile_{name}"].to_numpy(), ranks, equal_nan=True)


def test_leads_are_graded_too(sample: Ran) -> None:
    """A customer who never bought is a prospect, of the lowest value, and no churn is asked of it."""
    grades = pq.read_table(sample.folder / "grades.parquet").to_pandas()
    leads = grades[grades["orders"] == 0]
    assert len(leads) > 20 and len(grades) == 609
    assert set(leads["class_lifecycle"]) == {"P"} and set(leads["class_churn"]) == {"U"}
    assert leads["score_churn"].isna().all() and set(leads["class_value"]) == {"C"}


def test_percentiles_are_mid_ranks() -> None:
    """Less than me, plus half of my equals; null for null, and for an empty base."""
    ranks = Ranks.of(np.array([1.0, 2, 2, 3, np.nan]))
    asked = np.array([0.0, 1, 2, 2.5, 3, 9, np.nan])
    assert list(ranks.percentile(asked)[:-1]) == [0, 12.5, 50, 75, 87.5, 100]
    assert np.isnan(ranks.percentile(asked)[-1])
    assert np.isnan(Ranks.of(np.array([np.nan])).percentile(np.array([1.0]))).all()


def test_a_verdict_keeps_a_release_from_going_live_unless_a_person_lets_it(sample: Ran) -> None:
    """What the gate noted of a version counts; whoever overrules it is named; a rollback brings back what was live."""
    client = registry.connect()
    version, found = sample.job.evaluate()
    assert found.verdicts and found.swap is not None and version > sample.version
    client.set_model_version_tag("sample.customer-scorer", str(version), "gate", "churn: worse")
    refused = promote("sample", version)
    assert not refused.promoted and registry.champion_version("sample") == sample.version
    assert promote("sample", version, approve="anna").approved_by == "anna"
    assert registry.champion_version("sample") == version
    assert rollback("sample").version == sample.version == registry.champion_version("sample")
