"""Drift: the measure, its chance, its memory, and what it finds in real months."""

from __future__ import annotations

import shutil
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from features.company import Company
from features.errors import InputError
from features.workspace import Workspace, part_files, read_json
from tests.conftest import Ran
from training import registry
from training.drift.alarm import TINY, Compared, Movement, chance, history_p, judge
from training.drift.bins import NumberBins, category_bins, number_bins, occupied, psi
from training.drift.months import REACH, Month, grid, months_before, read_months
from training.drift.reference import FILE, Reference
from training.drift.report import DriftReport, compare_months, drift_report

ANY = st.floats(allow_nan=True, allow_infinity=True)
SAMPLE = st.lists(ANY, max_size=60)
FEW = st.lists(st.sampled_from([0.0, 0.0, 0.0, 1.0, 5.0, float("nan")]), max_size=60)
WORDS = st.lists(st.sampled_from([None, "north", "south", "x"]), max_size=80)
FIRST = date(2020, 1, 1)
Array = NDArray[np.float64]


def array(values: Sequence[float]) -> Array:
    return np.array(values, float)


@given(SAMPLE | FEW, SAMPLE | FEW, st.randoms())
def test_the_order_of_the_rows_changes_nothing(reference: list[float], live: list[float], random: object) -> None:
    """Bins, counts and PSI depend on what the values are, not on where they stand."""
    bins = number_bins(array(reference))
    found = psi(bins.count(array(reference)), bins.count(array(live)))
    random.shuffle(reference)  # type: ignore[attr-defined]
    random.shuffle(live)  # type: ignore[attr-defined]
    assert number_bins(array(reference)) == bins
    again = psi(bins.count(array(reference)), bins.count(array(live)))
    assert found == again or (np.isnan(found) and np.isnan(again))


@given(SAMPLE | FEW, SAMPLE | FEW)
def test_psi_is_never_negative_and_nothing_for_the_same(reference: list[float], live: list[float]) -> None:
    """PSI ≥ 0; 0 for identical samples; not a number only where a sample is empty; every value is in one bin."""
    bins = number_bins(array(reference))
    a, b = bins.count(array(reference)), bins.count(array(live))
    assert (a.sum(), b.sum()) == (len(reference), len(live))
    if reference and live:
        assert psi(a, b) >= 0
        assert psi(a, a) == 0
        assert psi(a, b) == pytest.approx(psi(b, a))
    else:
        assert np.isnan(psi(a, b))


@given(FEW)
def test_equal_values_stay_together(values: list[float]) -> None:
    """No bin is empty in the sample it was fitted on, but for those around a constant and that of null."""
    column = array(values)
    counts = number_bins(column).count(column)[:-1]
    distinct = np.unique(column[~np.isnan(column)]).size
    assert (counts > 0).sum() <= max(distinct, 0)
    assert distinct < 2 or (counts > 0).all()


def test_a_constant_column_has_room_for_whatever_else_comes() -> None:
    """A column that was all 3 and is now all 0, or half null, has moved; infinities are counted, too."""
    bins = number_bins(np.full(500, 3.0))
    then = bins.count(np.full(500, 3.0))
    for now in (np.zeros(500), np.full(500, 4.0), np.where(np.arange(500) % 2, np.nan, 3.0), np.full(500, np.inf)):
        assert psi(then, bins.count(now)) > 1
    assert number_bins(np.full(9, np.nan)) == NumberBins(())
    assert np.isfinite(number_bins(np.full(9, np.inf)).edges).all()


def test_a_rare_category_is_never_named() -> None:
    """A value that fewer than twenty customers share may name one of them: it is counted among the others."""
    bins = category_bins(["north"] * 50 + ["south"] * 20 + ["referred by 17"] * 19 + [None])
    assert bins.values == ("north", "south")


def test_chance_alone_is_uniform_between_disjoint_samples() -> None:
    """Two samples of different customers of one distribution: p is uniform (Kolmogorov-Smirnov), whatever the sizes."""
    rng = np.random.default_rng(1)
    for n, m in ((1000, 1000), (5000, 800)):
        found = []
        for _ in range(500):
            reference, live = rng.gamma(2, size=n), rng.gamma(2, size=m)
            bins = number_bins(reference)
            a, b = bins.count(reference), bins.count(live)
            assert occupied(a, b) == 10
            found.append(chance(psi(a, b), a, b))
        assert stats.kstest(found, "uniform").pvalue > 0.01


def _shifted(reference: NDArray[np.int64], k: int) -> float:
    return psi(reference, reference + np.array([k, -k]))


def moved(values: Sequence[Sequence[float]], now: Sequence[float], year_ago: float | None = None) -> list[Movement]:
    """The verdict on columns whose PSI is about `now`, in samples too large for chance, after histories `values`."""
    columns = []
    for i, (history, wanted) in enumerate(zip(values, now, strict=True)):
        reference = np.array([500_000, 500_000])
        shift = bisect_left(range(500_000), wanted, key=partial(_shifted, reference))
        live = reference + np.array([shift, -shift])
        columns.append(Compared(str(i), reference, live, tuple(history), year_ago=year_ago))
    return judge(columns)


def test_a_column_is_compared_with_its_own_past() -> None:
    """The same PSI of .3 is an alarm for a quiet column, and none for one that moves so every month."""
    rng = np.random.default_rng(2)
    quiet = [list(0.02 * np.exp(0.3 * rng.normal(size=12))) for _ in range(30)]
    restless = [list(0.25 * np.exp(0.3 * rng.normal(size=12))) for _ in range(30)]
    found = moved([*quiet, *restless], [0.3] + [0.02] * 29 + [0.3] * 30)
    assert [each.name for each in found if each.alarm] == ["0"]
    assert found[0].sentence.startswith("0 moved: PSI 0.30, usually 0.0")


def test_a_small_psi_is_no_alarm_however_certain() -> None:
    """PSI .09 after a year of .001 is certain and small."""
    rng = np.random.default_rng(3)
    found = moved(
        [list(0.001 * np.exp(0.2 * rng.normal(size=12))) for _ in range(5)], [0.09, 0.001, 0.001, 0.001, 0.001]
    )
    assert found[0].q is not None and found[0].q < 0.001
    assert not found[0].alarm


def test_too_little_history_says_so() -> None:
    """Five months: no alarm and a reason; six: an alarm."""
    five, six = [0.02, 0.021, 0.019, 0.02, 0.022], [0.02, 0.021, 0.019, 0.02, 0.022, 0.02]
    found = moved([five, six], [2.0, 2.0])
    assert found[0].p is None and "5 months, 6 are needed" in found[0].sentence
    assert found[1].alarm


def test_the_season_of_a_year_ago_is_no_alarm() -> None:
    """What moved as far in the same month of last year is the season; half as far again is not."""
    history = [0.9, 0.8, *[0.02, 0.03, 0.02, 0.025, 0.02, 0.03, 0.02, 0.02, 0.03, 0.02]]
    found = moved([history], [0.9], year_ago=0.9)[0]
    assert not found.alarm and "as a year ago" in found.sentence
    assert moved([history], [1.5], year_ago=0.9)[0].alarm


def test_one_incident_does_not_blind_a_column_for_a_year() -> None:
    """A fault moves a column away and back: two large PSI, after which the next fault is still found."""
    rng = np.random.default_rng(4)
    history = [list(0.02 * np.exp(0.4 * rng.normal(size=12))) for _ in range(20)]
    history[0][4:6] = [1.1, 1.0]
    assert moved(history, [1.0] + [0.02] * 19)[0].alarm


def test_months_that_move_by_their_own_law_ring_seldom() -> None:
    """100 columns whose log PSI is normal, each with its own centre and spread: fewer than 1 alarm in 2,000."""
    rng = np.random.default_rng(10)
    alarms = 0
    for _ in range(100):
        centre, spread = rng.normal(-3, 1, 100), np.exp(rng.normal(-0.7, 0.4, 100))
        drawn = np.exp(centre + spread * rng.normal(size=(13, 100)))
        p = history_p([tuple(column) for column in drawn[:-1].T], drawn[-1], np.full(100, TINY))
        alarms += int(((stats.false_discovery_control(p) < 0.01) & (drawn[-1] >= 0.1)).sum())
    assert alarms < 5


def month(day: date, **columns: Array | list[str | None]) -> Month:
    return Month(day, max(len(each) for each in columns.values()), columns)


def months(rng: np.random.Generator, count: int = 14) -> list[Month]:
    """The same 2,000 customers, a tenth of whom change every month."""
    values, regions = rng.gamma(2, size=2000), rng.choice(["north", "south"], 2000)
    found = []
    for day in grid(date(2026, 11, 1), FIRST, count - 2):
        some = rng.random(2000) < 0.1
        values = np.where(some, rng.gamma(2, size=2000), values)
        found.append(
            month(day, orders_365d=values, attribute_region=[str(each) for each in regions], still=np.zeros(2000))
        )
    return found


def test_a_new_column_and_one_that_vanished_do_not_crash() -> None:
    """An attribute that is gone is null for everyone, and has moved; a new one is not judged; a constant is neither."""
    base = months(np.random.default_rng(5))
    last = base[-1]
    columns = {name: each for name, each in last.columns.items() if name != "attribute_region"}
    base[-1] = replace(last, columns={**columns, "attribute_new": ["a"] * 2000})
    found = {each.name: each for each in compare_months(base, FIRST, "r").movements}
    assert found["attribute_region"].psi is not None and found["attribute_region"].psi > 1
    assert found["attribute_new"].why_not == "no earlier month has it"
    assert found["still"].why_not == "it has one value only"


def test_a_window_that_is_not_yet_full_is_not_judged() -> None:
    """A feature of 365 days fills up in the first year of the data: that is growth of the data, not drift."""
    base = months(np.random.default_rng(6))
    found = {each.name: each for each in compare_months(base, date(2026, 3, 1), "r").movements}
    assert REACH["orders_365d"] == 365
    assert found["orders_365d"].p is None and "before the first day" in found["orders_365d"].why_not


def test_the_first_month_has_nothing_to_compare_with() -> None:
    """One month: no alarm, no crash, a sentence that says so, and a reference for the next."""
    base = months(np.random.default_rng(7))
    found = compare_months(base[-1:], FIRST, "r")
    assert not found.alarms and found.sentences == ["There is no earlier month to compare with."]
    assert found.base.columns["orders_365d"].history == ()


def test_a_reference_comes_back_from_its_file(tmp_path: Path) -> None:
    """The same bytes when it is saved again."""
    base = months(np.random.default_rng(8))
    reference = compare_months(base[:-1], FIRST, "r").base
    reference.save(tmp_path / FILE)
    again = Reference.load(tmp_path / FILE)
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / FILE).read_bytes()


def test_a_damaged_reference_is_refused(tmp_path: Path) -> None:
    """A letter to the user, no traceback."""
    (tmp_path / FILE).write_text('{"as_of": "2026-01-01", "columns": {"a": {"edges": [1], "counts": [1]}}}')
    with pytest.raises(InputError, match="damaged"):
        Reference.load(tmp_path / FILE)


@pytest.fixture(scope="module")
def company(sample: Ran, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The sample company, once graded; a copy of its own."""
    home = tmp_path_factory.mktemp("drift") / "sample"
    shutil.copytree(sample.workspace.home, home)
    return Workspace(home)


AS_OF = date(2026, 11, 1)


def report(workspace: Workspace, folder: Path | None = None, as_of: date = AS_OF) -> DriftReport:
    return drift_report(workspace, registry.fetch("sample"), as_of, folder)


def changed(workspace: Workspace, home: Path, change: object) -> Workspace:
    """A copy of the company whose events are `change(events)`."""
    shutil.copytree(workspace.home, home)
    for part in part_files(home / "tables" / "events.parquet"):
        pq.write_table(change(pq.read_table(part)), part)  # type: ignore[operator]
    return Workspace(home)


def last_month(events: pa.Table) -> pa.Array:
    return pc.greater_equal(events["day"], pa.scalar(date(2026, 10, 1), pa.date32()))


def times(factor: int, where: object = None) -> object:
    def change(events: pa.Table) -> pa.Table:
        some = pc.is_valid(events["day"]) if where is None else where(events)  # type: ignore[operator]
        new = pc.if_else(some, pc.multiply(events["amount"], factor), events["amount"])
        return events.set_column(events.schema.get_field_index("amount"), "amount", new)

    return change


def test_an_ordinary_month_is_quiet_and_written_alike(company: Workspace, sample: Ran) -> None:
    """The sample company's last month raises no alarm; the files beside the grades are the same bytes twice, and hold
    no customer."""
    folder = company.grades / sample.folder.name
    assert report(company, folder).alarms == ()
    names = ("drift.json", FILE, "drift.png")
    first = [(folder / name).read_bytes() for name in names]
    report(company, folder)
    assert [(folder / name).read_bytes() for name in names] == first
    ids = pq.read_table(folder / "grades.parquet")["customer_id"].to_pylist()
    text = b"".join(first[:2]).decode()
    assert not any(id_ in text for id_ in ids)
    assert read_json(folder / "drift.json")["alarms"] == []


def test_amounts_in_another_unit_are_found(company: Workspace, tmp_path: Path) -> None:
    """The newest month came in hundredths: the amounts of those who bought, and what follows from them, ring."""
    found = report(changed(company, tmp_path / "x", times(100, last_month)))
    assert "purchase_amount_30d" in {each.name for each in found.alarms}
    assert any(line.startswith("purchase_amount_30d moved: PSI ") for line in found.sentences)


def test_a_kind_that_did_not_arrive_is_found(company: Workspace, tmp_path: Path) -> None:
    """No visit came in last month."""

    def without_visits(events: pa.Table) -> pa.Table:
        return events.filter(pc.invert(pc.and_(last_month(events), pc.equal(events["kind"], "visit"))))

    found = report(changed(company, tmp_path / "x", without_visits))
    assert {"visits_30d", "visit_recency_days"} <= {each.name for each in found.alarms}
    assert "spend" not in {each.name for each in found.alarms}


def test_a_past_rewritten_since_the_last_grading_is_found(company: Workspace, tmp_path: Path) -> None:
    """All amounts, old and new, are doubled after last month's grading: months computed today agree with each other,
    but not with what was graded then."""
    before = company.grades / "2026-10-01-v1"
    before.mkdir()
    try:
        report(company, before, date(2026, 10, 1))
        assert report(company).recorded and not report(company).alarms
        doubled = changed(company, tmp_path / "x", times(2))
    finally:
        shutil.rmtree(before)
    found = report(doubled)
    assert found.recorded and "line_mean" in {each.name for each in found.alarms}
    shutil.rmtree(doubled.grades)
    assert not report(doubled).recorded and not report(doubled).alarms


@pytest.mark.real
def test_real_months_are_quiet_and_a_wrong_currency_rings(online_retail: Ran, tmp_path: Path) -> None:
    """Online Retail, five months after a Christmas: no alarm in any; the newest month's amounts times 1.5 are
    found in each of the two that were tried."""
    workspace, release = online_retail.workspace, registry.fetch("online-retail")
    facts = read_json(workspace.tables / "report.json")
    first, company = date.fromisoformat(facts["first_day"]), Company.from_json(facts["company"])
    dates = grid(date(2011, 12, 1), first, 17)
    base = read_months(workspace.tables, company, release, dates)
    for end in range(len(base) - 4, len(base) + 1):
        assert compare_months(base[end - 14 : end], first, release.digest).alarms == ()
    for last in (-1, -4):
        day = dates[last]
        copy = changed(workspace, tmp_path / f"x{last}", half_more(months_before(day, 1), day))
        now = read_months(copy.tables, company, release, [day])
        found = compare_months([*base[last - 13 : last], *now], first, release.digest)
        assert "purchase_amount_30d" in {each.name for each in found.alarms}


def half_more(since: date, until: date) -> object:
    def change(events: pa.Table) -> pa.Table:
        days = events["day"]
        some = pc.and_(pc.greater_equal(days, pa.scalar(since)), pc.less(days, pa.scalar(until)))
        new = pc.if_else(some, pc.divide(pc.multiply(events["amount"], 3), 2), events["amount"])
        return events.set_column(events.schema.get_field_index("amount"), "amount", new)

    return change
