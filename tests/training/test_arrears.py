"""Arrears on real invoices: what was known then, judged in time, no worse than the customer's own history."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from classification.credit.advice import advice_of
from features.attributes import attribute_table
from features.company import Company
from features.tables.cases import CASES
from features.tables.ingest import ingest
from features.tables.privacy import Pseudonyms
from features.tables.sources import load_source
from features.workspace import Workspace, part_files, read_json
from serving.cli import app
from tests.conftest import real_data
from training.arrears.fit import fetch, question, train
from training.arrears.invoice_cases import TRENDS, columns, write_cases
from training.arrears.settings import load_arrears
from training.cases import card
from training.cases.history import OWN_HISTORY, own_history
from training.cases.learn import Learnt
from training.cases.plan import plan
from training.cases.settings import load_case_settings
from training.cases.table import read_cases

pytestmark = pytest.mark.real

SOURCE = "accounts-receivable"
END = date(2014, 1, 10)
ASKED = question(SOURCE, "Invoices", 0)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, pseudonyms: Pseudonyms) -> Workspace:
    """The accounts-receivable set, ingested. Tests leave its tables as they are."""
    raw = real_data("accounts_receivable/WA_Fn-UseC_-Accounts-Receivable.csv.gz")
    workspace = Workspace(tmp_path_factory.mktemp("receivable"))
    ingest(load_source(SOURCE), raw, workspace, pseudonyms)
    return workspace


@pytest.fixture(scope="module")
def company(home: Workspace) -> Company:
    return Company.from_json(read_json(home.tables / "report.json")["company"])


@pytest.fixture(scope="module")
def learnt(home: Workspace, company: Company) -> Learnt:
    """Late or not, of the last quarter."""
    found = train(home, ASKED, company, END, load_arrears(late_days=0), load_case_settings())
    assert isinstance(found, Learnt)
    return found


def test_accounts_receivable_is_ranked_as_promised(learnt: Learnt) -> None:
    """AUC of at least .86 on the last 25 % in time, and nothing significantly above it, the own history included."""
    judged = learnt.judgement
    assert judged.cases == round(2466 * 0.25) and judged.prefix == "test"
    assert judged.metrics[judged.chosen]["auc"].value >= 0.86
    assert OWN_HISTORY in judged.metrics and judged.chosen != OWN_HISTORY and judged.differences["auc"].high >= 0
    assert judged.metrics[judged.chosen]["ece"].value <= load_arrears().ece


def test_a_card_says_where_the_evidence_is_simulated(learnt: Learnt) -> None:
    """As the source file of these invoices does; one of a real company says nothing of it."""
    assert load_source(SOURCE).simulated and not learnt.question.simulated
    said = replace(learnt, question=replace(learnt.question, simulated=True))
    for page in (card.card, card.summary):
        assert card.SIMULATED in page(said) and card.SIMULATED not in page(learnt)


def test_disputes_and_outcomes_are_not_used(learnt: Learnt) -> None:
    """No column of the file but days and amount went in: whether an invoice is disputed is known later."""
    assert set(learnt.question.columns) <= {*TRENDS, "amount", "usual", "terms"}


def test_invoices_of_later_change_no_case(home: Workspace, company: Company, tmp_path: Path) -> None:
    """Cases of 2012 with their labels are the same when everything from 2013-04 on is missing."""
    edge = date(2013, 4, 1)
    write_cases(home, company, END, 0)
    whole = pq.read_table(home.arrears.tables / CASES)
    cut = Workspace(tmp_path)
    (cut.tables / "events.parquet").mkdir(parents=True)
    for part in part_files(home.tables / "events.parquet"):
        events = pq.read_table(part)
        pq.write_table(events.filter(pc.less(events["day"], edge)), cut.tables / "events.parquet" / part.name)
    customers = pq.read_table(home.tables / "customers.parquet")
    pq.write_table(customers, cut.tables / "customers.parquet")
    write_cases(cut, company, edge, 0)
    known = pq.read_table(cut.arrears.tables / CASES)
    then = whole.filter(pc.less_equal(whole["known_on"], edge - timedelta(1)))
    early = known.filter(pc.less_equal(known["known_on"], edge - timedelta(1)))
    named = ["customer_id", "label", "asked_on", "known_on", *columns()]
    assert len(early) > 800 and early.select(named).equals(then.select(named))


def test_no_invoice_teaches_before_it_is_decided(home: Workspace, company: Company) -> None:
    """Every training invoice of a cut fell due before the first invoice of its test was written; some that were
    written before were left out for that."""
    write_cases(home, company, END, 0)
    cases = read_cases(home.arrears, ASKED)
    cuts = plan(cases, True, load_case_settings().model_copy(update={"last": 0.25}))
    assert cases.asked is not None and cases.known is not None
    for cut in (*cuts.choose, *cuts.judge):
        first = cases.asked[cut.test].min()
        assert (cases.known[cut.train] <= first).all()
        assert (cases.asked[: cut.test[0]] < first).sum() > len(cut.train)


def test_own_history_ranks_by_the_share_so_far() -> None:
    """Its order is that of the share; who has none gets the rate of those without one; it is calibrated."""
    rng = np.random.default_rng(5)
    share = np.where(rng.random(4_000) < 0.2, np.nan, rng.random(4_000))
    label = (rng.random(4_000) < np.where(np.isnan(share), 0.6, 0.8 * np.nan_to_num(share))).astype(float)
    found = own_history(share, label, share)
    known = ~np.isnan(share)
    within = known & (np.abs(share - 0.5) < 0.49)
    assert roc_auc_score(label[within], found[within]) == roc_auc_score(label[within], share[within])
    assert found[~known] == pytest.approx(label[~known].mean())
    assert found[known].mean() == pytest.approx(label[known].mean(), abs=0.01)
    assert own_history(share[~known], label[~known], share[:5]) == pytest.approx(label[~known].mean())


def test_a22_the_commands_from_invoices_to_advice(home: Workspace, tmp_path: Path) -> None:
    """Trained and live, listed, reported, graded; whose points add up; none of it refuses anybody."""
    run, where = CliRunner(), ["--source", SOURCE, "--home", str(home.home)]
    listed = tmp_path / "list.csv"
    said = [
        run.invoke(app, ["arrears", *command, *where], catch_exceptions=False)
        for command in (
            ["train", "--late-days", "0"],
            ["list", "--on", "2013-10-15", "--csv", str(listed)],
            ["report", "--on", "2013-10-15"],
            ["grade", "--on", "2013-10-15"],
        )
    ]
    assert [each.exit_code for each in said] == [0, 0, 0, 0], said
    assert "is live" in said[0].output and "own_history" in said[0].output
    rows = pd.read_csv(listed)  # all of this company are paid within 45 days, so that none is expected to be lost
    assert (
        (rows["expected_loss"] == 0).all() and rows["open"].is_monotonic_decreasing and rows["probability"].max() > 0.8
    )
    assert listed.stat().st_mode & 0o777 == 0o600
    assert "not due" in said[2].output and "dso" in said[2].output and "a person decides" in said[2].output
    graded = pq.read_table(home.arrears.grades / "2013-10-15" / "credit.parquet")
    assert len(graded) == 100 and set(graded["grade"].to_pylist()) <= set("ABCDE")
    who = graded["customer_id"][0].as_py()
    advised = advice_of(home, who)
    model = fetch(SOURCE)
    assert advised and model and advised["version"] == model.version and advised["advice"]
    day = date(2013, 10, 15)
    known = attribute_table(home.tables, [day - timedelta(1), day, day + timedelta(30)])
    grades = known.filter(pc.equal(known["attribute"], "credit_grade"))
    assert sorted(set(grades["as_of"].to_pylist())) == [day, day + timedelta(30)] and len(grades) == 200
    order = np.argsort(graded["score"].to_numpy())
    assert graded["grade"].to_pylist()[order[0]] >= graded["grade"].to_pylist()[order[-1]]
    assert not any(word in " ".join(load_arrears().advice.values()) for word in ("refuse", "reject", "deny"))
