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

    _run(tables, company, features, _at(as_ofs), keep, progress, threads)
    return _joined(features, parts)


def spine_table(
    tables: Path,
    company: Company,
    features: Sequence[AnyFeature],
    spine: pa.Table,
    progress: Progress = silent,
    threads: int | None = None,
) -> pa.Table:
    """The feature rows of a spine: of each of its pairs (customer_id, as_of) once, sorted, as `feature_table` has them.

    A pair whose customer nobody knew of at its date has no row.
    """
    pairs = spine.select(["customer_id", "as_of"]).group_by(["customer_id", "as_of"]).aggregate([])
    pairs = pairs.sort_by([("customer_id", "ascending"), ("as_of", "ascending")]).combine_chunks()
    days = pairs["as_of"].cast(pa.date32()).cast(pa.int32()).to_numpy().astype(np.int32)
    _check_dates(days)
    parts: dict[int, list[pa.Table]] = {}

    def rows(block: Block, program: Program, schema: pa.Schema) -> Iterator[pa.Table]:
        names = unpack_ids(block.ids)
        place = pc.index_in(pairs["customer_id"], names).combine_chunks()
        mine = np.flatnonzero(place.is_valid().to_numpy(zero_copy_only=False))
        customer = place.drop_null().to_numpy().astype(np.int64)
        starts = np.searchsorted(customer, np.arange(len(names) + 1))
        yield from _rows(block, program, schema, starts, days[mine])

    def keep(block: int, table: pa.Table) -> None:
        parts.setdefault(block, []).append(table)

    _run(tables, company, features, rows, keep, progress, threads)
    return _joined(features, parts)


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
        _run(tables, company, features, _at(as_ofs), write, progress, threads)
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
    count = len(block.ids.high)
    return _rows(block, program, schema, np.arange(count + 1) * len(dates), np.tile(dates, count))


def _rows(
    block: Block, program: Program, schema: pa.Schema, starts: NDArray[np.int64], as_of: NDArray[np.int32]
) -> Iterator[pa.Table]:
    """The rows of a block whose customer i has the ascending dates as_of[starts[i]:starts[i + 1]], some at a time."""
    names, count = unpack_ids(block.ids), len(block.ids.high)
    at_once = max(1, VALUES_AT_ONCE // program.features)
    first = 0
    while first < count:
        last = max(first + 1, int(np.searchsorted(starts, starts[first] + at_once, side="right")) - 1)
        spine, dates = starts[first : last + 1] - starts[first], as_of[starts[first] : starts[last]]
        values, seen = compute(block.histories, program, spine, dates, first)
        customer = np.repeat(np.arange(first, last), np.diff(spine))
        kept = np.flatnonzero(seen | (block.since[customer] < dates))
        whole = kept.size == dates.size
        columns = [names.take(pa.array(customer[kept])), pa.array(dates[kept]).cast(pa.date32())]
        columns += [pa.array(column if whole else column[kept], from_pandas=True) for column in values]
        yield pa.table(columns, schema=schema)
        first = last


RowsOf = Callable[[Block, Program, pa.Schema], Iterator[pa.Table]]


def _at(as_ofs: Sequence[date]) -> RowsOf:
    """The rows of every customer of a block at the same dates."""
    dates = np.array(sorted({day_number(day) for day in as_ofs}), np.int32)
    _check_dates(dates)
    return lambda block, program, schema: block_rows(block, program, schema, dates)


def _check_dates(dates: NDArray[np.int32]) -> None:
    if dates.size and not FIRST_DAY <= dates.min() <= dates.max() <= LAST_DAY:
        raise ValueError("an as_of outside the years 1900 to 2199")


def _joined(features: Sequence[AnyFeature], parts: dict[int, list[pa.Table]]) -> pa.Table:
    return pa.concat_tables([row_schema(features).empty_table(), *(part for k in sorted(parts) for part in parts[k])])


def _run(
    tables: Path,
    company: Company,
    features: Sequence[AnyFeature],
    rows_of: RowsOf,
    take: Callable[[int, pa.Table], None],
    progress: Progress,
    threads: int | None,
) -> None:
    """Hand each block's tables of feature rows to `take`, with the number of the block."""
    program, schema = compile_features(features), row_schema(features)
    threads = threads or usable_cores()
    events, customers = tables / "events.parquet", tables / "customers.parquet"
    with _damage_reported(customers):
        others = _known_customers(customers)
    with _damage_reported(events), tempfile.TemporaryDirectory() as spill, ThreadPoolExecutor(threads) as pool:
        parts = read_parts(events, program, company, pool, threads, Path(spill), progress)
        known = parts.known(*others)

        def work(block: int) -> None:
            found = Block(*sort_histories(parts.take(block), known[block], program))
            for table in rows_of(found, program, schema):
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
