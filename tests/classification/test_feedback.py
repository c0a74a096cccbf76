"""What customers said comes back: why they refused, summed up; when they expect to buy, until they have."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classification.feedback import EXPECTED, REASONS, expected_purchases, refusal_reasons
from features.batch import feature_table
from features.calendar import zone
from features.catalogue import CATALOGUE
from features.errors import InputError
from features.tables.events import EVENTS
from features.tables.privacy import Pseudonyms
from features.tables.sources import load_source
from features.workspace import Workspace
from serving.steps import Job
from tests.histories import customer

AS_OF = date(2026, 10, 1)
BERLIN = "Europe/Berlin"
Row = dict[str, Any]


def event(who: int, kind: str, day: date, hour: int | None = None, **said: Any) -> Row:
    """A row of the event table; known when it happened, unless told."""
    ts = datetime.combine(day, time(hour or 0), zone(BERLIN)).astimezone(UTC)
    head = {"customer_id": customer(who), "ts": ts, "day": day, "hour": hour, "known_at": ts, "kind": kind}
    return dict.fromkeys(EVENTS.names) | head | said


def write(folder: Path, rows: list[Row]) -> Path:
    """The event table of some rows."""
    numbered = [row | {"event_id": f"{i:04d}"} for i, row in enumerate(rows)]
    table = pa.Table.from_pylist(numbered, EVENTS) if rows else EVENTS.empty_table()
    pq.write_table(table, folder / "events.parquet")
    return folder


@st.composite
def rows(draw: st.DrawFn) -> Row:
    """A refusal, contact or purchase of one of three customers around the last two years before AS_OF."""
    day = AS_OF + timedelta(days=draw(st.sampled_from([-800, -731, -730, -400, -366, -365, -30, -3, -2, -1, 0, 5])))
    due, hour = draw(st.none() | st.integers(-4, 40)), draw(st.none() | st.sampled_from([9, 15]))
    said: Row = {"code": draw(st.none() | st.sampled_from(["price", "quality"]))}
    said["due_day"] = None if due is None else day + timedelta(days=due)
    found = event(draw(st.integers(0, 2)), draw(st.sampled_from(["refusal", "contact", "purchase"])), day, hour, **said)
    found["known_at"] += timedelta(days=draw(st.sampled_from([0, 0, 0, 2, 40])))
    until = draw(st.sampled_from([None, None, None, 1, 60]))
    return found | {"known_until": None if until is None else found["known_at"] + timedelta(days=until)}


def seen(rows: list[Row]) -> list[Row]:
    """Those that could be seen at AS_OF."""
    midnight = datetime.combine(AS_OF, time(), zone(BERLIN))
    return [
        row for row in rows
        if row["day"] < AS_OF and row["known_at"] < midnight
        and (row["known_until"] is None or row["known_until"] >= midnight)
    ]  # fmt: skip


@settings(deadline=None, derandomize=True, max_examples=40)
@given(found=st.lists(rows(), max_size=25))
def test_reasons_are_those_of_a_plain_count(tmp_path_factory: pytest.TempPathFactory, found: list[Row]) -> None:
    """Of the year before and the year before that, as far as known at the date; every refusal is in one row."""
    folder = write(tmp_path_factory.mktemp("tables"), found)
    table = refusal_reasons(folder, AS_OF, BERLIN)
    assert table.schema.equals(REASONS) and table["class"].null_count == table.num_rows
    year, before = (AS_OF - timedelta(days=365 * k) for k in (1, 2))
    told = [row for row in seen(found) if row["kind"] == "refusal" and row["day"] >= before]
    lately = Counter(row["code"] for row in told if row["day"] >= year)
    earlier = Counter(row["code"] for row in told if row["day"] < year)
    known = min((row["day"] for row in seen(found)), default=AS_OF) <= before
    got = table.to_pylist()
    assert {row["reason"] for row in got} == {*lately, *earlier} and len(got) == len({*lately, *earlier})
    for row in got:
        code = row["reason"]
        people = {r["customer_id"] for r in told if r["day"] >= year and r["code"] == code}
        assert (row["refusals"], row["customers"]) == (lately[code], len(people))
        assert row["share"] == (pytest.approx(lately[code] / lately.total()) if lately else None)
        assert row["refusals_before"] == (earlier[code] if known else None)
        ratio = lately[code] / earlier[code] if known and earlier[code] else None
        assert row["trend"] == (None if ratio is None else pytest.approx(ratio))
    assert [row["refusals"] for row in got] == sorted((row["refusals"] for row in got), reverse=True)


def later(row: Row, than: Row) -> bool:
    """Whether a row came after another, or may have where a time of day is not known."""
    if row["day"] != than["day"] or None in (row["hour"], than["hour"]):
        return bool(row["day"] >= than["day"])
    return bool(row["ts"] > than["ts"])


@settings(deadline=None, derandomize=True, max_examples=40)
@given(found=st.lists(rows(), max_size=25))
def test_an_expected_date_is_open_until_a_purchase(tmp_path_factory: pytest.TempPathFactory, found: list[Row]) -> None:
    """The last one a customer told, as far as known at the date, beside a plain search."""
    folder = write(tmp_path_factory.mktemp("tables"), found)
    table = expected_purchases(folder, AS_OF, BERLIN)
    assert table.schema.equals(EXPECTED)
    wanted = []
    for who in {row["customer_id"] for row in found}:
        mine = [row for row in seen(found) if row["customer_id"] == who]
        told = [row for row in mine if row["kind"] == "contact" and row["due_day"] is not None]
        if not told:
            continue
        newest = max((row["ts"], row["known_at"]) for row in told)
        last = next(row for row in told if (row["ts"], row["known_at"]) == newest)
        if not any(later(row, last) for row in mine if row["kind"] == "purchase"):
            due = last["due_day"]
            wanted.append((due, who, last["day"], (due - AS_OF).days, due < AS_OF))
    got = [(r["expected"], r["customer_id"], r["told_on"], r["days_left"], r["overdue"]) for r in table.to_pylist()]
    assert got == sorted(wanted)


def test_reasons_within_a_class(tmp_path: Path) -> None:
    """Every class sums up its own customers; who has no class is in the total, which comes first."""
    day = AS_OF - timedelta(days=10)
    said = [(0, "price"), (0, "price"), (1, "quality"), (2, "price"), (3, None)]
    first = event(9, "visit", AS_OF - timedelta(days=1_000))
    folder = write(tmp_path, [first, *(event(who, "refusal", day, code=code) for who, code in said)])
    classes = pa.table({"customer_id": [customer(k) for k in (0, 1, 2)], "class": ["A", "B", "B"]})
    got = refusal_reasons(folder, AS_OF, BERLIN, classes).to_pylist()
    assert [
        (r["class"], r["reason"], r["refusals"], r["customers"], r["share"], r["refusals_before"]) for r in got
    ] == [
        (None, "price", 3, 2, 0.6, 0),
        (None, "quality", 1, 1, 0.2, 0),
        (None, None, 1, 1, 0.2, 0),
        ("A", "price", 2, 1, 1.0, 0),
        ("B", "price", 1, 1, 0.5, 0),
        ("B", "quality", 1, 1, 0.5, 0),
    ]


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    """No traceback of a reader."""
    (tmp_path / "events.parquet").write_bytes(b"not a table")
    for summed in (refusal_reasons, expected_purchases):
        with pytest.raises(InputError, match=r"events\.parquet"):
            summed(tmp_path, AS_OF)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The sample company, whose tables were taken in."""
    job = Job(load_source("sample"), Workspace(tmp_path_factory.mktemp("sample")))
    job.ingest(200)
    return job


def test_a10_expected_date_and_refusal_reason_are_written_back(
    company: Job, pseudonyms: Pseudonyms, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`hesitant` has its expected date recorded, `never` its reason: both by command, both summed up from tomorrow on,
    both still there when the company's files are read afresh."""
    from serving.cli import main

    def add(*words: str) -> str:
        where = ("--home", str(company.workspace.home), "--by", "anna")
        monkeypatch.setattr(sys, "argv", ["scoring", "event", "add", *words, *where])
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code
        return capsys.readouterr().out

    today = company.source.today()
    tomorrow, due = today + timedelta(days=1), today + timedelta(days=30)
    assert "Written: contact" in add("C10009", "--kind", "contact", "--due-day", f"{due}", "--channel", "phone")
    for who in ("C10010", "C10011"):
        assert "Written: refusal" in add(who, "--kind", "refusal", "--code", "price")
    assert "there already" in add("C10010", "--kind", "refusal", "--code", "price")

    def refusals(day: date) -> int:
        found = refusal_reasons(company.workspace.tables, day, company.source.timezone).to_pylist()
        return sum(row["refusals"] for row in found if row["reason"] == "price")

    def told() -> None:
        tables, timezone = company.workspace.tables, company.source.timezone

        def expected(day: date) -> list[dict[str, Any]]:
            rows = expected_purchases(tables, day, timezone).to_pylist()
            return [row for row in rows if row["customer_id"] == pseudonyms.of("C10009")]

        (open_,) = expected(tomorrow)
        assert open_["expected"] == due
        assert open_["channel"] == "phone" and (open_["days_left"], open_["overdue"]) == (29, False)
        assert refusals(tomorrow) == refusals(today) + 2
        assert not expected(today)  # nobody knew before
        assert [row["overdue"] for row in expected(due + timedelta(days=1))] == [True]
        features = feature_table(tables, company.source.company(), CATALOGUE, [today, tomorrow]).to_pylist()
        mine = {row["as_of"]: row["refusals_365d"] for row in features if row["customer_id"] == pseudonyms.of("C10010")}
        assert mine[tomorrow] == mine[today] + 1

    told()
    company.ingest(200)  # reads the sample company afresh
    told()


SOON = (datetime.now(UTC) + timedelta(days=2)).isoformat()
Said = Callable[..., tuple[int, str]]


@pytest.mark.parametrize(
    ("words", "place", "wanted"),
    [
        (("--kind", "suspicious_report"), "--kind", "one of purchase"),
        (("--kind", "sneeze"), "--kind", "one of purchase"),
        (("--kind", "visit", "--ts", SOON), "--ts", "a time up to"),
        (("--kind", "visit", "--ts", "yesterday"), "--ts", "valid datetime"),
        (("--kind", "contact", "--due-day", "soon"), "--due-day", "valid date"),
        (("--kind", "contact", "--ts", "2026-10-03", "--due-day", "2026-10-02"), "--due-day", "expects to buy"),
        (("--kind", "contact", "--channel", "pigeon"), "--channel", "representative"),
        (("--kind", "purchase", "--amount", "-1"), "--amount", "0 or more"),
        (("--kind", "return", "--amount", "1"), "--amount", "0 or less"),
        (("--kind", "purchase", "--amount", "1.234"), "--amount", "EUR with at most 2 decimals"),
        (("--kind", "purchase", "--amount", "1e999999"), "--amount", "EUR"),
        (("--kind", "purchase", "--cost", "dear"), "--cost", "EUR"),
        (("--kind", "survey", "--score", "nan"), "--score", "finite"),
        (("--kind", "refusal", "--code", "x" * 201), "--code", "at most 200"),
        (("--kind", "visit", "--ts", "1899-01-01"), "--ts", "1900"),
    ],
)
def test_what_cannot_be_names_its_option(
    company: Job, scoring: Said, words: tuple[str, ...], place: str, wanted: str
) -> None:
    """Exit code 2 and a letter; the customer's id is not in it, and the tables stay as they are."""
    before = sorted((p.name, p.stat().st_mtime_ns) for p in company.workspace.tables.rglob("*"))
    code, error = scoring("event", "add", "C10001", *words, "--home", company.workspace.home)
    letter = error.strip().splitlines()
    assert code == 2 and letter[0] == place and wanted in error and "C10001" not in error
    assert sorted((p.name, p.stat().st_mtime_ns) for p in company.workspace.tables.rglob("*")) == before
