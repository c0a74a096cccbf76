"""Feature rows of a whole base at many dates: scan the event table, part it into blocks of customers, sort, compute.

The table may be in any order and larger than memory: its rows are packed (`features.pack`) and parted by pseudonym
into blocks, which go to disk when they are many. Threads share the row groups of the table, then the blocks.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.calendar import FIRST_DAY, LAST_DAY, day_number
from features.company import Company
from features.history import Histories
from features.kernel import compute
from features.pack import Ids, pack_ids, unpack_ids
from features.parts import read_parts
from features.progress import Progress, silent
from features.sort import sort_histories
from features.spec import AnyFeature, Program, compile_features
from features.workspace import damaged

VALUES_AT_ONCE = 4_000_000
"""Feature values computed before they are handed on."""


@dataclass(frozen=True)
class Block:
    """Some customers with all their events, in order of pseudonym. since (c,): the day from which each is known as a
    customer without any event (FOREVER: by its events only)."""

    ids: Ids
    since: NDArray[np.int32]
    histories: Histories


def feature_table(
    tables: Path,
    company: Company,
    features: Sequence[AnyFeature],
    as_ofs: Sequence[date],
    progress: Progress = silent,
    threads: int | None = None,
) -> pa.Table:
    """The feature rows of every customer known at each date: `customer_id`, `as_of`, then a column per feature.

    Sorted by customer and date. Null where a feature has no answer. A customer is known at `as_of` when an event of
    its was visible or an attribute was valid before. Raises InputError for a damaged event table.
    """
    parts: dict[int, list[pa.Table]] = {}

    def keep(block: int, table: pa.Table) -> None:
        parts.setdefault(block, []).append(table)

    _run(tables, company, features, as_ofs, keep, progress, threads)
    return pa.concat_tables([row_schema(features).empty_table(), *(part for k in sorted(parts) for part in parts[k])])


def write_features(
    tables: Path,
    company: Company,
    features: Sequence[AnyFeature],
    as_ofs: Sequence[date],
    folder: Path,
    progress: Progress = silent,
    threads: int | None = None,
    but: Collection[str] = (),
) -> None:
    """The rows of `feature_table` as Parquet files in `folder`, one per block, whatever their size.

    but: pseudonyms of customers who are left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    schema, writers, lock = row_schema(features), {}, Lock()

    def write(block: int, table: pa.Table) -> None:
        table = without(table, but)
        with lock:
            if block not in writers:
                writers[block] = _writer(folder / f"part-{block:05d}.parquet", schema)
        writers[block].write_table(table)

    try:
        _run(tables, company, features, as_ofs, write, progress, threads)
        if not writers:
            writers[0] = _writer(folder / "part-00000.parquet", schema)
    finally:
        for writer in writers.values():
            writer.close()


def row_schema(features: Sequence[AnyFeature]) -> pa.Schema:
    """The columns of a table of feature rows."""
    own = [pa.field("customer_id", pa.string(), nullable=False), pa.field("as_of", pa.date32(), nullable=False)]
    return pa.schema([*own, *(pa.field(feature.name, pa.float64()) for feature in features)])


def without(table: pa.Table, ids: Collection[str]) -> pa.Table:
    """A table without the rows of some customers."""
    return table.filter(pc.invert(pc.is_in(table["customer_id"], pa.array(sorted(ids), pa.string())))) if ids else table


def matrix(table: pa.Table, names: Sequence[str]) -> NDArray[np.float64]:
    """The named columns of a table of feature rows, shape (rows, names), NaN for null."""
    return np.column_stack([table[name].to_numpy(zero_copy_only=False).astype(float) for name in names])


def block_rows(block: Block, program: Program, schema: pa.Schema, dates: NDArray[np.int32]) -> Iterator[pa.Table]:
    """The feature rows of a block at ascending `dates`, some customers at a time."""
    names = unpack_ids(block.ids)
    at_once = max(1, VALUES_AT_ONCE // (program.features * max(len(dates), 1)))
    for first in range(0, len(names), at_once):
        count = min(at_once, len(names) - first)
        spine = np.arange(count + 1) * len(dates)
        as_of = np.tile(dates, count)
        values, seen = compute(block.histories, program, spine, as_of, first)
        customer = np.repeat(np.arange(first, first + count), len(dates))
        kept = np.flatnonzero(seen | (block.since[customer] < as_of))
        whole = kept.size == as_of.size
        columns = [names.take(pa.array(customer[kept])), pa.array(as_of[kept]).cast(pa.date32())]
        columns += [pa.array(column if whole else column[kept], from_pandas=True) for column in values]
        yield pa.table(columns, schema=schema)


def _run(
    tables: Path,
    company: Company,
    features: Sequence[AnyFeature],
    as_ofs: Sequence[date],
    take: Callable[[int, pa.Table], None],
    progress: Progress,
    threads: int | None,
) -> None:
    """Hand each block's tables of feature rows to `take`, with the number of the block."""
    program, schema = compile_features(features), row_schema(features)
    dates = np.array(sorted({day_number(day) for day in as_ofs}), np.int32)
    threads = threads or usable_cores()
    if dates.size and not FIRST_DAY <= dates[0] <= dates[-1] <= LAST_DAY:
        raise ValueError("an as_of outside the years 1900 to 2199")
    events, customers = tables / "events.parquet", tables / "customers.parquet"
    with _damage_reported(customers):
        others = _known_customers(customers)
    with _damage_reported(events), tempfile.TemporaryDirectory() as spill, ThreadPoolExecutor(threads) as pool:
        parts = read_parts(events, program, company, pool, threads, Path(spill), progress)
        known = parts.known(*others)

        def work(block: int) -> None:
            found = Block(*sort_histories(parts.take(block), known[block], program))
            for table in block_rows(found, program, schema, dates):
                take(block, table)

        for done, _ in enumerate(pool.map(work, range(parts.count)), 1):
            progress("compute features", done, parts.count)


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _known_customers(customers: Path) -> tuple[Ids, NDArray[np.int32]]:
    """The customers with attributes, and the first day one was valid; a consent makes nobody a customer."""
    table = pq.read_table(customers, columns=["customer_id", "valid_from"], filters=pc.field("family") != "consent")
    table = table.set_column(1, "since", pc.fill_null(table["valid_from"], date(1900, 1, 1)))
    first = pa.TableGroupBy(table, "customer_id").aggregate([("since", "min")]).combine_chunks()
    since = first["since_min"].combine_chunks().view(pa.int32())
    return pack_ids(first["customer_id"].combine_chunks()), since.to_numpy(zero_copy_only=False)


@contextmanager
def _damage_reported(file: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, pa.ArrowException, OSError) as error:
        if getattr(error, "errno", None) not in (None, errno.ENOENT):
            raise  # no room, no right: the machine's trouble, not the file's
        raise damaged(file, error) from None


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Feature values are many and hardly repeat: a dictionary costs more than it saves, except for the names."""
    return pq.ParquetWriter(path, schema, compression="lz4", use_dictionary=["customer_id", "as_of"])
