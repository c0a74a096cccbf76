"""Graded by Spark, a base has the scores, ranks, classes and reasons that one machine gives it, to the last bit."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from classification.grade import score_base
from classification.reasons import reasons
from classification.spark import grade_base
from features.engine import Engine
from features.errors import InputError
from features.workspace import Workspace
from serving.steps import Job
from tests.conftest import Ran
from training import registry
from training.snapshots import Origin, base_at

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def assert_same(spark: SparkSession, ran: Ran, day: date) -> None:
    """The whole of what grading needs of a base: bits, not nearly."""
    job = ran.job
    release = registry.fetch(job.source.name, ran.version)
    origin, told = job._origin(), job.report()
    origin = Origin(origin.source, told["key"], origin.company, origin.horizon_days, origin.active_days)
    (base,), got = grade_base(spark, job.workspace, release, origin, [day])
    (wanted_base,) = base_at(job.workspace, origin.company, [day])
    wanted = score_base(release, wanted_base, origin)
    assert len(base.ids) > 500 and np.array_equal(base.ids, wanted_base.ids)
    assert np.array_equal(base.rows, wanted_base.rows, equal_nan=True)
    assert {n: t.to_arrow() for n, t in base.texts.items()} == {n: t.to_arrow() for n, t in wanted_base.texts.items()}
    assert got.live.snapshot.id == wanted.live.snapshot.id and got.live.snapshot.cutoffs == wanted.live.snapshot.cutoffs
    for name, ranks in wanted.live.snapshot.ranks.items():
        mine = got.live.snapshot.ranks[name]
        assert all(np.array_equal(getattr(mine, part), getattr(ranks, part)) for part in ("values", "below", "sums"))
    for name, scores in wanted.scores.items():
        assert np.array_equal(np.asarray(got.scores[name], float), scores, equal_nan=True), name
    raw = wanted.live.grade(wanted_base.rows, wanted_base.texts).raw
    assert got.raw is not None and got.raw.keys() == raw.keys()
    assert all((got.raw[name] == raw[name]).all() for name in raw)
    assert got.reasons == reasons(release, wanted_base, wanted.scores)
    assert not list(job.workspace.home.glob(".spark*"))


def test_spark_grades_the_sample_as_one_machine_does(spark: SparkSession, sample: Ran) -> None:
    """Scores of every task, shares of customers, attributes and traits."""
    assert_same(spark, sample, date(2026, 11, 1))


def test_spark_grades_the_years_of_essec_as_one_machine_does(spark: SparkSession, essec_years: Ran) -> None:
    """Eleven years of real purchases; amounts that many customers share."""
    assert_same(spark, essec_years, date(2016, 1, 1))


def test_a_month_graded_by_spark_is_the_month(
    spark: SparkSession, sample: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command writes the very files; where the month is there already, it finds it so. The path of the workspace
    has what Spark would take for a pattern."""
    home = tmp_path / "a [b] {c}"
    shutil.copytree(sample.workspace.home, home)
    job = Job(sample.job.source, Workspace(home))
    first = job.reclassify("2026-09", engine=Engine.SPARK)
    assert first.written and not job.reclassify("2026-09").written
    files = {path.name: path.read_bytes() for path in first.month.folder.iterdir()}
    shutil.rmtree(first.month.folder)
    again = job.reclassify("2026-09")
    assert {path.name: path.read_bytes() for path in again.month.folder.iterdir()} == files


def test_what_is_missing_is_told(
    scoring: Callable[..., tuple[int, str]], sample: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without pyspark or Java the command names what to install; an engine nobody knows is refused."""
    words = ("reclassify", "--home", sample.workspace.home, "--engine")
    monkeypatch.setitem(sys.modules, "pyspark", None)
    code, said = scoring(*words, "spark")
    assert code == 2 and "customer-scoring[spark]" in said
    monkeypatch.delitem(sys.modules, "pyspark")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    code, said = scoring(*words, "spark")
    assert code == 2 and "Java" in said
    code, said = scoring(*words, "abacus")
    assert code == 2 and "abacus" in said
    with pytest.raises(InputError):
        sample.job.reclassify("2031-01", engine=Engine.SPARK)
