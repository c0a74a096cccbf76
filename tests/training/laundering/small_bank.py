"""A small bank with planted fan-ins, as tables of a workspace: some hundred accounts and two thousand transfers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.tables.events import CUSTOMERS, EVENTS

ACCOUNTS, GROUPS, FIRST = 400, 12, date(2024, 1, 1)
AS_OF = date(2024, 9, 1)


def write_bank(tables: Path, reports: bool = True) -> set[str]:
    """Write events and customers; returns the pseudonyms of those who launder, who are reported where `reports`."""
    rng = np.random.default_rng(5)
    moves = [
        (int(a), int(b), int(day), round(float(amount)))
        for a, b, day, amount in zip(
            rng.integers(0, ACCOUNTS, 2_400), rng.integers(0, ACCOUNTS, 2_400), rng.integers(0, 200, 2_400),
            np.exp(rng.normal(10, 0.6, 2_400)), strict=True,
        )
        if a != b
    ]  # fmt: skip
    guilty: set[int] = set()
    for group in range(GROUPS):
        target, *members = (int(each) for each in rng.choice(ACCOUNTS, 7, replace=False))
        guilty |= {target, *members}
        moves += [(member, target, 100 + group + i // 3, 700 + i) for i, member in enumerate(members * 2)]
    tables.mkdir(parents=True, exist_ok=True)
    rows = [row for move in moves for row in _both(*move)]
    if reports:
        rows += [_row(f"{who:032x}", FIRST + timedelta(days=220), "suspicious_report") for who in sorted(guilty)]
    filled = [{**row, "event_id": str(i)} for i, row in enumerate(rows)]
    pq.write_table(pa.Table.from_pylist(filled, EVENTS), tables / "events.parquet")
    pq.write_table(CUSTOMERS.empty_table(), tables / "customers.parquet")
    return {f"{who:032x}" for who in guilty}


def _both(payer: int, payee: int, day: int, amount: int) -> list[dict[str, object]]:
    names, on = (f"{payer:032x}", f"{payee:032x}"), FIRST + timedelta(days=day)
    return [
        _row(names[0], on, "transfer_out") | {"counterparty": names[1], "amount": amount},
        _row(names[1], on, "transfer_in") | {"counterparty": names[0], "amount": amount},
    ]


def _row(customer: str, day: date, kind: str) -> dict[str, object]:
    ts = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return {"customer_id": customer, "ts": ts, "day": day, "known_at": ts, "kind": kind}
