"""One run of ingest: lines in, tables out. What it needs in between lies in a scratch folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.calendar import zone
from features.errors import InputError
from features.progress import Progress
from features.tables.chunks import Chunk, read_chunks
from features.tables.counts import Counts, added
from features.tables.events import CUSTOMERS, ITEMS
from features.tables.intake import Intake, Known, Plan
from features.tables.privacy import Pseudonyms
from features.tables.quarantine import Refused
from features.tables.received import load_received
from features.tables.rewrite import ROW_GROUP
from features.tables.rules import RULES
from features.tables.settle import Batch, Settled, Settling
from features.tables.sources import Format, Source, Table
from features.tables.sql import ident, parquet, text
from features.tables.staging import Staging
from features.tables.typed import mapped_cell
from features.tables.vault import open_vault
from features.workspace import part_files, read_json, write_json

MEMORY_LIMIT = "1200MB"
ROWS_PER_ENTRY = 500_000
DUMPED = Format()
"""How a table of a database is written once it is a file."""


@dataclass(frozen=True)
class Ingested:
    """What one run did: counts of its own lines, table by table; late and restated events among them."""

    counts: list[Counts]
    late: int = 0
    restated: int = 0


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
    ) -> None:
        """`tables`: a staged folder; `scratch`: an empty one; `bins` of customers for the events."""
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
        self.refused = Refused(self.vault, self.number)
        self.staging = Staging(scratch / "staging", bins, source.timezone)
        known = Known(_survivors(tables), _forgotten(tables))
        self.intake = Intake(self.db, source, pseudonyms, known, self.staging, self.refused, now)
        if part_files(tables / "items.parquet"):
            self.db.execute(f"INSERT INTO items FROM {parquet(tables / 'items.parquet')}")
        self.origins: list[_Origin] = []

    def read(self, table: Table, path: Path) -> None:
        """All lines of a file."""
        plan: Plan | None = None
        lines, doing = 0, f"read {table.name}"
        for chunk in read_chunks(self.db, path, DUMPED if table.database else table.format):
            if plan is None:
                plan = self._plan(table, chunk, path)
                self.origins.append(_Origin(plan, path.name, path))
            elif chunk.raw.column_names != plan.columns:
                raise InputError(path, "columns that change within the file", ", ".join(plan.columns))
            self._take(plan, chunk, np.full(chunk.raw.num_rows, len(self.origins) - 1, np.int32))
            self.intake.refuse_misfits(plan, chunk, path.name)
            self.intake.stop_if_misread(plan, so_far=True)
            lines += chunk.raw.num_rows
            self.progress(doing, lines, max(lines, lines * chunk.total // max(1, chunk.done)))
        if plan is None:
            raise InputError(path, "no rows", "at least one", "Export the table again.")

    def take(self, table: Table, chunk: Chunk, files: Sequence[str], waived: str | None) -> None:
        """Lines of several files, without one of the rules."""
        plan = self.intake.plan(table, chunk.raw.column_names)
        names = list(dict.fromkeys(files))
        first = len(self.origins)
        self.origins.extend(_Origin(plan, name, None, chunk) for name in names)
        self._take(plan, chunk, np.array([first + names.index(name) for name in files], np.int32), waived)

    def finish(self) -> Ingested:
        """Judge what takes all lines, and write the tables."""
        for plan in {origin.plan.table.name: origin.plan for origin in self.origins}.values():
            self.intake.stop_if_misread(plan)
        self.staging.close()
        self._customers()
        settled = Settled()
        if self.staging.files:
            settled = Settling(self.db, self.source, self.staging, self.tables, self.batch).run(
                self.intake.counts, self.progress
            )
        self._refuse_later(settled)
        self.refused.flush()
        self._keep_names()
        self._copy_items()
        counts = list(self.intake.counts.values())
        lost = [each.table for each in counts if each.missing]
        if lost:
            raise RuntimeError(f"lines lost in {', '.join(lost)}")
        write_json(self.tables / "report.json", self._report(counts, settled))
        self.db.close()
        return Ingested(counts, settled.late, settled.restated)

    @property
    def batch(self) -> Batch:
        """This run, after those before it."""
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

    def _take(self, plan: Plan, chunk: Chunk, file: Any, waived: str | None = None) -> None:
        try:
            self.intake.take(plan, chunk, [origin.name for origin in self.origins], file, waived)
        except duckdb.Error as error:
            raise RuntimeError(f"the SQL of table '{plan.table.name}' failed: {type(error).__name__}") from None

    def _refuse_later(self, settled: Settled) -> None:
        """The raw lines of those refused at the end: their files are read once more."""
        wanted: dict[int, dict[int, str]] = {}
        for rule, file, line in settled.refused:
            wanted.setdefault(file, {})[line] = rule
        for file, rules in wanted.items():
            origin = self.origins[file]
            chunks = [origin.chunk] if origin.chunk else read_chunks(self.db, origin.path, origin.plan.table.format)  # type: ignore[arg-type]
            blamed = {rule: mapped_cell(origin.plan.table, RULES[rule].field) for rule in set(rules.values())}
            listed = pa.array(list(rules), pa.int64())
            for chunk in chunks:
                at = np.flatnonzero(pc.is_in(chunk.lines, value_set=listed).to_numpy(zero_copy_only=False))
                lines = chunk.lines.take(at)
                broken = [rules[line] for line in lines.to_pylist()]
                names = [origin.name] * len(at)
                self.refused.add(origin.plan.table.name, names, lines, broken, blamed, chunk.raw.take(at))

    def _customers(self) -> None:
        """View `all_customers`; a part file of the attributes that are new, and the vault's share of them.

        What a later run says of days that were complete is valid from the day of that run.
        """
        folder = self.tables / "customers.parquet"
        self.db.register("no_customers", CUSTOMERS.empty_table())
        history = parquet(folder) if part_files(folder) else "no_customers"
        today = f"DATE '{self.now.astimezone(zone(self.source.timezone)).date()}'"
        valid = "valid_from"
        if self.batch.data_end is not None:
            complete = f"DATE '{self.batch.data_end.astimezone(zone(self.source.timezone)).date()}'"
            valid = f"CASE WHEN valid_from IS NULL OR valid_from < {complete} THEN {today} ELSE valid_from END"
        key = "customer_id, attribute"
        self.db.execute(
            f"""
            CREATE TEMP TABLE newest AS
            SELECT {key}, arg_max(coalesce(value, ''), coalesce(valid_from, DATE '0001-01-01')) AS value
            FROM {history} GROUP BY {key};
            CREATE TEMP TABLE new_customers AS
            SELECT DISTINCT c.* REPLACE ({valid} AS valid_from) FROM customers c
            WHERE NOT EXISTS (SELECT 1 FROM {history} h WHERE h.customer_id = c.customer_id
                    AND h.attribute = c.attribute AND h.value IS NOT DISTINCT FROM c.value
                    AND h.valid_from >= c.valid_from)
                AND NOT (c.valid_from IS NULL AND EXISTS (SELECT 1 FROM newest n WHERE n.customer_id = c.customer_id
                    AND n.attribute = c.attribute AND n.value = coalesce(c.value, '')));
            CREATE TEMP VIEW all_customers AS FROM {history} UNION ALL FROM new_customers
            """
        )
        folder.mkdir(exist_ok=True)
        if self._any("new_customers") or not part_files(folder):
            order = "customer_id, attribute, valid_from, value"
            self._copy("new_customers", CUSTOMERS, order, folder / f"part-{self.number:05d}.parquet")
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

    def _any(self, table: str) -> bool:
        return bool(self.db.sql(f"SELECT 1 FROM {table} LIMIT 1").fetchall())

    def _report(self, counts: list[Counts], settled: Settled) -> dict[str, Any]:
        events = self.tables / "events.parquet"
        if not part_files(events):
            raise InputError(
                self.source.name,
                "no line that is an event of a customer",
                "at least one",
                f"Look at the mapping of {self.source.name}: every line was quarantined or dropped.",
            )
        first, last, many, customers = self.db.sql(
            f"SELECT min(day), max(day), count(*), count(DISTINCT customer_id) FROM {parquet(events)}"
        ).fetchall()[0]
        before = self.report or {"tables": [], "late": 0, "restated": 0}
        return {
            "source": self.source.name,
            "company": self.source.company().model_dump(),
            "key": self.key,
            "first_day": first.isoformat(),
            "last_day": last.isoformat(),
            "events": many,
            "customers": customers,
            "late": before["late"] + settled.late,
            "restated": before["restated"] + settled.restated,
            "tables": [each.to_json() for each in added(map(Counts.from_json, before["tables"]), counts)],
        }


def _survivors(tables: Path) -> dict[str, str]:
    path = tables / "merges.parquet"
    if not path.exists():
        return {}
    with duckdb.connect() as db:
        return dict(db.sql(f"SELECT customer_id, survivor FROM {parquet(path)}").fetchall())


def _forgotten(tables: Path) -> frozenset[str]:
    path = tables / "forgotten.json"
    return frozenset(read_json(path) if path.exists() else ())
