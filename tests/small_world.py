"""A workspace small enough to look into every corner: four customers, each in every kind of file there can be."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from classification.decisions import add_acts
from classification.reasons import SCHEMA as REASONS
from classification.why import SCHEMA as CHANGES
from features.stored import histories
from features.tables.audit import Audit
from features.tables.ingest import ingest
from features.tables.ledger import Finding, Ledger
from features.tables.privacy import Pseudonyms
from features.tables.rewrite import write_part
from features.tables.sources import load_source
from features.tables.vault import open_vault
from features.workspace import Workspace, write_json
from serving.desk import Desk
from serving.store.sqlite import SCHEMA
from serving.store.state import Kept

UNTIL = date(2026, 12, 31)
ANNA, BERT, CARL, SEVEN = "anna-0001", "bert-0002", "carl-0003", "7"
SOURCE = """
name: bank
title: A bank
tables:
  - name: orders
    gives: events
    files: [orders.csv]
    customer: customer
    time: {column: at}
    kind: purchase
    ref: order
    amount: amount
    item: item
  - name: transfers
    gives: events
    files: [transfers.csv]
    customer: payer
    counterparty: payee
    time: {column: at}
    kind: transfer_out
    amount: amount
  - name: suspicions
    gives: events
    files: [suspicions.csv]
    customer: customer
    time: {column: at}
    kind: {kinds}
    amount: amount
  - name: customers
    gives: customers
    files: [customers.csv]
    customer: id
    attributes:
      region: {column: region, family: social}
      referred_by: {column: referred_by, family: social}
      illness: {column: illness, family: private}
    identity: {name: name, email: mail}
"""
KIND = "suspicious_report"
ORDERS = f"""customer,at,order,amount,item
{ANNA},2026-03-01,1,10.00,x
{ANNA},2026-03-02,2,,x
{BERT},2026-03-01,3,10.00,7
{BERT},2026-03-02,7,,x
{CARL},2026-03-05,4,7.00,x
{SEVEN},2026-03-05,5,7.00,x
{SEVEN},2026-03-06,6,,x
"""
TRANSFERS = f"payer,payee,at,amount\n{BERT},{ANNA},2026-03-03,5\n{BERT},{CARL},2026-03-04,6\n{CARL},{ANNA},,8\n"
SUSPICIONS = f"customer,at,amount\n{BERT},2026-03-01,1\n"
PEOPLE_FILE = f"""id,region,referred_by,illness,name,mail
{ANNA},north,,gout,Anna Alder,anna@example.org
{BERT},south,{ANNA},,Bert Birch,bert@example.org
{CARL},east,,,Carl Cedar,carl@example.org
{SEVEN},west,,,Svea Seven,seven@example.org
"""


def small_world(folder: Path, pseudonyms: Pseudonyms, suspicions: str = SUSPICIONS) -> Desk:
    """Ingests, then puts a file of every kind that a later step leaves; events and customers in two parts each."""
    raw = {"orders": ORDERS, "transfers": TRANSFERS, "suspicions": suspicions, "customers": PEOPLE_FILE}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in raw.items():
        (folder / f"{name}.csv").write_text(content)
    (folder / "bank.yaml").write_text(SOURCE.replace("{kinds}", KIND))
    source, workspace = load_source(str(folder / "bank.yaml")), Workspace(folder / "home")
    ingest(source, folder, workspace, pseudonyms)
    ids = sorted(map(pseudonyms.of, (ANNA, BERT, CARL, SEVEN)))
    for name in ("events", "customers"):
        _part(workspace.tables / f"{name}.parquet", ids[1])
    rejected = Finding(1, ids[0], ids[-1], "rejected", "probable", 0.9, ["the same e-mail"])
    Ledger([rejected]).write(open_vault(workspace.tables, pseudonyms))
    _made_of_it(workspace, ids)
    return Desk(source, workspace, pseudonyms, Audit(workspace.home / "audit.jsonl", "tester"))


def _part(folder: Path, last: str) -> None:
    """One part file → two, the first through the pseudonym `last`."""
    (path,) = folder.iterdir()
    table = pq.read_table(path)
    first = pa.compute.less_equal(table["customer_id"], last)
    write_part(table.filter(first), path)
    write_part(table.filter(pa.compute.invert(first)), folder / "part-99999.parquet")


def _made_of_it(workspace: Workspace, ids: list[str]) -> None:
    for folder in (workspace.features / "features.parquet", workspace.training, workspace.store):
        folder.mkdir(parents=True)
    rows = pa.table({"customer_id": ids, "as_of": [date(2026, 4, 1)] * len(ids), "orders": [1.0] * len(ids)})
    for i in range(len(ids)):
        pq.write_table(rows.slice(i, 1), workspace.features / "features.parquet" / f"part-{i:05d}.parquet")
    pq.write_table(rows, workspace.features / "labels.parquet")
    pq.write_table(pa.table({"customer_id": ids, "actual": [0.0] * len(ids)}), workspace.training / "churn.parquet")
    for day in ("2026-03-01", "2026-04-01"):
        folder = workspace.grades / f"{day}-v1"
        folder.mkdir(parents=True)
        grades = rows.append_column("code", pa.array(["AL"] * len(ids)))
        pq.write_table(grades.append_column("no_marketing", pa.array([False] * len(ids))), folder / "grades.parquet")
        np.savez(folder / "ranks.npz", values=np.arange(3.0))
        write_json(folder / "snapshot.json", {"id": f"s{day}", "scheme": "2026-01"})
        with sqlite3.connect(workspace.store / f"s{day}.sqlite") as db:
            db.executescript(SCHEMA)
            record = json.dumps({"scores": {}, "classes": {}, "code": "AL"}).encode()
            kept = msgspec.msgpack.encode(
                Kept(np.arange(3.0).tobytes(), {"region": "north"}, {"value": ("B", "A", "held")})
            )
            db.executemany("INSERT INTO customers VALUES (?, ?)", [(id_, kept) for id_ in ids])
            db.executemany("INSERT INTO records VALUES (?, ?)", [(id_, record) for id_ in ids])
            db.executemany("INSERT INTO histories VALUES (?, ?)", histories(workspace.tables))
            decided = [(id_, "value", "A", UNTIL.isoformat(), "eva", "a contract") for id_ in ids]
            db.executemany("INSERT INTO overrides VALUES (?, ?, ?, ?, ?, ?)", decided)
        db.close()
    _decided_and_graded(workspace, ids, grades)


def _decided_and_graded(workspace: Workspace, ids: list[str], grades: pa.Table) -> None:
    """An override of everybody, and a month with a change and a reason of everybody."""
    workspace.decisions.mkdir()
    said = {"dimension": "value", "class": "A", "from_day": date(2026, 3, 1), "until": UNTIL, "act": "set"}
    said |= {"by": "eva", "reason": "a contract", "at": datetime(2026, 3, 1, 9, tzinfo=UTC)}
    add_acts(workspace.decisions, [{"customer_id": id_, **said} for id_ in ids])
    month = workspace.months / "2026-03"
    month.mkdir(parents=True)
    pq.write_table(grades.append_column("no_marketing", pa.array([False] * len(ids))), month / "grades.parquet")
    shares = dict.fromkeys(("share_facts", "share_model", "share_cutoff", "share_scheme"), 0.25)
    moved = {"dimension": "value", "before": "B", "after": "A", "raw_before": "B", "raw_after": "A", "kind": "moved"}
    rows = [{"customer_id": id_, **moved, **shares, "reason": "spend"} for id_ in ids]
    pq.write_table(pa.Table.from_pylist(rows, CHANGES), month / "changes.parquet")
    why = {"task": "churn", "rank": 1, "feature": "orders", "value": 1.0, "contribution": 0.5, "reason": "orders"}
    pq.write_table(
        pa.Table.from_pylist([{"customer_id": id_, **why} for id_ in ids], REASONS), month / "reasons.parquet"
    )
    write_json(month / "snapshot.json", {"id": "s2026-03", "scheme": "2026-01"})


def contents(home: Path) -> dict[str, bytes]:
    """Every file with its bytes, but for the audit log."""
    files = (path for path in home.rglob("*") if path.is_file() and path.name != "audit.jsonl")
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in files}
