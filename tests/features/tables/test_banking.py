"""The sample company's payment accounts: exact accounting, and launderers who look like their typology beside innocents
who look like it, too."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from features.batch import feature_table
from features.catalogue.discipline import DISCIPLINE
from features.catalogue.risk import RISK
from features.tables.ingest import ingest
from features.tables.privacy import Pseudonyms
from features.tables.simulate import simulate
from features.tables.sources import load_source
from features.tables.sql import parquet
from features.tables.typologies import TYPOLOGIES
from features.workspace import Workspace

KEY = Pseudonyms(b"0123456789abcdef" * 2)
DAY = pd.Timedelta(days=1)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The raw tables of the sample company with 2,000 customers."""
    folder = tmp_path_factory.mktemp("banking") / "raw"
    simulate(folder, 2_000)
    return folder


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The sample company with 400 customers, ingested."""
    workspace = Workspace(tmp_path_factory.mktemp("accounts"))
    simulate(workspace.simulated, 400)
    ingest(load_source("sample"), workspace.simulated, workspace, KEY)
    return workspace


def read(folder: Path, table: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"{table}.csv", dtype=str, keep_default_na=False)


def transfers_of(folder: Path) -> pd.DataFrame:
    """The transfers; payer and payee are customers, partners outside, or empty for cash."""
    found = read(folder, "transfers").astype({"amount": float})
    found["payer"] = found["from_no"].mask(found["from_no"] == "", found["partner"])
    found["payee"] = found["to_no"].mask(found["to_no"] == "", found["partner"])
    return found.assign(at=pd.to_datetime(found["booked_at"]), day=found["booked_at"].str[:10])


@pytest.fixture(scope="module")
def transfers(raw: Path) -> pd.DataFrame:
    return transfers_of(raw)


@pytest.fixture(scope="module")
def launderers(raw: Path) -> pd.DataFrame:
    return read(raw, "truth/launderers")


@pytest.fixture(scope="module")
def episodes(transfers: pd.DataFrame, launderers: pd.DataFrame) -> Callable[[str], Iterator[Episode]]:
    """Of a typology, each principal with the transfers of its account while the episode lasted."""

    def of(typology: str) -> Iterator[Episode]:
        for _, row in launderers.query("typology == @typology and role == 'principal'").iterrows():
            who, when = row["customer_no"], transfers["day"].between(row["first_on"], row["last_on"])
            yield who, row, transfers[when & ((transfers["payer"] == who) | (transfers["payee"] == who))]

    return of


Episode = tuple[str, "pd.Series[str]", pd.DataFrame]


def test_every_line_is_accounted_for_and_each_side_has_its_event(company: Workspace) -> None:
    """Between customers one transfer_out and one transfer_in, each with the other as partner; nothing is lost."""
    lines = transfers_of(company.simulated)
    counts = {each["table"]: each for each in json.loads((company.tables / "report.json").read_text())["tables"]}
    inside, gone, came = (
        (lines["from_no"] != "") & (lines["to_no"] != ""),
        lines["to_no"] == "",
        lines["from_no"] == "",
    )
    for table, wanted in (("transfers", inside), ("transfers-out", gone), ("transfers-in", came)):
        assert counts[table]["read"] == len(lines) and not counts[table].get("quarantined")
        assert counts[table]["accepted"] == wanted.sum() > 0
        assert sum(counts[table]["dropped"].values()) == len(lines) - wanted.sum()
    for table in ("invoices", "payments", "compliance"):
        assert counts[table]["read"] == counts[table]["accepted"] > 0, table
    events = duckdb.sql(f"FROM {parquet(company.tables / 'events.parquet')} WHERE kind LIKE 'transfer%'").df()
    said = lines.set_index("transfer_no")
    for kind, own, other, numbers in (("transfer_out", "from_no", "payee", said[~came.to_numpy()]),
                                      ("transfer_in", "to_no", "payer", said[~gone.to_numpy()])):  # fmt: skip
        found = events[events["kind"] == kind]
        found = found.assign(number=found["event_id"].str.removesuffix("/in")).set_index("number")
        assert found.index.is_unique and set(found.index) == set(numbers.index)
        wanted = numbers.loc[found.index]
        assert (found["customer_id"] == wanted[own].map(KEY.of)).all()
        partner = wanted[other].map(lambda who: KEY.of(who) if who else None)
        assert (found["counterparty"].fillna("") == partner.fillna("")).all()
        assert (found["amount"] == (wanted["amount"] * 100).round()).all()


def test_no_partner_outside_becomes_a_customer(company: Workspace) -> None:
    """Whoever has an event or an attribute is in the company's own table."""
    numbers = {KEY.of(number) for number in read(company.simulated, "customers")["customer_no"]}
    for table in ("events", "customers"):
        found = duckdb.sql(f"SELECT DISTINCT customer_id FROM {parquet(company.tables / f'{table}.parquet')}").df()
        assert set(found["customer_id"]) <= numbers


def test_discipline_and_risk_have_values(company: Workspace) -> None:
    """No feature of payments or transfers is null for everybody, and none is the same for all who have one."""
    from datetime import date

    table = feature_table(company.tables, load_source("sample").company(), (*DISCIPLINE, *RISK), [date(2026, 11, 1)])
    found = table.to_pandas()
    for feature in (*DISCIPLINE, *RISK):
        assert found[feature.name].nunique() > 1, feature.name


def test_a_third_of_the_customers_has_an_account_and_firms_more_often(raw: Path, transfers: pd.DataFrame) -> None:
    """And the ledger is of a size that is quickly read."""
    people = read(raw, "customers")
    first = people[: len(people) - len(read(raw, "truth/same_customer"))]
    has = first["customer_no"].isin({*transfers["from_no"], *transfers["to_no"]})
    assert 0.3 < has.mean() < 0.4 and has[first["type"] == "business"].mean() > 1.5 * has.mean()
    assert 40_000 < len(transfers) < 60_000


def test_a_transfer_has_two_sides(transfers: pd.DataFrame) -> None:
    """One of them at least is a customer's; only cash has none but it; nobody pays itself."""
    own = transfers[["from_no", "to_no"]].ne("").sum(axis=1)
    assert own.between(1, 2).all() and (transfers["amount"] > 0).all()
    assert ((transfers["payer"] == "") | (transfers["payee"] == "")).equals(transfers["channel"] == "cash")
    assert (transfers["payer"] != transfers["payee"]).all()
    assert ((transfers["partner"] != "") == ((own == 1) & (transfers["channel"] != "cash"))).all()
    assert transfers["partner"].str.fullmatch(r"(X\d+)?").all() and (transfers["country"][own == 2] == "DE").all()


@pytest.mark.parametrize("customers", [60, 150, 600])
def test_a_small_company_has_few_launderers(tmp_path: Path, customers: int) -> None:
    """At most 1.5 % of all customers are principals, and a company too small for one has none."""
    simulate(tmp_path / "raw", customers)
    planted = read(tmp_path / "raw", "truth/launderers").query("role == 'principal'")
    assert len(planted) == int(0.012 * customers) <= 0.015 * customers


def test_launderers_are_few_of_every_kind_and_mostly_recent(raw: Path, launderers: pd.DataFrame) -> None:
    """Nobody launders twice; all within the last year, most overlap its last half."""
    principals = launderers.query("role == 'principal'")
    assert len(principals) == 24 <= 0.015 * 2_000 and launderers["customer_no"].is_unique
    assert set(principals["typology"]) == {typology.name for typology in TYPOLOGIES}
    assert set(launderers["stage"]) == {"placement", "layering", "integration"}
    assert (launderers["first_on"] >= "2025-11-01").all() and (launderers["last_on"] <= "2026-10-31").all()
    assert (principals["last_on"] >= "2026-05-05").mean() > 0.6
    assert set(launderers["customer_no"]) <= set(read(raw, "customers")["customer_no"])


def test_fan_in_many_pay_one(episodes: Callable[[str], Iterator[Episode]]) -> None:
    """At least a dozen partners pay in small sums, and one partner gets most of it."""
    for who, _, moves in episodes("fan-in"):
        came, went = moves[moves["payee"] == who], moves[moves["payer"] == who]
        assert came["payer"].nunique() >= 12 and came["amount"].median() < 4_000
        assert went.groupby("payee")["amount"].sum().max() > 0.6 * came["amount"].sum()


def test_fan_out_one_pays_many(episodes: Callable[[str], Iterator[Episode]]) -> None:
    """Large sums from two partners go out in small ones to at least a dozen."""
    for who, _, moves in episodes("fan-out"):
        came, went = moves[moves["payee"] == who], moves[moves["payer"] == who]
        assert went["payee"].nunique() >= 12 and went["amount"].median() < 4_300
        assert came["amount"].max() > 3 * went["amount"].median()


def test_cycle_comes_back_a_little_smaller(
    episodes: Callable[[str], Iterator[Episode]], transfers: pd.DataFrame, launderers: pd.DataFrame
) -> None:
    """Three to six customers' accounts, within 30 days, more than once round."""
    helpers = launderers.query("typology == 'cycle' and role == 'helper'")
    for who, row, moves in episodes("cycle"):
        ring = {who, *helpers[helpers["first_on"] == row["first_on"]]["customer_no"]}
        among = transfers[transfers["payer"].isin(ring) & transfers["payee"].isin(ring)
                          & transfers["day"].between(row["first_on"], row["last_on"])]  # fmt: skip
        large = among[among["amount"] > 4_000]
        assert 3 <= len(ring) <= 6 and len(large) >= 2 * len(ring)
        assert pd.Timestamp(row["last_on"]) - pd.Timestamp(row["first_on"]) <= 30 * DAY
        steps = large.sort_values("at")
        assert (steps["payee"].to_numpy()[:-1] == steps["payer"].to_numpy()[1:]).all() and steps["payer"].iloc[0] == who
        assert (steps["amount"].diff().dropna() < 0).all() and steps["payee"].iloc[-1] == who
        assert len(moves)


def test_pass_through_leaves_within_days(episodes: Callable[[str], Iterator[Episode]]) -> None:
    """What goes out is nearly what comes in, from and to partners outside."""
    for who, _, moves in episodes("pass-through"):
        large = moves[(moves["amount"] > 3_000) & (moves["partner"] != "")]
        came, went = (large[large[side] == who].sort_values("at") for side in ("payee", "payer"))
        assert min(len(came), len(went)) >= 7
        assert 0.8 < went["amount"].sum() / came["amount"].sum() < 1.1
        back = pd.merge_asof(came[["at"]], went[["at"]].assign(left=went["at"]), on="at", direction="forward")
        assert (back["left"] - back["at"] <= 3 * DAY).mean() > 0.8


def test_structuring_stays_just_below_the_threshold(episodes: Callable[[str], Iterator[Episode]]) -> None:
    """At least nine times cash of 9,000 to 10,000 EUR, and most of it goes on."""
    for who, _, moves in episodes("structuring"):
        cash = moves[(moves["payee"] == who) & (moves["channel"] == "cash") & (moves["amount"] >= 9_000)]
        assert len(cash) >= 9 and (cash["amount"] < 10_000).all()
        assert moves[moves["payer"] == who]["amount"].sum() > 0.8 * cash["amount"].sum()


def test_rapid_movement_is_gone_within_hours(episodes: Callable[[str], Iterator[Episode]]) -> None:
    """Large sums leave in parts before eight hours have passed."""
    for who, _, moves in episodes("rapid movement"):
        bursts = moves[(moves["payee"] == who) & (moves["amount"] > 7_500) & (moves["partner"] != "")]
        out = moves[moves["payer"] == who]
        gone = [
            out[out["at"].between(at, at + pd.Timedelta(hours=8.1))]["amount"].sum() / amount
            for at, amount in zip(bursts["at"], bursts["amount"], strict=True)
        ]
        assert len(gone) >= 5 and sum(share > 0.9 for share in gone) >= 5


def test_round_trip_goes_abroad_and_comes_back(episodes: Callable[[str], Iterator[Episode]]) -> None:
    """At least two large sums go to partners abroad, and about as much comes back from the same."""
    for who, _, moves in episodes("round trip"):
        abroad = moves[(moves["country"] != "DE") & (moves["amount"] > 10_000)]
        went, came = (abroad[abroad[side] == who] for side in ("payer", "payee"))
        assert len(went) >= 2 and set(went["payee"]) == set(came["payer"])
        assert 0.9 < came["amount"].sum() / went["amount"].sum() < 1.1


def test_dormant_accounts_are_silent_for_half_a_year(
    episodes: Callable[[str], Iterator[Episode]], transfers: pd.DataFrame
) -> None:
    """Nothing in or out for 180 days, then large sums."""
    for who, row, moves in episodes("dormant then active"):
        day = pd.to_datetime(transfers["day"])
        first = pd.Timestamp(row["first_on"])
        before = transfers[day.between(first - 180 * DAY, first - DAY)]
        assert who not in {*before["payer"], *before["payee"]}
        came = moves[moves["payee"] == who]
        assert (came["amount"] > 3_900).sum() >= 6


def test_innocents_look_like_launderers_too(transfers: pd.DataFrame, launderers: pd.DataFrame) -> None:
    """Of those who launder nothing some have many payers, cash just below the threshold, trade that goes both ways."""
    guilty = set(launderers["customer_no"])
    clean = transfers[~transfers["payer"].isin(guilty) & ~transfers["payee"].isin(guilty)]
    month = clean["day"].str[:7]
    payers = clean[clean["payer"] != ""].groupby([clean["to_no"], month])["payer"].nunique()
    assert (payers.drop("", level=0) >= 10).groupby(level=0).any().sum() >= 10
    below = clean[(clean["channel"] == "cash") & clean["amount"].between(9_000, 9_999.99) & (clean["to_no"] != "")]
    assert (below.groupby("to_no").size() >= 5).sum() >= 3
    pairs = {(a, b) for a, b in zip(clean["from_no"], clean["to_no"], strict=True) if a and b}
    assert sum((b, a) in pairs for a, b in pairs) >= 20


def test_reports_follow_episodes_and_some_are_of_innocents(raw: Path, launderers: pd.DataFrame) -> None:
    """Only a part of the launderers is noted, after the deed; whoever is on a list by its name is mostly innocent."""
    noted = read(raw, "compliance")
    assert set(noted["what"]) == {"list_hit", "suspicious_report", "due_diligence_refused"}
    last = launderers.query("role == 'principal'").set_index("customer_no")["last_on"]
    reported = noted[(noted["what"] == "suspicious_report")]
    guilty = reported[reported["customer_no"].isin(last.index)]
    assert 0 < guilty["customer_no"].nunique() < len(last) and len(reported) > len(guilty)
    after = pd.to_datetime(guilty["noted_at"]) - pd.to_datetime(guilty["customer_no"].map(last))
    assert (after > 10 * DAY).mean() > 0.7
    hits = noted[noted["what"] == "list_hit"]
    assert len(hits) and (~hits["customer_no"].isin(launderers["customer_no"])).mean() > 0.5


def test_profiles_say_what_a_start_of_business_asks(raw: Path) -> None:
    """The same under a second number; legal form and owners of firms only; launderers are a little riskier."""
    people = read(raw, "customers").set_index("customer_no")
    asked = ["country", "onboarding", "id_document", "ownership_layers", "pep", "cash_share", "assets", "legal_form"]
    assert list(people)[-8:] == asked
    same = read(raw, "truth/same_customer")
    assert (people.loc[same["customer_no"], asked].to_numpy() == people.loc[same["same_as"], asked].to_numpy()).all()
    firms = people["type"] == "business"
    for column in ("ownership_layers", "legal_form"):
        assert (people[column] != "").equals(firms)
    assert set(people["ownership_layers"]) == {"", *"01234"} and set(people["pep"]) == {"yes", "no"}
    named = people[firms & people["name"].str.endswith(" GmbH")]
    assert len(named) > 50 and set(named["legal_form"]) == {"GmbH"}
    high = (people["cash_share"] == "high").groupby(people["industry"]).mean()
    assert high[["retail", "hospitality"]].min() > 3 * high.drop(["retail", "hospitality"]).max()
    assert (people["pep"] == "yes").mean() < 0.01 and (people["country"] == "DE").mean() > 0.9
