"""Taking in the lines of a table source, a chunk at a time: each typed, judged, and put in its place."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.errors import InputError
from features.tables.case_rules import REPEATED_KEY, case_columns, case_rules
from features.tables.chunks import NUMBER, Chunk
from features.tables.counts import Counts
from features.tables.person import tombstone
from features.tables.privacy import Pseudonyms
from features.tables.quarantine import Refused
from features.tables.raw import cell, need_column
from features.tables.rules import FORGOTTEN, MISFITS, REPEATED_LINE, RULES, Rule
from features.tables.sql import ident, text
from features.tables.table_source import CaseColumn, TableSource

OTHERS = {
    rule.id: rule
    for rule in (
        *(RULES[id_] for id_ in MISFITS),
        REPEATED_KEY,
        Rule(REPEATED_LINE, "drop", "", "", ""),
        Rule(FORGOTTEN, "drop", "", "", ""),
    )
}
"""Rules that take more than a row's own cells."""

TYPES = {"number": pa.float64(), "category": pa.string(), "boolean": pa.bool_()}


def case_schema(columns: dict[str, CaseColumn]) -> pa.Schema:
    """The columns of a table of cases that has `columns` of its own.

    case_id: keyed pseudonym of the key, or the row's number, as text. label: 1, 0; null = not known yet. split: train,
    test; null = the source does not say. In the others null = unknown.
    """
    own = [(name, TYPES[column.type]) for name, column in columns.items()]
    return pa.schema([("case_id", pa.string()), ("label", pa.int8()), ("split", pa.string()), *own])


class CaseIntake:
    """One run over a scratch database `db`: accepted rows go to `path` in their order, their private columns and
    keys wait in `private` and `names`."""

    def __init__(
        self,
        db: duckdb.DuckDBPyConnection,
        source: TableSource,
        pseudonyms: Pseudonyms,
        forgotten: frozenset[str],
        refused: Refused,
        path: Path,
    ) -> None:
        """forgotten: the tombstones of customers whose rows are not taken in again."""
        self.db, self.source, self.pseudonyms, self.forgotten, self.refused = db, source, pseudonyms, forgotten, refused
        self.counts, self.rows = Counts(source.name), 0
        self.labels: Counter[int | None] = Counter()
        self.unknown: Counter[str] = Counter()
        self.private: list[pa.Table] = []
        self.names: list[pa.Table] = []
        self._columns: list[str] = []
        self._rules: dict[str, Rule] = {}
        self._first: dict[str, tuple[str, int, str]] = {}
        self._writer = pq.ParquetWriter(path, case_schema(source.shown), compression="zstd")
        db.execute("CREATE TABLE seen (case_id VARCHAR, h1 UBIGINT, h2 UBIGINT)")

    def take(self, chunk: Chunk, file: str) -> None:
        """Put every line of `chunk` in its place."""
        self._check_columns(chunk.raw.column_names, file)
        self.counts.read += chunk.raw.num_rows + len(chunk.misfits)
        for misfit in chunk.misfits:
            self._refuse(misfit.rule, 1, (file, misfit.line, misfit.found))
        for rule in sorted({misfit.rule for misfit in chunk.misfits}):
            self.refused.add_texts(self.source.name, file, rule, [m for m in chunk.misfits if m.rule == rule])
        if chunk.raw.num_rows:
            self._judge(chunk)
            self._find_repeated()
            lines = self.db.sql(f"SELECT * FROM lines ORDER BY {NUMBER}").to_arrow_table()
            self._set_aside(chunk, file, lines.filter(pc.is_valid(lines["_rule"])))
            self._accept(lines.filter(pc.is_null(lines["_rule"])))
            self.rows += chunk.raw.num_rows

    def finish(self) -> int:
        """End the file; returns how many of its cases equal an earlier one in every cell but the key.

        Raises InputError where more lines than the source allows could not be read, or none was accepted.
        """
        self._writer.close()
        reading = {id_: n for id_, n in self.counts.quarantined.items() if self._rule(id_).reading}
        if sum(reading.values()) > self.source.unreadable * self.counts.read:
            self._stop(max(reading, key=lambda id_: reading[id_]))
        cases, contents = self.db.sql("SELECT count(*), count(DISTINCT (h1, h2)) FROM seen").fetchall()[0]
        if not cases:
            raise InputError(self.source.name, "no line that is a case", "at least one", "Look at the mapping.")
        return int(cases - contents)

    def _check_columns(self, columns: list[str], file: str) -> None:
        if not self._columns:
            place = f"{self.source.name}.yaml"
            for where, column in self.source.mapped.items():
                need_column(column, columns, f"{place}: {where}")
            self._columns = columns
            self._rules = {rule.id: rule for rule in case_rules(self.source, columns, place)}
        if columns != self._columns:
            wanted = f"those of the file before: {', '.join(self._columns)}"
            raise InputError(file, f"columns {', '.join(columns)}", wanted)

    def _judge(self, chunk: Chunk) -> None:
        """Table `lines`: the typed columns of each line, and the first rule it breaks (null: none)."""
        judged = [rule for rule in self._rules.values() if rule.severity != "keep"]
        cases = " ".join(f"WHEN {rule.broken} THEN {text(rule.id)}" for rule in judged)
        kept = [rule for rule in self._rules.values() if rule.severity == "keep"]
        odd = ", ".join(f"CASE WHEN {rule.broken} THEN {text(rule.id)} END" for rule in kept)
        typed = case_columns(self.source)
        types = ", ".join(f"{sql} AS {ident(name)}" for name, sql in typed.items())
        others = ", ".join(cell(column) for column in self._columns if column != self.source.key) or "0"
        self.db.register("chunk", self._with_ids(chunk))
        self.db.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE lines AS
            WITH t AS (SELECT *, {types}, hash({others}) AS _h1, hash('again', {others}) AS _h2 FROM chunk)
            SELECT {NUMBER}, case_id, _key, {", ".join(map(ident, typed))}, _h1, _h2, [{odd}]::VARCHAR[] AS _noted,
                CASE WHEN _forgotten THEN {text(FORGOTTEN)} {cases} END AS _rule FROM t
            """
        )
        self.db.unregister("chunk")

    def _with_ids(self, chunk: Chunk) -> pa.Table:
        """The cells, and whom each line is about: the pseudonym of its key (null: it has none), or its number."""
        keys: list[str | None] = [None] * chunk.raw.num_rows
        ids: list[str | None] = [str(self.rows + i) for i in range(1, len(keys) + 1)]
        if self.source.key is not None:
            keys = [key or None for key in chunk.typed[f"={self.source.key}"].to_pylist()]
            ids = [key and self.pseudonyms.of(key) for key in keys]
        gone = [bool(self.forgotten) and tombstone(id_ or "") in self.forgotten for id_ in ids]
        own = {"case_id": pa.array(ids, pa.string()), "_key": pa.array(keys, pa.string()), "_forgotten": pa.array(gone)}
        return pa.table({**{name: chunk.typed[name] for name in chunk.typed.column_names}, **own})

    def _find_repeated(self) -> None:
        """Among the sound lines of `lines`, mark those whose key came before; note the others in `seen`."""
        if self.source.key is not None:
            self.db.execute(
                f"""
                CREATE OR REPLACE TEMP TABLE sound AS
                SELECT {NUMBER}, case_id, _h1, _h2, first_value(_h1) OVER key AS f1, first_value(_h2) OVER key AS f2,
                    row_number() OVER key AS n
                FROM lines WHERE _rule IS NULL WINDOW key AS (PARTITION BY case_id ORDER BY {NUMBER});
                UPDATE lines SET _rule = again.rule FROM (
                    SELECT {NUMBER}, CASE WHEN coalesce(h1, f1) = _h1 AND coalesce(h2, f2) = _h2
                        THEN {text(REPEATED_LINE)} ELSE {text(REPEATED_KEY.id)} END AS rule
                    FROM sound LEFT JOIN seen USING (case_id) WHERE n > 1 OR h1 IS NOT NULL) again
                WHERE lines.{NUMBER} = again.{NUMBER}
                """
            )
        self.db.execute("INSERT INTO seen SELECT case_id, _h1, _h2 FROM lines WHERE _rule IS NULL")

    def _set_aside(self, chunk: Chunk, file: str, broken: pa.Table) -> None:
        """Count the lines that broke a rule, and keep those that are for a person to look at."""
        at, rules = broken[NUMBER].to_numpy(), broken["_rule"].to_pylist()
        for id_, many in Counter(rules).items():
            rule, first = self._rule(id_), at[rules.index(id_)]
            shown = f"'{chunk.raw[rule.field][first].as_py()}'" if rule.field else "a line that is not shown"
            self._refuse(id_, many, (file, chunk.lines[first].as_py(), shown))
            if rule.severity == "quarantine":
                mine = at[[i for i, each in enumerate(rules) if each == id_]]
                lines, raw = chunk.lines.take(mine), chunk.raw.take(mine)
                self.refused.add(self.source.name, [file] * many, lines, id_, rule.field or None, raw)

    def _accept(self, sound: pa.Table) -> None:
        """Write the cases, and put by what only the vault keeps."""
        fixes = _tally(sound["_fix"].drop_null())
        self.counts.fixed.update(fixes)
        self.counts.accepted += sound.num_rows - fixes.total()
        self.counts.noted.update(_tally(pc.list_flatten(sound["_noted"]).drop_null()))
        self.labels.update(_tally(sound["label"]))
        self.unknown.update({name: sound[name].null_count for name in self.source.shown})
        shown = case_schema(self.source.shown)
        self._writer.write_table(sound.select(shown.names).cast(shown))
        if self.source.private:
            private = case_schema(self.source.private)
            names = ["case_id", *self.source.private]
            self.private.append(sound.select(private.names).cast(private).select(names))
        if self.source.key is not None:
            self.names.append(pa.table({"customer_id": sound["case_id"], "id": sound["_key"]}))

    def _refuse(self, id_: str, many: int, first: tuple[str, int, str]) -> None:
        self._first.setdefault(id_, first)
        severity = self._rule(id_).severity
        (self.counts.dropped if severity == "drop" else self.counts.quarantined)[id_] += many
        if severity == "stop":
            self._stop(id_)

    def _rule(self, id_: str) -> Rule:
        return self._rules.get(id_) or OTHERS[id_]

    def _stop(self, id_: str) -> None:
        file, line, found = self._first[id_]
        rule, many = self._rule(id_), (self.counts.quarantined + self.counts.dropped)[id_]
        raise InputError(
            f"{file}: line {line}" + (f", column {rule.field}" if rule.field else ""),
            f"{found} ({many:,} such {'line' if many == 1 else 'lines'} of {self.counts.read:,})",
            rule.wanted,
            "Mend the file, or the mapping; or let more such lines be set aside with `unreadable` in the source file.",
        )


def _tally(values: pa.ChunkedArray) -> Counter[Any]:
    """How often each value is there, null among them."""
    return Counter({each["values"]: each["counts"] for each in values.value_counts().to_pylist()})
