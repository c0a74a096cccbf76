"""Feature rows of a whole base at many dates: DuckDB scans and sorts, the kernel computes, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.history import FOREVER, Histories, add_calendar, empty_histories
from features.kernel import compute, number_codes
from features.progress import Progress, silent
from features.spec import CODES, COLUMNS, AnyFeature, Program, code_columns, compile_features
from features.tables.events import KINDS
from features.tables.sql import file_text
from features.workspace import damaged

ROWS_PER_BLOCK = 2_000_000
EPOCH = date(1970, 1, 1).toordinal()
CODE_SQL = {
    "ref": "coalesce(ref, chr(31) || day)",  # an order without a number is known by its day
    "item": "item",
    "channel": "channel",
    "counterparty": "counterparty",
    "country": "country",
    "code": "code",
}


@dataclass(frozen=True)
class Block:
    """Some customers with all their events.

    ids (c,): their pseudonyms, sorted; since (c,): the day from which each is known as a customer without any event
    (FOREVER: never, it is known by its events only).
    """

    ids: list[str]
    since: NDArray[np.int32]
    histories: Histories


def feature_table(
    tables: Path,
    timezone: str,
    features: Sequence[AnyFeature],
    as_ofs: Sequence[date],
    progress: Progress = silent,
) -> pa.Table:
    """The feature rows of every customer known at each date: `customer_id`, `as_of`, then a column per feature.

    Sorted by block, date and customer. Null where a feature has no answer. A customer is known at `as_of` when an
    event of its was visible or an attribute was valid before.
    """
    program = compile_features(features)
    days = np.array([day.toordinal() - EPOCH for day in as_ofs], np.int32)
    schema = row_schema(features)
    parts = []
    with duckdb.connect() as db, _damage_reported(tables):
        total = _open(db, tables)
        for done, within in enumerate(_ranges(total)):
            progress("compute features", done, total)
            block = _read_block(db, within, timezone, program)
            customer = np.tile(np.arange(len(block.ids)), len(days))
            as_of = np.repeat(days, len(block.ids))
            rows, seen = compute(block.histories, program, customer, as_of)
            keep = np.flatnonzero(seen | (np.tile(block.since, len(days)) < as_of))
            parts.append(_rows_as_table(schema, np.array(block.ids, object)[customer[keep]], as_of[keep], rows[keep]))
        progress("compute features", total, total)
    return pa.concat_tables(parts)


def row_schema(features: Sequence[AnyFeature]) -> pa.Schema:
    """The columns of a table of feature rows."""
    own = [pa.field("customer_id", pa.string(), nullable=False), pa.field("as_of", pa.date32(), nullable=False)]
    return pa.schema([*own, *(pa.field(feature.name, pa.float64()) for feature in features)])


def matrix(table: pa.Table, names: Sequence[str]) -> NDArray[np.float64]:
    """The named columns of a table of feature rows, shape (rows, names), NaN for null."""
    return np.column_stack([table[name].to_numpy(zero_copy_only=False).astype(float) for name in names])


def _rows_as_table(
    schema: pa.Schema, ids: NDArray[np.object_], as_of: NDArray[np.int32], rows: NDArray[np.float64]
) -> pa.Table:
    columns = [pa.array(ids, pa.string()), pa.array(as_of, pa.int32()).cast(pa.date32())]
    columns += [pa.array(column, pa.float64(), from_pandas=True) for column in rows.T]
    return pa.table(columns, schema=schema)


@contextmanager
def _damage_reported(tables: Path) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise damaged(tables, error) from None


def _open(db: duckdb.DuckDBPyConnection, tables: Path) -> int:
    """Make the views; returns the number of blocks."""
    db.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    for name in ("events", "customers"):
        db.execute(f"CREATE VIEW {name} AS FROM read_parquet({file_text(tables / f'{name}.parquet')})")
    return 1 + int(db.sql("SELECT count(*) FROM events").fetchall()[0][0]) // ROWS_PER_BLOCK


def _ranges(blocks: int) -> list[str]:
    """Conditions that part the customers: pseudonyms are spread evenly, so ranges of them are of about equal size."""
    bounds = [f"{i * 2**32 // blocks:08x}" for i in range(blocks)] + ["g"]
    return [f"customer_id >= '{low}' AND customer_id < '{high}'" for low, high in pairwise(bounds)]


def _read_block(db: duckdb.DuckDBPyConnection, within: str, timezone: str, program: Program) -> Block:
    people = db.sql(
        f"""SELECT customer_id, count(day) AS rows, min(since) AS since FROM (
            SELECT customer_id, day, {FOREVER} AS since FROM events WHERE {within} UNION ALL
            SELECT customer_id, NULL, coalesce({_days("valid_from")}, 0) FROM customers WHERE {within})
        GROUP BY customer_id ORDER BY customer_id"""
    ).fetchnumpy()
    asked = [column for column in code_columns(program) if column in CODE_SQL]
    numbers = ", ".join(f"coalesce(CAST({column} AS DOUBLE), 'nan') AS {column}" for column in COLUMNS)
    hashes = "".join(f", CASE WHEN {CODE_SQL[c]} IS NULL THEN 0 ELSE hash({CODE_SQL[c]}) END AS h_{c}" for c in asked)
    kind = "CASE kind " + " ".join(f"WHEN '{name}' THEN {code}" for code, name in enumerate(KINDS)) + " END"
    known, until = (_days(f"CAST(timezone('{timezone}', {column}) AS DATE)") for column in ("known_at", "known_until"))
    columns = db.sql(
        f"""SELECT {_days("day")} AS day, {known} AS known, coalesce({until}, {FOREVER}) AS until,
            CAST({kind} AS TINYINT) AS kind, {numbers}{hashes}
        FROM events WHERE {within} ORDER BY customer_id, day, event_id"""
    ).fetchnumpy()
    histories = empty_histories(len(people["rows"]), len(columns["day"]))
    np.cumsum(people["rows"], out=histories.offsets[1:])
    histories.day[:], histories.known[:], histories.until[:] = columns["day"], columns["known"], columns["until"]
    histories.kind[:] = columns["kind"]
    for i, name in enumerate(COLUMNS):
        histories.values[i] = columns[name]
    for name in asked:
        histories.codes[CODES.index(name)] = number_codes(histories.offsets, columns[f"h_{name}"].astype(np.uint64))
    add_calendar(histories)
    return Block(list(people["customer_id"]), people["since"].astype(np.int32), histories)


def _days(column: str) -> str:
    return f"({column} - DATE '1970-01-01')"
