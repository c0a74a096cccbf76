"""Every line is accounted for, the contract holds, and no raw id gets past the door."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from features.tables.events import CUSTOMERS, EVENTS, ITEMS, broken_rules
from features.tables.ingest import ingest
from features.tables.privacy import Pseudonyms
from features.tables.simulate import simulate
from features.tables.sources import load_source
from features.workspace import Workspace
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


def ingest_shop(path: Path, pseudonyms: Pseudonyms) -> Workspace:
    workspace = Workspace(path.parent / "home")
    (counts,) = ingest(load_source(str(path)), path.parent, workspace, pseudonyms)
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
        found = pq.read_schema(workspace.tables / f"{name}.parquet")
        assert [(f.name, f.type) for f in found] == [(f.name, f.type) for f in schema]
    assert broken_rules(workspace.tables / "events.parquet") == {}


def test_what_is_refused_is_kept_with_its_reason(shop: Shop, pseudonyms: Pseudonyms) -> None:
    """A line without customer or amount goes to quarantine as it came; a repeated line is dropped and counted."""
    lines = LINES + ",2026-03-08,4,1.00,x\nanna,2026-03-09,5,,x\nanna,,6,1.00,x\n" + LINES.splitlines()[0] + "\n"
    workspace = ingest_shop(shop(lines), pseudonyms)
    (counts,) = json.loads((workspace.tables / "report.json").read_text())["tables"]
    assert counts["quarantined"] == {"missing-customer": 1, "missing-amount": 1, "missing-time": 1}
    assert counts["dropped"] == {"repeated-line": 1}
    refused = {r["rule"]: r for r in read(workspace, "quarantine")}
    assert (refused["missing-amount"]["file"], refused["missing-amount"]["line"]) == ("orders.csv", 6)
    assert json.loads(str(refused["missing-customer"]["row"]))["order"] == "4"


def test_a_rule_may_be_softened_for_a_source(shop: Shop, pseudonyms: Pseudonyms) -> None:
    """An unreadable amount stops the run, unless the source file says to set such lines aside."""
    soft = SOURCE + "rules: {unreadable-amount: quarantine}\n"
    workspace = ingest_shop(shop(LINES + "anna,2026-03-10,9,abc,x\n", soft), pseudonyms)
    assert [r["found"] for r in read(workspace, "quarantine")] == ["abc"]


@pytest.mark.parametrize("amount", ["abc", "NaN", "inf", "1e30", "1,50", "--1", "0x10", "١٢٣x"])
def test_an_amount_that_is_no_number_never_becomes_one(shop: Shop, amount: str, scoring: Callable[..., object]) -> None:
    """It stops the run, or the line is refused; it is never read as something else."""
    path = shop(LINES + f'anna,2026-03-10,9,"{amount}",x\n')
    code, error = scoring("ingest", "--source", path, "--raw", path.parent, "--home", path.parent / "home")  # type: ignore[misc]
    assert code == 2
    assert "line 5, column amount" in error and repr(amount) in error


def test_ingest_twice_gives_the_same_bytes(tmp_path: Path, pseudonyms: Pseudonyms) -> None:
    """The simulator and ingest are functions of their input alone."""
    found = []
    for name in ("one", "two"):
        workspace = Workspace(tmp_path / name)
        simulate(workspace.raw, 150)
        ingest(load_source("sample"), workspace.raw, workspace, pseudonyms)
        found.append({p.name: p.read_bytes() for folder in (workspace.raw, workspace.tables) for p in folder.iterdir()})
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
        if file.suffix == ".parquet":
            if file.name == "quarantine.parquet":  # refused lines are kept as they came
                continue
            content = str(pq.read_table(file).to_pylist()).encode()
        else:
            content = file.read_bytes()
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
        == pq.read_metadata(online_retail.workspace.tables / "events.parquet").num_rows
    )
    with duckdb.connect() as db:
        db.execute(f"CREATE VIEW lines AS FROM read_parquet('{folder}/*.parquet')")
        distinct, everything, nobody = db.sql(
            """SELECT (SELECT count(*) FROM (SELECT DISTINCT * FROM lines)), count(*),
               (SELECT count(*) FROM (SELECT DISTINCT * FROM lines) WHERE CustomerID IS NULL
                AND NOT (Quantity < 0 AND UnitPrice = 0)
                AND StockCode NOT IN ('BANK CHARGES','AMAZONFEE','ADJUST','ADJUST2','TEST001','TEST002','CRUK','B','S'))
               FROM lines"""
        ).fetchall()[0]
    assert counts["dropped"]["repeated-line"] == everything - distinct
    assert counts["quarantined"] == {"missing-customer": nobody}


@pytest.mark.real
def test_online_retail_takes_the_shared_days_once(online_retail: Ran) -> None:
    """Purchases of the overlapping days are those of one file, not of two; cancellations are returns."""
    folder = real_data("online_retail/online_retail.parquet")
    with duckdb.connect() as db:
        events = f"read_parquet('{online_retail.workspace.tables}/events.parquet')"
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
def test_cdnow_totals_are_the_published_ones(cdnow: Ran) -> None:
    """69,659 rows and 23,570 customers, of which 255 rows are exact repeats."""
    report = cdnow.job.report()
    assert (report["tables"][0]["read"], report["customers"]) == (69_659, 23_570)
    assert report["tables"][0]["dropped"] == {"repeated-line": 255}
    assert (report["first_day"], report["last_day"]) == ("1997-01-01", "1998-06-30")
