"""The floor: whoever reads the table and groups it by customer cannot do with less. It is no full peer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb

from features.tables.sql import file_text


def features(events: Path, as_ofs: Sequence[date], out: Path, threads: int) -> None:
    """Write rows, total amount and last day of every customer, one file per date, into `out`."""
    with duckdb.connect(config={"threads": threads}) as db:
        db.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false; SET enable_progress_bar = false")
        for as_of in as_ofs:
            midnight = f"TIMESTAMPTZ '{as_of} 00:00:00+00'"
            db.execute(
                f"""COPY (
                    SELECT customer_id, DATE '{as_of}' AS as_of, count(*) AS events, sum(amount) AS total,
                        max(day) AS last_day
                    FROM read_parquet({file_text(events)})
                    WHERE day < DATE '{as_of}' AND known_at < {midnight}
                        AND (known_until IS NULL OR known_until >= {midnight})
                    GROUP BY customer_id
                ) TO {file_text(out / f"{as_of}.parquet")} (FORMAT parquet)"""
            )
