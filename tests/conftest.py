"""What tests share: a key, a registry of their own, real data, and jobs that ran once."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.nodeid import coerce_node_id

from features.tables.privacy import Pseudonyms
from features.tables.sources import load_source
from features.workspace import Workspace
from serving.steps import Job

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

os.environ["COLUMNS"] = "250"  # before anything prints: tables are not cut, wherever the tests run

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"
KEY = "tests only: thirty-two characters or more"


def real_data(*files: str) -> Path:
    """The folder of a real data set; without it the test is skipped by name, or fails where it must not be."""
    for file in files:
        if not (SHARED / file).is_file():
            missing = f"real data not found: {SHARED / file}"
            if os.environ.get("REQUIRE_SHARED") == "1":
                pytest.fail(missing)
            pytest.skip(missing)  # the data sets may not be shipped, so that a clone elsewhere has none
    return (SHARED / files[0]).parent


TOGETHER = frozenset({"online_retail", "essec_years", "spark"})
"""Fixtures that take minutes: tests that ask for one of them run in one process, so that each is made once."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long ones begin; where tests run side by side, those of a file stay together otherwise."""
    long = {item: not TOGETHER.isdisjoint(getattr(item, "fixturenames", ())) for item in items}
    items.sort(key=lambda item: not long[item])
    if getattr(config.option, "loadgroup", False):
        for item in items:
            group = "together" if long[item] else item.nodeid.partition("::")[0]
            item._id = coerce_node_id(f"{item.nodeid}@{group}")  # xdist 3.8 writes it where pytest 9.2 does not look


@pytest.fixture(autouse=True, scope="session")
def _surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A key and a registry for tests only; commands run from the project's folder."""
    patch = pytest.MonkeyPatch()
    registry = tmp_path_factory.mktemp("registry") / "mlflow.db"
    patch.setenv("CUSTOMER_SCORING_KEY", KEY)
    patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{registry}")
    patch.chdir(ROOT)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def pseudonyms() -> Pseudonyms:
    """Those that commands in tests use."""
    return Pseudonyms(KEY.encode())


@dataclass(frozen=True)
class Ran:
    """A source whose whole job ran."""

    job: Job
    version: int
    folder: Path

    @property
    def workspace(self) -> Workspace:
        return self.job.workspace


def run_job(job: Job, as_of: str | None = None, customers: int = 600) -> Ran:
    """The whole job, as `scoring run` does it."""
    from datetime import date

    job.ingest(customers)
    job.features(date.fromisoformat(as_of) if as_of else None)
    job.train()
    version, _ = job.evaluate()
    assert job.promote(version).promoted
    _, folder = job.classify()
    return Ran(job, version, folder)


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The sample company with 600 customers."""
    return run_job(Job(load_source("sample"), Workspace(tmp_path_factory.mktemp("sample"))))


@pytest.fixture(scope="session")
def online_retail(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Online Retail, two years, tested on 2011-09-10."""
    raw = real_data("online_retail/online_retail.parquet", "online_retail/online_retail_2009_2010.parquet")
    home = Workspace(tmp_path_factory.mktemp("online-retail"))
    return run_job(Job(load_source("online-retail"), home, raw), as_of="2011-09-10")


@pytest.fixture(scope="session")
def essec_years(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """ESSEC's purchases, graded at the end of each year from 2010 to 2015 by one release, trained in 2010 by few
    rounds: it is there to grade, not to be good."""
    from datetime import date

    from training.recipes import load_settings

    raw = real_data("essec_purchases/purchases.txt.gz")
    job = Job(load_source("essec"), Workspace(tmp_path_factory.mktemp("essec")), raw)
    settings = load_settings()
    boosting = settings.boosting.model_copy(update={"rounds": 20})
    quick = settings.model_copy(update={"snapshots": 2, "test_dates": 1, "boosting": boosting})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("serving.steps.load_settings", lambda: quick)
        job.ingest()
        job.features(grade_as_of=date(2011, 1, 1))
        job.train()
        version, _ = job.evaluate()
        job.promote(version, approve="the tests")
    done = [job.reclassify(f"{year}-12") for year in range(2010, 2016)]
    return Ran(job, version, done[-1].month.folder)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """Spark on two threads of this machine; without it the test is skipped by name, or fails where it must not be."""
    java = Path(os.environ.get("JAVA_HOME", "/nowhere"), "bin", "java").is_file() or shutil.which("java")
    missing = "" if importlib.util.find_spec("pyspark") else "pyspark not installed"
    missing = missing or ("" if java else "java not found")
    if missing and os.environ.get("REQUIRE_SHARED") == "1":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)  # Spark is an extra, and Java no Python package: a clone elsewhere may have neither
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("SPARK_LOCAL_DIRS", str(folder / "local"))
        builder = SparkSession.builder.master("local[2]").appName("tests")
        for name, value in {
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.memory": "1g",
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
            "spark.sql.shuffle.partitions": "4",
        }.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("OFF")
        yield session
        session.stop()


@pytest.fixture
def scoring(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Runs the command line; returns its exit code and what it printed on stderr."""

    def command(*words: object) -> tuple[int, str]:
        from serving.cli import main

        monkeypatch.setattr(sys, "argv", ["scoring", *map(str, words)])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        return code, capsys.readouterr().err

    return command
