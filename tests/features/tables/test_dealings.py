"""The sample company's dealings with its customers: what is in them, and that the other tables do not notice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from features.batch import feature_table
from features.catalogue import CATALOGUE
from features.tables import simulate as simulator
from features.tables.dealings import OUTCOMES, REASONS
from features.tables.events import CONFIDENTIAL_KINDS
from features.tables.ingest import ingest
from features.tables.privacy import Pseudonyms
from features.tables.simulate import simulate
from features.tables.sources import load_source
from features.tables.sql import parquet
from features.workspace import Workspace

TABLES = ("quotes", "complaints", "service_requests", "surveys", "campaigns", "entries", "service_costs")
KINDS = {
    "quote", "complaint", "complaint_closed", "service_request", "survey", "campaign", "campaign_response", "refusal",
    "service_cost", "contact", "contact_changed",
}  # fmt: skip
OTHERS = {
    "purchase", "return", "visit", "invoice_due", "payment", "transfer_in", "transfer_out", *CONFIDENTIAL_KINDS
}  # fmt: skip
BANKED = ("invoices", "payments", "transfers", "compliance", "payers", "launderers")
BEFORE = {
    "customers": "7c5d342f5924c111e0a44d8fe9213a305fc9752fcb9f255f0c4ae906f04ce9d5",
    "items": "9790a9bd39eab3f5c21945774e640b56a526fb27717111f23061f1c578ced70b",
    "orders": "2cd00eac6c5b069af14258a5311b060bef2ef9a102b1bf5bf35e19cd8cb4d212",
    "returns": "1583b1076127b086481abff3a5b913e57ade6d49ac9e254524c1e6f4f594b1c8",
    "visits": "f2fd7aeca317dcd1a32bc962425f401325df871711f9bc4ca9330deab0d03d2b",
    "same_customer": "d3dc70dcd6ad3d990871b01b2b0c5c4859aa3bd6e1be3f6e55b1099dd5bbe4f4",
    "breaks": "4a63335c83efcdb07a86ffedcccb566497faec4011caf1ee46e4a5fc33ed7d55",
}
"""SHA-256 of the tables of 60 customers as they were before there were dealings; of customers the columns of then."""

DEALT = {
    "quotes": "03ce8c4bce07386931cb1b678d6c67fcb997905709a0ec7a4dfa2866f8e0563e",
    "complaints": "06df5d1300d5ae2341848b22651bf54a7211fab09cf98a9d23af9e51ead9be2d",
    "service_requests": "bb2814ab778174e9b3bc9c49e15e32c3f4f77f3032beced59757d5d35289c297",
    "surveys": "ff6d6245fcdc6bdf275f454b01d659dd289d19c85a648a4abbf8fcdf9757c2d7",
    "campaigns": "309af780b9f3e31d4f89f6af4b6391b58e9ea444b0f2ec5fdea8e759beb39537",
    "entries": "8cd3e3fa09daa1152c3b7e7a6dde56763bee135e27d163512c583c5dc7c7d072",
    "service_costs": "b95a637dd94930c20e96ab6fcc5f931dd2f59861a29def8cb37ee65923f74e4d",
}
"""The same of the dealings, as they were before there were invoices and payment accounts."""

FIRST_COLUMNS = 15
"""Columns of customers.csv before it said what is asked of who opens a payment account."""


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The sample company with 400 customers, ingested; its raw tables are in `simulated`."""
    workspace = Workspace(tmp_path_factory.mktemp("dealings"))
    simulate(workspace.simulated, 400)
    ingest(load_source("sample"), workspace.simulated, workspace, Pseudonyms(b"0123456789abcdef" * 2))
    return workspace


@pytest.fixture(scope="module")
def events(company: Workspace) -> Callable[[str], pd.DataFrame]:
    """The events that a condition describes, in order of time."""
    table = parquet(company.tables / "events.parquet")
    return lambda condition: duckdb.sql(f"FROM {table} WHERE {condition} ORDER BY ts, customer_id").df()


def raw(folder: Path, table: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"{table}.csv", dtype=str, keep_default_na=False)


def digests(folder: Path) -> dict[str, str]:
    """Table → SHA-256 of its bytes, those of customers with FIRST_COLUMNS alone."""
    written = {path.stem: path.read_bytes() for path in folder.rglob("*.csv")}
    first = raw(folder, "customers").iloc[:, :FIRST_COLUMNS]
    written["customers"] = first.to_csv(index=False, lineterminator="\n").encode()
    return {table: hashlib.sha256(content).hexdigest() for table, content in written.items()}


def test_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    """And another seed gives other dealings."""
    for name, seed in (("one", 7), ("two", 7), ("other", 8)):
        simulate(tmp_path / name, 60, seed)
    one, two, other = (digests(tmp_path / name) for name in ("one", "two", "other"))
    assert one == two and {*TABLES, *BANKED} < set(one)
    assert all(one[table] != other[table] for table in (*TABLES, "invoices", "payments", "transfers", "payers"))
    assert (tmp_path / "one" / "customers.csv").read_bytes() == (tmp_path / "two" / "customers.csv").read_bytes()


def test_the_other_tables_are_what_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders, returns, visits and the rest are byte for byte those of a company without dealings, and these are those
    of a company without invoices and payment accounts."""
    simulate(tmp_path / "with", 60)
    monkeypatch.setattr(simulator, "dealings", lambda *_: {})
    simulate(tmp_path / "without", 60)
    found, bare = digests(tmp_path / "with"), digests(tmp_path / "without")
    assert bare == {table: digest for table, digest in found.items() if table not in TABLES}
    assert bare == bare | BEFORE and found == found | DEALT
    assert set(found) == {*BEFORE, *DEALT, *BANKED}


def test_every_line_of_every_kind_is_taken_in(company: Workspace, events: Callable[[str], pd.DataFrame]) -> None:
    """Nothing in quarantine, nothing dropped but complaints still open and mailings without an answer."""
    counts = {each["table"]: each for each in json.loads((company.tables / "report.json").read_text())["tables"]}
    dropped = {"complaints-closed": {"open"}, "campaigns-answered": {"unanswered"}}
    for table in (*TABLES, *dropped):
        assert counts[table]["read"] and not counts[table].get("quarantined"), table
        assert set(counts[table].get("dropped", ())) == dropped.get(table, set()), table
    assert set(events("true")["kind"]) == KINDS | OTHERS


def test_the_dealings_do_not_outnumber_the_rest(company: Workspace, events: Callable[[str], pd.DataFrame]) -> None:
    """The sample company stays quick to work on."""
    kinds = events("true")["kind"]
    assert kinds.isin(KINDS).sum() < kinds.isin({"purchase", "return", "visit"}).sum()


def test_complaints_are_closed_after_they_are_made_and_some_are_open(events: Callable[[str], pd.DataFrame]) -> None:
    """A closing names its complaint, by the same customer, once."""
    made, closed = (events(f"kind = '{kind}'") for kind in ("complaint", "complaint_closed"))
    pairs = made.merge(closed, on="ref", suffixes=("", "_closed"), validate="one_to_one")
    assert len(pairs) == len(closed) < len(made)
    assert (pairs["customer_id"] == pairs["customer_id_closed"]).all() and (pairs["ts"] < pairs["ts_closed"]).all()


def test_who_complained_is_less_content(events: Callable[[str], pd.DataFrame]) -> None:
    """Answers run from 1 to 10, and are lower within half a year after a complaint."""
    answers, complaints = events("kind = 'survey'"), events("kind = 'complaint'")
    asked = answers.merge(complaints[["customer_id", "ts"]], on="customer_id", suffixes=("", "_made"))
    sore = asked[(asked["ts"] > asked["ts_made"]) & (asked["ts"] - asked["ts_made"] < pd.Timedelta(days=180))]
    others = answers[~answers["event_id"].isin(sore["event_id"])]
    assert answers["score"].between(1, 10).all() and (answers["score"] % 1 == 0).all()
    assert sore["score"].mean() < others["score"].mean() - 1


def test_serving_costs_some_more_than_they_bring(company: Workspace) -> None:
    """The features of service cost have values, none are null, and below the key customers some bring a loss."""
    found = feature_of(company, "service_cost_365d", "margin_365d", "spend_365d")
    cost, margin, spend = found["service_cost_365d"], found["margin_365d"], found["spend_365d"]
    assert not np.isnan(cost).any() and (cost > 0).mean() > 0.3
    buys = spend > 0
    key = buys & (spend >= np.quantile(spend[buys], 0.95))
    loss = margin < cost
    assert not loss[key].any() and 0.05 < loss[buys & ~key].mean() < 0.5


def test_an_expected_day_is_ahead_and_mostly_missing(events: Callable[[str], pd.DataFrame]) -> None:
    """Only whoever does not buy now names a day; a talk has one of the known outcomes and a way it was held."""
    talks = events("kind = 'contact'")
    named = talks[talks["due_day"].notna()]
    assert 0 < len(named) < len(talks) / 4 and set(named["code"]) == {"not now"}
    assert (named["due_day"] > named["day"]).all()
    assert set(talks["code"]) == set(OUTCOMES)
    assert set(talks["channel"]) == {"representative", "supervisor", "phone"}


def test_who_says_interested_buys_soon_more_often(events: Callable[[str], pd.DataFrame]) -> None:
    """What was said in a talk tells of the orders after it."""
    talks, orders = events("kind = 'contact'"), events("kind = 'purchase'")[["customer_id", "ts"]]
    next_ = pd.merge_asof(talks, orders.rename(columns={"ts": "bought"}), left_on="ts", right_on="bought",
                          by="customer_id", direction="forward")  # fmt: skip
    soon = (next_["bought"] - next_["ts"]) < pd.Timedelta(days=30)
    assert soon[talks["code"] == "interested"].mean() > 2 * soon[talks["code"] == "never"].mean()


def test_refusals_have_a_reason_and_some_a_quote(events: Callable[[str], pd.DataFrame]) -> None:
    """The reasons are of a closed list; a quote that is named is one, by the same customer, made before."""
    refused, quotes = events("kind = 'refusal'"), events("kind = 'quote'")
    assert set(refused["code"]) == set(REASONS)
    of_quote = refused[refused["ref"].notna()]
    pairs = of_quote.merge(quotes, on=["customer_id", "ref"], suffixes=("", "_quoted"), validate="one_to_one")
    assert 0 < len(pairs) == len(of_quote) < len(refused) and (pairs["ts"] > pairs["ts_quoted"]).all()


def test_quotes_and_new_contact_persons_are_for_firms(company: Workspace) -> None:
    """Most quotes, and all changes of the contact person, are of business customers."""
    folder = company.simulated
    firms = set(raw(folder, "customers").query("type == 'business'")["customer_no"])
    assert raw(folder, "quotes")["customer_no"].isin(firms).mean() > 0.7
    moved = raw(folder, "entries").query("type == 'contact_changed'")
    assert len(moved) and set(moved["customer_no"]) <= firms


def test_no_mailing_to_who_refused_it(company: Workspace) -> None:
    """A mailing a month, to part of those who may be sent one; who answers was sent it before."""
    folder = company.simulated
    said_no = set(raw(folder, "customers").query("no_marketing == 'yes'")["customer_no"])
    sent = raw(folder, "campaigns")
    assert said_no and not said_no & set(sent["customer_no"])
    assert sent["campaign"].nunique() == 36
    answered = sent[sent["answered_at"] != ""]
    assert 0 < len(answered) < len(sent) / 5 and (answered["answered_at"] > answered["sent_at"]).all()


def feature_of(company: Workspace, *names: str) -> dict[str, Any]:
    """Features of the base on 2026-11-01, NaN for null."""
    sample = load_source("sample").company()
    table = feature_table(company.tables, sample, CATALOGUE, [date(2026, 11, 1)])
    return {name: table[name].to_numpy() for name in names}
