"""Alerts: what was found in the transfers, each of it once, and what a person said of it.

A finding is the same alert as an open one of its customer and typology when they have a day in common, and the alert
grows with it. One that a person has decided keeps the days it had then: it is the same only when most of the days of
the finding are among them, so that what comes after them alerts again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from classification.laundering.records import Records
from features.errors import InputError

ENTRY = "alerts"
OPEN, CLEARED = "open", "cleared"
OUTCOMES = ("reported", CLEARED, "monitor")
"""What a person may say of an alert: reported to the authority, nothing in it, or keep looking."""

FOUND = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("typology", pa.string(), nullable=False),
        pa.field("stage", pa.string()),  # placement, layering, integration
        pa.field("strength", pa.float64()),  # of the finding, more is more; the typology's own measure
        pa.field("first_day", pa.date32(), nullable=False),
        pa.field("last_day", pa.date32(), nullable=False),
        pa.field("transfers", pa.int64()),
        pa.field("amount", pa.int64()),  # minor currency units
        pa.field("partners", pa.int64()),
    ]
)
"""A finding, as whoever looks at the transfers hands it in."""

ALERTS = pa.schema([pa.field("alert_id", pa.int64(), nullable=False), *FOUND, pa.field("found_on", pa.date32())])

Row = dict[str, Any]


def merge_findings(
    alerts: pa.Table, findings: pa.Table, decided: Mapping[int, str], on: date, under: Mapping[str, str]
) -> tuple[pa.Table, int]:
    """The alerts with the findings of a day, and how many of them are new; ids go on from the last.

    decided: alert → its outcome, of those that a person decided; under: merged id → its survivor. Raises InputError
    for findings without the columns.
    """
    rows = alerts.to_pylist()
    mine: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        mine[under.get(row["customer_id"], row["customer_id"]), row["typology"]].append(row)
    order = [(name, "ascending") for name in ("customer_id", "typology", "first_day", "last_day")]
    new = 0
    for found in _cast(findings).sort_by(order).to_pylist():
        others = mine[found["customer_id"], found["typology"]]
        still = [row for row in others if row["alert_id"] not in decided and _shared(row, found) > 0]
        if still:
            _grow(still[-1], found)
        elif not any(row["alert_id"] in decided and 2 * _shared(row, found) > _length(found) for row in others):
            new += 1
            others.append({"alert_id": len(rows) + 1, **found, "found_on": on})
            rows.append(others[-1])
    return pa.Table.from_pylist(rows, ALERTS), new


def states(alerts: pa.Table, decided: Mapping[int, str]) -> list[str]:
    """The state of each alert: its outcome, or open."""
    return [decided.get(each, OPEN) for each in alerts["alert_id"].to_pylist()]


def decided_until(alerts: pa.Table, decided: Mapping[int, str]) -> dict[tuple[str, str], date]:
    """(customer, typology) → the last day of its alerts that a person decided."""
    found: dict[tuple[str, str], date] = {}
    for row in alerts.to_pylist():
        if row["alert_id"] in decided:
            what = row["customer_id"], row["typology"]
            found[what] = max(row["last_day"], found.get(what, date.min))
    return found


def counting(alerts: pa.Table, decided: Mapping[int, str], as_of: date, days: int | None) -> dict[str, int]:
    """customer → how many alerts it has whose last day is within `days` before a date, those cleared not counted."""
    found: dict[str, int] = defaultdict(int)
    first = date.min if days is None else as_of - timedelta(days=days)
    for row, state in zip(alerts.to_pylist(), states(alerts, decided), strict=True):
        if state != CLEARED and first <= row["last_day"] < as_of:
            found[row["customer_id"]] += 1
    return dict(found)


def read_alerts(records: Records, under: Mapping[str, str] | None = None) -> pa.Table:
    """Every alert, columns as in ALERTS; under: merged id → its survivor, whose alert it is."""
    found = records.read(ENTRY, ALERTS)
    if not under:
        return found
    ids = pa.array([under.get(each, each) for each in found["customer_id"].to_pylist()], pa.string())
    return found.set_column(1, ALERTS.field("customer_id"), ids)


def check_outcome(outcome: str) -> None:
    """Refuse what is no outcome."""
    if outcome not in OUTCOMES:
        raise InputError("--outcome", f"'{outcome}'", f"one of {', '.join(OUTCOMES)}")


def _cast(findings: pa.Table) -> pa.Table:
    lacking = [name for name in FOUND.names if name not in findings.column_names]
    if lacking:
        raise InputError("findings", f"no column {lacking[0]}", f"the columns {', '.join(FOUND.names)}")
    return findings.select(FOUND.names).cast(FOUND)


def _shared(row: Row, other: Row) -> int:
    """Days in common; none, and less, where they are apart."""
    first, last = max(row["first_day"], other["first_day"]), min(row["last_day"], other["last_day"])
    return int((last - first).days) + 1


def _length(row: Row) -> int:
    return _shared(row, row)


def _grow(row: Row, found: Row) -> None:
    """An open alert with a finding that is the same one: the days of both, the figures of the later look."""
    first, last = min(row["first_day"], found["first_day"]), max(row["last_day"], found["last_day"])
    row.update(found | {"customer_id": row["customer_id"], "first_day": first, "last_day": last})
