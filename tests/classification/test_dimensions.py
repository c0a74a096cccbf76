"""What the dimensions of the scheme mean, checked against the records of the customers in each class."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq
import pytest

from classification.scheme import CURRENT, load_scheme
from features.tables.privacy import Pseudonyms
from features.workspace import read_json
from tests.conftest import Ran

SCHEME = load_scheme(CURRENT)


@pytest.fixture(scope="module")
def grades(sample: Ran) -> pd.DataFrame:
    """The sample company, a row per customer, by pseudonym."""
    return pq.read_table(sample.folder / "grades.parquet").to_pandas().set_index("customer_id")


@pytest.fixture(scope="module")
def purchases(sample: Ran, grades: pd.DataFrame) -> pd.DataFrame:
    """Their purchase lines before the date that was graded."""
    events = pq.read_table(sample.workspace.tables / "events.parquet").to_pandas()
    return events[(events["kind"] == "purchase") & (events["day"] < grades["as_of"].iloc[0])]


@pytest.mark.real
def test_a06_large_and_stable_are_independent_flags(online_retail: Ran) -> None:
    """Large: the top fifth by spend per day with a purchase. Stable: the most regular three tenths of those who bought
    often enough. Each combination occurs, and whoever bought twice or less is not known to be stable or not."""
    grades = pq.read_table(online_retail.folder / "grades.parquet").to_pandas()
    known = grades[grades["class_stable"] != "U"]
    assert abs((grades["class_large"] == "Y").mean() - 0.2) < 0.005
    assert abs((known["class_stable"] == "Y").mean() - 0.3) < 0.005
    large, not_large = (grades.loc[grades["class_large"] == c, "spend_per_order_day"] for c in "YN")
    assert large.min() >= not_large.max()
    assert (
        known.loc[known["class_stable"] == "Y", "gap_cv"].max()
        <= known.loc[known["class_stable"] == "N", "gap_cv"].min()
    )
    assert known["gap_cv"].notna().all() and grades.loc[grades["class_stable"] == "U", "gap_cv"].isna().all()
    assert pd.crosstab(known["class_large"], known["class_stable"]).to_numpy().min() > 100


def test_a11_demand_is_high_low_or_latent(grades: pd.DataFrame) -> None:
    """High: an order at least is to be expected. Latent: signs of interest, and none to be expected. All occur."""
    high, latent, low = (grades[grades["class_demand"] == class_] for class_ in "HTL")
    assert min(map(len, (high, latent, low))) > 10 and len(high) + len(latent) + len(low) == len(grades)
    assert (high["score_demand"] >= 1).all()
    assert (latent["interest_90d"] >= 1).all() and not (latent["score_demand"] >= 1).any()
    assert (low["interest_90d"] == 0).all() and not (low["score_demand"] >= 1).any()


def test_a13_behaviour_is_coded_active_potential_or_loyal(grades: pd.DataFrame) -> None:
    """Loyal buy often and lately, active lately; everybody else could be won. A letter each, in the code."""
    raw = grades["raw_engagement"]
    assert set(raw) == {"L", "A", "P"}
    assert ((raw == "L") == ((grades["orders_365d"] >= 6) & (grades["recency_days"] < 90))).all()
    assert ((raw == "P") == ~(grades["recency_days"] < 180)).all()
    decoded = [SCHEME.decode(code)["engagement"] for code in grades["code"]]
    assert decoded == list(grades["class_engagement"])


def test_a15_the_lifecycle_goes_from_prospect_to_loyal(grades: pd.DataFrame) -> None:
    """A prospect never bought, a first purchase is the only one, who lapsed was silent for a year, who was won back
    came after such a silence."""
    of = {name: grades[grades["raw_lifecycle"] == name] for name in SCHEME.dimensions["lifecycle"].rule.classes}
    assert all(len(each) for each in of.values())
    assert (of["P"]["orders"] == 0).all() and (of["F"]["orders"] == 1).all()
    assert (of["X"]["recency_days"] >= 365).all() and not (grades.drop(of["X"].index)["recency_days"] >= 365).any()
    assert (of["W"]["silence_broken_90d"] >= 365).all() and (of["W"]["recency_days"] < 90).all()
    assert (of["L"]["tenure_days"] >= 730).all() and (of["R"]["orders"] >= 2).all()


def test_who_has_a_payment_account_and_never_bought_is_a_prospect(sample: Ran, grades: pd.DataFrame) -> None:
    """Money on its account is no purchase: such a customer is graded, and no buyer."""
    events = pq.read_table(sample.workspace.tables / "events.parquet", columns=["customer_id", "kind"]).to_pandas()
    paid = set(events[events["kind"].isin(["transfer_in", "transfer_out"])]["customer_id"])
    only = grades[grades.index.isin(paid - set(events[events["kind"] == "purchase"]["customer_id"]))]
    assert len(only) >= 5 and (only["class_lifecycle"] == "P").all() and (only["orders"] == 0).all()


@pytest.mark.parametrize(
    ("dimension", "column"), [("industry", "industry"), ("region", "region"), ("settlement", "settlement")]
)
def test_a17_a18_industry_and_region_are_coded_from_the_attributes(
    sample: Ran, grades: pd.DataFrame, pseudonyms: Pseudonyms, dimension: str, column: str
) -> None:
    """Every customer's letter is that of what the company's own table says; nothing there is unknown."""
    raw = pd.read_csv(sample.workspace.simulated / "customers.csv").fillna("")
    raw.index = raw["customer_no"].map(pseudonyms.of)
    given = SCHEME.dimensions[dimension].given
    assert given is not None and given.values is not None
    letter = {text: name for name, texts in given.values.items() for text in texts}
    both = grades.join(raw[[column]], how="inner")
    assert len(both) > 500
    assert (both[column].map(letter).fillna("U") == both[f"class_{dimension}"]).all()


@pytest.mark.parametrize(("dimension", "text"), [("channel", "channel"), ("product", "category")])
def test_a07_a19_channel_and_product_are_what_most_lines_say(
    sample: Ran, grades: pd.DataFrame, purchases: pd.DataFrame, dimension: str, text: str
) -> None:
    """Purchase method and product class: the channel and the category of most lines of the last 365 days."""
    items = pq.read_table(sample.workspace.tables / "items.parquet").to_pandas()
    year = (grades["as_of"].iloc[0] - purchases["day"]).map(lambda days: days.days) <= 365
    lines = purchases[year].merge(items, on="item", how="left").dropna(subset=[text])
    counts = lines.groupby(["customer_id", text]).size().reset_index(name="n")
    most = counts.sort_values(["n", text], ascending=[False, True]).groupby("customer_id")[text].first()
    given = SCHEME.dimensions[dimension].given
    assert given is not None and given.values is not None
    letter = {each: name for name, texts in given.values.items() for each in texts}
    wanted = most.map(lambda each: letter.get(each, "O")).reindex(grades.index).fillna("U")
    assert (wanted == grades[f"class_{dimension}"]).all() and wanted.nunique() > 3


def test_a07_consumption_scale_and_loyalty_are_dimensions(grades: pd.DataFrame) -> None:
    """Other standards: each is a dimension of its own, with customers in every class of it."""
    for dimension in ("consumption", "channel", "scale", "engagement"):
        assert set(SCHEME.dimensions[dimension].rule.classes) - {"O"} <= set(grades[f"class_{dimension}"]), dimension


def test_a14_value_to_expect_follows_the_prediction(grades: pd.DataFrame) -> None:
    """High, middle, low by the spend that the model expects from amounts, frequency and rhythm."""
    known = grades[grades["class_worth"] != "U"]
    assert abs((known["class_worth"] == "H").mean() - 0.2) < 0.01
    spans = [known.loc[known["class_worth"] == c, "score_value"] for c in "HML"]
    assert spans[0].min() >= spans[1].max() and spans[1].min() >= spans[2].max()
    assert grades.loc[grades["class_worth"] == "U", "score_value"].isna().all()
    assert spans[0].corr(known.loc[known["class_worth"] == "H", "orders_365d"]) > 0.2


def _months_of(lines: pd.DataFrame) -> pd.Series:
    """Customer → calendar months in which it bought in two years or more."""
    days = pd.to_datetime(lines["day"])
    years = lines.assign(month=days.dt.month, year=days.dt.year).groupby(["customer_id", "month"])["year"].nunique()
    return (years >= 2).groupby("customer_id").sum()


@pytest.mark.real
def test_a12_seasonal_buyers_come_back_in_the_same_month_of_other_years(essec_years: Ran) -> None:
    """Eleven years of ESSEC: each seasonal customer bought in some calendar month in two years at least, and six tenths
    of its purchases or more in one quarter; nobody else of four purchases did both."""
    grades = pq.read_table(essec_years.folder / "grades.parquet").to_pandas().set_index("customer_id")
    events = pq.read_table(essec_years.workspace.tables / "events.parquet").to_pandas()
    lines = events[(events["kind"] == "purchase") & (events["day"] < grades["as_of"].iloc[0])]
    recurring = _months_of(lines).reindex(grades.index).fillna(0)
    quarter = pd.to_datetime(lines["day"]).dt.quarter
    counts = lines.groupby(["customer_id", quarter]).size()
    top = (counts.groupby("customer_id").max() / counts.groupby("customer_id").sum()).reindex(grades.index)
    seasonal = (recurring >= 1) & (top >= 0.6 - 1e-12) & (grades["orders"] >= 4)
    assert ((grades["raw_behaviour"] == "S") == seasonal).all()
    assert 200 < seasonal.sum() < 0.5 * len(grades)
    assert {"F", "O"} <= set(grades["raw_behaviour"])


@pytest.mark.real
def test_a12_what_is_too_short_for_seasons_says_so(online_retail: Ran, essec_years: Ran) -> None:
    """Two years of Online Retail show each month twice at most; eleven years are enough."""
    (said,) = read_json(online_retail.folder / "snapshot.json")["cautions"]
    assert said.startswith("behaviour: the data cover 2.0 years")
    assert read_json(essec_years.folder / "snapshot.json")["cautions"] == []
