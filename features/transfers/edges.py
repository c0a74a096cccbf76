"""The event table → the graph of transfers as it was known at a date: one edge for each transfer.

A transfer that both of its sides tell, the payer's transfer_out and the payee's transfer_in, is one edge: by the same
ref, else by the same day and amount. Partners outside the base are nodes; an unknown one, such as that of cash, is
none. Transfers without a positive amount, and those to oneself, are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.company import Company
from features.tables.sql import parquet, text, visible
from features.workspace import damaged

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

JUST_BELOW, NIGHT, HIGH_RISK, CASH = 1, 2, 4, 8
"""Bits of an edge's flags. NIGHT only where the time of day is known."""

UNKNOWN = -1
"""The node of a partner who is not named."""


@dataclass(frozen=True)
class Edges:
    """accounts (nodes,): pseudonyms in their order; customer (nodes,): whether it is one of the base's.

    The edges in order of time, (n,) each: src, dst: nodes, UNKNOWN where not named; day: from 1970-01-01; minute: from
    1970-01-01 on the company's clock, of midnight where the time of day is not known; amount: minor units, above 0;
    flags: bits. threshold: the reporting threshold in minor units, None where the company has none.
    """

    accounts: pa.Array
    customer: NDArray[np.bool_]
    src: I32
    dst: I32
    day: I32
    minute: I64
    amount: I64
    flags: NDArray[np.uint8]
    threshold: int | None

    def __len__(self) -> int:
        return len(self.src)

    @property
    def nodes(self) -> int:
        """Customers and partners."""
        return len(self.accounts)


_EDGES = """
WITH sides AS (
    SELECT CASE kind WHEN 'transfer_out' THEN customer_id ELSE counterparty END AS payer,
        CASE kind WHEN 'transfer_out' THEN counterparty ELSE customer_id END AS payee,
        kind = 'transfer_out' AS out, counterparty IS NOT NULL AS named,
        ref, day, amount, ts, event_id, hour, channel, country
    FROM {events}
    WHERE kind IN ('transfer_in', 'transfer_out') AND amount > 0 AND {visible}
        AND counterparty IS DISTINCT FROM customer_id
), by_ref AS ( -- the first of a ref that the payer tells is the first of it that the payee tells, and so on
    SELECT *, row_number() OVER (PARTITION BY payer, payee, out, ref ORDER BY day, amount, ts, event_id) AS turn
    FROM sides
), paired AS (
    SELECT *, named AND ref IS NOT NULL AND count(*) OVER (PARTITION BY payer, payee, ref, turn) = 2 AS settled
    FROM by_ref
), by_day AS (
    SELECT * REPLACE (row_number() OVER (PARTITION BY payer, payee, out, settled, day, amount ORDER BY ts, event_id)
        AS turn) FROM paired
), told AS (
    SELECT *, named AND count(*) OVER (PARTITION BY payer, payee, settled, day, amount, turn) = 2 AS twin FROM by_day
)
SELECT payer, payee, day, amount,
    epoch_us(timezone({zone}, ts)) // 60000000 AS moment, day - DATE '1970-01-01' AS number, hour,
    {flags} AS flags
FROM told WHERE out OR NOT (settled OR twin)
ORDER BY CASE WHEN hour IS NULL THEN number * 1440 ELSE moment END, payer, payee, amount, ts, event_id
"""


def read_edges(tables: Path, company: Company, as_of: date, cash: tuple[str, ...]) -> Edges:
    """The graph of the transfers visible at `as_of`: it had happened, was known, and was not replaced.

    tables: those of a workspace; cash: the channels, in small letters, that are cash. Raises InputError for a damaged
    event table.
    """
    events, customers = (tables / f"{name}.parquet" for name in ("events", "customers"))
    query = _EDGES.format(
        events=parquet(events),
        visible=visible(as_of, company.timezone),
        zone=text(company.timezone),
        flags=_flags(company, cash),
    )
    known = f"SELECT DISTINCT customer_id FROM {parquet(events)} WHERE {visible(as_of, company.timezone)}"
    if customers.exists():
        known += f" UNION SELECT DISTINCT customer_id FROM {parquet(customers)} WHERE family <> 'consent'"
        known += f" AND coalesce(valid_from, DATE '0001-01-01') < DATE '{as_of}'"
    try:
        with duckdb.connect() as db:
            told = db.sql(query).to_arrow_table().combine_chunks()
            base = db.sql(f"{known} ORDER BY customer_id").to_arrow_table().combine_chunks()
    except duckdb.Error as error:
        raise damaged(events, error) from None
    return _numbered(told, base["customer_id"], company)


def _flags(company: Company, cash: tuple[str, ...]) -> str:
    """SQL of an event's bits."""
    begin, end = company.night
    night = f"hour >= {begin} AND hour < {end}" if begin <= end else f"(hour >= {begin} OR hour < {end})"
    low, high = company.just_below or (1, 0)
    conditions = {
        JUST_BELOW: f"amount >= {low} AND amount < {high}",
        NIGHT: night,
        HIGH_RISK: f"country IN ({', '.join(map(text, company.high_risk_countries)) or 'NULL'})",
        CASH: f"lower(channel) IN ({', '.join(map(text, cash)) or 'NULL'})",
    }
    return " + ".join(f"CASE WHEN {condition} THEN {bit} ELSE 0 END" for bit, condition in conditions.items())


def _numbered(told: pa.Table, base: pa.ChunkedArray, company: Company) -> Edges:
    """Pseudonyms become numbers of nodes."""
    named = [each.cast(pa.string()) for each in (base, told["payer"], told["payee"])]
    accounts = pa.compute.unique(pa.chunked_array([chunk for each in named for chunk in each.chunks], pa.string()))
    accounts = accounts.drop_null()
    accounts = accounts.take(pa.compute.sort_indices(accounts))

    def node(column: str) -> I32:
        found = pa.compute.index_in(told[column].cast(pa.string()), accounts)
        return np.asarray(pa.compute.fill_null(found, UNKNOWN), np.int32)

    day = np.asarray(told["number"], np.int32)
    untimed = np.asarray(pa.compute.is_null(told["hour"]))
    minute = np.where(untimed, day.astype(np.int64) * 1_440, np.asarray(told["moment"], np.int64))
    return Edges(
        accounts,
        np.asarray(pa.compute.is_in(accounts, base.cast(pa.string()).combine_chunks())),
        node("payer"),
        node("payee"),
        day,
        minute,
        np.asarray(told["amount"], np.int64),
        np.asarray(told["flags"], np.uint8),
        company.just_below[1] if company.just_below else None,
    )
