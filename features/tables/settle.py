"""Staged events → part files: what takes more than a line to judge is judged over all lines and the history."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from features.progress import Progress
from features.tables.batch import Batch
from features.tables.counts import Counts
from features.tables.customers import SIGNED_UP
from features.tables.events import EVENTS
from features.tables.rewrite import EVENT_ORDER, rewrite, write_part
from features.tables.rules import BEFORE_SIGN_UP, NO_INVOICE, REPEATED_EVENT, REPEATED_LINE, RETURN_FIRST, RULES, Rule
from features.tables.sources import EventTable, Source
from features.tables.sql import file_text, ident, instant, parquet
from features.tables.staging import Staging
from features.tables.versions import PLACE, judge_versions, replaced
from features.workspace import part_files


@dataclass
class Settled:
    """late: events known only now although their days were complete; restated: events that say something new;
    days: the first and the last day of what was taken in; refused: (rule, file, line) of the lines to set aside, file
    by its place in the run."""

    late: int = 0
    restated: int = 0
    days: tuple[date, ...] = ()
    refused: list[tuple[str, int, int]] = field(default_factory=list)


class Settling:
    """The second half of a run, over the same scratch database."""

    def __init__(
        self, db: duckdb.DuckDBPyConnection, source: Source, staging: Staging, tables: Path, batch: Batch
    ) -> None:
        """`tables`: the folder whose events are joined by the staged ones."""
        self.db, self.source, self.staging, self.batch = db, source, staging, batch
        self.events = tables / "events.parquet"
        db.register("no_events", EVENTS.empty_table())
        history = parquet(self.events) if part_files(self.events) else "no_events"
        staged = ", ".join(map(file_text, staging.files))
        place = "source SMALLINT, file INTEGER, line BIGINT, side TINYINT"
        db.execute(
            f"""
            CREATE TEMP VIEW staged AS SELECT * REPLACE ({batch.known_at()} AS known_at), known_at IS NOT NULL AS dated
                FROM read_parquet([{staged}]);
            CREATE TEMP VIEW history AS FROM {history};
            CREATE TEMP TABLE gone ({place}, rule VARCHAR);
            CREATE TEMP TABLE odd ({place}, rule VARCHAR);
            CREATE TEMP TABLE redated ({place}, known_at TIMESTAMPTZ, known_until TIMESTAMPTZ)
            """
        )

    def run(self, counts: dict[str, Counts], progress: Progress) -> Settled:
        """Judge, write the part files, end the rows that were replaced, and count what became of each line."""
        progress("compare with what is known", 0, 1)
        judge_versions(self.db, instant(self.batch.now))
        self._logic()
        progress("compare with what is known", 1, 1)
        self._write(progress)
        self._end_replaced()
        return self._count(counts)

    def _logic(self) -> None:
        """Rules about several events of a customer, or about the customer itself."""
        kinds = {rule.is_ for table in self.source.tables if isinstance(table, EventTable) for rule in table.kind_rules}
        if {"return", "purchase"} <= kinds:
            self._refuse(RETURN_FIRST, self._with_ref("return", "purchase", "day < first", RETURN_FIRST))
        if {"payment", "invoice_due"} <= kinds:
            self._refuse(NO_INVOICE, self._with_ref("payment", "invoice_due", "first IS NULL", NO_INVOICE))
        if not self._any(f"all_customers WHERE attribute = '{SIGNED_UP}'"):
            return
        since = f"""SELECT customer_id, min(TRY_CAST(value AS DATE)) AS since FROM all_customers
            WHERE attribute = '{SIGNED_UP}' GROUP BY customer_id"""
        self._refuse(
            BEFORE_SIGN_UP,
            f"""SELECT {PLACE} FROM staged JOIN ({since}) USING (customer_id)
            WHERE day < since AND side = 0 AND waived IS DISTINCT FROM '{BEFORE_SIGN_UP.id}'""",
        )

    def _with_ref(self, kind: str, other: str, broken: str, rule: Rule) -> str:
        """The events of `kind` that break a rule about the first event of kind `other` with the same ref."""
        sound = f"ANTI JOIN gone USING ({PLACE})" if self._any("gone") else ""
        return f"""
            WITH asked AS (
                SELECT * FROM staged
                WHERE kind = '{kind}' AND ref IS NOT NULL AND waived IS DISTINCT FROM '{rule.id}'),
            everything AS (
                SELECT customer_id, kind, ref, day FROM staged {sound}
                UNION ALL SELECT customer_id, kind, ref, day FROM history),
            told AS (
                SELECT customer_id, ref, min(day) AS first FROM everything SEMI JOIN asked USING (customer_id, ref)
                WHERE kind = '{other}' GROUP BY ALL)
            SELECT {PLACE} FROM asked LEFT JOIN told USING (customer_id, ref) WHERE {broken}"""

    def _refuse(self, rule: Rule, query: str) -> None:
        table = "odd" if self._severity(rule.id) == "keep" else "gone"
        self.db.execute(
            f"INSERT INTO {table} SELECT {PLACE}, '{rule.id}' FROM ({query}) ANTI JOIN gone USING ({PLACE})"
        )

    def _severity(self, rule: str) -> str:
        if rule in (REPEATED_LINE, REPEATED_EVENT):
            return "drop"
        return self.source.rules.get(rule, RULES[rule].severity)

    def _write(self, progress: Progress) -> None:
        """A part file per bin of customers, sorted; one is written while the next is sorted."""
        self.events.mkdir(exist_ok=True)
        known = self.batch.known_at("s.")
        other = {"known_at": f"coalesce(d.known_at, {known})", "known_until": "d.known_until"}
        joined = f"ANTI JOIN gone USING ({PLACE}) LEFT JOIN redated d USING ({PLACE})"
        if not self._any("gone") and not self._any("redated"):
            other, joined = {"known_at": known, "known_until": "NULL::TIMESTAMPTZ"}, ""
        cells = ", ".join(f"{other.get(name, 's.' + ident(name))} AS {ident(name)}" for name in EVENTS.names)
        files = self.staging.files
        with ThreadPoolExecutor(1) as writer:
            waiting: Future[None] | None = None
            for done, path in enumerate(files):
                progress("write events", done, len(files))
                rows = self.db.sql(
                    f"SELECT {cells} FROM read_parquet({file_text(path)}) s {joined} ORDER BY {EVENT_ORDER}"
                )
                events = rows.to_arrow_table().cast(EVENTS)
                if waiting is not None:
                    waiting.result()
                if events.num_rows:
                    name = f"part-{self.batch.number:05d}-{path.stem.removeprefix('bin-')}.parquet"
                    waiting = writer.submit(write_part, events, self.events / name)
            if waiting is not None:
                waiting.result()
        progress("write events", len(files), len(files))

    def _end_replaced(self) -> None:
        """Rows of the history that were replaced say so; the files without them stay as they are."""
        ends = replaced(self.db)

        def end(rows: pa.Table) -> pa.Table:
            with duckdb.connect() as db:
                db.execute("SET TimeZone = 'UTC'")
                db.register("rows", rows)
                db.register("ends", ends)
                return (
                    db.sql(
                        "SELECT r.* REPLACE (coalesce(e.until, r.known_until) AS known_until) FROM rows r "
                        "LEFT JOIN ends e USING (event_id, known_at) ORDER BY " + EVENT_ORDER
                    )
                    .to_arrow_table()
                    .cast(EVENTS)
                )

        if ends.num_rows:
            rewrite(self.events, ["event_id"], ends["event_id"].to_pylist(), end)

    def _count(self, counts: dict[str, Counts]) -> Settled:
        """What became of each line. A line of two events is one line, and goes where its own customer's event goes."""
        tables = list(counts.values())
        for (source, fix), lines in self.staging.lines.items():
            _add(tables[source], fix, lines)
        found = self.db.sql(
            f"SELECT source, rule, fix, count(*) FROM staged JOIN gone USING ({PLACE}) WHERE side = 0 GROUP BY ALL"
        ).fetchall()
        for source, rule, fix, lines in found:
            _add(tables[source], fix, -lines)
            (tables[source].dropped if self._severity(rule) == "drop" else tables[source].quarantined)[rule] += lines
        for source, rule, lines in self.db.sql("SELECT source, rule, count(*) FROM odd GROUP BY ALL").fetchall():
            tables[source].noted[rule] += lines
        refused = self.db.sql("SELECT rule, file, line FROM gone WHERE side = 0 ORDER BY ALL").fetchall()
        late = f"NOT dated AND ts < {instant(self.batch.data_end)}" if self.batch.data_end else "false"
        taken = f"FROM staged ANTI JOIN gone USING ({PLACE})"
        ((many, *days),) = self.db.sql(f"SELECT count(*) FILTER ({late}), min(day), max(day) {taken}").fetchall()
        return Settled(
            many,
            self._number("SELECT count(*) FROM redated"),
            tuple(day for day in days if day is not None),
            [each for each in refused if self._severity(each[0]) != "drop"],
        )

    def _any(self, rows: str) -> bool:
        return bool(self.db.sql(f"SELECT 1 FROM {rows} LIMIT 1").fetchall())

    def _number(self, query: str) -> int:
        return int(self.db.sql(query).fetchall()[0][0])


def _add(counts: Counts, fix: str | None, lines: int) -> None:
    if fix is None:
        counts.accepted += lines
    else:
        counts.fixed[fix] += lines
