"""Cells as people and programs write them: read alike wherever a source file speaks of them, and never a run's end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from features.tables.counts import Counts
from features.tables.ingest import ingest
from features.tables.privacy import Pseudonyms
from features.tables.sources import load_source
from features.tables.sql import parquet
from features.workspace import Workspace

SOURCE = """
name: shop
title: A shop
timezone: Europe/Berlin
unreadable: 1.0
tables:
  - name: orders
    gives: events
    files: [orders.csv]
    format: {{decimal: "{decimal}", delimiter: ";"}}
    customer: customer
    time: {{column: at{time}}}
    kind:
      - {{is: return, when: {{amount: {{below: 0}}}}}}
      - {{is: purchase}}
    ref: ref
    amount: {amount}
    quantity: quantity
"""

EXTREMES = [
    *("9999999999999999", "99999999999999999999", "999999999999.999999", "1e300", "-1e300", "1e18", "9e15", "-0", "+5"),
    *("92233720368547758", "2147483647", "-2147483648", "9223372036854775807", "253402300800", "40000000000", "99999"),
    *("--5", "5-", "-(5)", "(-5)", "(5)-", "£", "EUR", "()", "-", "+", ".", ",", "1.", "1,", ".5", "nan", "Infinity"),
    *("0x10", "1_0", "１", "²", "½", "1E5", "1 000", "1 00", "1'000", "1,00,000", "12,34,567.00", "0.0000001"),
    *("9999-12-31", "10000-01-01", "0001-01-01", "294247-01-10", "2024-02-30", "24:00", "2024-01-01T24:00"),
    *("2024-01-01T23:59:60", "2024-03-31T02:30", "2024-10-27T02:30", "31.12.9999", "01.01.0000", "45292.5"),
]
"""What no one means, or what stands at the end of what can be computed with."""

Read = Callable[..., tuple[Counts, list[dict[str, Any]]]]


@pytest.fixture
def read(tmp_path: Path, pseudonyms: Pseudonyms) -> Read:
    """Reads rows of orders; returns what became of them, and the events in order of ref."""

    def run(
        *rows: str, decimal: str = ".", time: str = "", amount: str = "amount"
    ) -> tuple[Counts, list[dict[str, Any]]]:
        (tmp_path / "shop.yaml").write_text(SOURCE.format(decimal=decimal, time=time, amount=amount), encoding="utf-8")
        lines = ["customer;at;ref;amount;quantity", *rows]
        (tmp_path / "orders.csv").write_text("\n".join(lines), encoding="utf-8")
        workspace = Workspace(tmp_path / "home")
        (counts,) = ingest(load_source(str(tmp_path / "shop.yaml")), tmp_path, workspace, pseudonyms).counts
        with duckdb.connect() as db:
            db.execute("SET TimeZone = 'UTC'")
            events = db.sql(f"FROM {parquet(workspace.tables / 'events.parquet')} ORDER BY ref").to_arrow_table()
        return counts, events.to_pylist()

    return run


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("amount", ["amount", "{multiply: [amount, quantity]}"])
def test_no_number_ends_a_run(decimal: str, amount: str, read: Read) -> None:
    """It is read, or its line is set aside."""
    cells = [(a, b) for a in EXTREMES for b in ("3", a)]
    rows = [f"anna;2026-01-02;{i};{a};{b}" for i, (a, b) in enumerate(cells)]
    counts, _ = read("anna;2026-01-01;x;1;1", *rows, decimal=decimal, amount=amount)
    assert counts.read == len(rows) + 1 and counts.missing == 0


TIMES = {
    "": "2026-01-01",
    ", format: epoch": "1767222000",
    ", format: epoch_ms": "1767222000000",
    ", format: excel": "46023",
    ', format: "%d.%m.%Y"': "01.01.2026",
    ', format: "%Y%m%d"': "20260101",
    ", steps: {start: 2025-12-31}": "1",
    ", steps: {start: 2025-12-31, unit: hour}": "24",
}
"""Ways in which a source file says how times are written, and the first of January 2026 in Berlin."""


@pytest.mark.parametrize("time", TIMES)
def test_no_time_ends_a_run(time: str, read: Read) -> None:
    """The sound one among them is read as what it is."""
    rows = [f"anna;{cell};{i};1;1" for i, cell in enumerate(EXTREMES)]
    counts, events = read(f"anna;{TIMES[time]};x;1;1", *rows, time=time)
    assert counts.read == len(rows) + 1 and counts.missing == 0
    assert [str(event["ts"]) for event in events if event["ref"] == "x"] == ["2025-12-31 23:00:00+00:00"]


@pytest.mark.parametrize("written", ["-12,50", "(12,50)", "12,50-", "−12,50", "-12,50 €", "-12,5"])
def test_a_condition_reads_a_number_as_its_column_does(written: str, read: Read) -> None:
    """What is negative for the amount is below 0 for the kind."""
    _, events = read(f"anna;2026-01-01;1;{written};1", "anna;2026-01-01;2;1.250,00;1", decimal=",")
    assert [(event["kind"], event["amount"]) for event in events] == [("return", -1250), ("purchase", 125_000)]


def test_a_large_order_is_exact(read: Read) -> None:
    """The product of 48,000 pieces and 99,999.99 has more digits than a 64-bit number."""
    _, events = read("anna;2026-01-01;1;99999.99;48000", amount="{multiply: [amount, quantity]}")
    assert events[0]["amount"] == 479_999_952_000


@pytest.mark.parametrize(
    ("time", "written"),
    [("", "２０２６－０１－０１"), (', format: "%d/%m/%Y %H:%M"', "０１／０１／２０２６　００：００")],
)
def test_a_full_width_date_is_mended(time: str, written: str, read: Read) -> None:
    """As East Asian keyboards write it."""
    counts, events = read(f"anna;{written};1;1;1", time=time)
    assert counts.fixed == {"unicode-form": 1}
    assert str(events[0]["ts"]) == "2025-12-31 23:00:00+00:00"
