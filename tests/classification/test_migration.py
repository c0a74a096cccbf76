"""Who moved from class to class: every customer is accounted for, whatever the bases are."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classification.migration import Migration, migrate, pair
from classification.months import months
from classification.report.report import Report, make_report
from features.texts import Texts
from serving.reporting import setting_of
from tests.conftest import Ran

ORDER = ("A", "B", "C", "U")
BASES = st.dictionaries(st.sampled_from([f"{i:03d}" for i in range(40)]), st.sampled_from([*ORDER, "X"]))
"""Customer → class; X is a class that the scheme does not have any more."""


def migration(before: dict[str, str], after: dict[str, str]) -> Migration:
    """Between two bases, where customer 007 spends 7, and 1,007 later."""
    ids = [pa.array(list(base), pa.string()) for base in (before, after)]
    spend = (np.array([float(i) for i in before]), np.array([1_000.0 + float(i) for i in after]))
    texts = Texts.of(list(before.values())), Texts.of(list(after.values()))
    return migrate("value", ORDER, texts, spend, pair(*ids))


def check_sums(found: Migration) -> None:
    """Before + gains − losses = after in each class, and nobody is lost or counted twice."""
    assert (found.before + found.gains - found.losses == found.after).all()
    assert found.after.sum() == found.before.sum() + found.joined - found.left
    assert found.stayed.sum() + found.moved + found.left == found.before.sum()
    assert found.customers[-1, -1] == 0 and (found.customers >= 0).all()


@given(BASES, BASES)
def test_everybody_is_accounted_for(before: dict[str, str], after: dict[str, str]) -> None:
    """Each customer of either base is in the one cell that its two classes say, with what it spent."""
    found = migration(before, after)
    check_sums(found)
    place = {name: i for i, name in enumerate(found.classes)} | {"": len(found.classes)}
    said = Counter((before.get(id_, ""), after.get(id_, "")) for id_ in {*before, *after})
    assert {(a, b): found.customers[place[a], place[b]] for a, b in said} == dict(said)
    assert found.customers.sum() == len({*before, *after})
    for name, amount in zip(found.classes, found.spend_before, strict=True):
        assert amount == sum(int(id_) for id_, class_ in before.items() if class_ == name)
    assert found.spend_after.sum() == sum(1_000 + int(id_) for id_ in after) and not found.spend[0, -1].any()


@given(BASES, BASES, st.randoms(use_true_random=False))
def test_the_order_of_customers_changes_nothing(before: dict[str, str], after: dict[str, str], random: object) -> None:
    """Rows in another order give the same matrix."""
    turned = [dict(sorted(base.items(), key=lambda _: random.random())) for base in (before, after)]  # type: ignore[attr-defined]
    one, other = migration(before, after), migration(*turned)
    places = [other.classes.index(name) for name in one.classes] + [len(one.classes)]
    assert (one.customers == other.customers[np.ix_(places, places)]).all()
    assert (one.spend == other.spend[:, places][:, :, places]).all()


def test_a_dimension_that_is_new_has_no_class_before() -> None:
    """Whoever was in the base then comes from no class, not from outside."""
    nothing = Texts.of(["", ""])
    ids = pa.array(["1", "2"]), pa.array(["2", "3"])
    found = migrate("new", ("A",), (nothing, Texts.of(["A", "A"])), (np.zeros(2), np.zeros(2)), pair(*ids))
    assert found.classes == ("A", "") and found.customers.tolist() == [[0, 0, 0], [1, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("year", range(2011, 2016))
def test_essec_years_add_up(essec_years: Ran, year: int) -> None:
    """Ten thousand customers and more, year by year: the report's flows are those that the grades say."""
    report = report_of(essec_years, f"{year}-12")
    before, after = grades(essec_years, f"{year - 1}-12"), grades(essec_years, f"{year}-12")
    assert len(after) > 9_000 and report.against and report.against.name == f"{year - 1}-12"
    for name, found in report.migrations.items():
        check_sums(found)
        was, now = (side[f"class_{name}"].reindex(before.index.union(after.index)) for side in (before, after))
        table = pd.crosstab(was.fillna("joined"), now.fillna("left"))
        rows, columns = [*found.classes, "joined"], [*found.classes, "left"]
        assert (table.reindex(index=rows, columns=columns, fill_value=0).to_numpy() == found.customers).all()
        assert found.spend_after.sum() == after["spend_365d"].clip(lower=0).sum()
    moved = report.migrations["value"].moved
    assert 0 < moved < len(before) and report.migrations["value"].joined == len(after.index.difference(before.index))


def test_essec_years_are_six(essec_years: Ran) -> None:
    """2010 to 2015, each held against the year before."""
    found = months(essec_years.workspace)
    assert [each.name for each in found] == [f"{year}-12" for year in range(2010, 2016)]
    assert [each.before for each in found] == [None, *(each.id for each in found[:-1])]


def report_of(ran: Ran, month: str) -> Report:
    """The report of a month of a job that ran."""
    known = next(each for each in months(ran.workspace) if each.name == month)
    return make_report(ran.workspace, setting_of(ran.job, known), month)


def grades(ran: Ran, month: str) -> pd.DataFrame:
    """The grades of a month by customer."""
    return pq.read_table(ran.workspace.months / month / "grades.parquet").to_pandas().set_index("customer_id")
