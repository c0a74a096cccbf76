"""Later runs add what is new: history stays, late rows are known late, a restated row counts from then on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.batch import feature_table
from features.catalogue import CATALOGUE
from features.errors import InputError
from features.tables.events import broken_rules
from features.tables.ingest import ingest
from features.tables.privacy import Pseudonyms
from features.tables.run import Ingested
from features.tables.sources import load_source
from features.workspace import Workspace, read_json
from tests.postgres import postgres_url

__all__ = ["postgres_url"]

SOURCE = """
name: shop
title: A shop
timezone: Europe/Berlin
tables:
  - name: orders
    gives: events
    files: [in/]
    customer: customer
    time: {column: at}
    kind: purchase
    event_id: id
    ref: id
    amount: amount
  - name: customers
    gives: customers
    files: [customers/]
    customer: customer
    attributes: {region: {column: region, family: social}}
"""
HEADER = "id,customer,at,amount\n"
FIRST = "1,anna,2026-03-01T10:00,10.00\n2,anna,2026-03-05,2.50\n3,bert,2026-03-31T23:30,7.00\n"
MARCH = datetime(2026, 4, 1, 8, tzinfo=UTC)
APRIL = datetime(2026, 5, 1, 8, tzinfo=UTC)
MAY = datetime(2026, 6, 1, 8, tzinfo=UTC)


class Shop:
    """A shop that exports a file now and then."""

    def __init__(self, folder: Path, pseudonyms: Pseudonyms) -> None:
        self.folder, self.pseudonyms = folder, pseudonyms
        self.workspace = Workspace(folder / "home")
        (folder / "in").mkdir()
        (folder / "customers").mkdir()
        (folder / "customers" / "1.csv").write_text("customer,region\nanna,north\nbert,south\n")
        (folder / "shop.yaml").write_text(SOURCE)

    def export(self, name: str, lines: str, header: str = HEADER) -> None:
        (self.folder / "in" / name).write_text(header + lines)

    def ingest(self, now: datetime, afresh: bool = False) -> Ingested:
        source = load_source(str(self.folder / "shop.yaml"))
        return ingest(source, self.folder, self.workspace, self.pseudonyms, now=now, afresh=afresh)

    def events(self) -> list[dict[str, object]]:
        table = pq.read_table(self.workspace.tables / "events.parquet")
        return list(table.sort_by([("event_id", "ascending"), ("known_at", "ascending")]).to_pylist())

    def attributes(self) -> list[tuple[str, date | None]]:
        table = pq.read_table(self.workspace.tables / "customers.parquet").sort_by("valid_from")
        return list(zip(table["value"].to_pylist(), table["valid_from"].to_pylist(), strict=True))

    def rows(self, day: date) -> pa.Table:
        return feature_table(
            self.workspace.tables, load_source(str(self.folder / "shop.yaml")).company(), CATALOGUE, [day]
        )

    def parts(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.workspace.tables / "events.parquet").iterdir()}


@pytest.fixture
def shop(tmp_path: Path, pseudonyms: Pseudonyms) -> Shop:
    """With the export of March taken in."""
    found = Shop(tmp_path, pseudonyms)
    found.export("2026-03.csv", FIRST)
    found.ingest(MARCH)
    return found


def test_the_same_file_twice_changes_nothing(shop: Shop) -> None:
    """Not a byte, whatever it is called."""
    before = {path: path.read_bytes() for path in shop.workspace.tables.rglob("*") if path.is_file()}
    shop.export("again.csv", FIRST)
    done = shop.ingest(APRIL)
    assert [each.read for each in done.counts] == [0, 0]
    assert {path: path.read_bytes() for path in shop.workspace.tables.rglob("*") if path.is_file()} == before


def test_a_new_file_is_added_beside_the_history(shop: Shop) -> None:
    """The files of the history keep their bytes; what happened after them is known when it happened."""
    before = shop.parts()
    shop.export("2026-04.csv", "4,bert,2026-04-02,1.00\n")
    shop.export("a day without any.csv", "")
    done = shop.ingest(APRIL)
    after = shop.parts()
    assert before.items() <= after.items() and len(after) == len(before) + 1
    assert (done.late, done.restated) == (0, 0)
    new = next(event for event in shop.events() if event["event_id"] == "4")
    assert new["known_at"] == new["ts"]
    counts = read_json(shop.workspace.tables / "report.json")["tables"][0]
    assert (counts["read"], counts["accepted"]) == (4, 4)


def test_a_late_row_is_known_late(shop: Shop) -> None:
    """A row of a day that was complete is known from the run that brought it; features before do not see it."""
    before = shop.rows(date(2026, 4, 15))
    shop.export("2026-04.csv", "4,anna,2026-03-03,99.00\n5,bert,2026-04-20,1.00\n")
    done = shop.ingest(APRIL)
    assert done.late == 1
    late = next(event for event in shop.events() if event["event_id"] == "4")
    assert late["known_at"] == APRIL
    assert shop.rows(date(2026, 4, 15)).equals(before)
    assert not shop.rows(date(2026, 5, 2)).equals(before)


def test_a_restated_row_replaces_the_old_one_from_then_on(shop: Shop) -> None:
    """The old one stays for the dates before; the chain goes on with every restatement."""
    old, first = shop.rows(date(2026, 4, 15)), shop.events()[0]
    shop.export("2026-04.csv", "1,anna,2026-03-01T10:00,11.00\n")
    assert shop.ingest(APRIL).restated == 1
    shop.export("2026-05.csv", "1,anna,2026-03-01T10:00,12.00\n")
    assert shop.ingest(MAY).restated == 1
    versions = [e for e in shop.events() if e["event_id"] == "1"]
    assert [e["amount"] for e in versions] == [1000, 1100, 1200]
    assert [e["known_at"] for e in versions] == [first["ts"], APRIL, MAY]
    assert [e["known_until"] for e in versions] == [APRIL, MAY, None]
    assert shop.rows(date(2026, 4, 15)).equals(old)
    spend = [shop.rows(day)["spend_365d"].to_pylist() for day in (date(2026, 5, 15), date(2026, 6, 15))]
    assert sorted(spend[0]) == [700, 1350] and sorted(spend[1]) == [700, 1450]
    assert broken_rules(shop.workspace.tables / "events.parquet") == {}


def test_an_export_of_everything_adds_what_is_new(shop: Shop) -> None:
    """The whole history again with one line more and one line changed: repeats are dropped and counted."""
    shop.export("all.csv", FIRST.replace("2.50", "2.75") + "4,bert,2026-04-02,1.00\n")
    done = shop.ingest(APRIL)
    assert (done.counts[0].read, done.counts[0].accepted, done.restated) == (4, 2, 1)
    assert dict(done.counts[0].dropped) == {"repeated-event": 2}
    shop.export("all-2.csv", FIRST + FIRST.replace("2.50", "2.75") + "4,bert,2026-04-02,1.00\n")
    done = shop.ingest(MAY)
    assert done.counts[0].accepted == 0 and done.restated == 0


def test_rows_that_contradict_one_another_are_for_a_person(shop: Shop) -> None:
    """Two contents of one new id, and nothing says which is newer: the first counts, the second waits."""
    shop.export("2026-04.csv", "4,bert,2026-04-02,1.00\n4,bert,2026-04-02,2.00\n")
    done = shop.ingest(APRIL)
    assert dict(done.counts[0].quarantined) == {"conflicting-event": 1}
    assert [e["amount"] for e in shop.events() if e["event_id"] == "4"] == [100]


def test_known_at_orders_what_a_table_says_twice(tmp_path: Path, pseudonyms: Pseudonyms) -> None:
    """Where the table itself says when it learnt of a row, versions follow that, in whatever order they come."""
    shop = Shop(tmp_path, pseudonyms)
    (tmp_path / "shop.yaml").write_text(SOURCE.replace("    ref: id\n", "    ref: id\n    known_at: {column: seen}\n"))
    header = "id,customer,at,amount,seen\n"
    shop.export("a.csv", "1,anna,2026-03-01,3.00,2026-03-20\n1,anna,2026-03-01,1.00,2026-03-02\n", header)
    shop.ingest(MARCH)
    shop.export("b.csv", "1,anna,2026-03-01,2.00,2026-03-10\n", header)
    shop.ingest(APRIL)
    found = [(e["amount"], str(e["known_at"])[:10], str(e["known_until"])[:10]) for e in shop.events()]
    assert found == [(100, "2026-03-01", "2026-03-09"), (200, "2026-03-09", "2026-03-19"), (300, "2026-03-19", "None")]


def test_a_changed_attribute_is_valid_from_the_run_that_brought_it(shop: Shop) -> None:
    """Also a customer who is new: snapshots of dates before must not change."""
    before = shop.rows(date(2026, 4, 15))
    (shop.folder / "customers" / "2.csv").write_text("customer,region\nanna,west\nbert,south\nzoe,east\n")
    shop.ingest(APRIL)
    assert shop.attributes() == [
        ("west", date(2026, 5, 1)),
        ("east", date(2026, 5, 1)),
        ("north", None),
        ("south", None),
    ] or sorted(shop.attributes(), key=str) == sorted(
        [("north", None), ("south", None), ("west", date(2026, 5, 1)), ("east", date(2026, 5, 1))], key=str
    )
    assert shop.rows(date(2026, 4, 15)).equals(before)


def test_another_reading_of_the_tables_asks_for_a_fresh_start(shop: Shop) -> None:
    """Rows read in two ways must not stand side by side; --afresh reads all files again."""
    path = shop.folder / "shop.yaml"
    path.write_text(SOURCE.replace("    ref: id\n", ""))
    shop.export("2026-04.csv", "4,bert,2026-04-02,1.00\n")
    with pytest.raises(InputError, match="--afresh"):
        shop.ingest(APRIL)
    shop.ingest(APRIL, afresh=True)
    assert len(shop.events()) == 4 and all(event["ref"] is None for event in shop.events())


def test_a_table_of_a_database_is_taken_in_again_and_again(
    postgres_url: str, tmp_path: Path, pseudonyms: Pseudonyms
) -> None:
    """What is new in it is added, what has changed restates, what is the same is a repeat."""
    shop = Shop(tmp_path, pseudonyms)
    database = f"    database: {{url: '{postgres_url}', table: bought}}\n"
    (tmp_path / "shop.yaml").write_text(SOURCE.replace("    files: [in/]\n", database))
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute("CREATE TABLE bought (id int, customer text, at timestamptz, amount numeric(12, 2))")
        server.execute("INSERT INTO bought VALUES (1, 'anna', '2026-03-01 10:00+01', 10), (2, '', now(), 1)")
        shop.ingest(MARCH)
        assert [(e["event_id"], e["amount"]) for e in shop.events()] == [("1", 1000)]
        server.execute("UPDATE bought SET amount = 11 WHERE id = 1")
        server.execute("INSERT INTO bought VALUES (3, 'bert', '2026-04-02 10:00+01', 3)")
        done = shop.ingest(APRIL)
        assert (done.restated, done.counts[0].accepted) == (1, 2)
        assert shop.ingest(MAY).counts[0].read == 0
        server.execute("DROP TABLE bought")


def test_a_file_a_day_does_not_leave_a_part_a_day(tmp_path: Path, pseudonyms: Pseudonyms) -> None:
    """Small part files become one now and then; no row is lost on the way."""
    shop = Shop(tmp_path, pseudonyms)
    for day in range(1, 41):
        shop.export(f"{day:02d}.csv", f"{day},anna,{date(2026, 3, 1) + timedelta(days=day)},1.00\n")
        shop.ingest(MAY)
    assert len(shop.events()) == 40 and len(shop.parts()) < 34
    assert broken_rules(shop.workspace.tables / "events.parquet") == {}


def test_reading_afresh_keeps_when_things_were_known(shop: Shop) -> None:
    """Every file as of the run that first brought it: a fresh start must not make late rows timely."""
    shop.export("2026-04.csv", "4,anna,2026-03-03,99.00\n1,anna,2026-03-01T10:00,11.00\n")
    shop.ingest(APRIL)
    events, rows = shop.events(), shop.rows(date(2026, 4, 15))
    shop.export("2026-05.csv", "5,bert,2026-05-20,1.00\n")
    shop.ingest(MAY, afresh=True)
    assert [event for event in shop.events() if event["event_id"] != "5"] == events
    assert shop.rows(date(2026, 4, 15)).equals(rows)


def test_runs_in_any_number_end_with_the_same_events(tmp_path: Path, pseudonyms: Pseudonyms) -> None:
    """Day by day or all at once: the same rows, but for when the late ones were known."""
    lines = [f"{i},k{i % 7},2026-03-{1 + i % 28:02d}T{i % 24:02d}:00,{i}.00\n" for i in range(200)]
    lines.sort(key=lambda line: line.split(",")[2])
    found = []
    for name, pieces in (("once", [lines]), ("often", [lines[:50], lines[50:120], lines[120:]])):
        (tmp_path / name).mkdir()
        shop = Shop(tmp_path / name, pseudonyms)
        for k, piece in enumerate(pieces):
            shop.export(f"{k}.csv", "".join(piece))
            shop.ingest(MARCH)
        found.append([{**event, "known_at": None} for event in shop.events()])
    assert found[0] == found[1]


Kill = Callable[[Path], None]
