"""The sample company's invoices and payments: what is in them, and that who paid late pays late again, mostly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from features.tables.simulate import simulate

END = pd.Timestamp("2026-10-31")


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The raw tables of the sample company with 2,000 customers."""
    folder = tmp_path_factory.mktemp("billing") / "raw"
    simulate(folder, 2_000)
    return folder


def read(folder: Path, table: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"{table}.csv", dtype={"order_no": str, "invoice_no": str, "customer_no": str})


@pytest.fixture(scope="module")
def invoices(raw: Path) -> pd.DataFrame:
    """Every invoice with what was paid of it (NaN: nothing), when it was settled (NaT: not yet), in how many parts, and
    the days it was or is late."""
    payments = read(raw, "payments")
    paid = payments.groupby("invoice_no").agg(paid=("amount", "sum"), last=("paid_at", "max"), parts=("amount", "size"))
    found = read(raw, "invoices").merge(paid, how="left", left_on="invoice_no", right_index=True)
    found["settled"] = (
        pd.to_datetime(found["last"]).dt.normalize().where((found["paid"] - found["amount"]).abs() < 0.005)
    )
    found["due"], found["invoiced"] = pd.to_datetime(found["due_on"]), pd.to_datetime(found["invoiced_at"])
    found["late"] = (found["settled"].fillna(END) - found["due"]).dt.days
    return found


def test_an_invoice_is_for_an_order_of_a_firm_that_was_not_paid_at_once(raw: Path, invoices: pd.DataFrame) -> None:
    """It is written within days of the order, to its customer, over its amount, and one order has one at most."""
    orders = read(raw, "orders").drop_duplicates()
    amount = (orders["quantity"] * orders["unit_price"]).groupby(orders["order_no"]).sum().round(2)
    firms = set(read(raw, "customers").query("type == 'business'")["customer_no"])
    of = orders.dropna(subset="customer_no").drop_duplicates("order_no").set_index("order_no")
    known = invoices[invoices["order_no"].isin(of.index)]
    ordered = of.loc[known["order_no"]]
    assert (
        invoices["order_no"].is_unique and set(invoices["customer_no"]) <= firms and len(known) > 0.98 * len(invoices)
    )
    assert set(ordered["channel"]) == {"representative", "web"}
    assert (known["customer_no"].to_numpy() == ordered["customer_no"].to_numpy()).mean() > 0.99  # or its second number
    apart = known["invoiced"].to_numpy() - pd.to_datetime(ordered["ordered_at"]).to_numpy()
    assert pd.Timedelta(days=-1) < apart.min() and apart.max() < pd.Timedelta(days=7)
    whole = known["order_no"].isin(orders[orders["unit_price"].notna()]["order_no"])
    assert np.isclose(known["amount"][whole], amount.loc[known["order_no"][whole]], atol=0.011).mean() > 0.99


def test_a_customer_has_one_term(invoices: pd.DataFrame) -> None:
    """14 or 30 days, the same for all its invoices."""
    terms = (invoices["due"] - invoices["invoiced"].dt.normalize()).dt.days
    assert set(terms) == {14, 30} and (terms.groupby(invoices["customer_no"]).nunique() == 1).all()


def test_a_payment_is_of_an_invoice_of_the_same_number_and_no_more_than_it(raw: Path, invoices: pd.DataFrame) -> None:
    """Paid after it was written, whole or in two parts that make up the whole; nobody pays too much."""
    payments = read(raw, "payments").merge(invoices, on="invoice_no", suffixes=("", "_invoice"), validate="many_to_one")
    assert len(payments) == len(read(raw, "payments"))
    assert (payments["customer_no"] == payments["customer_no_invoice"]).all() and (payments["amount"] > 0).all()
    assert (pd.to_datetime(payments["paid_at"]) > payments["invoiced"].dt.normalize()).all()
    assert (invoices["paid"].fillna(0) <= invoices["amount"] + 0.005).all()
    settled = invoices[invoices["settled"].notna()]
    assert set(settled["parts"]) == {1, 2} and 0.02 < (settled["parts"] == 2).mean() < 0.08


def test_as_many_are_late_as_in_trade(invoices: pd.DataFrame) -> None:
    """A quarter to a third is late, 5 to 9 % by over 30 days, 1 to 2 % is never paid; large ones are a little later."""
    old = invoices[invoices["due"] < END - pd.Timedelta(days=60)]
    assert 0.25 < (old["late"] > 0).mean() < 0.35
    assert 0.05 < (old["late"] > 30).mean() < 0.09
    ancient = invoices[invoices["due"] < END - pd.Timedelta(days=300)]
    assert 0.008 < ancient["settled"].isna().mean() < 0.02
    ranks = old.assign(amount=old["amount"].rank(), late=old["late"].clip(-5, 60).rank())
    within = ranks[["amount", "late"]] - ranks.groupby("customer_no")[["amount", "late"]].transform("mean")
    assert 0 < within["amount"].corr(within["late"]) < 0.3


def test_who_paid_late_pays_late_again_but_not_for_certain(invoices: pd.DataFrame) -> None:
    """Mean days late of the first two years tell who is more than 30 days late in the third."""
    split = END - pd.Timedelta(days=400)
    before, after = invoices[invoices["due"] < split], invoices[invoices["invoiced"] > split + pd.Timedelta(days=31)]
    habit = before["late"].clip(0, 120).groupby(before["customer_no"]).mean()
    asked = after[after["customer_no"].isin(habit.index) & (after["due"] < END - pd.Timedelta(days=31))]
    auc = roc_auc_score(asked["late"] > 30, habit.loc[asked["customer_no"]])
    assert len(asked) > 500 and 0.7 < auc < 0.97


def test_who_is_in_trouble_pays_later_and_at_last_not_at_all(raw: Path, invoices: pd.DataFrame) -> None:
    """Lateness grows towards the day that only `truth/payers.csv` knows."""
    trouble = pd.to_datetime(read(raw, "truth/payers").set_index("customer_no")["trouble_on"])
    found = invoices[invoices["customer_no"].isin(trouble.index) & (invoices["due"] < END - pd.Timedelta(days=60))]
    left = (found["customer_no"].map(trouble) - found["invoiced"]).dt.days
    early, late, last = (found[left.between(*days)] for days in ((330, 2_000), (0, 200), (0, 80)))
    assert (late["late"] > 0).mean() > 1.5 * (early["late"] > 0).mean()
    assert last["settled"].isna().mean() > 0.25 > 0.05 > early["settled"].isna().mean()
    of_firms = len(trouble) / read(raw, "customers").query("type == 'business'")["customer_no"].nunique()
    assert 0.04 < of_firms < 0.15
