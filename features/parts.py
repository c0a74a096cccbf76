"""The packed rows of an event table, parted by customer into blocks that fit in memory."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from threading import Lock

import numba as nb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.company import Company
from features.pack import Words, columns_read, pack
from features.progress import Progress
from features.spec import CODES, Program

ROWS_PER_BATCH = 131_072
ROWS_PER_BLOCK = 1_000_000
BYTES_IN_MEMORY = 400_000_000
"""Packed rows beyond this go to disk."""


class Parts:
    """Packed rows in `count` blocks. Pseudonyms are digests, so their first digits part customers evenly."""

    def __init__(self, rows: int, width: int, threads: int, spill: Path) -> None:
        """For `rows` rows of `width` words, read and written by `threads`; `spill`: an empty folder."""
        fewest = threads if rows > ROWS_PER_BATCH else 1
        self.count = max(fewest, -(-rows // ROWS_PER_BLOCK))
        self.width = width
        self._kept: list[list[Words]] = [[] for _ in range(self.count)]
        self._locks = [Lock() for _ in range(self.count)]
        self._spill = spill if 8 * rows * width > BYTES_IN_MEMORY else None

    def of(self, high: Words) -> NDArray[np.int64]:
        """The block of each customer, by the first half of its pseudonym."""
        return ((high >> np.uint64(32)) * np.uint64(self.count) >> np.uint64(32)).astype(np.int64)

    def add(self, rows: Words) -> None:
        """Put packed rows into their blocks."""
        ordered, ends = (
            (rows, np.array([len(rows)])) if self.count == 1 else _split(rows, self.of(rows[:, 0]), self.count)
        )
        begin = 0
        for block, end in enumerate(ends):
            if end > begin:
                self._put(block, ordered[begin:end])
            begin = end

    def take(self, block: int) -> Words:
        """All rows of a block, shape (n, width); a block is taken once."""
        if self._spill is not None:
            file = self._spill / str(block)
            rows = np.fromfile(file, np.uint64).reshape(-1, self.width) if file.exists() else self._nothing()
            file.unlink(missing_ok=True)
            return rows
        kept, self._kept[block] = self._kept[block], []
        return np.concatenate(kept) if kept else self._nothing()

    def _put(self, block: int, rows: Words) -> None:
        with self._locks[block]:
            if self._spill is None:
                self._kept[block].append(rows)
            else:
                with (self._spill / str(block)).open("ab") as file:
                    file.write(rows.data)

    def _nothing(self) -> Words:
        return np.empty((0, self.width), np.uint64)


def read_parts(
    events: Path, program: Program, company: Company, pool: Executor, threads: int, spill: Path, progress: Progress
) -> Parts:
    """Scan an event table, its row groups shared among `threads`."""
    with pq.ParquetFile(events) as file:
        about, schema = file.metadata, file.schema_arrow
    wanted = columns_read(program)
    missing = [name for name in wanted if name not in schema.names]
    if missing:
        raise ValueError(f"no column {missing[0]}")
    coded = ["kind", *(name for name in CODES if name in wanted and _is_coded(about, schema.get_field_index(name)))]
    groups = about.num_row_groups
    width = pack(pa.RecordBatch.from_pylist([], schema), program, company).shape[1]
    parts = Parts(about.num_rows, width, threads, spill)
    done = Lock()
    read = 0

    def scan(mine: range) -> None:
        nonlocal read
        for batch in _batches(events, wanted, coded, mine):
            parts.add(pack(batch, program, company))
            with done:
                read += batch.num_rows
                progress("read events", read, about.num_rows)

    list(pool.map(scan, [range(i * groups // threads, (i + 1) * groups // threads) for i in range(threads)]))
    return parts


def _batches(events: Path, columns: list[str], coded: list[str], groups: range) -> Iterator[pa.RecordBatch]:
    if groups:
        with pq.ParquetFile(events, read_dictionary=coded, pre_buffer=False) as file:
            yield from file.iter_batches(ROWS_PER_BATCH, row_groups=list(groups), columns=columns, use_threads=False)


def _is_coded(about: pq.FileMetaData, column: int) -> bool:
    """Whether the file keeps a column of texts as numbers throughout, so that it is cheaper to read so."""
    groups = [about.row_group(g).column(column) for g in range(about.num_row_groups)]
    return all(g.has_dictionary_page and "PLAIN" not in g.encodings for g in groups)


@nb.njit(cache=True, nogil=True)
def _split(rows: Words, block: NDArray[np.int64], count: int) -> tuple[Words, NDArray[np.int64]]:
    """The rows in order of block, and where each block ends."""
    if count == 1:
        return rows, np.array([len(rows)])
    ends = np.zeros(count + 1, np.int64)
    for i in range(block.size):
        ends[block[i] + 1] += 1
    ends = np.cumsum(ends)
    to = ends[:-1].copy()
    ordered = np.empty_like(rows)
    for i in range(block.size):
        ordered[to[block[i]]] = rows[i]
        to[block[i]] += 1
    return ordered, ends[1:]
