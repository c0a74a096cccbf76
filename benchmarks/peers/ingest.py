"""A company's export as CSV, taken in by us and copied by plain DuckDB."""

from __future__ import annotations

from pathlib import Path

import duckdb

from features.tables.ingest import ingest
from features.tables.privacy import Pseudonyms
from features.tables.sources import load_source
from features.tables.sql import file_text, text
from features.workspace import Workspace

KEY = b"benchmarks only: thirty-two characters"
COLUMNS = {
    "customer_no": "VARCHAR",
    "ordered_at": "TIMESTAMP",
    "order_no": "VARCHAR",
    "kind": "VARCHAR",
    "item": "VARCHAR",
    "quantity": "DOUBLE",
    "amount": "DECIMAL(18, 2)",
    "channel": "VARCHAR",
}
SOURCE = """
name: export
title: A generated export
timezone: UTC
currency: EUR
tables:
  - name: lines
    gives: events
    files: [{file}]
    customer: customer_no
    time: {{column: ordered_at}}
    kind:
      - {{is: return, when: {{kind: {{any_of: [return]}}}}}}
      - {{is: visit, when: {{kind: {{any_of: [visit]}}}}}}
      - {{is: purchase}}
    ref: order_no
    item: item
    quantity: quantity
    amount: amount
    channel: channel
"""


def export(events: Path, out: Path) -> None:
    """The purchases and returns of a generated event file as a CSV file, in order of time."""
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'; SET memory_limit = '4GB'; SET enable_progress_bar = false")
        db.execute(
            f"""COPY (
                SELECT 'K' || (hash(customer_id) % 100000000) AS customer_no,
                    strftime(ts, '%Y-%m-%d %H:%M:%S') AS ordered_at, ref AS order_no, kind, item,
                    CAST(quantity AS INTEGER) AS quantity, CAST(amount / 100 AS DECIMAL(18, 2)) AS amount, channel
                FROM read_parquet({file_text(events)}) WHERE amount IS NOT NULL
            ) TO {text(out)} (FORMAT csv, HEADER)"""
        )


def ours(file: Path, out: Path) -> None:
    """Ingest: typed, judged, pseudonyms, repeats, sorted by customer."""
    out.mkdir(parents=True, exist_ok=True)
    description = out / "export.yaml"
    description.write_text(SOURCE.format(file=file.name))
    ingest(load_source(str(description)), file.parent, Workspace(out / "home"), Pseudonyms(KEY))


def copy(file: Path, out: Path) -> None:
    """DuckDB alone: typed columns, Parquet, nothing else."""
    out.mkdir(parents=True, exist_ok=True)
    names = ", ".join(f"{text(name)}: {text(type_)}" for name, type_ in COLUMNS.items())
    with duckdb.connect() as db:
        db.execute("SET memory_limit = '1200MB'; SET enable_progress_bar = false")
        db.execute(
            f"COPY (FROM read_csv({file_text(file)}, header=true, auto_detect=false, delim=',', columns={{{names}}})) "
            f"TO {text(out / 'lines.parquet')} (FORMAT parquet, COMPRESSION zstd)"
        )
