"""What a judged model does to groups: the right figures, nobody singled out, and a model that knows nothing of it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.tables.cases import PRIVATE, ingest_cases
from features.tables.privacy import Pseudonyms
from features.tables.table_source import CaseColumn, TableSource, load_table_source
from features.tables.vault import open_vault
from features.workspace import Workspace
from tests.conftest import real_data
from training import registry
from training.cases import card, fairness_card
from training.cases.fairness import MEASURES, Fairness, fairness
from training.cases.groups import NOT_KNOWN, OTHERS, groups_of
from training.cases.learn import MODEL, Learnt, learn
from training.cases.publish import publish
from training.cases.question import question_of
from training.cases.settings import CaseSettings, load_case_settings
from training.proportions import Share, difference

FILES = {
    "german-credit": "german_credit/german.csv.gz",
    "taiwan-default": "credit_card_default_taiwan/default_of_credit_card_clients.csv.gz",
    "berka-loans": "berka/loan.asc.gz",
}


def settings(**changes: Any) -> CaseSettings:
    return load_case_settings().model_copy(update={"resamples": 200, **changes})


def column(type_: str, unit: str | None = None) -> CaseColumn:
    about = {"column": "x", "family": "private", "type": type_, "unit": unit, "doc": "Something."}
    return CaseColumn.model_validate(about)


class TestShares:
    """Intervals that are published."""

    @pytest.mark.parametrize(
        ("hits", "of", "low", "high"), [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611)]
    )
    def test_wilson_gives_newcombes_example(self, hits: int, of: int, low: float, high: float) -> None:
        """Newcombe (1998a), table I, method 3, to four digits."""
        share = Share(hits, of)
        assert (round(share.low, 4), round(share.high, 4)) == (low, high)

    @pytest.mark.parametrize(
        ("one", "other", "low", "high"),
        [
            ((56, 70), (48, 80), 0.0524, 0.3339),
            ((9, 10), (3, 10), 0.1705, 0.8090),
            ((10, 10), (0, 20), 0.6791, 1.0),
        ],
    )
    def test_the_difference_gives_newcombes_example(
        self, one: tuple[int, int], other: tuple[int, int], low: float, high: float
    ) -> None:
        """Newcombe (1998b), table II, method 10, to four digits."""
        found = difference(Share(*one), Share(*other))
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)

    @given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
    def test_an_interval_holds_its_value(self, hits: int, misses: int, others: int, more: int) -> None:
        """Within 0 and 1, and differences turn around with their sides; without a case all is unknown."""
        one, other = Share(hits, hits + misses), Share(others, others + more)
        if not (one.of and other.of):
            assert np.isnan(difference(one, other).difference)
            return
        assert 0 <= one.low <= one.value <= one.high <= 1
        there, back = difference(one, other), difference(other, one)
        assert there.low <= there.difference <= there.high
        assert np.allclose([there.low, there.high], [-back.high, -back.low])


class TestGroups:
    """Every case is in one group, and no group is small."""

    @given(st.lists(st.sampled_from(["a", "b", "c", "d", None]), max_size=120))
    def test_no_group_is_small(self, cells: list[str | None]) -> None:
        """Each case once; two groups or more, or none at all."""
        groups = groups_of(pa.chunked_array([pa.array(cells, pa.string())]), column("category"), 20)
        if groups:
            assert len(groups) > 1 and min(map(len, groups.values())) >= 20
            assert sorted(np.concatenate(list(groups.values()))) == list(range(len(cells)))

    def test_a_single_small_group_is_not_what_is_left_over(self) -> None:
        """It takes the next smallest with it, for the difference to all would give it away."""
        cells = pa.chunked_array([["a"] * 100 + ["b"] * 30 + ["c"] * 3])
        groups = groups_of(cells, column("category"), 20)
        assert {name: len(rows) for name, rows in groups.items()} == {"a": 100, OTHERS: 33}
        assert groups_of(cells.slice(100), column("category"), 20) == {}

    def test_years_are_in_bands_and_other_numbers_in_quarters(self) -> None:
        """Edges of quarters are rounded, so that they are nobody's own number; null is a group."""
        ages = pa.chunked_array([[24.0] * 20 + [25.0] * 20 + [64.9] * 20 + [65.0] * 20 + [None] * 20])
        groups = groups_of(ages, column("number", "years"), 20)
        assert list(groups) == ["below 25", "25 to below 35", "55 to below 65", "65 and more", NOT_KNOWN]
        incomes = pa.chunked_array([17 + 1_234.5 * np.arange(100)])
        names = list(groups_of(incomes, column("number", "CZK"), 20))
        assert names == ["below 30000", "30000 to below 60000", "60000 to below 90000", "90000 and more"]
        born = pa.chunked_array([1_950.0 + np.arange(100) // 4])
        assert next(iter(groups_of(born, column("number", "year"), 20))) == "below 1956"
        assert groups_of(pa.chunked_array([[1.0] * 50]), column("number", "CZK"), 20) == {}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fairness")


def source() -> TableSource:
    """Applicants: `x` decides, `sex` and `age` are private, and a few come from elsewhere."""
    columns = {
        "x": {"column": "x", "family": "value", "type": "number", "unit": "1", "doc": "Income."},
        "sex": {"column": "sex", "family": "private", "type": "category", "doc": "Sex."},
        "age": {"column": "age", "family": "private", "type": "number", "unit": "years", "doc": "Age."},
    }
    label = {"column": "bad", "positive": ["1"], "negative": ["0"], "name": "credit", "question": "Bad?"}
    about = {"kind": "table", "name": "fair", "title": "Fair", "files": ["fair.csv"], "label": label}
    return TableSource.model_validate_json(json.dumps(about | {"columns": columns}))


@pytest.fixture(scope="module")
def workspace(home: Path, pseudonyms: Pseudonyms) -> Workspace:
    rng = np.random.default_rng(3)
    sex = rng.choice(["zwoman", "zman"], 800)
    x = rng.normal(size=800) + (sex == "zwoman")
    bad = rng.random(800) < 1 / (1 + np.exp(-x))
    age = rng.integers(18, 80, 800)
    sex[:5] = "zother"
    rows = [f"{b:d},{i:.6f},{s},{a}" for b, i, s, a in zip(bad, x, sex, age, strict=True)]
    (home / "fair.csv").write_text("bad,x,sex,age\n" + "\n".join(rows) + "\n", encoding="utf-8")
    made = Workspace(home / "workspace")
    ingest_cases(source(), home, made, pseudonyms)
    return made


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def taught(workspace: Workspace) -> Learnt:
    question = question_of(source())
    assert question is not None
    found = learn(workspace, question, settings())
    assert isinstance(found, Learnt)
    return found


@pytest.fixture(scope="module")
def judged(workspace: Workspace, pseudonyms: Pseudonyms) -> tuple[Learnt, Fairness]:
    learnt = taught(workspace)
    found = fairness(learnt, open_vault(workspace.tables, pseudonyms), source().private, settings())
    assert found is not None
    return learnt, found


def test_the_figures_are_those_of_a_plain_count(
    judged: tuple[Learnt, Fairness], workspace: Workspace, pseudonyms: Pseudonyms
) -> None:
    """Counted again, case by case; as many are approved as turned out good."""
    learnt, found = judged
    sealed = open_vault(workspace.tables, pseudonyms).read(PRIVATE).to_pylist()
    sex = {row["case_id"]: row["sex"] for row in sealed}
    ids = learnt.cases.ids.take(pa.array(learnt.answers.rows)).to_pylist()
    predicted = learnt.answers.predicted[learnt.judgement.chosen]
    cases = list(zip(ids, learnt.answers.actual, predicted, strict=True))
    limit = sorted(p for _, _, p in cases)[sum(y == 0 for _, y, _ in cases) - 1]
    assert found.cut_off == limit and found.approved == sum(p <= limit for _, _, p in cases)
    assert [group.name for group in found.columns["sex"]] == ["zman", OTHERS]  # five are too few to be told apart
    [men, _] = found.columns["sex"]
    mine = [(y, p) for id_, y, p in cases if sex[id_] == "zman"]
    assert men.cases == len(mine) and men.actual.hits == sum(y for y, _ in mine)
    assert men.predicted == pytest.approx(np.mean([p for _, p in mine]))
    rejected = [p > limit for y, p in mine if y == 0]
    assert men.shares["false_rejection"] == Share(sum(rejected), len(rejected))
    approved = [p <= limit for y, p in mine if y == 1]
    assert men.shares["false_approval"] == Share(sum(approved), len(approved))
    theirs = [p <= limit for id_, _, p in cases if sex[id_] != "zman"]
    assert men.differences["approval"] == difference(men.shares["approval"], Share(sum(theirs), len(theirs)))
    assert men.differences["approval"].low > 0 and men.auc is not None


def test_a_cut_off_may_be_given(judged: tuple[Learnt, Fairness], workspace: Workspace, pseudonyms: Pseudonyms) -> None:
    """Then those up to it are approved."""
    learnt, _ = judged
    own = settings(fairness=settings().fairness.model_copy(update={"cut_off": 0.3}))
    found = fairness(learnt, open_vault(workspace.tables, pseudonyms), source().private, own)
    assert found is not None and found.cut_off == 0.3
    assert found.approved == (learnt.answers.predicted[learnt.judgement.chosen] <= 0.3).sum()


def test_the_model_is_the_same_whatever_the_private_columns_say(
    judged: tuple[Learnt, Fairness], workspace: Workspace, pseudonyms: Pseudonyms
) -> None:
    """Every file that is written is the same to the last bit when the vault's columns are shuffled; only the figures
    by group change."""
    before = {path.relative_to(workspace.training): path.read_bytes() for path in files(workspace.training)}
    vault = open_vault(workspace.tables, pseudonyms)
    sealed = vault.read(PRIVATE)
    order = pa.array(np.random.default_rng(9).permutation(sealed.num_rows))
    private = source().private
    vault.write(PRIVATE, pa.table({"case_id": sealed["case_id"], **{n: sealed[n].take(order) for n in private}}))
    try:
        again = taught(workspace)
        assert {path.relative_to(workspace.training): path.read_bytes() for path in files(workspace.training)} == before
        shuffled = fairness(again, vault, private, settings())
        assert shuffled is not None and shuffled.columns != judged[1].columns
    finally:
        vault.write(PRIVATE, sealed)


def test_no_level_of_a_private_column_leaves_but_in_the_figures(
    judged: tuple[Learnt, Fairness], workspace: Workspace, tmp_path: Path
) -> None:
    """Nor is a private column among those that the model, its predictions or the data set's description name."""
    learnt, found = judged
    version = publish(workspace, learnt, settings(), fairness=found)
    client = registry.connect()
    of_version = client.get_model_version("fair.credit", str(version))
    run = client.get_run(of_version.run_id)
    kept = Path(mlflow.artifacts.download_artifacts(run_id=of_version.run_id, dst_path=str(tmp_path)))
    told = {path.relative_to(kept).as_posix() for path in files(kept) if b"zman" in path.read_bytes()}
    assert told == {"model-card.html", "fairness.csv"}
    assert not [path for path in files(workspace.training) if b"zman" in path.read_bytes()]
    assert not [path for path in files(kept) if b"zwoman" in path.read_bytes() or b"zother" in path.read_bytes()]
    assert "zman" not in json.dumps([run.data.params, run.data.tags, str(run.inputs)])
    assert "plots/fairness.png" in {path.relative_to(kept).as_posix() for path in files(kept)}
    model = json.loads((workspace.training / MODEL / "model.json").read_text(encoding="utf-8"))
    assert not {"sex", "age"} & {*model["encoder"]["kinds"], *model["encoder"]["levels"]}
    assert "By age" not in of_version.description and "\n- age: " in of_version.description


def test_the_card_and_the_csv_say_what_was_found(judged: tuple[Learnt, Fairness]) -> None:
    """Every group of every column, the clearest gap in a sentence, and the four-fifths rule as a convention."""
    learnt, found = judged
    page, told = unescape(card.card(learnt, found)), list(csv.DictReader(io.StringIO(fairness_card.to_csv(found))))
    assert [(row["column"], row["group"]) for row in told] == [
        (name, group.name) for name, groups in found.columns.items() for group in groups
    ]
    men = found.columns["sex"][0]
    assert float(told[0]["approval"]) == pytest.approx(men.shares["approval"].value, abs=1e-6)
    assert float(told[0]["approval_vs_rest_low"]) == pytest.approx(men.differences["approval"].low, abs=1e-6)
    [of_sex, of_age] = fairness_card.sentences(found)
    assert of_sex.startswith("sex: the clearest gap is that of 'zman'") and "four fifths (a convention)" in of_age
    assert of_sex in page and all(group.name in page for groups in found.columns.values() for group in groups)
    assert card.card(learnt) == card.card(learnt, None) and "By private column" not in card.card(learnt)


def test_a_private_column_of_one_group_is_named_and_not_shown(judged: tuple[Learnt, Fairness]) -> None:
    """There is nothing to compare."""
    learnt, found = judged
    alone = replace(found, columns={"sex": ()})
    assert fairness_card.sentences(alone) == ["sex: there are no two groups of 20 cases or more to compare."]
    assert fairness_card.to_csv(alone) == "column,group\n" and "<h3>" not in card.card(learnt, alone)


@pytest.mark.real
@pytest.mark.parametrize(
    "name", ["german-credit", "berka-loans", pytest.param("taiwan-default", marks=pytest.mark.long)]
)
class TestPublicCredit:
    """The private columns of the public credit tables."""

    @pytest.fixture(scope="class")
    def known(self) -> dict[str, tuple[Learnt, Fairness]]:
        return {}

    @pytest.fixture
    def credit(
        self,
        name: str,
        known: dict[str, tuple[Learnt, Fairness]],
        tmp_path_factory: pytest.TempPathFactory,
        pseudonyms: Pseudonyms,
    ) -> tuple[Learnt, Fairness]:
        if name not in known:
            described, workspace = load_table_source(name), Workspace(tmp_path_factory.mktemp(name))
            ingest_cases(described, real_data(FILES[name]), workspace, pseudonyms)
            question = question_of(described)
            assert question is not None
            learnt = learn(workspace, question, settings())
            assert isinstance(learnt, Learnt)
            vault = open_vault(workspace.tables, pseudonyms)
            found = fairness(learnt, vault, described.private, settings())
            assert found is not None
            known[name] = learnt, found
        return known[name]

    def test_sizes_base_rates_and_targets(self, name: str, credit: tuple[Learnt, Fairness]) -> None:
        """As published; AUC on the judging cases of the candidate that was chosen without them."""
        learnt, found = credit
        cases, positive, least = {
            "german-credit": (1_000, 300, 0.775),
            "taiwan-default": (30_000, 6_636, 0.78),
            "berka-loans": (354, 30, 0.92),
        }[name]
        judged = learnt.judgement
        assert (judged.cases, judged.positive) == (cases, positive)
        assert judged.metrics[judged.chosen]["auc"].value >= least
        for groups in found.columns.values():
            assert sum(group.cases for group in groups) == cases
            assert sum(group.actual.hits for group in groups) == positive
            assert sum(group.shares["approval"].hits for group in groups) == found.approved
            assert min(group.cases for group in groups) >= 20

    def test_groups_are_those_of_the_code_books(self, name: str, credit: tuple[Learnt, Fairness]) -> None:
        """Few are merged, and each measure has its interval."""
        _, found = credit
        names = {column: [group.name for group in groups] for column, groups in found.columns.items()}
        wanted = {
            "german-credit": ("personal_status", ["A91", "A92", "A93", "A94"]),
            "taiwan-default": ("sex", ["1", "2"]),
            "berka-loans": ("born", ["below 470000", "470000 to below 570000"]),
        }[name]
        assert names[wanted[0]][: len(wanted[1])] == wanted[1]
        for groups in found.columns.values():
            assert all(set(group.shares) == set(group.differences) == set(MEASURES) for group in groups)


@pytest.mark.real
def test_berka_is_judged_in_later_years_by_what_was_chosen_in_earlier_ones(
    tmp_path: Path, pseudonyms: Pseudonyms
) -> None:
    """Each of the models that look at something reaches .92; no cut that chooses has a loan of 1997 or later."""
    from training.cases.plan import plan
    from training.cases.table import read_cases

    described, workspace = load_table_source("berka-loans"), Workspace(tmp_path)
    ingest_cases(described, real_data(FILES["berka-loans"]), workspace, pseudonyms)
    question = question_of(described)
    assert question is not None and question.judged_from is not None
    cases = read_cases(workspace, question)
    cuts = plan(cases, question.in_time, settings())
    train = {at for at, side in enumerate(cases.side) if side == "train"}
    assert cuts.kind == "split" and len(train) == 328
    assert all({*cut.train, *cut.test} <= train for cut in cuts.choose)
    assert set(cuts.judge[0].train) == train and not set(cuts.judge[0].test) & train
    found = learn(workspace, question, settings())
    assert isinstance(found, Learnt)
    metrics = found.judgement.metrics
    assert all(metrics[name]["auc"].value >= 0.92 for name in ("lightgbm", "logistic", "blend"))
    assert "1997-01-01" in card.card(found)
