"""The SQL of `duckdb_sql` run for one date after the other, each from the file, as a monthly job would."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from benchmarks.peers import duckdb_sql


def features(events: Path, as_ofs: Sequence[date], out: Path, threads: int) -> None:
    """Write the rows of all dates into the directory `out`."""
    for as_of in as_ofs:
        duckdb_sql.features(events, [as_of], out, threads)
