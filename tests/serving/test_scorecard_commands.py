"""`scoring scorecard`: the points table on the screen, and as files."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from features.tables.cases import CASES, ingest_cases
from features.tables.privacy import Pseudonyms
from features.tables.table_source import load_table_source
from features.workspace import Workspace
from serving.options import out
from tests.conftest import real_data
from tests.training.test_cases_models import asked, settings
from training.cases.learn import Learnt, learn

SOURCE = "german-credit"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, pseudonyms: Pseudonyms) -> Path:
    """German Credit, learnt from."""
    workspace = Workspace(tmp_path_factory.mktemp("home"))
    ingest_cases(load_table_source(SOURCE), real_data("german_credit/german.csv.gz"), workspace, pseudonyms)
    assert isinstance(learn(workspace, asked(SOURCE), settings()), Learnt)
    return workspace.home


@pytest.mark.real
def test_the_points_table_is_printed_and_written(
    home: Path, tmp_path: Path, scoring: Callable[..., tuple[int, str]]
) -> None:
    """Every bin is on the screen and in the CSV; the query runs over the cases of the workspace."""
    points, query = tmp_path / "points.csv", tmp_path / "score.sql"
    words = ["scorecard", "--source", SOURCE, "--home", home, "--csv", points, "--sql", query]
    with out.capture() as screen:
        code, letter = scoring(*words, "--dialect", "duckdb", "--table", "main.applicants")
    assert code == 0, letter
    with points.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    said = screen.get()
    assert len(rows) > 50 and all(row["bin"] in said and row["column"] in said for row in rows)
    assert "600 points: 19 no to one yes" in said
    with duckdb.connect() as db:
        db.execute(f"CREATE TABLE applicants AS FROM '{home / 'tables' / CASES}'")
        assert db.sql(query.read_text(encoding="utf-8")).aggregate("count(*)").fetchall() == [(1000,)]


@pytest.mark.real
def test_a21_every_case_gets_advice(home: Path, tmp_path: Path, scoring: Callable[..., tuple[int, str]]) -> None:
    """Probability, score, grade, percentile, reasons and a reference limit, by pseudonym."""
    to = tmp_path / "advice.parquet"
    code, letter = scoring("scorecard", "--source", SOURCE, "--home", home, "--advice", to)
    assert code == 0, letter
    advice, cases = pq.read_table(to), pq.read_table(home / "tables" / CASES)
    assert advice["case_id"].to_pylist() == cases["case_id"].to_pylist()
    assert set(advice["grade"].to_pylist()) == set("ABCDE") and min(map(len, advice["reasons"].to_pylist())) >= 1
    limit, amount = advice["reference_limit"].to_numpy(), cases["amount"].to_numpy()
    assert ((limit > 0) & (limit <= amount)).all() and np.isfinite(advice["probability"].to_numpy()).all()


def test_what_was_not_learnt_has_no_scorecard(tmp_path: Path, scoring: Callable[..., tuple[int, str]]) -> None:
    """A letter names the command to run first."""
    code, letter = scoring("scorecard", "--source", SOURCE, "--home", tmp_path)
    assert code == 2 and "scoring run --source german-credit" in letter
