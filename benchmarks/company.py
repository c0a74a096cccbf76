"""A generated company of any size: customers who order until they drop out, as one event file in order of time.

The customers follow Schmittlein, Morrison & Colombo (1987): each orders as a Poisson process of a rate of its own and
drops out at a rate of its own, and both rates are gamma distributed. So few customers have most of the rows.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.tables.events import EVENTS
from features.tables.sql import file_text

START = int(datetime(2023, 1, 1, tzinfo=UTC).timestamp())
DAYS = 1096
"""2023-01-01 to 2025-12-31."""

JOINING_DAYS = 1000
ORDER_SHAPE, ORDER_SCALE = 0.6, 0.063  # orders per day
DROPOUT_SHAPE, DROPOUT_SCALE = 0.8, 1 / 300  # per day
VISITS_PER_ORDER = 0.35
RETURN_SHARE = 0.04
LATE_SHARE = 0.01
REPLACED_SHARE = 0.002
ITEMS = 5_000
CUSTOMERS_PER_PART = 10_000
MEMORY = "4GB"
DAY = 86_400

KIND_NAMES = ("purchase", "return", "visit")
CHANNEL_NAMES = ("web", "shop", "representative")
COUNTRY_NAMES = ("DE", "FR", "PL")

Columns = dict[str, np.ndarray]


def generate(path: Path, rows: int, seed: int = 1) -> None:
    """Write an event file of about `rows` rows to `path`. Same rows and seed, same events."""
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        parts, spill = Path(folder, "parts"), Path(folder, "spill")
        parts.mkdir()
        for number, part in enumerate(_parts(rows, seed)):
            pq.write_table(pa.table(part), parts / f"{number:06d}.parquet")
        finished = Path(folder, "events.parquet")
        with duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": str(spill)}) as db:
            db.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
            db.execute(_finish(parts, finished))
        schema = pq.read_schema(finished)
        if [(f.name, f.type) for f in schema] != [(f.name, f.type) for f in EVENTS]:
            raise RuntimeError(f"the generated file does not have the schema of events: {schema}")
        finished.replace(path)


def _parts(rows: int, seed: int) -> Iterator[Columns]:
    """Events of some customers at a time, until there are `rows` of them; the last customer is complete."""
    left, number = rows, 0
    while left > 0:
        part = _part(number * CUSTOMERS_PER_PART, np.random.default_rng([seed, number]))
        per_customer = np.bincount(part["customer"] - number * CUSTOMERS_PER_PART, minlength=CUSTOMERS_PER_PART)
        customers = np.searchsorted(np.cumsum(per_customer), left) + 1
        if customers < CUSTOMERS_PER_PART:
            keep = part["customer"] < number * CUSTOMERS_PER_PART + customers
            part = {name: column[keep] for name, column in part.items()}
        yield part
        left -= part["customer"].size
        number += 1


def _part(first: int, rng: np.random.Generator) -> Columns:
    """The events of CUSTOMERS_PER_PART customers as numbers, in no order; `first` is the number of the first one."""
    n = CUSTOMERS_PER_PART
    joined = rng.uniform(0, JOINING_DAYS, n)
    stay = rng.exponential(1 / np.maximum(rng.gamma(DROPOUT_SHAPE, DROPOUT_SCALE, n), 1e-9))
    active = np.minimum(stay, DAYS - joined)
    repeats = rng.poisson(rng.gamma(ORDER_SHAPE, ORDER_SCALE, n) * active)
    visits = rng.poisson((1 + repeats) * VISITS_PER_ORDER)
    country = rng.choice(len(COUNTRY_NAMES), n, p=[0.7, 0.2, 0.1])

    def moments(count: np.ndarray) -> np.ndarray:  # a Poisson process of known count: uniform moments
        moment: np.ndarray = np.repeat(joined, count) + rng.random(count.sum()) * np.repeat(active, count)
        return moment

    buyer = np.concatenate([np.arange(n), np.repeat(np.arange(n), repeats)])
    bought = np.concatenate([joined, moments(repeats)])
    lines = _lines(buyer, bought, rng)
    lines["order"] += first * 10_000
    back = _returns(lines, rng)
    visit = {name: np.zeros(visits.sum(), column.dtype) for name, column in lines.items()}
    visit["customer"], visit["moment"] = np.repeat(np.arange(n), visits), moments(visits)
    visit["channel"] = rng.integers(0, len(CHANNEL_NAMES), visits.sum())
    kind = np.repeat(np.arange(3), [lines["customer"].size, back["customer"].size, visits.sum()])
    events = {name: np.concatenate([lines[name], back[name], visit[name]]) for name in lines} | {"kind": kind}
    events = _with_revisions(events, rng)
    size = events["kind"].size
    return {
        **{name: column.astype(np.int32) for name, column in events.items() if name not in ("moment", "order")},
        "country": country[events["customer"]].astype(np.int32),
        "customer": (first + events["customer"]).astype(np.int32),
        "order": events["order"],
        "second": START + np.minimum(events["moment"] * DAY, DAYS * DAY - 1).astype(np.int64),
        "high": rng.integers(0, 2**63, size),
        "low": rng.integers(0, 2**63, size),
    }


def _lines(buyer: np.ndarray, bought: np.ndarray, rng: np.random.Generator) -> Columns:
    """The purchase lines of orders."""
    at = np.repeat(np.arange(buyer.size), 1 + rng.poisson(2, buyer.size))
    popularity = np.cumsum(1 / (np.arange(ITEMS) + 10.0))
    amount = np.rint(rng.lognormal(np.log(2_500), 1.0, at.size)).astype(np.int64)
    return {
        "customer": buyer[at],
        "moment": bought[at],
        "order": at,
        "item": np.searchsorted(popularity, rng.random(at.size) * popularity[-1]),
        "quantity": 1 + rng.poisson(1.0, at.size),
        "amount": amount,
        "cost": np.rint(amount * rng.normal(0.6, 0.05, at.size)).astype(np.int64),
        "channel": rng.choice(len(CHANNEL_NAMES), buyer.size, p=[0.6, 0.3, 0.1])[at],
    }


def _returns(lines: Columns, rng: np.random.Generator) -> Columns:
    """Some lines come back one to thirty days later, unless the data end before."""
    moment = lines["moment"] + rng.uniform(1, 30, lines["moment"].size)
    chosen = (rng.random(moment.size) < RETURN_SHARE) & (moment < DAYS)
    back = {name: column[chosen] for name, column in lines.items()}
    return {**back, "moment": moment[chosen], "amount": -back["amount"], "cost": -back["cost"]}


def _with_revisions(events: Columns, rng: np.random.Generator) -> Columns:
    """Some rows are known late (`late`, days), some are replaced by a row known from then on (`valid`, days; −1)."""
    size = events["kind"].size
    events["late"] = np.where(rng.random(size) < LATE_SHARE, rng.integers(1, 30, size), 0)
    events["valid"] = np.where(rng.random(size) < REPLACED_SHARE, rng.integers(1, 60, size), -1)
    replaced = np.flatnonzero(events["valid"] > 0)
    new = {name: column[replaced] for name, column in events.items()}
    new |= {"late": new["late"] + new["valid"], "valid": np.full(replaced.size, -1), "amount": new["amount"] * 9 // 10}
    return {name: np.concatenate([column, new[name]]) for name, column in events.items()}


def _finish(parts: Path, out: Path) -> str:
    """SQL that sorts the numbers, which are narrow, and spells them out as events on the way to the file."""

    def named(column: str, names: tuple[str, ...]) -> str:
        return f"CASE {column} " + " ".join(f"WHEN {i} THEN '{name}'" for i, name in enumerate(names)) + " END"

    values = {
        "event_id": "format('{:016x}{:016x}', high, low)",
        "customer_id": "md5(CAST(customer AS VARCHAR))",
        "ts": "to_timestamp(second)",
        "day": f"DATE '1970-01-01' + CAST(second // {DAY} AS INTEGER)",
        "hour": f"CAST(second % {DAY} // 3600 AS TINYINT)",
        "known_at": f"to_timestamp(second + late * {DAY})",
        "known_until": f"CASE WHEN valid > 0 THEN to_timestamp(second + (late + valid) * {DAY}) END",
        "kind": named("kind", KIND_NAMES),
        "ref": "CASE WHEN kind < 2 THEN 'O' || \"order\" END",
        "amount": "CASE WHEN kind < 2 THEN CAST(amount AS BIGINT) END",
        "cost": "CASE WHEN kind < 2 THEN CAST(cost AS BIGINT) END",
        "quantity": "CASE WHEN kind < 2 THEN CAST(quantity AS DOUBLE) END",
        "item": "CASE WHEN kind < 2 THEN format('I{:04d}', item) END",
        "channel": named("channel", CHANNEL_NAMES),
        "counterparty": "CAST(NULL AS VARCHAR)",
        "country": named("country", COUNTRY_NAMES),
        "due_day": "CAST(NULL AS DATE)",
        "code": "CAST(NULL AS VARCHAR)",
        "score": "CAST(NULL AS DOUBLE)",
        "merged_from": "CAST(NULL AS VARCHAR)",
    }
    files = ", ".join(file_text(part) for part in sorted(parts.iterdir()))
    columns = ", ".join(f"{values[field.name]} AS {field.name}" for field in EVENTS)
    return f"""COPY (SELECT {columns} FROM
        (FROM read_parquet([{files}]) ORDER BY second, high, low)
    ) TO {file_text(out)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"""


def main() -> None:
    """Write one event file."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    generate(arguments.out, arguments.rows, arguments.seed)


if __name__ == "__main__":
    main()
