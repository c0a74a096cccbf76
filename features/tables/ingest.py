"""Raw tables → events, customers, items; every line read is accepted, quarantined or dropped, and counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from features.errors import InputError
from features.progress import Progress, silent
from features.tables import typed
from features.tables.events import CUSTOMERS, EVENTS, ITEMS, broken_rules
from features.tables.privacy import Pseudonyms
from features.tables.raw import FILE, LINE, cell, ident, need_column, read_raw, sql_condition, text, unreadable
from features.tables.rules import (
    CUSTOMER_RULES,
    EVENT_RULES,
    ITEM_DEFINED_TWICE,
    ITEM_RULES,
    REPEATED_EVENT,
    RULE_IDS,
    Rule,
)
from features.tables.sources import CustomerTable, EventTable, ItemTable, Source, Table
from features.workspace import Workspace, staged, write_json

MEMORY_LIMIT = "2GB"


@dataclass(frozen=True)
class Counts:
    """What became of the lines of one raw table."""

    table: str
    read: int
    accepted: int
    quarantined: dict[str, int]
    dropped: dict[str, int]

    @property
    def missing(self) -> int:
        """Lines read that are in none of the counts: 0, or a line was lost."""
        return self.read - self.accepted - sum(self.quarantined.values()) - sum(self.dropped.values())


def ingest(
    source: Source, raw: Path, workspace: Workspace, pseudonyms: Pseudonyms, progress: Progress = silent
) -> list[Counts]:
    """Read all tables of `source` in the folder `raw` into `workspace.tables`, all or nothing.

    Raises InputError for a file, column, cell or rule that a person must mend; then nothing has changed.
    """
    unknown = sorted(set(source.rules) - RULE_IDS)
    if unknown:
        raise InputError(f"{source.name}: rules", f"'{unknown[0]}'", f"one of {', '.join(sorted(RULE_IDS))}")
    with staged(workspace.tables) as folder, duckdb.connect(str(folder / "scratch.duckdb")) as db:
        db.execute(f"SET TimeZone = 'UTC'; SET memory_limit = '{MEMORY_LIMIT}'; SET enable_progress_bar = false")
        run = _Ingest(db, source, raw, pseudonyms)
        for done, table in enumerate(source.tables):
            progress("read tables", done, len(source.tables) + 1)
            run.read(table)
        progress("read tables", len(source.tables), len(source.tables) + 1)
        counts = run.write(folder)
        db.close()
        (folder / "scratch.duckdb").unlink()
        broken = broken_rules(folder / "events.parquet")
        if broken:
            raise RuntimeError(f"the event table breaks its own contract: {broken}")
        lost = [count for count in counts if count.missing]
        if lost:
            raise RuntimeError(f"lines lost: {lost}")
        progress("read tables", len(source.tables) + 1, len(source.tables) + 1)
    return counts


class _Ingest:
    """One run over a scratch database: tables `events`, `customers`, `items`, `quarantine` fill up line by line."""

    def __init__(self, db: duckdb.DuckDBPyConnection, source: Source, raw: Path, pseudonyms: Pseudonyms) -> None:
        self.db, self.source, self.raw, self.pseudonyms = db, source, raw, pseudonyms
        self.place = f"{source.name}.yaml: tables"
        self.counts: list[Counts] = []
        for name, schema in (("events", EVENTS), ("customers", CUSTOMERS), ("items", ITEMS)):
            empty = schema.empty_table()
            db.register("empty", empty)
            db.execute(f"CREATE TABLE {name} AS SELECT *, '' AS from_table, 0::BIGINT AS nr FROM empty")
            db.unregister("empty")
        db.execute(
            "CREATE TABLE quarantine "
            '("table" VARCHAR, file VARCHAR, line BIGINT, rule VARCHAR, found VARCHAR, row JSON)'
        )

    def read(self, table: Table) -> None:
        """Type, judge and sort one raw table's lines into their places."""
        columns = read_raw(self.db, table, self.raw, "raw")
        place = f"{self.place}.{table.name}"
        match table:
            case EventTable():
                zone, decimals = self.source.timezone, self.source.decimals
                sql, rules = (
                    typed.event_columns(table, zone, decimals, columns, place),
                    self._event_rules(table, columns),
                )
            case CustomerTable():
                sql, rules = _customer_columns(table, self.source.timezone, columns, place), CUSTOMER_RULES
            case ItemTable():
                sql, rules = _item_columns(table, columns, place), ITEM_RULES
        try:
            self._judge(table, columns, sql, rules)
        except duckdb.Error as error:
            raise unreadable(self.raw / table.files[0], table.format, error) from None
        self._stop(table, rules)
        self._quarantine(table, columns, rules)
        match table:
            case EventTable():
                self._accept_events(table)
            case CustomerTable():
                self._accept_customers(table)
            case ItemTable():
                self._accept_items(table, columns)
        self._count(table, rules)

    def _event_rules(self, table: EventTable, columns: list[str]) -> tuple[Rule, ...]:
        place = f"{self.place}.{table.name}.drop"
        own = [Rule(d.rule, "drop", sql_condition(d.when, columns, place), "", "customer") for d in table.drop]
        return (EVENT_RULES[0], *own, *EVENT_RULES[1:])

    def _judge(self, table: Table, columns: list[str], sql: dict[str, str], rules: tuple[Rule, ...]) -> None:
        """Table `lines`: raw cells, typed columns, and the first rule each line breaks (null: none)."""
        cells = ", ".join(cell(column) for column in columns)
        types = ", ".join(f"{expression} AS {ident(name)}" for name, expression in sql.items())
        rule = " ".join(f"WHEN {rule.broken} THEN {text(rule.id)}" for rule in rules)
        repetition = f"row_number() OVER (PARTITION BY hash({cells}), hash('again', {cells}) ORDER BY nr)"
        self.db.execute(
            f"""
            CREATE OR REPLACE TABLE numbered AS SELECT *, row_number() OVER () AS nr FROM raw;
            CREATE OR REPLACE TABLE lines AS
            WITH t AS (SELECT *, {types}, {repetition} AS repetition FROM numbered)
            SELECT *, CASE {rule} END AS rule FROM t;
            DROP TABLE numbered
            """.replace("$today", f"DATE '{self.source.today().isoformat()}'")
        )

    def _severity(self, rule: Rule) -> str:
        return self.source.rules.get(rule.id, rule.severity)

    def _stop(self, table: Table, rules: tuple[Rule, ...]) -> None:
        """Raise for the first line that breaks a rule of severity `stop`."""
        for rule in rules:
            if self._severity(rule) != "stop":
                continue
            column = typed.mapped_cell(table, rule.field)
            shown = cell(column) if column else "NULL"
            first = self.db.sql(
                f"SELECT {FILE}, {LINE}, {shown}, count(*) OVER () FROM lines "
                f"WHERE rule = {text(rule.id)} ORDER BY nr LIMIT 1"
            ).fetchall()
            if first:
                file, line, found, many = first[0]
                raise InputError(
                    f"{self.raw / file}: line {line}, column {column}",
                    f"'{found}' ({many:,} such {'line' if many == 1 else 'lines'})",
                    rule.wanted,
                    f"Mend the file, or the mapping; or let such lines be set aside with "
                    f"`rules: {{{rule.id}: quarantine}}` in the source file.",
                )

    def _quarantine(self, table: Table, columns: list[str], rules: tuple[Rule, ...]) -> None:
        row = ", ".join(f"{text(column)}, {cell(column)}" for column in columns)
        for rule in rules:
            if self._severity(rule) == "quarantine":
                column = typed.mapped_cell(table, rule.field)
                self.db.execute(
                    f"INSERT INTO quarantine SELECT {text(table.name)}, {FILE}, {LINE}, rule, "
                    f"{cell(column) if column else 'NULL'}, json_object({row}) FROM lines WHERE rule = {text(rule.id)}"
                )

    def _name_customers(self) -> None:
        """Table `names`: raw id → pseudonym, for all customers and counterparties of `lines`."""
        found = [c for c in ("customer", "counterparty") if c in self.db.table("lines").columns]
        ids = " UNION ".join(f"SELECT {c} FROM lines WHERE rule IS NULL AND {c} IS NOT NULL" for c in found)
        raw_ids = [row[0] for row in self.db.sql(ids).fetchall()]
        names = pa.table({"id": pa.array(raw_ids, pa.string()), "name": self.pseudonyms.of_all(raw_ids)})
        self.db.register("new_names", names)
        self.db.execute("CREATE OR REPLACE TABLE names AS SELECT * FROM new_names")
        self.db.unregister("new_names")

    def _accept_events(self, table: EventTable) -> None:
        self._name_customers()
        own = ("ts", "day", "hour", "known_at", "kind", "amount", "cost", "quantity", "due_day", "score", *typed.TEXTS)
        cells = ", ".join(own)
        self.db.execute(
            f"""
            INSERT INTO events BY NAME
            WITH named AS (
                SELECT c.name AS customer_id, p.name AS counterparty, {cells}, given_id, nr
                FROM lines JOIN names c ON c.id = lines.customer LEFT JOIN names p ON p.id = lines.counterparty
                WHERE rule IS NULL)
            SELECT * EXCLUDE (given_id), coalesce(given_id, {typed.event_id()}) AS event_id,
                NULL AS known_until, {text(table.name)} AS from_table FROM named
            """
        )

    def _accept_customers(self, table: CustomerTable) -> None:
        self._name_customers()
        for name, attribute in table.attributes.items():
            self.db.execute(
                f"INSERT INTO customers BY NAME SELECT n.name AS customer_id, {text(name)} AS attribute, "
                f"{typed.clean(attribute.column)} AS value, valid_from, "
                f"{text(attribute.family)} AS family, {text(table.name)} AS from_table, nr "
                f"FROM lines JOIN names n ON n.id = lines.customer WHERE rule IS NULL"
            )

    def _accept_items(self, table: ItemTable, columns: list[str]) -> None:
        """An item's first definition counts; a later, different one goes to quarantine."""
        self.db.execute(
            f"""
            UPDATE lines SET rule = {text(ITEM_DEFINED_TWICE)} WHERE rule IS NULL AND
                (EXISTS (SELECT 1 FROM items i WHERE i.item = lines.item)
                 OR nr NOT IN (SELECT min(nr) FROM lines WHERE rule IS NULL GROUP BY item));
            INSERT INTO items BY NAME SELECT item, category,
                {text(table.name)} AS from_table, nr FROM lines WHERE rule IS NULL
            """
        )
        twice = Rule(ITEM_DEFINED_TWICE, "quarantine", "", "", "item")
        self._quarantine(table, columns, (twice,))

    def _count(self, table: Table, rules: tuple[Rule, ...]) -> None:
        severity = {rule.id: self._severity(rule) for rule in rules} | {ITEM_DEFINED_TWICE: "quarantine"}
        found: dict[str | None, int] = dict(
            self.db.sql("SELECT rule, count(*) FROM lines GROUP BY rule ORDER BY min(nr)").fetchall()
        )
        accepted = found.pop(None, 0)
        sides: dict[str, dict[str, int]] = {"quarantine": {}, "drop": {}}
        for rule, count in found.items():
            sides[severity[str(rule)]][str(rule)] = count
        read = self.db.sql("SELECT count(*) FROM raw").fetchall()[0][0]
        self.counts.append(Counts(table.name, read, accepted, sides["quarantine"], sides["drop"]))
        self.db.execute("DROP TABLE lines")

    def write(self, folder: Path) -> list[Counts]:
        """Events that repeat an id are dropped; the tables and the report are written to `folder`."""
        repeated = dict(
            self.db.sql(
                """
                CREATE TABLE again AS SELECT rowid AS id, from_table FROM (
                    SELECT rowid, from_table, row_number() OVER (PARTITION BY event_id ORDER BY rowid) AS repetition
                    FROM events WHERE event_id IN (SELECT event_id FROM events GROUP BY event_id HAVING count(*) > 1))
                WHERE repetition > 1;
                DELETE FROM events WHERE rowid IN (SELECT id FROM again);
                SELECT from_table, count(*) FROM again GROUP BY from_table
                """
            ).fetchall()
        )
        counts = [_with_repeated(count, repeated.get(count.table, 0)) for count in self.counts]
        _require_events(self.db, self.source, self.raw)
        self._copy("events", EVENTS, "customer_id, day, event_id", folder)
        self._copy("customers", CUSTOMERS, "customer_id, attribute, valid_from, value", folder)
        self._copy("items", ITEMS, "item", folder)
        ordered = 'SELECT * FROM quarantine ORDER BY "table", file, line, rule'
        target = text(folder / "quarantine.parquet")
        self.db.execute(f"COPY ({ordered}) TO {target} (FORMAT parquet, COMPRESSION zstd)")
        write_json(folder / "report.json", self._report(counts))
        return counts

    def _copy(self, name: str, schema: pa.Schema, order: str, folder: Path) -> None:
        columns = ", ".join(ident(column) for column in schema.names)
        self.db.execute(
            f"COPY (SELECT {columns} FROM {name} ORDER BY {order}) TO {text(folder / f'{name}.parquet')} "
            "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 100000)"
        )

    def _report(self, counts: list[Counts]) -> dict[str, Any]:
        first, last, events, customers = self.db.sql(
            "SELECT min(day), max(day), count(*), count(DISTINCT customer_id) FROM events"
        ).fetchall()[0]
        return {
            "source": self.source.name,
            "timezone": self.source.timezone,
            "key": self.pseudonyms.fingerprint,
            "first_day": first.isoformat(),
            "last_day": last.isoformat(),
            "events": events,
            "customers": customers,
            "tables": [vars(count) for count in counts],
        }


def _customer_columns(table: CustomerTable, zone: str, columns: list[str], place: str) -> dict[str, str]:
    for attribute in (table.customer, *(a.column for a in table.attributes.values())):
        need_column(attribute, columns, place)
    if table.valid_from is None:
        return {"customer": typed.clean(table.customer), "time_given": "false", "valid_from": "CAST(NULL AS DATE)"}
    need_column(table.valid_from.column, columns, f"{place}.valid_from")
    given = f"{typed.clean(table.valid_from.column)} IS NOT NULL"
    day = typed.local_day(table.valid_from, zone)
    return {"customer": typed.clean(table.customer), "time_given": given, "valid_from": day}


def _item_columns(table: ItemTable, columns: list[str], place: str) -> dict[str, str]:
    for column in (table.item, table.category):
        need_column(column, columns, place)
    return {"item": typed.clean(table.item), "category": typed.clean(table.category)}


def _with_repeated(count: Counts, repeated: int) -> Counts:
    if not repeated:
        return count
    dropped = count.dropped | {REPEATED_EVENT: repeated}
    return Counts(count.table, count.read, count.accepted - repeated, count.quarantined, dropped)


def _require_events(db: duckdb.DuckDBPyConnection, source: Source, raw: Path) -> None:
    if not db.sql("SELECT 1 FROM events LIMIT 1").fetchall():
        raise InputError(
            raw,
            "no line that is an event of a customer",
            "at least one",
            f"Look at the mapping of {source.name}: every line was quarantined or dropped.",
        )


def data_end(report: dict[str, Any]) -> date:
    """The day after the last day of data: everything is known up to there."""
    return date.fromordinal(date.fromisoformat(report["last_day"]).toordinal() + 1)
