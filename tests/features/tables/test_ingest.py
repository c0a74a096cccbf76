"""Every line is accounted for, the contract holds, and no raw id gets past the door."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from features.errors import InputError
from features.tables.events import CUSTOMERS, EVENTS, ITEMS, broken_rules
from features.tables.ingest import ingest
from features.tables.privacy import Pseudonyms
from features.tables.quarantine import refused_lines
from features.tables.simulate import simulate
from features.tables.sources import load_source
from features.tables.sql import parquet
from features.tables.vault import open_vault
from features.workspace import Workspace, part_files
from serving.steps import Job
from tests.conftest import Ran, real_data

SOURCE = """
name: shop
title: A shop
timezone: Europe/Berlin
tables:
  - name: orders
    gives: events
    files: [orders.csv]
    customer: customer
    time: {column: at}
    kind:
      - {is: return, when: {amount: {below: 0}}}
      - {is: purchase}
    ref: order
    amount: amount
    item: item
"""
HEADER = "customer,at,order,amount,item\n"
LINES = "anna,2026-03-01T10:00,1,10.00,x\nanna,2026-03-05,2,2.50,y\nbert,2026-03-07T23:30,3,0.335,x\n"

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
Shop = Callable[..., Path]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Writes a source file and its table; returns the source file."""

    def write(lines: str = LINES, source: str = SOURCE, header: str = HEADER) -> Path:
        (tmp_path / "orders.csv").write_text(header + lines, encoding="utf-8")
        (tmp_path / "shop.yaml").write_text(source, encoding="utf-8")
        return tmp_path / "shop.yaml"

    return write


def read(workspace: Workspace, name: str) -> list[dict[str, object]]:
    return list(pq.read_table(workspace.tables / f"{name}.parquet").to_pylist())


def quarantined(workspace: Workspace, pseudonyms: Pseudonyms) -> list[dict[str, object]]:
    return list(refused_lines(open_vault(workspace.tables, pseudonyms)).to_pylist())


def ingest_shop(path: Path, pseudonyms: Pseudonyms) -> Workspace:
    workspace = Workspace(path.parent / "home")
    (counts,) = ingest(load_source(str(path)), path.parent, workspace, pseudonyms, afresh=True).counts
    assert counts.missing == 0
    return workspace


def test_a_line_becomes_an_event(shop: Shop, pseudonyms: Pseudonyms) -> None:
    """Amounts in minor units, half cents away from zero; local day and hour; null hour where there is only a day."""
    workspace = ingest_shop(shop(), pseudonyms)
    events = {e["ref"]: e for e in read(workspace, "events")}
    assert [events[ref]["amount"] for ref in "123"] == [1000, 250, 34]
    assert [events[ref]["hour"] for ref in "123"] == [10, None, 23]
    assert str(events["3"]["ts"]) == "2026-03-07 22:30:00+00:00"
    assert str(events["3"]["day"]) == "2026-03-07"
    assert events["1"]["customer_id"] == events["2"]["customer_id"] == pseudonyms.of("anna")
    assert events["1"]["known_at"] == events["1"]["ts"]
    for name, schema in (("events", EVENTS), ("customers", CUSTOMERS), ("items", ITEMS)):
        (file,) = part_files(workspace.tables / f"{name}.parquet")
        found = pq.read_schema(file)
        assert [(f.name, f.type) for f in found] == [(f.name, f.type) for f in schema]
    assert broken_rules(workspace.tables / "events.parquet") == {}


def test_what_is_refused_is_kept_with_its_reason(shop: Shop, pseudonyms: Pseudonyms) -> None:
    """A line without customer or amount goes to quarantine as it came; a repeated line is dropped and counted."""
    lines = LINES + ",2026-03-08,4,1.00,x\nanna,2026-03-09,5,,x\nanna,,6,1.00,x\n" + LINES.splitlines()[0] + "\n"
    workspace = ingest_shop(shop(lines), pseudonyms)
    (counts,) = json.loads((workspace.tables / "report.json").read_text())["tables"]
    assert counts["quarantined"] == {"missing-customer": 1, "missing-amount": 1, "missing-time": 1}
    assert counts["dropped"] == {"repeated-line": 1}
    refused = {r["rule"]: r for r in quarantined(workspace, pseudonyms)}
    assert (refused["missing-amount"]["file"], refused["missing-amount"]["line"]) == ("orders.csv", 6)
    assert json.loads(str(refused["missing-customer"]["row"]))["order"] == "4"


def test_a_rule_may_be_softened_for_a_source(shop: Shop, pseudonyms: Pseudonyms) -> None:
    """An unreadable amount stops the run, unless the source file says to set such lines aside."""
    soft = SOURCE + "rules: {unreadable-amount: quarantine}\n"
    workspace = ingest_shop(shop(LINES + "anna,2026-03-10,9,abc,x\n", soft), pseudonyms)
    assert [r["found"] for r in quarantined(workspace, pseudonyms)] == ["abc"]


@pytest.mark.parametrize("amount", ["abc", "NaN", "inf", "1e30", "1,5,0", "--1", "0x10", "١٢٣x"])
def test_an_amount_that_is_no_number_never_becomes_one(shop: Shop, amount: str, scoring: Callable[..., object]) -> None:
    """It stops the run, or the line is refused; it is never read as something else."""
    path = shop(LINES + f'anna,2026-03-10,9,"{amount}",x\n')
    code, error = scoring("ingest", "--source", path, "--raw", path.parent, "--home", path.parent / "home")  # type: ignore[misc]
    assert code == 2
    assert "line 5, column amount" in error and repr(amount) in error


def test_rows_of_another_width_are_never_skipped(shop: Shop, scoring: Callable[..., tuple[int, str]]) -> None:
    """A second export with another column appended: the reader must not choose the part it likes."""
    first = "".join(f"a{i},2026-01-01,{i},1,x\n" for i in range(40))
    second = "customer,at,order,amount,item,note\n" + "".join(f"b{i},2026-01-02,{i},1,x,n\n" for i in range(60))
    for lines in (first + second, first + 'a,2026-01-01,1,1,"x\n', "exported today\n" + first):
        path = shop(lines=lines)
        code, error = scoring("ingest", "--source", path, "--raw", path.parent, "--home", path.parent / "home")
        assert code == 2 and "orders.csv" in error and "b0" not in error


def test_a_file_name_is_not_a_pattern(shop: Shop, pseudonyms: Pseudonyms) -> None:
    """`orders[1].csv` is that file, and not `orders1.csv`."""
    path = shop(source=SOURCE.replace("orders.csv", '"orders[1].csv"'))
    (path.parent / "orders.csv").rename(path.parent / "orders[1].csv")
    (path.parent / "orders1.csv").write_text(HEADER + "wrong,2026-03-01,1,999,x\n")
    assert len(read(ingest_shop(path, pseudonyms), "events")) == 3


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-01-01T10:00", "09:00"),
        ("2026-01-01 10:00:00.5", "09:00"),
        ("2026-01-01T10:00:00Z", "10:00"),
        ("2026-01-01T10:00+05", "05:00"),
        ("2026-01-01 10:00 PM", None),
        ("2026-01-01 10:00:00 America/New_York", None),
        ("2026-01-01T10:00:00+99:00", None),
        ("epoch", None),
        ("-infinity", None),
        ("0044-03-15 (BC)", None),
    ],
)
def test_a_time_is_read_as_written_or_not_at_all(
    written: str, utc: str | None, shop: Shop, pseudonyms: Pseudonyms
) -> None:
    """ISO 8601, with or without an offset; nothing is dropped to make it fit."""
    soft = SOURCE + "rules: {unreadable-time: quarantine}\n"
    workspace = ingest_shop(shop(LINES + f"zoe,{written},z,1,x\n", soft), pseudonyms)
    found = [str(e["ts"])[11:16] for e in read(workspace, "events") if e["ref"] == "z"]
    assert found == ([] if utc is None else [utc])


def test_a_format_with_an_offset_is_believed(shop: Shop, pseudonyms: Pseudonyms) -> None:
    """%z is the cell's own distance from UTC; the company's zone does not come on top."""
    source = SOURCE.replace("time: {column: at}", 'time: {column: at, format: "%d.%m.%Y %H:%M %z"}')
    workspace = ingest_shop(shop("zoe,01.02.2026 10:00 +0500,z,1,x\n", source), pseudonyms)
    assert str(read(workspace, "events")[0]["ts"]) == "2026-02-01 05:00:00+00:00"


@pytest.mark.parametrize("blank", [" ", "\t", "\u00a0", " \u3000\t"])
def test_a_blank_customer_is_no_customer(blank: str, shop: Shop, pseudonyms: Pseudonyms) -> None:
    """Whatever kind of blank it is."""
    workspace = ingest_shop(shop(LINES + f"{blank},2026-03-08,4,1.00,x\n"), pseudonyms)
    assert [r["rule"] for r in quarantined(workspace, pseudonyms)] == ["missing-customer"]


def test_a_day_before_1900_is_set_aside(shop: Shop, pseudonyms: Pseudonyms) -> None:
    """One mistyped century must not move the beginning of the data."""
    workspace = ingest_shop(shop(LINES + "zoe,0202-01-01,z,1,x\n"), pseudonyms)
    assert [r["rule"] for r in quarantined(workspace, pseudonyms)] == ["implausible-day"]
    assert json.loads((workspace.tables / "report.json").read_text())["first_day"] == "2026-03-01"


def test_a_killed_run_is_cleared_up(shop: Shop, pseudonyms: Pseudonyms) -> None:
    """What a killed run left is removed, and the folder it had moved away comes back if the next run fails."""
    path = shop()
    workspace = ingest_shop(path, pseudonyms)
    workspace.tables.rename(workspace.home / ".tables.old-999999999")
    (workspace.home / ".tables.new-999999998").mkdir()
    shop(lines="anna,2026-03-10,9,abc,x\n")
    with pytest.raises(InputError):
        ingest_shop(path, pseudonyms)
    assert [p.name for p in workspace.home.iterdir()] == ["tables"] and len(read(workspace, "events")) == 3


def test_ingest_twice_gives_the_same_bytes(tmp_path: Path, pseudonyms: Pseudonyms) -> None:
    """The simulator and ingest are functions of their input alone."""
    found = []
    for name in ("one", "two"):
        workspace = Workspace(tmp_path / name)
        simulate(workspace.simulated, 150)
        ingest(load_source("sample"), workspace.simulated, workspace, pseudonyms, now=NOW)
        vault = open_vault(workspace.tables, pseudonyms)
        files = [path for path in workspace.home.rglob("*") if path.is_file() and vault.folder not in path.parents]
        found.append(
            [{str(path.relative_to(workspace.home)): path.read_bytes() for path in files}, dict(vault.tables(""))]
        )
    assert found[0] == found[1]


def test_no_raw_id_gets_past_the_door(sample: Ran) -> None:
    """No file that a step leaves, and no table of MLflow, names a customer by its own number."""
    import os
    import re

    registry = Path(os.environ["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///"))
    raw_id = re.compile(rb"C1[0-9]{4}\b")
    folders = [sample.workspace.tables, sample.workspace.features, sample.workspace.training, sample.folder]
    files = [p for folder in [*folders, registry.parent] for p in folder.rglob("*") if p.is_file()]
    assert len(files) > 20
    for file in files:
        content = str(pq.read_table(file).to_pylist()).encode() if file.suffix == ".parquet" else file.read_bytes()
        assert not raw_id.search(content), file


def test_another_key_gives_other_pseudonyms(pseudonyms: Pseudonyms) -> None:
    """A pseudonym depends on the key, is 32 hexadecimal digits, and does not see blanks around an id."""
    assert pseudonyms.of(" anna ") == pseudonyms.of("anna") != Pseudonyms(b"another key" * 4).of("anna")
    assert len(pseudonyms.of("anna")) == 32
    assert "key" not in repr(pseudonyms)


@pytest.mark.real
def test_online_retail_accounts_for_every_line(online_retail: Ran) -> None:
    """The files' own counts, as published: lines, lines without customer, exact repeats, nine days in both files."""
    folder = real_data("online_retail/online_retail.parquet")
    report = online_retail.job.report()
    (counts,) = report["tables"]
    assert counts["read"] == 541_909 + 525_461
    refused = sum(counts["quarantined"].values()) + sum(counts["dropped"].values())
    assert counts["accepted"] + refused == counts["read"]
    assert (
        report["events"]
        == counts["accepted"]
        == pq.read_table(online_retail.workspace.tables / "events.parquet", columns=["day"]).num_rows
    )
    with duckdb.connect() as db:
        db.execute(f"CREATE VIEW lines AS FROM read_parquet('{folder}/*.parquet')")
        distinct, everything, nobody = db.sql(
            """WITH sales AS (SELECT * FROM lines WHERE NOT (Quantity < 0 AND UnitPrice = 0)
                AND StockCode NOT IN ('BANK CHARGES','AMAZONFEE','ADJUST','ADJUST2','TEST001','TEST002','CRUK','B','S'))
               SELECT (SELECT count(*) FROM (SELECT DISTINCT * FROM sales WHERE CustomerID IS NOT NULL)),
                count(*) FILTER (CustomerID IS NOT NULL), count(*) FILTER (CustomerID IS NULL) FROM sales"""
        ).fetchall()[0]
    assert counts["dropped"]["repeated-line"] == everything - distinct
    assert counts["quarantined"] == {"missing-customer": nobody}


@pytest.mark.real
def test_online_retail_takes_the_shared_days_once(online_retail: Ran) -> None:
    """Purchases of the overlapping days are those of one file, not of two; cancellations are returns."""
    folder = real_data("online_retail/online_retail.parquet")
    with duckdb.connect() as db:
        events = parquet(online_retail.workspace.tables / "events.parquet")
        got = db.sql(
            f"""SELECT kind, sum(amount)::BIGINT FROM {events}
            WHERE day BETWEEN '2010-12-01' AND '2010-12-09' GROUP BY kind ORDER BY kind"""
        ).fetchall()
        wanted = db.sql(
            f"""SELECT CASE WHEN InvoiceNo LIKE 'C%' THEN 'return' ELSE 'purchase' END AS kind,
                sum(round(Quantity * UnitPrice * 100))::BIGINT
            FROM (SELECT DISTINCT * FROM read_parquet('{folder}/online_retail.parquet'))
            WHERE InvoiceDate < '2010-12-10' AND CustomerID IS NOT NULL
              AND StockCode NOT IN ('BANK CHARGES','AMAZONFEE','ADJUST','ADJUST2','TEST001','TEST002','CRUK','B','S')
            GROUP BY kind ORDER BY kind"""
        ).fetchall()
    assert got == wanted


@pytest.mark.real
def test_cdnow_totals_are_the_published_ones(tmp_path: Path) -> None:
    """69,659 rows and 23,570 customers, of which 255 rows are exact repeats."""
    job = Job(load_source("cdnow"), Workspace(tmp_path), real_data("cdnow/CDNOW_master.txt.gz"))
    job.ingest()
    report = job.report()
    assert (report["tables"][0]["read"], report["customers"]) == (69_659, 23_570)
    assert report["tables"][0]["dropped"] == {"repeated-line": 255}
    assert (report["first_day"], report["last_day"]) == ("1997-01-01", "1998-06-30")
