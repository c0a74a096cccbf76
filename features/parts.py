"""The packed rows of an event table, parted by customer into blocks that fit in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.company import Company
from features.pack import Ids, Packed, Words, bin_of, columns_read, pack, width
from features.progress import Progress
from features.sort import Known
from features.spec import CODES, Program
from features.workspace import part_files

ROWS_PER_BATCH = 131_072
ROWS_PER_BLOCK = 1_000_000
BYTES_IN_MEMORY = 1_000_000_000
"""Packed rows beyond this go to disk."""

BINS = 64
"""Within a block, rows lie by bins of customers, so that what is sorted together lies together."""


class Parts:
    """Packed rows in `count` blocks. Pseudonyms are digests, so their first digits part customers evenly."""

    def __init__(self, rows: int, width: int, threads: int, spill: Path) -> None:
        """For `rows` rows of `width` words, read and written by `threads`; `spill`: an empty folder."""
        fewest = threads if rows > ROWS_PER_BATCH else 1
        self.count = max(fewest, -(-rows // ROWS_PER_BLOCK))
        self.width = width
        self._rows: list[list[Words]] = [[] for _ in range(self.count)]
        self._ends: list[list[NDArray[np.int64]]] = [[] for _ in range(self.count)]
        self._locks = [Lock() for _ in range(self.count)]
        self._spill = spill if 8 * rows * width > BYTES_IN_MEMORY else None

    @property
    def bins(self) -> int:
        """How many bins of customers there are in all."""
        return self.count * BINS

    def add(self, packed: Packed) -> None:
        """Put the rows of a batch into their blocks."""
        ends = packed.ends[0]
        for block in range(self.count):
            mine = ends[block * BINS : (block + 1) * BINS + 1]
            if mine[-1] > mine[0]:
                with self._locks[block]:
                    self._put(block, packed.rows[mine[0] : mine[-1]], mine - mine[0])

    def take(self, block: int) -> Packed:
        """All rows of a block; a block is taken once."""
        pieces = self._ends[block]
        if not pieces:
            return Packed(np.empty((0, self.width), np.uint64), np.zeros((1, BINS + 1), np.int64))
        begin = np.cumsum([0, *(ends[-1] for ends in pieces[:-1])])
        if self._spill is None:
            rows, self._rows[block] = np.concatenate(self._rows[block]), []
        else:
            rows = np.fromfile(self._spill / str(block), np.uint64).reshape(-1, self.width)
            (self._spill / str(block)).unlink()
        return Packed(rows, np.array(pieces) + begin[:, None])

    def known(self, ids: Ids, since: NDArray[np.int32]) -> list[Known]:
        """Customers known without events, block by block."""
        order = np.lexsort((ids.low, ids.high))
        high, low, since = ids.high[order], ids.low[order], since[order]
        starts = np.searchsorted(bin_of(high, self.bins), np.arange(self.bins + 1))
        blocks = [starts[block * BINS : (block + 1) * BINS + 1] for block in range(self.count)]
        return [Known(high[s[0] : s[-1]], low[s[0] : s[-1]], since[s[0] : s[-1]], s - s[0]) for s in blocks]

    def _put(self, block: int, rows: Words, ends: NDArray[np.int64]) -> None:
        self._ends[block].append(ends)
        if self._spill is None:
            self._rows[block].append(rows)
        else:
            with (self._spill / str(block)).open("ab") as file:
                file.write(rows.data)


def read_parts(
    events: Path, program: Program, company: Company, pool: Executor, threads: int, spill: Path, progress: Progress
) -> Parts:
    """Scan an event table, its row groups shared among `threads`."""
    files = _files(events)
    wanted = columns_read(program)
    missing = [name for name in wanted if any(name not in file.schema.names for file in files)]
    if missing:
        raise ValueError(f"no column {missing[0]}")
    total = sum(file.rows for file in files)
    groups = [(file, group) for file in files for group in range(file.groups)]
    parts = Parts(total, width(program), threads, spill)
    done = Lock()
    read = 0

    def scan(mine: Sequence[tuple[_File, int]]) -> None:
        nonlocal read
        for file, pairs in groupby(mine, key=lambda pair: pair[0]):
            for batch in _batches(file, wanted, [group for _, group in pairs]):
                parts.add(pack(batch, program, company, parts.bins))
                with done:
                    read += batch.num_rows
                    progress("read events", read, total)

    shares = [len(groups) * i // threads for i in range(threads + 1)]
    list(pool.map(scan, [groups[first:end] for first, end in pairwise(shares)]))
    return parts


@dataclass(frozen=True)
class _File:
    """A part file of an event table. coded: the columns of texts that it keeps as numbers throughout, so that it is
    cheaper to read them so."""

    path: Path
    schema: pa.Schema
    rows: int
    groups: int
    coded: frozenset[str]


def _files(events: Path) -> list[_File]:
    files = []
    for path in part_files(events) or [events]:
        with pq.ParquetFile(path) as file:
            about, schema = file.metadata, file.schema_arrow
        names = ["kind", *(name for name in CODES if name in schema.names)]
        coded = (name for name in names if name == "kind" or _is_coded(about, schema.get_field_index(name)))
        files.append(_File(path, schema, about.num_rows, about.num_row_groups, frozenset(coded)))
    return files


def _batches(file: _File, columns: list[str], groups: list[int]) -> Iterator[pa.RecordBatch]:
    coded = [name for name in columns if name in file.coded]
    with pq.ParquetFile(file.path, read_dictionary=coded, pre_buffer=False) as opened:
        yield from opened.iter_batches(ROWS_PER_BATCH, row_groups=groups, columns=columns, use_threads=False)


def _is_coded(about: pq.FileMetaData, column: int) -> bool:
    """Whether the file keeps a column of texts as numbers throughout, so that it is cheaper to read so."""
    groups = [about.row_group(g).column(column) for g in range(about.num_row_groups)]
    return all(g.has_dictionary_page and "PLAIN" not in g.encodings for g in groups)
