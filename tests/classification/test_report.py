"""The monthly report: what it counts, whom it names, and that it names nobody by more than a few digits."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from classification.report.base import HANDLE
from classification.report.causes import in_total
from classification.report.files import PAGE, write_report
from classification.report.headlines import headlines
from classification.report.page import to_html
from classification.report.report import Report, make_report
from classification.scheme import CURRENT, load_scheme
from features.errors import InputError
from features.tables.audit import read_lines
from features.tables.person import own_ids
from features.workspace import Workspace
from serving.desk import open_desk
from serving.forgetting import forget
from serving.reporting import report_month
from serving.steps import Job
from tests.classification.small_months import SETTING, change, customer, write_month
from tests.conftest import Ran

Scoring = Callable[..., tuple[int, str]]

MONTHS = ("2026-09", "2026-10")
SCHEME = load_scheme(CURRENT)


@pytest.fixture(scope="module")
def job(sample: Ran, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Two months of the sample company, reported."""
    home = tmp_path_factory.mktemp("report") / "home"
    shutil.copytree(sample.workspace.home, home)
    job = replace(sample.job, workspace=Workspace(home))
    for name in MONTHS:
        job.reclassify(name)
    return job


@pytest.fixture(scope="module")
def report(job: Job) -> Report:
    return report_month(job, MONTHS[1])[0]


@pytest.fixture(scope="module")
def page(job: Job, report: Report) -> Path:
    """The page that `scoring reclassify` left."""
    return job.workspace.reports / MONTHS[1] / PAGE


@pytest.fixture(scope="module")
def both(job: Job) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The grades of the two months by customer."""
    one, other = (pq.read_table(job.workspace.months / name / "grades.parquet").to_pandas() for name in MONTHS)
    return one.set_index("customer_id"), other.set_index("customer_id")


def rows_of(page: Path, name: str) -> list[dict[str, str]]:
    with (page.parent / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Page(HTMLParser):
    """What a page is made of: its tags, what it refers to, and its words."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.words = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]

    def handle_data(self, data: str) -> None:
        self.words += f" {data}"


def test_the_page_needs_nothing_beside_itself(page: Path) -> None:
    """No script, no address, no other file; pictures and style are in it."""
    found = Page(page)
    assert not {"script", "link", "iframe", "object", "base"} & set(found.tags) and "img" in found.tags
    assert found.references and all(each.startswith("data:image/png;base64,") for each in found.references)
    assert not re.search(r"https?:|//|url\(|@import", re.sub(r"base64,[^\"]*", "", page.read_text(encoding="utf-8")))


def test_nobody_is_named(job: Job, page: Path, both: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """Neither page nor lists have a pseudonym or an id of the company's own; they have its first digits."""
    ids = set(both[0].index) | set(both[1].index)
    raw_ids = set(own_ids(job.vault(), ids).values())
    assert len(raw_ids) == len(ids)
    for path in page.parent.iterdir():
        said = Page(path).words if path == page else path.read_text(encoding="utf-8")
        assert not ids & set(re.findall(r"[0-9a-f]{32}", said))
        assert not raw_ids & set(re.findall(r"[\w-]+", said))
    assert {each["customer"] for each in rows_of(page, "stars")} <= {id_[:HANDLE] for id_ in ids}


def test_the_same_report_has_the_same_bytes(job: Job, page: Path) -> None:
    """Page, pictures and lists, made a second time."""
    before = {path.name: path.read_bytes() for path in page.parent.iterdir()}
    report_month(job, MONTHS[1])
    assert {path.name: path.read_bytes() for path in page.parent.iterdir()} == before and len(before) >= 9


def test_a05_gains_and_losses_of_every_class(page: Path, both: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """In each class: customers now, before, who came and who went, beside those of the grades; revenue too."""
    before, after = both
    spend = after["spend_365d"].clip(lower=0) / 100
    rows = {(row["dimension"], row["class"]): row for row in rows_of(page, "classes")}
    for name in SCHEME.dimensions:
        was, now = (each[f"class_{name}"] for each in both)
        for class_ in set(was) | set(now):
            row = rows.pop((name, class_))
            mine, theirs = set(now.index[now == class_]), set(was.index[was == class_])
            assert (int(row["after"]), int(row["before"])) == (len(mine), len(theirs))
            assert (int(row["gains"]), int(row["losses"])) == (len(mine - theirs), len(theirs - mine))
            assert float(row["spend_after"]) == pytest.approx(spend[now == class_].sum())
    assert not rows and len(before) != len(after)


def test_a05_new_large_and_new_stable_customers(report: Report, both: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """Everybody who bears the mark now and did not before, from outside and from unknown too; the headlines count
    them, and those who lost it."""
    for name in ("large", "stable"):
        was, now = (set(each.index[each[f"class_{name}"] == "Y"]) for each in both)
        mine = report.newcomers.filter(pa.compute.equal(report.newcomers["dimension"], name))
        assert sorted(mine["customer"].to_pylist()) == sorted(id_[:HANDLE] for id_ in now - was) and now - was
        said = f"New {name} customers: {len(now - was):,}; no longer {name}: {len(was - now):,}."
        assert said in headlines(report)
    assert {"N", "U"} <= set(report.newcomers["before"].to_pylist())


def test_a27_stars_are_the_likeliest_of_the_lowest_class(report: Report, both: tuple[pd.DataFrame, ...]) -> None:
    """Ranked by the probability to rise; nobody of a higher class among them, and nobody likelier left out."""
    asked = both[1][(both[1]["class_value"] == "C") & both[1]["score_potential"].notna()]["score_potential"]
    told = report.stars.table.to_pandas()
    assert len(told) == max(np.ceil(0.05 * len(asked)), 20) and report.stars.asked == len(asked)
    assert told["probability"].tolist() == sorted(asked, reverse=True)[: len(told)]
    assert {id_[:HANDLE] for id_ in asked.index} >= set(told["customer"])


def test_a27_how_the_last_list_fared(tmp_path: Path) -> None:
    """The list that is as old as the horizon is judged: who rose of it, and of all who were asked; who left did not."""
    then = {customer(i): {"value": "C", "score_potential": i / 100} for i in range(60)}
    now = {customer(i): {"value": "B" if i >= 50 else "A" if i < 5 else "C"} for i in range(59)}
    for name, rows in (("2026-03", then), ("2026-08", then), ("2026-09", now)):
        workspace = write_month(tmp_path, name, rows)
    found = make_report(workspace, SETTING).stars.fared
    assert found and (found.month, found.due, found.as_of) == ("2026-03", True, date(2026, 4, 1))
    assert (found.listed, found.rose, found.asked, found.asked_rose) == (20, 9, 60, 14)
    early = make_report(workspace, SETTING, "2026-08").stars.fared
    assert early and (early.month, early.due, early.rose) == ("2026-03", False, 0)
    assert make_report(workspace, SETTING, "2026-03").stars.fared is None


def test_a28_promotions_and_demotions_have_their_reason(job: Job, page: Path, both: tuple[pd.DataFrame, ...]) -> None:
    """Each customer of both months whose class of value is another, once, the way it went, with the reason that the
    monthly run gave."""
    changes = pq.read_table(job.workspace.months / MONTHS[1] / "changes.parquet").to_pandas()
    reasons = changes[changes["dimension"] == "value"].set_index("customer_id")["reason"]
    was, now = (each["class_value"] for each in both)
    there = was.index.intersection(now.index)
    moved = {id_[:HANDLE]: id_ for id_ in there if was[id_] != now[id_]}
    told = {row["customer"]: row for row in rows_of(page, "moves") if row["dimension"] == "value"}
    assert told.keys() == moved.keys() and len(moved) > 10
    for handle, id_ in moved.items():
        row = told[handle]
        assert (row["before"], row["after"]) == (was[id_], now[id_]) and row["reason"] == reasons[id_]
        assert row["direction"] == ("up" if now[id_] < was[id_] else "down")
    shown = Page(page).words
    assert sum(handle in shown and told[handle]["reason"] in shown for handle in told) >= 10


def test_a28_the_reason_is_that_of_the_last_change(tmp_path: Path) -> None:
    """Over two months, where a class changed twice."""
    rows = [{customer(1): {"value": class_}} for class_ in "CBA"]
    write_month(tmp_path, "2026-01", rows[0])
    write_month(tmp_path, "2026-02", rows[1], [change(customer(1), "value", "C", "B")])
    held = change(customer(1), "churn", "1", "1", raw_after="2", kind="held")
    workspace = write_month(tmp_path, "2026-03", rows[2], [held, change(customer(1), "value", "B", "A")])
    (row,) = make_report(workspace, SETTING, against="2026-01").moves.to_pylist()
    assert (row["before"], row["after"], row["direction"], row["reason"]) == ("C", "A", "up", "value: B to A")


def serve(first: float, last: float, **said: Any) -> dict[str, dict[str, Any]]:
    """Thirty customers of each of A and C, and what it costs to serve each of them."""
    costs = [("A", first)] * 30 + [("C", last)] * 30
    return {customer(i): {"value": class_, "service_cost_365d": cost, **said} for i, (class_, cost) in enumerate(costs)}


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (2_000.0, 3_000.0, "C costs more to serve per head than A"),
        (3_000.0, 2_900.0, "All classes of value cost the same to serve"),
        (2_900.0, 3_000.0, "All classes of value cost the same to serve"),
        (9_000.0, 3_000.0, "Service follows value; service costs per head: A key customer 90.00 EUR, C ordinary"),
        (0.0, 0.0, "No cost of service is on record"),
    ],
)
def test_a33_the_report_says_whether_service_follows_value(
    tmp_path: Path, first: float, last: float, said: str
) -> None:
    """Where C costs more than A per head, or all classes cost the same, it says so plainly; or that nobody knows."""
    report = make_report(write_month(tmp_path, "2026-10", serve(first, last)), SETTING)
    assert any(line.startswith(said) for line in headlines(report)) and said in to_html(report)


def test_a33_where_the_lowest_class_costs_more(tmp_path: Path) -> None:
    """Overall A costs more; in the north it is C."""
    rows = serve(9_000.0, 1_000.0, region="S")
    rows |= {customer(100 + i): each for i, each in enumerate(serve(1_000.0, 2_000.0, region="N").values())}
    (place,) = make_report(write_month(tmp_path, "2026-10", rows), SETTING).allocation.places
    assert (place.dimension, place.class_, place.first, place.last) == ("region", "N", 1_000.0, 2_000.0)


def test_a38_core_market_by_return_on_service_cost(tmp_path: Path) -> None:
    """The segment that earns most for each unit of service cost, though another earns more; a few customers never."""
    segments = [("1", 9_000.0, 3_000.0, 30), ("2", 4_000.0, 500.0, 30), ("3", 9_000.0, 1.0, 5)]
    sums = [(s, margin, cost) for s, margin, cost, many in segments for _ in range(many)]
    rows = {
        customer(i): {"segment": s, "spend_365d": 2 * margin, "margin_365d": margin, "service_cost_365d": cost}
        for i, (s, margin, cost) in enumerate(sums)
    }
    market, *_ = make_report(write_month(tmp_path / "costs", "2026-10", rows), SETTING).markets
    assert (market.by, market.measure) == (("segment",), "return") and market.best
    assert (market.best.name, market.best.measure) == ("2 segment 2", 8.0)
    assert [each.measure for each in market.groups] == [8.0, 3.0, None]
    free = {id_: {**said, "service_cost_365d": 0.0} for id_, said in rows.items()}
    report = make_report(write_month(tmp_path / "free", "2026-10", free), SETTING)
    assert report.markets[0].measure == "margin" and report.markets[0].best == report.markets[0].groups[0]
    assert "Core market by segment: 1 segment 1, 90 of margin per head" in to_html(report)
    unknown = {id_: {**said, "margin_365d": None} for id_, said in free.items()}
    market, *_ = make_report(write_month(tmp_path / "unknown", "2026-10", unknown), SETTING).markets
    assert (market.measure, market.groups[0].name, market.groups[0].measure) == ("spend", "1 segment 1", 18_000.0)


def test_a38_core_market_of_the_sample_company(report: Report, both: tuple[pd.DataFrame, ...]) -> None:
    """Segments, and industries by region, ranked by margin over cost of service, as the grades have them."""
    now = both[1]
    by_segment, by_place = report.markets
    sums = now.groupby("class_segment")[["margin_365d", "service_cost_365d"]].sum()
    returns = (sums["margin_365d"] / sums["service_cost_365d"]).where(now["class_segment"].value_counts() >= 20)
    assert by_segment.measure == "return" and by_segment.best and by_segment.best.measure == returns.max()
    assert by_place.by == ("industry", "region") and sum(each.customers for each in by_place.groups) == len(now)


def test_a50_any_of_it_within_one_class(job: Job, report: Report, both: tuple[pd.DataFrame, ...]) -> None:
    """Reports within A, B and C tell of everybody once; each list has customers of the class only."""
    parts = [report_month(job, MONTHS[1], within={"value": class_}) for class_ in "ABC"]
    assert sum(part.customers for part, _ in parts) == report.customers
    for name, whole in report.migrations.items():
        assert sum(part.migrations[name].customers[:, :-1] for part, _ in parts).tolist() == (
            whole.customers[:, :-1].tolist()
        )
    for field in ("moves", "newcomers"):
        assert sum(getattr(part, field).num_rows for part, _ in parts) == getattr(report, field).num_rows
    assert sum(in_total(part.causes).raw for part, _ in parts) == in_total(report.causes).raw
    key, page = parts[0]
    mine = {id_[:HANDLE] for id_ in both[1].index[both[1]["class_value"] == "A"]}
    assert {row["customer"] for row in rows_of(page, "moves")} <= mine and key.stars.asked == 0
    assert "only value A key customer" in Page(page).words and page.parent.name == f"{MONTHS[1]}-value-A"
    north, _ = report_month(job, MONTHS[1], within={"value": "A", "region": "N"})
    assert north.customers == ((both[1]["class_value"] == "A") & (both[1]["class_region"] == "N")).sum() > 0


def test_b01_shares_add_up_in_total(job: Job, report: Report, page: Path) -> None:
    """In each dimension and over all: the shares are those of changes.parquet, and add up to the changes."""
    changes = pq.read_table(job.workspace.months / MONTHS[1] / "changes.parquet").to_pandas()
    assert sum(each.changes for each in report.causes) == len(changes) > 100
    for each in report.causes:
        mine = changes[changes["dimension"] == each.dimension]
        assert sum(each.shares) == pytest.approx(each.raw) and each.unshared == 0
        assert each.raw == (mine["raw_before"] != mine["raw_after"]).sum()
        assert each.shares[0] == pytest.approx(mine["share_facts"].sum())
        assert sum(each.kinds.values()) == each.changes == len(mine)
    total = in_total(report.causes)
    assert sum(total.shares) == pytest.approx(total.raw) and {"moved", "held"} <= total.kinds.keys()
    assert sum(float(row["share_facts"]) for row in rows_of(page, "causes")) == pytest.approx(total.shares[0])


def test_b01_changes_that_nobody_can_share_out_are_counted(tmp_path: Path) -> None:
    """Where the earlier release was lost: not known, and not put down to anybody."""
    lost = dict.fromkeys(("share_facts", "share_model", "share_cutoff", "share_scheme"))
    write_month(tmp_path, "2026-01", {customer(i): {"value": "C"} for i in range(2)})
    changes = [change(customer(0), "value", "C", "B"), change(customer(1), "value", "C", "B", **lost)]
    workspace = write_month(tmp_path, "2026-02", {customer(i): {"value": "B"} for i in range(2)}, changes)
    (cause,) = make_report(workspace, SETTING).causes
    assert (cause.raw, cause.unshared, cause.shares) == (2, 1, (1.0, 0.0, 0.0, 0.0))


def test_a25_nobody_is_unclassified_or_it_is_said(tmp_path: Path, report: Report) -> None:
    """The sample company is whole; a missing class, a double and an impossible move are found."""
    assert report.health.whole and "Nobody is unclassified" in " ".join(headlines(report))
    rows = {customer(i): {"value": "A", "lifecycle": "R"} for i in range(3)}
    rows[customer(0)] |= {"value": None}
    rows[customer(1)] |= {"notes": "churn held, lifecycle illegal", "raw_lifecycle": "P"}
    report = make_report(write_month(tmp_path, "2026-01", rows), SETTING)
    assert not report.health.whole and report.health.unclassified == 1
    (wrong,) = report.health.illegal.to_pylist()
    assert wrong == {"customer": customer(1)[:HANDLE], "dimension": "lifecycle", "class": "R", "raw_class": "P"}
    assert "1 customers lack a class" in to_html(report) and customer(1)[:HANDLE] in to_html(report)


def test_early_warning_is_told_or_that_it_did_not_run(tmp_path: Path) -> None:
    """Alerts of the month's folder, the surest first, those of others left out."""
    workspace = write_month(tmp_path, "2026-10", {customer(i): {"value": "A"} for i in range(3)})
    assert "Early warning did not run for this month." in headlines(make_report(workspace, SETTING))
    alerts = [
        {"customer_id": customer(i), "kind": "activity", "observed": 1.0, "expected": 5.0, "p": 0.01,
         "q": 0.1 / (1 + i), "alert": i != 1, "sentence": f"quiet {i}"}
        for i in range(4)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(alerts), workspace.months / "2026-10" / "alerts.parquet")
    found = make_report(workspace, SETTING)
    assert found.alerts and (found.alerts.watched, found.alerts.judged) == (3, 3)
    assert "Early warning: 3 key customers are watched, all judged; 2 alerts." in headlines(found)
    assert found.alerts.table["sentence"].to_pylist() == ["quiet 2", "quiet 0"] and "quiet 2" in to_html(found)


def test_alerts_without_a_judgement_are_told_too(tmp_path: Path) -> None:
    """A changed contact person has no p; where nobody could be judged the report does not say that all is well."""
    workspace = write_month(tmp_path, "2026-10", {customer(i): {"value": "A"} for i in range(3)})
    nothing: dict[str, Any] = dict.fromkeys(("observed", "expected", "p", "q"))
    alerts = [
        {"customer_id": customer(0), "kind": "contact", "alert": True, "sentence": "The contact changed.", **nothing},
        {"customer_id": customer(1), "kind": "activity", "alert": False, "sentence": "Not judged.", **nothing},
    ]
    schema = pa.schema([("p", pa.float64()), ("q", pa.float64()), ("observed", pa.int64()), ("expected", pa.float64())])
    table = pa.Table.from_pylist(alerts)
    for name in schema.names:
        table = table.set_column(table.column_names.index(name), name, table[name].cast(schema.field(name).type))
    pq.write_table(table, workspace.months / "2026-10" / "alerts.parquet")
    found = make_report(workspace, SETTING)
    assert "The contact changed." in to_html(found)
    assert any("2 key customers are watched, none judged" in each for each in headlines(found))


def test_the_first_month_has_nothing_to_be_held_against(tmp_path: Path) -> None:
    """It is a report all the same, and says so."""
    report = make_report(write_month(tmp_path, "2026-10", {customer(1): {"value": "A", "large": "Y"}}), SETTING)
    assert "the first month" in to_html(report) and report.newcomers.num_rows == 0
    write_report(report, tmp_path / "out")
    assert (tmp_path / "out" / "moves.csv").read_text().count("\n") == 1


def test_who_is_forgotten_is_in_no_report(job: Job, both: tuple[pd.DataFrame, ...], tmp_path: Path) -> None:
    """Reports go with the person; made again, they do not have even its first digits."""
    mine = replace(job, workspace=Workspace(tmp_path / "home"))
    shutil.copytree(job.workspace.home, mine.workspace.home)
    _, page = report_month(mine)
    star = rows_of(page, "stars")[0]["customer"]
    id_ = next(id_ for id_ in both[1].index if id_.startswith(star))
    desk = open_desk(mine)
    forget(desk, desk.person(own_ids(mine.vault(), [id_])[id_]), "asked", date(2026, 11, 23))
    assert not mine.workspace.reports.exists()
    again, page = report_month(mine)
    assert all(star not in path.read_text(encoding="utf-8") for path in page.parent.iterdir())
    assert "1 of the " in " ".join(headlines(again)) and again.health.whole


def test_own_ids_only_outside_the_workspace_and_noted(job: Job, tmp_path: Path, scoring: Scoring) -> None:
    """With --ids --out the lists have the company's own ids, and the audit log says so; without --out nothing is
    written."""
    where = ("report", "--home", job.workspace.home)
    code, said = scoring(*where, "--ids")
    assert code == 2 and "--ids" in said and "outside the workspace" in said
    code, said = scoring(*where, "--out", job.workspace.home / "mine")
    assert code == 2 and "in the workspace" in said and not (job.workspace.home / "mine").exists()
    code, _ = scoring(*where, "--ids", "--out", tmp_path / "named")
    known = set(
        own_ids(job.vault(), pq.read_table(job.workspace.months / MONTHS[1] / "grades.parquet")[0].to_pylist()).values()
    )
    named = {row["customer"] for row in rows_of(tmp_path / "named" / PAGE, "stars")}
    assert code == 0 and named and named <= known
    last = read_lines(job.workspace.home / "audit.jsonl")[-1]
    assert (last["action"], last["list"]) == ("names", f"report of {MONTHS[1]}")


def test_what_is_no_report_is_never_replaced(report: Report, tmp_path: Path) -> None:
    """A folder that holds anything else stays as it is."""
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="what is no report"):
        write_report(report, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--month", "2026-01"), "no month 2026-01"),
        (("--against", "2026-10"), "a month before 2026-10"),
        (("--within", "value=Z"), "value= one of A, B, C, U"),
        (("--within", "worthy=A"), "the dimension one of value, lifecycle"),
    ],
)
def test_what_cannot_be_reported_is_refused(job: Job, scoring: Scoring, words: tuple[str, ...], said: str) -> None:
    """With a letter that says what may stand there."""
    code, found = scoring("report", "--home", job.workspace.home, *words)
    assert code == 2 and said in found
