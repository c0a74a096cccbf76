"""What persons decided about a customer's credit: decided, contested, reviewed; every act stays.

A score is advice (GDPR art. 22, C-634/21): a person decides, says why, and what was advised then is kept beside it. A
decision can be contested, and is then reviewed by somebody who did not make it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import InputError
from features.tables.events import INSTANT
from features.workspace import damaged

FILE = "credit-decisions.parquet"

Act = Literal["decided", "contested", "reviewed"]
Outcome = Literal["granted", "limited", "refused"]
ACTS: tuple[Act, ...] = ("decided", "contested", "reviewed")
OUTCOMES: tuple[Outcome, ...] = ("granted", "limited", "refused")

ROWS = pa.schema(
    [
        pa.field("decision", pa.string(), nullable=False),  # its number, the same in all acts about it
        pa.field("customer_id", pa.string(), nullable=False),  # pseudonym of the id that it was said of, merged or not
        pa.field("act", pa.string(), nullable=False),  # one of ACTS
        pa.field("outcome", pa.string()),  # one of OUTCOMES; null: contested
        pa.field("limit", pa.int64()),  # minor currency units; null: none was named
        pa.field("advice", pa.string()),  # what was advised on the day, as JSON; null: nothing was
        pa.field("by", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("on", pa.date32(), nullable=False),  # the company's day
        pa.field("at", INSTANT, nullable=False),
    ]
)


@dataclass(frozen=True)
class CreditDecision:
    """A decision as it stands. outcome, limit, by, reason, on: of the last act that decided; advice: of the day it was
    made; state: `decided`, `contested` (a review is due) or `reviewed`; decided_by: who made it first; deciders: all
    who decided or reviewed it."""

    decision: str
    customer_id: str
    outcome: str
    limit: int | None
    by: str
    reason: str
    on: date
    at: datetime
    state: str
    decided_by: str
    advice: str | None
    deciders: tuple[str, ...]


def read_rows(folder: Path) -> pa.Table:
    """Every act in its order, columns as in ROWS; as one moment had them, whoever writes meanwhile."""
    path = folder / FILE
    try:
        return pq.read_table(pa.BufferReader(path.read_bytes()))
    except FileNotFoundError:
        return ROWS.empty_table()
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, error) from None


def add_row(folder: Path, row: Mapping[str, Any]) -> None:
    """Add an act to those in `folder`, for who holds it alone; readers see the file before or after, never none."""
    path, new = folder / FILE, folder / f".{FILE}.{os.getpid()}"
    pq.write_table(pa.concat_tables([read_rows(folder), pa.Table.from_pylist([dict(row)], ROWS)]), new)
    new.replace(path)


def decisions(folder: Path, customers: Collection[str] | None = None) -> list[CreditDecision]:
    """Decisions as they stand, in the order in which they were made; customers: only of these pseudonyms."""
    acts: dict[str, list[dict[str, Any]]] = {}
    for row in read_rows(folder).to_pylist():
        if customers is None or row["customer_id"] in customers:
            acts.setdefault(row["decision"], []).append(row)
    return [_standing(rows) for rows in acts.values()]


def check_act(row: Mapping[str, Any], before: CreditDecision | None) -> None:
    """Refuse an act that cannot follow: InputError.

    A contested decision can only be reviewed, by another person than the one who made it; only a decision that is not
    contested already can be contested; what was limited names the limit.
    """
    if row["act"] == "decided":
        _check_outcome(row)
        return
    if before is None:
        raise InputError("--decision", "no decision of that number about the customer", "one of `scoring decide list`")
    if row["act"] == "contested":
        if row["outcome"] is not None or row["limit"] is not None:
            raise InputError("--outcome", "an outcome or a limit", "neither, with what is contested")
        if before.state == "contested":
            raise InputError("--decision", "a decision that is contested already", "one that is not")
        return
    _check_outcome(row)
    if before.state != "contested":
        raise InputError("--decision", "a decision that nobody contests", "a contested one", "Or decide anew.")
    if _same(row["by"]) in map(_same, before.deciders):
        raise InputError("--by", "a person who decided about it", "another one: nobody reviews their own decision")


def _check_outcome(row: Mapping[str, Any]) -> None:
    if row["outcome"] not in OUTCOMES:
        raise InputError("--outcome", f"'{row['outcome']}'", f"one of {', '.join(OUTCOMES)}")
    if (row["outcome"] == "limited") != (row["limit"] is not None):
        found = "nothing" if row["limit"] is None else f"{row['limit']}"
        raise InputError("--limit", found, "an amount with `limited`, and only with it")


def _same(name: str) -> str:
    """A name as people compare it."""
    return name.strip().casefold()


def _standing(rows: Iterable[dict[str, Any]]) -> CreditDecision:
    acts = list(rows)
    said = [act for act in acts if act["act"] != "contested"]
    first, last = said[0], said[-1]
    own = {name: last[name] for name in ("outcome", "limit", "by", "reason", "on", "at")}
    return CreditDecision(
        decision=first["decision"],
        customer_id=first["customer_id"],
        state=acts[-1]["act"],
        decided_by=first["by"],
        advice=first["advice"],
        deciders=tuple(act["by"] for act in said),
        **own,
    )
