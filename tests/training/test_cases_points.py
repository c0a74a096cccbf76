"""Points, SQL and advice: what leaves the house with a scorecard says what the scorecard says."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import psycopg
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.tables.cases import ingest_cases
from features.tables.privacy import Pseudonyms
from features.tables.table_source import load_table_source
from features.workspace import Workspace
from tests.conftest import real_data
from tests.postgres import postgres_url
from tests.training.test_cases_models import fitted, settings, some_cases
from training.cases.advice import ADVICE, advise, grade_of
from training.cases.encoder import Encoder
from training.cases.model import CaseModel
from training.cases.pictures import points as picture
from training.cases.points import Scale, points_table, to_csv
from training.cases.portable import Portable, fit_portable
from training.cases.question import Question, question_of
from training.cases.scorecard import Scorecard
from training.cases.settings import ScaleSettings
from training.cases.table import Cases, read_cases

__all__ = ["postgres_url"]

FILES = {
    "taiwan-default": "credit_card_default_taiwan/default_of_credit_card_clients.csv.gz",
    "german-credit": "german_credit/german.csv.gz",
}
HOSTILE = [
    "it's",
    'a "b"',
    "\\",
    "\\'; DROP TABLE cases; --",
    "é中\U0001f600",
    "two\nlines",
    "%s",
    "",
    " ",
    "NULL",
    "x'||'y",
]


def question_about(table: pa.Table) -> Question:
    """Of a table of any columns."""
    types = {pa.float64(): "number", pa.string(): "category", pa.bool_(): "boolean"}
    columns = {
        name: {"column": name, "family": "value", "type": types[table[name].type], "doc": "."}
        | ({"unit": "1"} if types[table[name].type] == "number" else {})
        for name in table.column_names
    }
    label = {"column": "bad", "positive": ["1"], "negative": ["0"], "name": "bad", "question": "Bad?"}
    about = {"kind": "table", "name": "some", "title": "Some", "files": ["x.csv"], "label": label, "columns": columns}
    from features.tables.table_source import TableSource

    question = question_of(TableSource.model_validate_json(json.dumps(about)))
    assert question is not None
    return question


def portable(cases: Cases) -> Portable:
    return fit_portable(cases, question_about(cases.table), {}, settings(rare=5))


def with_ids(table: pa.Table) -> pa.Table:
    return table.add_column(0, "case_id", pa.array([str(i) for i in range(len(table))]))


def by_duckdb(found: Portable, table: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score and probability of the exported query, in the order of the table."""
    with duckdb.connect() as db:
        db.register("some cases", with_ids(table))
        rows = db.sql(f"SELECT * FROM ({found.sql('duckdb', 'some cases')}) ORDER BY CAST(case_id AS INT)")
        columns = rows.fetchnumpy()
    assert list(columns) == ["case_id", "score", "probability"] and len(columns["score"]) == len(table)
    return np.asarray(columns["score"], float), np.asarray(columns["probability"], float)


def by_postgres(url: str, found: Portable, table: pa.Table, *before: str) -> tuple[NDArray[Any], NDArray[Any]]:
    types = {pa.float64(): "double precision", pa.string(): "text", pa.bool_(): "boolean"}
    columns = ", ".join(f'"{name}" {types[table[name].type]}' for name in table.column_names)
    with psycopg.connect(url) as db, db.cursor() as cursor:
        for each in before:
            cursor.execute(each)
        cursor.execute("DROP SCHEMA IF EXISTS lab CASCADE")
        cursor.execute("CREATE SCHEMA lab")
        cursor.execute(f'CREATE TABLE lab."Cases" (case_id text, {columns})')
        with cursor.copy('COPY lab."Cases" FROM STDIN') as copy:
            for row in with_ids(table).to_pylist():
                copy.write_row(tuple(row.values()))
        cursor.execute(found.sql("postgres", "lab.Cases"))
        rows = sorted(cursor.fetchall(), key=lambda row: int(row[0]))
        db.rollback()
    return np.array([row[1] for row in rows]), np.array([row[2] for row in rows])


def strange(table: pa.Table) -> pa.Table:
    """The same columns: nulls, NaN, infinities, numbers and levels never seen."""
    cells = {
        pa.float64(): [None, float("nan"), float("inf"), float("-inf"), 1e300, -1e300, 0.0, -0.0],
        pa.string(): [None, "mars", "", "'", "\\", "é", "it''s", "NORTH"],
        pa.bool_(): [None, True, False, None, True, False, None, True],
    }
    fields = {name: pa.array(cells[table[name].type], table[name].type) for name in table.column_names}
    return pa.concat_tables([table, pa.table(fields)])


class TestScale:
    """Points and odds."""

    def test_published_scales(self) -> None:
        """600 points at 19:1 with 50 to double, and 750 at 35:1 with 60."""
        for score, odds, double, factor, offset in ((600, 19, 50, 72.13, 387.60), (750, 35, 60, 86.56, 442.24)):
            scale = Scale.of(ScaleSettings(score=float(score), odds=float(odds), points_to_double=float(double)))
            assert (round(scale.factor, 2), round(scale.offset, 2)) == (factor, offset)
            at = scale.score(np.log(np.array([1 / odds, 1 / (2 * odds)])))
            assert at == pytest.approx([score, score + double])
            assert scale.probability(at) == pytest.approx([1 / (1 + odds), 1 / (1 + 2 * odds)])


class TestPointsTable:
    """A line per bin."""

    def test_the_points_of_a_case_add_up_to_its_score(self) -> None:
        """Looked up by a reader of the CSV, who knows nothing else."""
        cases = some_cases()
        found = portable(cases)
        rows = list(csv.DictReader(io.StringIO(to_csv(found.lines))))
        table = strange(cases.table)
        score = [sum(points_of(rows, name, case[name]) for name in table.column_names) for case in table.to_pylist()]
        assert np.abs(np.array(score) - found.score(table)).max() < 1e-9
        assert found.scale.probability(found.score(table)) == pytest.approx(found.model.predict(table), abs=1e-12)

    def test_bins_are_counted_and_named(self) -> None:
        """Cases and answers of every column add up; words say what a bin takes."""
        cases = some_cases()
        lines = portable(cases).lines
        for name in cases.table.column_names:
            own = [line for line in lines if line.column == name]
            assert sum(line.cases for line in own) == len(cases)
            assert sum(line.yes for line in own) == cases.label.sum()
        words = {(line.column, line.words) for line in lines}
        assert {("member", "yes"), ("member", "no"), ("member", "not known"), ("region", "is north")} <= words
        assert ("region", "rare or never seen") in words

    def test_null_where_no_case_had_one_has_the_points_of_the_usual_value(self) -> None:
        """The table says so, and the SQL."""
        cases = some_cases()
        income = cases.table["income"].fill_null(5000.0)
        found = portable(Cases(cases.ids, pa.table({"income": income}), cases.label, cases.side))
        missing, *others = found.lines
        (usual,) = [
            line for line in others if (line.above or 0) < found.model.encoder.usual["income"] <= (line.up_to or 1e9)
        ]
        assert missing.cases == 0 and missing.points == usual.points
        assert by_duckdb(found, pa.table({"income": pa.array([None], pa.float64())}))[0] == pytest.approx(usual.points)

    def test_a_scorecard_without_columns_is_its_intercept(self) -> None:
        """No line; the SQL gives everybody the same score."""
        encoder, card, scale = Encoder({"x": "number"}, {}, {}), Scorecard((), -1.0, 1), Scale(400.0, 70.0)
        assert points_table(encoder, card, scale) == ()
        about = {"scale": {"score": 600.0, "odds": 19.0, "points_to_double": 50.0}, "percentiles": [0.0] * 101}
        bare = Portable(CaseModel(about, encoder, {"scorecard": card}))
        table = pa.table({"x": [1.0, 2.0]})
        assert by_duckdb(bare, table)[0] == pytest.approx(bare.score(table), abs=1e-9)
        assert advise(bare.model, bare, table, settings())["reasons"].to_pylist() == [[], []]

    def test_the_picture_is_drawn(self) -> None:
        """Of any levels, also signs that matplotlib would read as mathematics."""
        rng = np.random.default_rng(0)
        level = rng.choice(["$a", "b$ $c", "^_"], 600)
        cases = some_cases()
        table = pa.table({"level": level.tolist(), "income": cases.table["income"]})
        label = (rng.random(600) < np.where(level == "$a", 0.2, 0.6)).astype(float)
        assert picture(portable(Cases(cases.ids, table, label, cases.side)).lines).startswith(b"\x89PNG")


def points_of(rows: list[dict[str, str]], name: str, cell: Any) -> float:
    """What a reader of the CSV gives a cell."""
    own = [row for row in rows if row["column"] == name]
    unknown = cell is None or (isinstance(cell, float) and not np.isfinite(cell))
    for row in own:
        if row["bin"] in ("not known", "rare or never seen"):
            continue
        if row["levels"]:
            if cell in json.loads(row["levels"]):
                return float(row["points"])
        elif not unknown and not isinstance(cell, str):
            low, high = float(row["above"] or "-inf"), float(row["up_to"] or "inf")
            if low < float(cell) <= high:
                return float(row["points"])
    rest = "not known" if unknown else "rare or never seen"
    return next(float(row["points"]) for row in own if row["bin"] == rest)


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


class TestSql:
    """The query agrees with the model."""

    @given(st.lists(names, min_size=2, max_size=6, unique=True), st.integers(0, 1000), names)
    @hypothesis_settings(max_examples=40, deadline=None)
    def test_levels_of_any_name(self, levels: list[str], seed: int, other: str) -> None:
        """Quotes, backslashes, line ends, any letter; levels never seen, too."""
        rng = np.random.default_rng(seed)
        at = rng.integers(0, len(levels), 200)
        table = pa.table({"level": pa.array([levels[i] for i in at], pa.string())})
        label = (rng.random(200) < (at + 1) / (len(levels) + 1)).astype(float)
        found = portable(Cases(pa.chunked_array([[""] * 200]), table, label, (None,) * 200))
        asked = pa.table({"level": pa.array([*levels, other, None, *(each + "'" for each in levels)], pa.string())})
        score, probability = by_duckdb(found, asked)
        assert np.abs(score - found.score(asked)).max() <= 1e-9
        assert np.abs(probability - found.model.predict(asked)).max() <= 1e-12

    def test_numbers_and_booleans_of_any_kind(self) -> None:
        """Nulls, NaN, infinities, what was never seen, and what lies on an edge."""
        cases = some_cases()
        found = portable(cases)
        edges = [line.up_to for line in found.lines if line.column == "income" and line.up_to is not None]
        on_edges = cases.table.slice(0, len(edges)).set_column(0, "income", pa.array(edges))
        table = pa.concat_tables([strange(cases.table), on_edges])
        assert np.abs(by_duckdb(found, table)[0] - found.score(table)).max() <= 1e-9

    @pytest.mark.parametrize("before", [(), ("SET standard_conforming_strings = off",)])
    def test_postgresql_agrees(self, postgres_url: str, before: tuple[str, ...]) -> None:
        """Hostile levels, numbers and booleans of any kind, a schema and a name with a capital."""
        cases = some_cases()
        rng = np.random.default_rng(0)
        level = pa.array([HOSTILE[i] for i in rng.integers(0, len(HOSTILE), 600)], pa.string())
        own = Cases(cases.ids, cases.table.append_column("level", level), cases.label, cases.side)
        found, table = portable(own), strange(own.table)
        score, probability = by_postgres(postgres_url, found, table, *before)
        assert np.abs(score - found.score(table)).max() <= 1e-9
        assert np.abs(probability - found.model.predict(table)).max() <= 1e-12


@pytest.fixture(scope="module", params=FILES)
def real(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, pseudonyms: Pseudonyms
) -> tuple[Portable, Cases]:
    """A public table with its scorecard."""
    raw, source = real_data(FILES[request.param]), load_table_source(request.param)
    workspace = Workspace(tmp_path_factory.mktemp(request.param))
    ingest_cases(source, raw, workspace, pseudonyms)
    question = question_of(source)
    assert question is not None
    cases = read_cases(workspace, question)
    return fit_portable(cases, question, {}, settings()), cases


@pytest.mark.real
class TestPublicTables:
    """Every row of the credit tables."""

    def test_b12_the_query_is_the_model(self, real: tuple[Portable, Cases]) -> None:
        found, cases = real
        score, probability = by_duckdb(found, cases.table)
        assert np.abs(score - found.score(cases.table)).max() <= 1e-9
        assert np.abs(probability - found.model.predict(cases.table)).max() <= 1e-12

    def test_b12_on_postgresql_too(self, real: tuple[Portable, Cases], postgres_url: str) -> None:
        found, cases = real
        score, _ = by_postgres(postgres_url, found, cases.table)
        assert np.abs(score - found.score(cases.table)).max() <= 1e-9

    def test_a21_worse_grades_default_more(self, real: tuple[Portable, Cases]) -> None:
        """Every case has a grade; the better it is, the fewer cases answer yes."""
        found, cases = real
        advice = advise(found.model, found, cases.table, settings())
        grade = np.array(advice["grade"].to_pylist())
        rates = [cases.label[grade == each].mean() for each in settings().grades if (grade == each).any()]
        assert len(rates) >= 4 and rates == sorted(rates)


class TestAdvice:
    """What a person who decides is told."""

    def test_a21_score_grade_and_reasons(self) -> None:
        """Reasons are what costs points against the best bin, the dearest first; the limit is a share of exposure."""
        cases = some_cases()
        found, own = portable(cases), settings(reasons=2)
        advice = advise(fitted(cases), found, strange(cases.table), own, "income")
        assert advice.schema == ADVICE and len(advice) == 608
        lines = found.lines
        for case, row in zip(strange(cases.table).to_pylist(), advice.to_pylist(), strict=True):
            assert row["grade"] == next(name for name, each in own.grades.items() if row["score"] >= each.from_score)
            sizes = [reason["points"] for reason in row["reasons"]]
            assert sizes == sorted(sizes) and all(size < 0 for size in sizes) and len(sizes) <= 2
            for reason in row["reasons"]:
                mine = [line for line in lines if line.column == reason["column"]]
                (line,) = [line for line in mine if line.words == reason["bin"]]
                assert line.points - max(each.points for each in mine if each.cases) == reason["points"]
                assert (line.what == "missing") == (case[line.column] is None or case[line.column] in (np.inf, -np.inf)
                    or case[line.column] != case[line.column])  # fmt: skip
            limit = row["reference_limit"]
            if case["income"] is not None and np.isfinite(case["income"]):
                assert limit == case["income"] * own.grades[row["grade"]].limit
            else:
                assert limit is None

    def test_percentile_is_the_share_of_training_cases(self) -> None:
        """With so many points or fewer."""
        cases = some_cases()
        found = portable(cases)
        score = found.score(cases.table)
        said = advise(found.model, found, cases.table, settings())["percentile"].to_numpy()
        share = np.array([(score <= each).mean() for each in score])
        assert np.abs(said - 100 * share).max() < 1.01 and said.max() == 100

    def test_no_model_no_probability(self) -> None:
        """Where the chosen model abstains the scorecard still has points; without exposure there is no limit."""
        cases = some_cases()
        abstains = CaseModel({"rung": "rules"}, Encoder({}, {}, {}), {})
        advice = advise(abstains, portable(cases), cases.table, settings())
        assert advice["probability"].null_count == advice["reference_limit"].null_count == 600
        assert advice["score"].null_count == 0

    def test_one_case_and_many_get_the_same_advice(self) -> None:
        cases = some_cases()
        found, model = portable(cases), fitted(cases)
        whole = advise(model, found, cases.table, settings(), "income")
        for row in range(20):
            one = advise(model, found, cases.table.slice(row, 1), settings(), "income")
            assert one.to_pylist() == whole.slice(row, 1).to_pylist()

    def test_a_bound_belongs_to_the_better_grade(self) -> None:
        assert grade_of(np.array([600.0, 599.999, -1e9]), settings().grades) == ["A", "B", "E"]


def test_what_was_kept_is_what_was_fitted(tmp_path: Path) -> None:
    """Model, points table and query, as files."""
    cases = some_cases()
    found = portable(cases)
    found.save(tmp_path)
    again = Portable(CaseModel.load(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {
        "model.json",
        "scorecard.json",
        "scorecard.csv",
        "scorecard.sql",
    }
    assert again.score(cases.table).tobytes() == found.score(cases.table).tobytes()
    assert (tmp_path / "scorecard.sql").read_text() == again.sql("postgres")
