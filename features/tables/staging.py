"""Events between reading and writing: parted by customer into files, so that all of some customers fit in memory."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.calendar import DAY, HOUR, clock, local_time
from features.pack import pack_ids
from features.tables.events import EVENTS

BYTES_PER_LINE = 50
LINES_PER_BIN = 1_000_000
MOST_BINS = 256
PACKED = 6
"""How many times larger a file may be than it lies: Parquet, or compressed."""

_said = [EVENTS.field(name) for name in EVENTS.names if name not in ("known_at", "known_until")]
STAGED = pa.schema(
    [
        *_said,
        pa.field("known_at", pa.timestamp("us", tz="UTC")),  # null: the table does not say
        pa.field("source", pa.int16()),  # the table's place in the source file
        pa.field("file", pa.int32()),  # the file's place in the batch
        pa.field("line", pa.int64()),
        pa.field("side", pa.int8()),  # 1: the other side of a transfer
        pa.field("given", pa.bool_()),  # the id is the source's own
        pa.field("fix", pa.string()),  # the rule that mended the line
        pa.field("waived", pa.string()),  # the rule that a person waived for the line
        pa.field("id_hash", pa.uint64()),  # of event_id
        pa.field("h1", pa.uint64()),  # two digests of the line as it came
        pa.field("h2", pa.uint64()),
    ]
)
DERIVED = ("day", "hour")


def bins_for(files: list[Path]) -> int:
    """How many bins the events of these files want."""
    size = sum(path.stat().st_size * (1 if path.suffix in (".csv", ".txt") else PACKED) for path in files)
    return min(MOST_BINS, 1 + size // (BYTES_PER_LINE * LINES_PER_BIN))


class Staging:
    """The files of `folder`, one per bin of customers."""

    def __init__(self, folder: Path, bins: int, timezone: str) -> None:
        """An empty one; `timezone` gives the events their day and hour."""
        folder.mkdir()
        self.folder, self.bins, self._clock = folder, bins, clock(timezone)
        self._writers: dict[int, pq.ParquetWriter] = {}
        self.lines: Counter[tuple[int, str | None]] = Counter()
        """(table's place in the source file, fix) → lines, of those whose own customer's event is staged"""

    def add(self, events: pa.Table) -> None:
        """Stage events: the columns of STAGED but for DERIVED, and `has_time`, whether `ts` is more than a day."""
        fixes = events["fix"].filter(pc.equal(events["side"], 0))
        if len(fixes):
            source = events["source"][0].as_py()
            self.lines[source, None] += fixes.null_count
            for each in fixes.drop_null().value_counts().to_pylist():
                self.lines[source, each["values"]] += each["counts"]
        shown = local_time(events["ts"].cast(pa.int64()).to_numpy(), self._clock)
        day = pa.array((shown // DAY).astype(np.int32)).cast(pa.date32())
        timeless = ~events["has_time"].to_numpy(zero_copy_only=False)
        hour = pa.array((shown % DAY // HOUR).astype(np.int8), mask=timeless)
        derived = {"day": day, "hour": hour}
        whole = pa.table(
            [derived.get(name) if name in derived else events[name] for name in STAGED.names], schema=STAGED
        )
        if self.bins == 1:
            self._write(0, whole)
            return
        high = pack_ids(events["customer_id"].combine_chunks()).high
        at = ((high >> np.uint64(32)) * np.uint64(self.bins) >> np.uint64(32)).astype(np.uint8)
        order = np.argsort(at, kind="stable")
        whole = whole.take(order)
        ends = np.searchsorted(at[order], np.arange(self.bins + 1))
        for k in range(self.bins):
            if ends[k + 1] > ends[k]:
                self._write(k, whole.slice(ends[k], ends[k + 1] - ends[k]))

    def close(self) -> None:
        """Finish the files."""
        for writer in self._writers.values():
            writer.close()

    @property
    def files(self) -> list[Path]:
        """The files, in order of customers."""
        return [self._path(k) for k in sorted(self._writers)]

    def _write(self, k: int, events: pa.Table) -> None:
        if k not in self._writers:
            self._writers[k] = pq.ParquetWriter(
                self._path(k),
                STAGED,
                compression="lz4",
                use_dictionary=["kind", "channel", "country", "code", "fix"],
                write_statistics=False,
            )
        self._writers[k].write_table(events)

    def _path(self, k: int) -> Path:
        return self.folder / f"bin-{k:03d}.parquet"
