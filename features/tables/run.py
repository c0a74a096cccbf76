"""One run of ingest: lines in, tables out. What it needs in between lies in a scratch folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import InputError, NoRowsError
from features.progress import Progress
from features.tables.batch import Batch
from features.tables.chunks import Chunk, chunk_of, read_chunks
from features.tables.counts import Counts, added
from features.tables.customers import settle_customers
from features.tables.events import CUSTOMERS, ITEMS
from features.tables.findings import Findings, Plan, Portion
from features.tables.intake import Intake, Known
from features.tables.merges import read_merges
from features.tables.person import forgotten, names_forgotten
from features.tables.privacy import Pseudonyms
from features.tables.quarantine import Refused
from features.tables.reading import Format
from features.tables.received import load_received
from features.tables.rewrite import CUSTOMER_ORDER, EVENT_ORDER, ROW_GROUP, compact
from features.tables.rules import RULES
from features.tables.settle import Settled, Settling
from features.tables.sources import HAND, Source, Table
from features.tables.sql import ident, parquet, text
from features.tables.staging import Staging
from features.tables.typed import mapped_cell
from features.tables.vault import open_vault
from features.workspace import part_files, read_json, write_json

MEMORY_LIMIT = "900MB"
"""Of DuckDB; what Arrow holds comes on top."""
ROWS_PER_ENTRY = 500_000
DUMPED = Format()
"""How a table of a database is written once it is a file."""


@dataclass(frozen=True)
class Ingested:
    """What one run did: counts of its own lines, table by table; late and restated events among them."""

    counts: list[Counts]
    late: int = 0
    restated: int = 0

    def plus(self, other: Ingested) -> Ingested:
        """Both together."""
        counts = added(self.counts, other.counts)
        return Ingested(counts, self.late + other.late, self.restated + other.restated)


@dataclass(frozen=True)
class _Origin:
    """Where the lines of a file came from, to find one again. chunk: they came from no file."""

    plan: Plan
    name: str
    path: Path | None
    chunk: Chunk | None = None


class Run:
    """Takes lines, then `finish` gives the tables in the folder `tables` what is new."""

    def __init__(
        self,
        source: Source,
        tables: Path,
        scratch: Path,
        pseudonyms: Pseudonyms,
        bins: int,
        now: datetime,
        progress: Progress,
        released: bool = False,
    ) -> None:
        """`tables`: a staged folder; `scratch`: an empty one; `bins` of customers for the events; `released`: the lines
        come from a person, out of quarantine or by hand, so that whatever they say is known only now."""
        self.released = released
        self.source, self.tables, self.progress, self.now = source, tables, progress, now
        self.key = pseudonyms.fingerprint
        self.number = len(load_received(tables, source).runs)
        self.report: dict[str, Any] | None = None
        if (tables / "report.json").exists():
            self.report = read_json(tables / "report.json")
        self.db = duckdb.connect()
        self.db.execute(f"SET TimeZone = 'UTC'; SET memory_limit = '{MEMORY_LIMIT}'; SET enable_progress_bar = false")
        self.db.execute(f"SET temp_directory = {text(scratch / 'spill')}")
        self.vault = open_vault(tables, pseudonyms)
        known = Known(read_merges(tables), frozenset(forgotten(tables)))
        self.refused = Refused(self.vault, self.number, lambda line: names_forgotten(line, pseudonyms, known.forgotten))
        self.findings = Findings(self.db, source, self.refused)
        self.staging = Staging(scratch / "staging", bins, source.timezone)
        self.intake = Intake(self.db, source, pseudonyms, known, self.staging, self.findings, now)
        if part_files(tables / "items.parquet"):
            self.db.execute(f"INSERT INTO items FROM {parquet(tables / 'items.parquet')}")
        self.origins: list[_Origin] = []

    def read(self, table: Table, path: Path) -> None:
        """All lines of a file. A day without any is no error where a table has a file a day."""
        try:
            self._read(table, path)
        except NoRowsError:
            if not table.database and len(table.files) == 1 and not table.files[0].endswith("/"):
                raise

    def _read(self, table: Table, path: Path) -> None:
        plan: Plan | None = None
        lines, doing = 0, f"read {table.name}"
        for chunk in self._chunks(table, path):
            if plan is None:
                plan = self._plan(table, chunk, path)
                self.origins.append(_Origin(plan, path.name, path))
            elif chunk.raw.column_names != plan.columns:
                raise InputError(path, "columns that change within the file", ", ".join(plan.columns))
            self._take(Portion(plan, chunk, self._names, np.full(len(chunk.lines), len(self.origins) - 1, np.int32)))
            self.findings.misfits(plan, chunk, path.name)
            self.findings.stop_if_misread(plan, so_far=True)
            lines += chunk.raw.num_rows
            self.progress(doing, lines, max(lines, lines * chunk.total // max(1, chunk.done)))

    def take(self, table: Table, chunk: Chunk, files: Sequence[str], waived: str | None) -> None:
        """Lines of several files, without one of the rules."""
        plan = self.intake.plan(table, chunk.raw.column_names)
        names = list(dict.fromkeys(files))
        first, place = len(self.origins), np.array([names.index(name) for name in files], np.int32)
        for k, name in enumerate(names):
            at = np.flatnonzero(place == k)
            mine = chunk_of(chunk.raw.take(at), chunk.lines.take(at))
            self.origins.append(_Origin(plan, name, None, mine))
        self._take(Portion(plan, chunk, self._names, first + place, waived))

    def finish(self) -> Ingested:
        """Judge what takes all lines, and write the tables."""
        for plan in {origin.plan.table.name: origin.plan for origin in self.origins}.values():
            self.findings.stop_if_misread(plan)
        self.staging.close()
        self._settle_customers()
        settled = Settled()
        if self.staging.files:
            settled = Settling(self.db, self.source, self.staging, self.tables, self.batch).run(
                self.findings.counts, self.progress
            )
        compact(self.tables / "events.parquet", EVENT_ORDER)
        self._refuse_later(settled)
        self.refused.flush()
        self._keep_names()
        self._copy_items()
        counts = list(self.findings.counts.values())
        lost = [each.table for each in counts if each.missing]
        if lost:
            raise RuntimeError(f"lines lost in {', '.join(lost)}")
        write_json(self.tables / "report.json", self._report(counts, settled))
        self.db.close()
        return Ingested(counts, settled.late, settled.restated)

    @property
    def batch(self) -> Batch:
        """This run, after those before it."""
        if self.released:
            return Batch(self.number, self.now, self.now)
        last_day = self.report["last_day"] if self.report else None
        return Batch.after(last_day, self.number, self.now, self.source.timezone)

    def _plan(self, table: Table, chunk: Chunk, path: Path) -> Plan:
        for origin in self.origins:
            if origin.plan.table is table and origin.plan.columns != chunk.raw.column_names:
                raise InputError(
                    path,
                    f"columns {', '.join(chunk.raw.column_names)}",
                    f"those of {origin.name}: {', '.join(origin.plan.columns)}",
                )
        return self.intake.plan(table, chunk.raw.column_names)

    def _chunks(self, table: Table, path: Path | None) -> Iterator[Chunk]:
        return read_chunks(self.db, path, DUMPED if table.database else table.format) if path else iter(())

    @property
    def _names(self) -> list[str]:
        return [origin.name for origin in self.origins]

    def _take(self, portion: Portion) -> None:
        try:
            self.intake.take(portion)
        except duckdb.Error as error:  # its text may repeat a cell
            said = f"the SQL of table '{portion.plan.table.name}' failed: {type(error).__name__}"
            raise RuntimeError(said) from None

    def _refuse_later(self, settled: Settled) -> None:
        """The raw lines of those refused at the end: their files are read once more."""
        wanted: dict[int, dict[int, str]] = {}
        for rule, file, line in settled.refused:
            wanted.setdefault(file, {})[line] = rule
        for file, rules in wanted.items():
            origin = self.origins[file]
            chunks = [origin.chunk] if origin.chunk else self._chunks(origin.plan.table, origin.path)
            listed = pa.array(list(rules), pa.int64())
            for chunk in chunks:
                at = np.flatnonzero(pc.is_in(chunk.lines, value_set=listed).to_numpy(zero_copy_only=False))
                broken = np.array([rules[line] for line in chunk.lines.take(at).to_pylist()])
                for rule in sorted(set(broken)):
                    mine, blamed = at[broken == rule], mapped_cell(origin.plan.table, RULES[rule].field)
                    names, lines = [origin.name] * len(mine), chunk.lines.take(mine)
                    self.refused.add(origin.plan.table.name, names, lines, rule, blamed, chunk.raw.take(mine))

    def _settle_customers(self) -> None:
        folder = self.tables / "customers.parquet"
        settle_customers(self.db, folder, self.batch, self.source.timezone)
        folder.mkdir(exist_ok=True)
        if self.db.sql("SELECT 1 FROM new_customers LIMIT 1").fetchall() or not part_files(folder):
            self._copy("new_customers", CUSTOMERS, CUSTOMER_ORDER, folder / f"part-{self.number:05d}.parquet")
            compact(folder, CUSTOMER_ORDER)
        self._keep("people", "SELECT DISTINCT * FROM people ORDER BY ALL")

    def _keep_names(self) -> None:
        """The way back from the pseudonyms that are new, into the vault."""
        known = [part.select(["customer_id"]) for _, part in self.vault.tables("names")]
        self.db.register(
            "known_names", pa.concat_tables([pa.table({"customer_id": pa.array([], pa.string())}), *known])
        )
        new = "SELECT name AS customer_id, id FROM names WHERE NOT forgotten"
        self._keep("names", f"FROM ({new}) ANTI JOIN known_names USING (customer_id) ORDER BY customer_id")

    def _keep(self, entry: str, query: str) -> None:
        reader = self.db.sql(query).to_arrow_reader(ROWS_PER_ENTRY)
        for k, batch in enumerate(reader):
            if batch.num_rows:
                self.vault.write(f"{entry}/{self.number:05d}-{k:05d}", pa.Table.from_batches([batch]))

    def _copy_items(self) -> None:
        self._copy("items", ITEMS, "item", self.tables / "items.parquet")

    def _copy(self, table: str, schema: pa.Schema, order: str, path: Path) -> None:
        columns = ", ".join(map(ident, schema.names))
        path.unlink(missing_ok=True)
        self.db.execute(
            f"COPY (SELECT {columns} FROM {table} ORDER BY {order}) TO {text(path)} "
            f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
        )

    def _report(self, counts: list[Counts], settled: Settled) -> dict[str, Any]:
        events = self.tables / "events.parquet"
        if not part_files(events):
            raise InputError(
                self.source.name,
                "no line that is an event of a customer",
                "at least one",
                f"Look at the mapping of {self.source.name}: every line was quarantined or dropped.",
            )
        many, customers = self.db.sql(
            f"SELECT count(*), count(DISTINCT customer_id) FROM {parquet(events)}"
        ).fetchall()[0]
        before = self.report or {"tables": [], "late": 0, "restated": 0}
        days = self._days(settled)
        return {
            "source": self.source.name,
            "company": self.source.company().model_dump(),
            "key": self.key,
            "first_day": min(days).isoformat(),
            "last_day": max(days).isoformat(),
            "events": many,
            "customers": customers,
            "late": before["late"] + settled.late,
            "restated": before["restated"] + settled.restated,
            "tables": [each.to_json() for each in added(map(Counts.from_json, before["tables"]), counts)],
        }

    def _days(self, settled: Settled) -> list[date]:
        """Days between which the company's tables reach. An event that a person wrote makes no day complete."""
        before = [date.fromisoformat(self.report[name]) for name in ("first_day", "last_day")] if self.report else []
        by_hand = any(table.name == HAND for table in self.source.tables)
        return before if by_hand else [*before, *settled.days]
