"""Models of cases: the public tables, no leakage, and tables that are not as they should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pyarrow as pa
import pytest

from features.errors import InputError
from features.tables.cases import ingest_cases
from features.tables.privacy import Pseudonyms
from features.tables.table_source import TableSource, load_table_source
from features.workspace import Workspace
from tests.conftest import real_data
from training import registry
from training.bootstrap import Resampled
from training.cases.encoder import MISSING, OTHER, fit_encoder
from training.cases.judge import judge
from training.cases.learn import MODEL, Learnt, learn
from training.cases.model import CANDIDATES, FIT, RULES, CaseModel, fit_parts
from training.cases.plan import folds, plan, what_is_missing
from training.cases.publish import fetch_model, publish
from training.cases.question import Question, question_of
from training.cases.settings import CaseSettings, load_case_settings
from training.cases.table import Cases, read_cases
from training.metrics import lift_top_tenth

FILES = {
    "telco-churn": "telco_churn/Telco-Customer-Churn.csv.gz",
    "online-shoppers": "online_shoppers/online_shoppers_intention.csv.gz",
    "bank-marketing": "bank_marketing/bank-additional-full.csv.gz",
    "german-credit": "german_credit/german.csv.gz",
}
KINDS = {"income": "number", "region": "category", "member": "boolean"}


def settings(**changes: Any) -> CaseSettings:
    """Those of the project, with few resamples."""
    return load_case_settings().model_copy(update={"resamples": 200, **changes})


def asked(name: str) -> Question:
    question = question_of(load_table_source(name))
    assert question is not None
    return question


@pytest.fixture(scope="module")
def workspaces(tmp_path_factory: pytest.TempPathFactory, pseudonyms: Pseudonyms) -> Callable[[str], Workspace]:
    """The workspace of a public table that was taken in."""
    known: dict[str, Workspace] = {}

    def workspace(name: str) -> Workspace:
        if name not in known:
            known[name] = Workspace(tmp_path_factory.mktemp(name))
            ingest_cases(load_table_source(name), real_data(FILES[name]), known[name], pseudonyms)
        return known[name]

    return workspace


@pytest.fixture(scope="module")
def learnt(workspaces: Callable[[str], Workspace]) -> Callable[[str], Learnt]:
    """What a public table taught, once."""
    known: dict[str, Learnt] = {}

    def of(name: str) -> Learnt:
        if name not in known:
            found = learn(workspaces(name), asked(name), settings())
            assert isinstance(found, Learnt)
            known[name] = found
        return known[name]

    return of


def some_cases(many: int = 600, seed: int = 0) -> Cases:
    """Cases whose answer depends on all three columns; of each a tenth is not known."""
    rng = np.random.default_rng(seed)
    income, region, member = (
        rng.lognormal(7, 1, many),
        rng.choice(["north", "south", "west"], many),
        rng.random(many) < 0.4,
    )
    log_odds = 0.9 * (np.log(income) - 7) + (region == "north") - 1.2 * member
    label = (rng.random(many) < 1 / (1 + np.exp(-log_odds))).astype(float)
    gone = rng.random((3, many)) < 0.1
    table = pa.table({
        "income": pa.array(income, mask=gone[0]),
        "region": pa.array(region.tolist(), pa.string(), mask=gone[1]),
        "member": pa.array(member, mask=gone[2]),
    })  # fmt: skip
    ids = pa.chunked_array([[str(i) for i in range(many)]])
    return Cases(ids, table, label, (None,) * many)


def fitted(cases: Cases, candidate: str = "blend") -> CaseModel:
    encoder = fit_encoder(cases.table, KINDS, 20)
    parts = fit_parts(CANDIDATES[candidate], encoder, encoder.matrix(cases.table), cases.label, settings())
    return CaseModel({"source": "some", "task": "buys", "rung": candidate}, encoder, parts)


@pytest.mark.real
class TestPublicTables:
    """What is promised of the public tables. The settings were chosen on folds of other seeds."""

    def test_telco_churn(self, learnt: Callable[[str], Learnt]) -> None:
        """AUC of at least .845 in five folds, calibrated."""
        judged = learnt("telco-churn").judgement
        own = judged.metrics[judged.chosen]
        assert judged.cases == 7_043 and judged.prefix == "cv"
        assert own["auc"].value >= 0.845 and own["ece"].value <= 0.03

    def test_online_shoppers_without_page_values(self, learnt: Callable[[str], Learnt]) -> None:
        """AUC of at least .785 in five folds without the column that purchases make, calibrated."""
        found = learnt("online-shoppers")
        own = found.judgement.metrics[found.judgement.chosen]
        assert own["auc"].value >= 0.785 and own["ece"].value <= 0.03
        assert list(found.question.left_out) == ["page_value"]

    def test_bank_marketing_abstains(self, learnt: Callable[[str], Learnt]) -> None:
        """Judged on the last fifth in time; as no candidate can order earlier cuts, rules answer, and it is said."""
        found = learnt("bank-marketing")
        judged = found.judgement
        assert judged.cases == 8_238 and judged.prefix == "test" and set(judged.metrics) == set(CANDIDATES)
        assert all(np.mean(each) < 0.55 for each in judged.earlier.values())
        assert judged.rung == RULES and "0.55" in judged.abstains
        assert np.isnan(found.model.predict(found.cases.table.slice(0, 5))).all()
        assert found.model.about["missing_for_the_next"] == judged.abstains

    def test_leaks_and_private_columns_have_no_say(
        self, learnt: Callable[[str], Learnt], workspaces: Callable[[str], Workspace]
    ) -> None:
        """They are named as left out; neither the cases that were read nor the model have them."""
        for name, columns in (("bank-marketing", ["duration"]), ("german-credit", ["personal_status", "age"])):
            found = learnt(name)
            assert set(columns) <= set(found.question.left_out)
            assert not set(columns) & (set(found.cases.table.column_names) | set(found.model.encoder.names))

    def test_a_registered_model_is_the_one_that_was_fitted(
        self, learnt: Callable[[str], Learnt], workspaces: Callable[[str], Workspace]
    ) -> None:
        """Loaded from the registry it gives the same bits; the run has the metrics, the data and no id of a case."""
        found, workspace = learnt("german-credit"), workspaces("german-credit")
        version = publish(workspace, found, settings())
        table = found.cases.table
        again = fetch_model("german-credit", "credit", version)
        assert again.predict(table).tobytes() == found.model.predict(table).tobytes()
        client = registry.connect()
        of_version = client.get_model_version("german-credit.credit", str(version))
        assert of_version.tags["rung"] == found.judgement.rung
        run = client.get_run(of_version.run_id)
        judged = found.judgement
        assert run.data.metrics["cv_auc"] == judged.metrics[judged.chosen]["auc"].value
        assert {f"cv_auc_{name}" for name in CANDIDATES} <= set(run.data.metrics)
        assert run.data.params["left_out.age"].startswith("private")
        assert [each.dataset.name for each in run.inputs.dataset_inputs] == ["cases-train"]
        names = {file.path for file in client.list_artifacts(run.info.run_id)}
        assert {"plots", "model-card.html", "judgement.json", "scorecard.csv", "scorecard.sql"} <= names
        assert "plots/points.png" in {file.path for file in client.list_artifacts(run.info.run_id, "plots")}
        card = mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/model-card.html")
        assert "personal_status" in card and "base_rate" in card

    def test_what_was_changed_after_it_was_registered_is_refused(
        self, learnt: Callable[[str], Learnt], workspaces: Callable[[str], Workspace]
    ) -> None:
        """A model with another file than its manifest says is not loaded."""
        version = publish(workspaces("german-credit"), learnt("german-credit"), settings())
        model = registry.connect().get_model_version("german-credit.credit", str(version))
        with registry.downloaded("german-credit", "credit", version) as (folder, tags):
            assert (folder / "manifest.json").is_file() and tags[registry.MANIFEST_TAG]
        store = Path(mlflow.artifacts.download_artifacts(f"models:/{model.name}/{version}"))  # the store itself
        (store / "model.json").write_text("{}", encoding="utf-8")
        with pytest.raises(InputError, match="changed after it was registered"):
            fetch_model("german-credit", "credit", version)

    def test_the_command_tells_all(
        self, scoring: Callable[..., tuple[int, str]], capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        """`scoring run` of a table source prints every candidate and every column that was left out."""
        raw = real_data(FILES["german-credit"])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "sys.argv", ["scoring", "run", "--source", "german-credit", "--raw", str(raw), "--home", str(tmp_path)]
            )
            from serving.cli import app

            app(standalone_mode=False)
        said = capsys.readouterr().out
        assert all(f"\n{name}" in said for name in CANDIDATES)
        assert "By age: " in said
        assert "Left out: foreign_worker, private" in said and "Registered as german-credit.credit version" in said
        code, letter = scoring("train", "--source", "german-credit", "--home", tmp_path)
        assert code == 2 and "scoring run" in letter


class TestNoLeakage:
    """Nothing of what is to be answered is known before."""

    @pytest.mark.real
    def test_shuffled_answers_teach_nothing(self, workspaces: Callable[[str], Workspace]) -> None:
        """With answers that belong to other cases the AUC is one half."""
        question = asked("telco-churn")
        cases = read_cases(workspaces("telco-churn"), question)
        shuffled = cases.with_label(np.random.default_rng(1).permutation(cases.label))
        cuts = plan(shuffled, False, settings())
        judged, _ = judge(shuffled, question.kinds, replace(cuts, choose=cuts.choose[:1]), settings())
        assert all(abs(metrics["auc"].value - 0.5) <= 0.02 for metrics in judged.metrics.values())

    def test_other_test_cases_change_no_answer(self) -> None:
        """Changing some of the cases that judge, even to levels and numbers never seen, changes no answer of others."""
        cases = some_cases()
        cut = folds(np.arange(len(cases)), cases.label, 5, 3)[0]
        one_cut = replace(plan(cases, False, settings()), choose=(cut,), judge=(cut,))
        _, before = judge(cases, KINDS, one_cut, settings())
        changed = np.isin(np.arange(len(cases)), cut.test[: len(cut.test) // 2])
        columns = {
            "income": [
                1e9 if new else value for new, value in zip(changed, cases.table["income"].to_pylist(), strict=True)
            ],
            "region": [
                "mars" if new else value for new, value in zip(changed, cases.table["region"].to_pylist(), strict=True)
            ],
            "member": cases.table["member"],
        }
        _, after = judge(replace(cases, table=pa.table(columns)), KINDS, one_cut, settings())
        same = ~changed[before.rows]
        for name in CANDIDATES:
            assert (before.predicted[name][same] == after.predicted[name][same]).all()

    def test_in_time_only_the_past_is_learnt_from(self) -> None:
        """Every cut's training cases are older than all of its test cases, and the last ones judge."""
        cuts = plan(some_cases(), True, settings())
        assert cuts.kind == "time" and len(cuts.choose) >= 2
        for cut in (*cuts.choose, *cuts.judge):
            assert cut.train.max() < cut.test.min()
        assert cuts.choose[-1].test.max() < cuts.judge[0].test.min() and cuts.judge[0].test.max() == 599

    def test_the_split_of_the_source_is_kept(self) -> None:
        """Its test cases judge, and no cut that chooses has one of them."""
        cases = replace(some_cases(), side=("train",) * 400 + ("test",) * 150 + (None,) * 50)
        cuts = plan(cases, False, settings())
        assert cuts.kind == "split" and (cuts.judge[0].test == np.arange(400, 550)).all()
        assert all(max(cut.train.max(), cut.test.max()) < 400 for cut in cuts.choose)

    def test_folds_hold_every_case_once_in_equal_shares(self) -> None:
        """Each case judges once; the shares of yes differ by one case."""
        cases = some_cases()
        cuts = folds(np.arange(600), cases.label, 5, 0)
        assert sorted(np.concatenate([cut.test for cut in cuts])) == list(range(600))
        yes = [cases.label[cut.test].sum() for cut in cuts]
        assert max(yes) - min(yes) <= 1 and not any(set(cut.train) & set(cut.test) for cut in cuts)


class TestModel:
    """A saved model answers any table of typed cases."""

    @pytest.mark.parametrize("candidate", CANDIDATES)
    def test_one_case_and_many_give_the_same_bits(self, candidate: str, tmp_path: Path) -> None:
        """Also from a copy that was saved and loaded."""
        cases = some_cases()
        model = fitted(cases, candidate)
        model.save(tmp_path)
        whole = CaseModel.load(tmp_path).predict(cases.table)
        assert whole.tobytes() == model.predict(cases.table).tobytes()
        assert [model.predict(cases.table.slice(i, 1))[0] for i in range(40)] == whole[:40].tolist()

    @pytest.mark.parametrize("candidate", CANDIDATES)
    def test_explanations_add_up(self, candidate: str) -> None:
        """What the columns add and the base are the log-odds, to 1e-9."""
        cases = some_cases()
        model = fitted(cases, candidate)
        base, contributions = model.explain(cases.table)
        assert np.abs(base + contributions.sum(axis=1) - model.log_odds(cases.table)).max() < 1e-9
        for case in model.reasons(cases.table, 2)[:20]:
            sizes = [abs(size) for _, _, size in case]
            assert len(case) <= 2 and sizes == sorted(sizes, reverse=True)

    def test_what_was_never_seen_is_answered(self) -> None:
        """A level never seen, numbers beyond all others, and a case of which nothing is known have a probability."""
        model = fitted(some_cases())
        strange = pa.table({
            "income": pa.array([1e12, -1e12, None]),
            "region": pa.array(["mars", "north", None], pa.string()),
            "member": pa.array([True, None, None]),
        })  # fmt: skip
        p = model.predict(strange)
        assert ((p > 0) & (p < 1)).all()
        codes = model.encoder.matrix(strange)[:, 1]
        assert codes[0] == OTHER and codes[2] == MISSING

    def test_rare_levels_are_one_with_those_never_seen(self) -> None:
        """So that the answer for a new level is learnt from cases."""
        table = pa.table({"region": ["north"] * 50 + ["south"] * 50 + ["east"] * 3})
        encoder = fit_encoder(table, {"region": "category"}, 20)
        assert encoder.levels == {"region": ("north", "south")}
        codes = encoder.matrix(pa.table({"region": ["east", "mars"]}))[:, 0]
        assert (codes == OTHER).all()

    def test_null_where_no_training_case_had_one_is_the_usual_value(self) -> None:
        """And not zero, which is what LightGBM would take it for."""
        encoder = fit_encoder(pa.table({"income": [10.0, 20.0, 40.0]}), {"income": "number"}, 20)
        assert encoder.matrix(pa.table({"income": pa.array([None, float("nan")], pa.float64())})).tolist() == [
            [20.0],
            [20.0],
        ]

    def test_a_table_that_does_not_fit_is_refused(self) -> None:
        """A column that is missing, or of another type, is named."""
        cases = some_cases()
        model = fitted(cases)
        with pytest.raises(InputError, match="income"):
            model.predict(cases.table.drop(["income"]))
        with pytest.raises(InputError, match="category"):
            model.predict(cases.table.set_column(1, "region", cases.table["income"]))


class TestTablesThatTeachLittle:
    """What is lacking is said, in numbers."""

    def test_thirty_cases(self) -> None:
        """Too few to learn from."""
        cases = some_cases(30)
        assert "at least 50 of each" in what_is_missing(cases, plan(cases, False, settings()), settings())

    def test_one_answer(self) -> None:
        """Where all answer no there is nothing to tell apart."""
        cases = some_cases().with_label(np.zeros(600))
        assert "0 cases answer yes and 600 no" in what_is_missing(cases, plan(cases, False, settings()), settings())

    def test_one_answer_in_a_part_of_the_time(self) -> None:
        """Both answers are there, but not among the cases of each cut."""
        cases = some_cases().with_label((np.arange(600) >= 500).astype(float))
        assert "0 answer yes" in what_is_missing(cases, plan(cases, True, settings()), settings())

    def test_columns_that_say_nothing_are_named(self, tmp_path: Path, pseudonyms: Pseudonyms) -> None:
        """A constant column and an empty one are left out; when no other is there, that is the reason."""
        workspace = _taken_in(tmp_path, pseudonyms, lambda i: (i % 3 * 4 + i % 7, "same", ""))
        question = question_of(_source())
        assert question is not None
        found = learn(workspace, question, settings())
        assert isinstance(found, Learnt)
        assert set(found.question.left_out) == {"same", "nothing"} and found.model.encoder.names == ("amount",)
        assert (workspace.training / MODEL / "manifest.json").is_file()
        workspace = _taken_in(tmp_path / "again", pseudonyms, lambda i: (1, "same", ""))
        assert str(learn(workspace, question, settings())).startswith("no column is left to learn from: amount")

    @pytest.mark.parametrize("income", [[1.0] * 200, [None] * 200])
    def test_a_column_may_say_nothing_for_a_while(self, income: list[float | None]) -> None:
        """Constant, empty or of rare levels among the training cases of a cut: each candidate is the base rate."""
        table = pa.table({"income": pa.array(income, pa.float64()), "region": [str(i) for i in range(200)]})
        label = (np.arange(200) % 4 == 0).astype(float)
        for kinds in ({"income": "number"}, {"region": "category"}):
            encoder = fit_encoder(table, kinds, 20)
            matrix = encoder.matrix(table)
            for part in fit_parts(FIT, encoder, matrix, label, settings()).values():
                assert np.allclose(part.log_odds(matrix), np.log(1 / 3))
                assert np.allclose(part.contributions(matrix)[:, :-1], 0)

    def test_open_cases_are_neither_learnt_from_nor_judged(self, tmp_path: Path, pseudonyms: Pseudonyms) -> None:
        """A case whose outcome is not known yet is counted, and stays out."""
        workspace = _taken_in(tmp_path, pseudonyms, lambda i: (i * 7 % 40, "a" if i % 3 else "b", ""), open_from=280)
        question = question_of(_source())
        assert question is not None
        cases = read_cases(workspace, question)
        assert (len(cases), cases.open) == (280, 20)


def test_lift_of_a_resample_is_that_of_its_weights() -> None:
    """The vectorised lift equals the plain metric in every resample, ties included."""
    rng = np.random.default_rng(0)
    y, score = (rng.random(300) < 0.3).astype(float), rng.integers(0, 12, 300).astype(float)
    resampled = Resampled.of(np.zeros(300, int), np.arange(300), y, {"score": score}, 150, 4)
    weights = resampled.weights(0, 150)
    plain = [lift_top_tenth(y, score, weight.astype(float)) for weight in weights]
    assert np.allclose(resampled.draws("lift_top_tenth", "score"), plain, atol=1e-12)


def test_the_same_cases_give_the_same_bytes(tmp_path: Path) -> None:
    """Fitting twice writes the same files."""
    texts = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        fitted(some_cases()).save(tmp_path / name)
        texts.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert texts[0] == texts[1] and set(texts[0]) == {"model.json", "lightgbm.txt", "logistic.json"}


def _source() -> TableSource:
    return TableSource.model_validate_json(json.dumps({
        "kind": "table",
        "name": "little",
        "title": "Little",
        "files": ["little.csv"],
        "label": {"column": "bad", "positive": ["1"], "negative": ["0"], "name": "bad", "question": "Bad?"},
        "columns": {
            "amount": {"column": "amount", "family": "value", "type": "number", "unit": "1", "doc": "Amount."},
            "same": {"column": "same", "family": "social", "type": "category", "doc": "A word."},
            "nothing": {"column": "nothing", "family": "value", "type": "number", "unit": "1", "doc": "Empty."},
        },
    }))  # fmt: skip


def _taken_in(
    home: Path, pseudonyms: Pseudonyms, row: Callable[[int], tuple[Any, ...]], open_from: int = 300
) -> Workspace:
    """The workspace of 300 cases, every third bad; from `open_from` on the outcome is not known."""
    home.mkdir(exist_ok=True)
    lines = ["bad,amount,same,nothing"]
    lines += [f"{'' if i >= open_from else int(i % 3 == 0)},{','.join(map(str, row(i)))}" for i in range(300)]
    (home / "little.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    workspace = Workspace(home / "workspace")
    ingest_cases(_source(), home, workspace, pseudonyms)
    return workspace
