"""Early warning: who is warned of, who is not, and how often that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from benchmarks.warning import companies, false_share, found_of, placebo_months, share_below
from classification.season import month_of
from classification.warning import ACTIVITY, CONTACT, WarningSettings, early_warnings, load_warning, p_values
from features.company import Company
from features.tables.events import CUSTOMERS, EVENTS
from tests.conftest import Ran
from tests.histories import customer

COMPANY = Company()
FIRST, AS_OF = date(2023, 1, 1), date(2026, 1, 1)
DAYS, WINDOW = (AS_OF - FIRST).days, 90
STRONG, OTHERS = 60, 540
SETTINGS = load_warning().model_copy(update={"key_share": 0.1})

Days = np.ndarray
Change = Callable[[Days], Days]


def bought(changes: dict[int, Change] | None = None, seed: int = 1) -> dict[int, Days]:
    """Days after FIRST on which 60 strong customers, who buy weekly, and 540 others bought; `changes` by number."""
    rng, found = np.random.default_rng(seed), {}
    for i in range(STRONG + OTHERS):
        mean = rng.uniform(5, 9) if i < STRONG else rng.uniform(40, 150)
        days = np.cumsum(rng.gamma(2, mean / 2, int(2 * DAYS / mean) + 20)).astype(int)
        found[i] = (changes or {}).get(i, lambda days: days)(np.unique(days[days < DAYS]))
    return found


def event(i: int, day: int, kind: str = "purchase", **said: object) -> dict[str, object]:
    """At noon of a day after FIRST; a strong customer's purchase is a larger one."""
    ts = datetime(FIRST.year, FIRST.month, FIRST.day, 12, tzinfo=UTC) + timedelta(days=int(day))
    own = {"event_id": f"{kind}-{i}-{day}", "customer_id": customer(i), "ts": ts, "day": ts.date(), "known_at": ts}
    amount = (100_000 if i < STRONG else 1_000) if kind == "purchase" else None
    return own | {"kind": kind, "amount": amount} | said


def attribute(i: int, name: str, value: str, family: str, since: date | None = None) -> dict[str, object]:
    """A row of the customer table."""
    return {"customer_id": customer(i), "attribute": name, "value": value, "family": family, "valid_from": since}


def write(folder: Path, days: dict[int, Days], more: list[dict[str, object]] | None = None, **columns: object) -> Path:
    """The tables of such a company; every other customer builds, the others cook. more: further events; columns: of
    all purchases."""
    folder.mkdir(exist_ok=True)
    rows = [event(i, day, **columns) for i, own in days.items() for day in own] + (more or [])
    pq.write_table(pa.Table.from_pylist(rows, EVENTS), folder / "events.parquet")
    names = [attribute(i, "industry", ("building", "cooking")[i % 2], "occupational") for i in days]
    pq.write_table(pa.Table.from_pylist(names, CUSTOMERS), folder / "customers.parquet")
    return folder


def stops(ago: int) -> Change:
    """Buys nothing in the last days."""
    return lambda days: days[days < DAYS - ago]


def thins(days: Days) -> Days:
    """In the window one of three purchases remains."""
    inside = np.flatnonzero(days >= DAYS - WINDOW)
    return np.delete(days, inside[np.arange(inside.size) % 3 > 0])


def in_season(*months: int) -> Change:
    """Buys in some months only, 0 is January."""
    return lambda days: days[np.isin(month_of(days + np.datetime64(FIRST).astype(int)), months)]


def warned(tables: Path, as_of: date = AS_OF, settings: WarningSettings = SETTINGS) -> pd.DataFrame:
    """The rows of the early warning by customer number."""
    numbers = {customer(i): i for i in range(STRONG + OTHERS)}
    rows = early_warnings(tables, COMPANY, as_of, settings).to_pandas()
    return rows.set_index(rows["customer_id"].map(numbers))


def test_a29_a_key_customer_who_breaks_off_is_warned_of(tmp_path: Path) -> None:
    """Three of sixty key customers stop or nearly stop within the window: they are found, in words that a head of sales
    understands, and at most one other is. A contact person who changed is told of key customers, without a p-value."""
    changes = {3: stops(70), 8: stops(45), 20: lambda days: days[(days < DAYS - 60) | (days % 13 == 0)]}
    moves = [event(i, DAYS - ago, "contact_changed") for i, ago in ((5, 10), (6, 200), (300, 10))]
    found = warned(write(tmp_path, bought(changes), moves))
    activity = found[found["kind"] == ACTIVITY]
    assert set(activity.index) >= set(range(STRONG - 5)) and len(activity) == STRONG
    alerts = activity[activity["alert"]]
    assert {3, 8, 20} <= set(alerts.index) and len(alerts) <= 4
    assert alerts.loc[3, "observed"] == 0 and alerts.loc[3, "expected"] > 6 and 70 <= alerts.loc[3, "days"] <= 80
    said = alerts.loc[3, "sentence"]
    assert said.startswith("Bought nothing in the last ") and "its industry (cooking) at 10" in said
    contacts = found[found["kind"] == CONTACT]
    assert list(contacts.index) == [5] and contacts["p"].isna().all()
    assert contacts["sentence"].tolist() == ["The contact person changed on 2025-12-22."]


def test_what_befalls_a_whole_industry_is_nobody_s_alert(tmp_path: Path) -> None:
    """A customer that alone falls to a third is warned of; when its whole industry does, nobody of it is."""
    alone = warned(write(tmp_path / "alone", bought({4: thins})))
    assert alone.loc[4, "alert"] and alone.loc[4, "industry"] > 0.9
    every = warned(write(tmp_path / "every", bought(dict.fromkeys(range(0, STRONG, 2), thins))))
    assert every["alert"].sum() <= 1 and not every.loc[4, "alert"]
    assert every.loc[4, "industry"] < 0.65 < every.loc[5, "industry"]


def test_the_end_of_a_customer_s_own_season_is_no_alert(tmp_path: Path) -> None:
    """Customers who buy in late summer only, for three years or for the first time, are not warned of in winter; who
    buys all the year round and stops as they do is."""
    changes = {1: in_season(6, 7, 8, 9), 2: in_season(7, 8, 9), 9: stops(65)}
    changes[7] = lambda days: in_season(7, 8, 9)(days[days > DAYS - 160])  # for the first time
    found = warned(write(tmp_path, bought(changes)))
    assert found.loc[9, "alert"]
    assert not found["alert"].reindex([1, 2, 7], fill_value=False).any()
    assert found.loc[1, "season"] < 0.7


def test_nothing_of_later_days_changes_an_alert(tmp_path: Path) -> None:
    """Events after the date, events of before that were known only later, and rows replaced later leave every byte as
    it was; what had been replaced by then does not count."""
    days = bought({3: stops(70)})
    before = early_warnings(write(tmp_path / "a", days), COMPANY, AS_OF, SETTINGS)
    later = datetime(2026, 2, 1, tzinfo=UTC)
    more = [event(i, DAYS + 5) for i in range(STRONG)]
    more += [event(3, DAYS - ago, known_at=later, event_id=f"late-{ago}") for ago in (10, 20, 30)]
    more += [event(9, DAYS - 10, "contact_changed", known_at=later), event(10, DAYS, "contact_changed")]
    early = datetime(2025, 12, 30, tzinfo=UTC)
    more += [event(3, DAYS - ago, known_until=early, event_id=f"gone-{ago}") for ago in (11, 21, 31)]
    tables = write(tmp_path / "b", days, more[::-1])
    assert early_warnings(tables, COMPANY, AS_OF, SETTINGS).equals(before)
    replaced = write(tmp_path / "c", days, known_until=later)
    assert early_warnings(replaced, COMPANY, AS_OF, SETTINGS).equals(before)
    assert not early_warnings(replaced, COMPANY, date(2026, 2, 5), SETTINGS).num_rows


def test_who_objects_to_profiling_is_not_watched(tmp_path: Path) -> None:
    """No row, and no part in what is expected of others."""
    tables = write(tmp_path, bought({3: stops(70)}))
    said = [attribute(3, "no_profiling", "yes", "consent")]
    known = pq.read_table(tables / "customers.parquet")
    pq.write_table(pa.concat_tables([known, pa.Table.from_pylist(said, CUSTOMERS)]), tables / "customers.parquet")
    found = warned(tables)
    assert 3 not in found.index and len(found) == 60


def test_where_nothing_can_be_said_nothing_is(tmp_path: Path) -> None:
    """Without amounts nobody is key; where nobody bought twice nothing is expected; with few earlier months nobody is
    judged, and the sentence says so."""
    days = bought()
    assert not len(warned(write(tmp_path / "a", days, amount=None)))
    assert not len(warned(write(tmp_path / "b", {i: own[-1:] for i, own in days.items()})))
    early = warned(write(tmp_path / "c", days), date(2023, 12, 1))
    assert len(early) > 50 and early["p"].isna().all() and not early["alert"].any()
    assert early["sentence"].str.endswith("there are too few earlier months to compare with.").all()


def test_who_left_before_the_window_is_not_told_again(tmp_path: Path) -> None:
    """Silent for 150 days after buying weekly: listed, not judged, no alert."""
    found = warned(write(tmp_path, bought({3: stops(150)})))
    assert np.isnan(found.loc[3, "p"]) and not found.loc[3, "alert"]
    assert "probably left more than 90 days ago" in found.loc[3, "sentence"]


@given(st.lists(st.floats(0, 30), min_size=60, max_size=300), st.lists(st.floats(0, 700), min_size=2, max_size=20))
def test_more_evidence_is_never_less_significant(placebos: list[float], evidence: list[float]) -> None:
    """p is in (0, 1] up to the smallest number, and falls with the evidence."""
    p = p_values(np.sort(evidence), np.array(placebos))
    assert ((p >= 0) & (p <= 1)).all() and (np.diff(p) <= 1e-12).all()


def test_false_alarms_are_held_below_q() -> None:
    """Whatever the scale of the evidence: among 100 customers of whom 0 to 20 changed, the mean share of false alarms
    is at most q, and with many changes most are found."""
    rng = np.random.default_rng(1)
    for changed, scale in ((0, 1.0), (5, 0.6), (20, 1.7)):
        false, found = [], []
        for _ in range(400):
            evidence = scale * rng.exponential(size=100)
            evidence[:changed] += 8 * scale
            alert = false_discovery_control(p_values(evidence, scale * rng.exponential(size=1_000))) <= 0.1
            false.append(alert[changed:].sum() / max(alert.sum(), 1))
            found.append(alert[:changed].mean() if changed else 1.0)
        assert np.mean(false) <= 0.1 + 2 * np.std(false) / 20
        assert np.mean(found) > 0.9


@pytest.mark.real
def test_a29_p_values_are_uniform_in_placebo_months(online_retail: Ran) -> None:
    """Online Retail, every month from February to December 2011 as if it were this one: p below .05 for 3 to 7 % of
    the key customers, and below .01 and .1 as it should be. Two years are too short for seasons to recur."""
    found = placebo_months(online_retail.workspace.tables, Company(timezone="Europe/London"))
    assert len(found) == 11 and sum(each.judged for each in found) > 2_000
    assert 0.03 <= share_below(found) <= 0.07
    assert 0.005 <= share_below(found, 0) <= 0.02 and 0.08 <= share_below(found, 2) <= 0.13


def test_a29_planted_breaks_are_found() -> None:
    """Two simulated companies: most alarms are right, most breaks of at least 30 days are found. The twenty seeds that
    the promise speaks of are those of `make bench-warning`."""
    key = companies(range(1, 3), 1_000, 1.0)
    assert key["alert"].sum() >= 4 and false_share(key) <= 0.25
    share, breaks = found_of(key, "broke")
    assert breaks >= 1 and share >= 0.5


@pytest.mark.long
def test_a29_false_alarms_and_recall_over_twenty_seeds() -> None:
    """Realised false-discovery rate ≤ .10, recall ≥ .6."""
    from benchmarks.warning import BREAKS, CUSTOMERS, SEEDS

    key = companies(SEEDS, CUSTOMERS, BREAKS)
    assert false_share(key) <= 0.10 and found_of(key, "broke")[0] >= 0.6
