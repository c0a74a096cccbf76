"""Parquet files, block by block, with the types they have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.tables.files.block import Block, DamagedError, check_names

MOST_ROWS = 1 << 16
"""Rows in a block, however short they are."""


def parquet_columns(path: Path) -> list[str]:
    """The names of a Parquet file's columns."""
    with pq.ParquetFile(path) as file:
        return check_names(file.schema_arrow.names, path)


def parquet_blocks(path: Path, size: int) -> Iterator[Block]:
    """The rows of a Parquet file, about `size` bytes at a time. Texts are plain strings, whatever they were kept as."""
    with pq.ParquetFile(path, memory_map=True, pre_buffer=False) as file:
        check_names(file.schema_arrow.names, path)
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
        total = file.metadata.num_rows
        width = sum(group.total_byte_size for group in groups) // max(total, 1) + 1
        done = 0
        for batch in file.iter_batches(batch_size=min(max(size // width, 1), MOST_ROWS)):
            cells = pa.table([_plain(column) for column in batch.columns], names=batch.schema.names)
            cells.validate(full=True)  # a text that is no UTF-8 would end the process that reads it later
            numbers = pa.array(np.arange(done + 1, done + 1 + batch.num_rows))
            done += batch.num_rows
            yield Block(cells, numbers, (), done, total)
        if done != total:
            raise DamagedError(f"{done:,} rows, where the file says that it has {total:,}")


def _plain(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string_view(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.string())
    return column
