"""What tests of the desk share: the sample company with months graded and an override in them, and its service."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import httpx
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.tables.audit import Audit
from features.tables.privacy import Pseudonyms
from features.workspace import Workspace
from serving.desk import Desk
from serving.overrides import Wanted, set_override
from tests.conftest import Ran
from tests.serving.test_service import start

SAID = date(2026, 10, 15)
WANTED = Wanted("value", "A", date(2026, 10, 31), "signed a frame contract")
SLASHED = "a/history"


@dataclass(frozen=True)
class Months:
    """September and October, graded; in October WANTED counts for the customer `overridden`, which has run out since.

    others: further ordinary customers, by the company's ids; before, again: the files of September as they were first
    and as they are when it is graded again after the override.
    """

    ran: Ran
    desk: Desk
    overridden: str
    others: list[str]
    before: dict[str, bytes]
    again: dict[str, bytes]

    def row(self, month: str, raw_id: str, file: str = "grades") -> list[dict[str, object]]:
        """A customer's rows of a file of a month."""
        mine = [("customer_id", "==", self.desk.pseudonyms.of(raw_id))]
        rows: list[dict[str, object]] = pq.read_table(self._folder(month) / f"{file}.parquet", filters=mine).to_pylist()
        return rows

    def _folder(self, month: str) -> Path:
        return self.ran.workspace.months / month


@pytest.fixture(scope="package")
def months(sample: Ran, pseudonyms: Pseudonyms, tmp_path_factory: pytest.TempPathFactory) -> Months:
    """In a workspace that may be changed."""
    home = tmp_path_factory.mktemp("months") / "home"
    shutil.copytree(sample.workspace.home, home)
    job = replace(sample.job, workspace=Workspace(home))
    desk = Desk(job.source, job.workspace, pseudonyms, Audit(home / "audit.jsonl", "eva"))
    september = job.reclassify("2026-09").month.folder
    ordinary = _ordinary(desk, september)
    before = _contents(september)
    live, _, store = job.live()
    set_override(desk, live.scheme, store, ordinary[0], WANTED, SAID)
    shutil.rmtree(september)
    again = _contents(job.reclassify("2026-09").month.folder)
    job.reclassify("2026-10")
    return Months(replace(sample, job=job), desk, ordinary[0], ordinary[1:], before, again)


def _ordinary(desk: Desk, folder: Path) -> list[str]:
    """Repeat customers of the lowest class of value, by the company's ids."""
    grades = pq.read_table(folder / "grades.parquet", columns=["customer_id", "class_value", "class_lifecycle"])
    ids = {
        row["customer_id"] for row in grades.to_pylist() if (row["class_value"], row["class_lifecycle"]) == ("C", "R")
    }
    people = pd.read_csv(desk.workspace.simulated / "customers.csv", dtype=str)["customer_no"]
    return [raw_id for raw_id in people if desk.pseudonyms.of(raw_id) in ids]


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="package")
def service(months: Months, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Over the months; `a` and `a/history` are merged with two customers."""
    pairs = [("a", months.others[0]), (SLASHED, months.overridden)]
    with sqlite3.connect(months.ran.job.live()[2]) as db:
        db.executemany("INSERT INTO aliases VALUES (?, ?)", [tuple(map(months.desk.pseudonyms.of, p)) for p in pairs])
    db.close()
    yield from start(months.ran, tmp_path_factory.mktemp("months-server") / "log")
