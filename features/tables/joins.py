"""Other tables that complete the rows of a table of cases: an account's, a district's, sums of what came before.

A row of the main table meets at most one row of each; DuckDB holds them and does the join. Whether they know more than
was known on the day of a case is for the source file to see to.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import duckdb
import pyarrow.compute as pc

from features.errors import InputError
from features.tables.case_rules import MISSING_KEY
from features.tables.chunks import NUMBER, Chunk
from features.tables.counts import Counts
from features.tables.quarantine import Refused
from features.tables.raw import cell, clean, need_column, sql_condition
from features.tables.rules import MISFITS
from features.tables.sql import ident
from features.tables.table_source import Join, TableSource

NOT_ASKED_FOR = "not-asked-for"
"""Dropped: a row of a joined table that does not meet its `where`."""

LINE = "line"


class Joined:
    """One table to join, in the table `joined_<place>` of the scratch database. lines: those of the main table that
    were completed; alone: how many of them found no partner."""

    def __init__(self, db: duckdb.DuckDBPyConnection, source: TableSource, join: Join, refused: Refused) -> None:
        self.db, self.source, self.join, self.refused = db, source, join, refused
        self.counts, self.lines, self.alone = Counts(join.name), 0, 0
        self._place = f"{source.name}.yaml: join.{source.join.index(join)}"
        self._table = f"joined_{source.join.index(join)}"
        self._columns: list[str] = []
        self._files: list[str] = []

    def take(self, chunk: Chunk, file: str) -> None:
        """Keep the lines of `chunk` that have a key and are asked for; the others are counted, or set aside."""
        if not self._columns:
            self._begin(chunk.raw.column_names)
        if chunk.raw.column_names != self._columns:
            wanted = f"those of the file before: {', '.join(self._columns)}"
            raise InputError(file, f"columns {', '.join(chunk.raw.column_names)}", wanted)
        if file not in self._files:
            self._files.append(file)
        before = self.counts.read
        self.counts.read += chunk.raw.num_rows + len(chunk.misfits)
        for rule, many in Counter(misfit.rule for misfit in chunk.misfits).items():
            self.counts.quarantined[rule] += many
            self.refused.add_texts(self.join.name, file, rule, [m for m in chunk.misfits if m.rule == rule])
        if chunk.raw.num_rows:
            self._keep(chunk, file, before)

    def complete(self, chunk: Chunk) -> Chunk:
        """The lines of the main table with the columns of their partners; null where there is none."""
        names = self._names(chunk.raw.column_names)
        by = clean(self.join.by)
        wanted = ", ".join(f"there.{cell(column)} AS {ident(name)}" for column, name in names.items())
        self.db.register("here", chunk.typed.select([NUMBER, f"={self.join.by}"]))
        found = self.db.sql(
            f"""
            SELECT there.key IS NULL AS _alone, {wanted} FROM (SELECT {NUMBER}, {by} AS key FROM here) here
            LEFT JOIN {self._table} there USING (key) ORDER BY here.{NUMBER}
            """
        ).to_arrow_table()
        self.db.unregister("here")
        self.lines += found.num_rows
        self.alone += pc.sum(found["_alone"]).as_py() or 0
        raw, typed = chunk.raw, chunk.typed
        for name in names.values():
            raw, typed = raw.append_column(name, found[name]), typed.append_column(f"={name}", found[name])
        return Chunk(raw, chunk.lines, typed, chunk.misfits, chunk.done, chunk.total)

    def check_keys(self) -> None:
        """Refuse a key that is there twice, and a table that is read wrongly."""
        unread = sum(many for rule, many in self.counts.quarantined.items() if rule in MISFITS)
        if unread > self.source.unreadable * self.counts.read:
            found = f"{unread:,} of {self.counts.read:,} lines that are no rows"
            raise InputError(self._place, found, "at most the share `unreadable`", "Look at its `format`.")
        twice = self.db.sql(
            f"""
            WITH again AS (SELECT min({NUMBER}, 2) AS pair FROM {self._table} GROUP BY key HAVING count(*) > 1)
            SELECT file, {LINE} FROM {self._table}
            WHERE {NUMBER} IN (SELECT unnest(pair) FROM (FROM again ORDER BY pair[2] LIMIT 1)) ORDER BY {NUMBER}
            """
        ).fetchall()
        if twice:
            (file, line), (other, again) = twice
            raise InputError(
                f"{self._files[other]}: line {again}, column {self.join.own_key}",
                f"the key of line {line} of {self._files[file]} again",
                f"one row for each {self.join.own_key}",
                f"Mend the file, or say under `{self._place.partition(': ')[2]}.where` which of its rows take part.",
            )

    def check_met(self) -> None:
        """Refuse a join in which no line of the main table found a partner."""
        if self.lines and self.alone == self.lines:
            found = f"no line whose {self.join.by} is a {self.join.own_key} of '{self.join.name}'"
            raise InputError(self._place, found, "at least one", "Look at `by` and `key`; texts are compared.")

    def to_json(self) -> dict[str, Any]:
        """For the report."""
        return {"name": self.join.name, "by": self.join.by, "lines": self.lines, "alone": self.alone}

    def _begin(self, columns: list[str]) -> None:
        need_column(self.join.own_key, columns, f"{self._place}.key")
        self._columns = columns
        types = ", ".join(f"{cell(column)} VARCHAR" for column in columns)
        own = f"key VARCHAR, {NUMBER} BIGINT, file INTEGER, {LINE} BIGINT"
        self.db.execute(f"CREATE TABLE {self._table} ({own}, {types})")

    def _keep(self, chunk: Chunk, file: str, before: int) -> None:
        """before: how many lines were read before these."""
        written = (self.join.format.decimal, self.source.currency)
        where = sql_condition(self.join.where, self._columns, self._place, *written) if self.join.where else "true"
        self.db.register("there", chunk.typed.append_column(LINE, chunk.lines))
        self.db.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE judged AS SELECT {clean(self.join.own_key)} AS key, {NUMBER},
                {self._files.index(file)} AS file, {LINE}, {where} AS asked, {", ".join(map(cell, self._columns))}
            FROM there;
            INSERT INTO {self._table} SELECT * EXCLUDE (asked) REPLACE ({NUMBER} + {before} AS {NUMBER}) FROM judged
            WHERE asked AND key IS NOT NULL
            """
        )
        self.db.unregister("there")
        without = self.db.sql(f"SELECT {NUMBER} FROM judged WHERE asked AND key IS NULL ORDER BY 1").to_arrow_table()
        out = self.db.sql("SELECT count(*) FROM judged WHERE NOT asked").fetchall()[0][0]
        at = without[NUMBER].to_numpy()
        self.counts.accepted += chunk.raw.num_rows - out - len(at)
        self.counts.dropped[NOT_ASKED_FOR] += out
        self.counts.quarantined[MISSING_KEY.id] += len(at)
        raw, lines = chunk.raw.take(at), chunk.lines.take(at)
        self.refused.add(self.join.name, [file] * len(at), lines, MISSING_KEY.id, None, raw)

    def _names(self, taken: list[str]) -> dict[str, str]:
        """Its columns but for the key → what they are called beside those of the main table."""
        need_column(self.join.by, taken, f"{self._place}.by")
        lower = {name.lower() for name in taken}
        own = [column for column in self._columns if column != self.join.own_key]
        names = {name: f"{self.join.name}.{name}" if name.lower() in lower else name for name in own}
        again = next((name for name in names.values() if name.lower() in lower), None)
        if again is not None:
            raise InputError(
                self._place, f"a second column '{again}'", "names of their own", "Name the join otherwise."
            )
        return names
