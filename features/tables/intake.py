"""Taking in one raw table after another: each line typed, judged by the rules, and put in its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from features.errors import InputError
from features.tables import typed
from features.tables.events import CUSTOMERS, EVENTS, ITEMS
from features.tables.privacy import Pseudonyms
from features.tables.raw import FILE, LINE, cell, clean, read_raw, sql_condition, unreadable
from features.tables.rules import (
    CUSTOMER_RULES,
    EVENT_RULES,
    ITEM_DEFINED_TWICE,
    ITEM_RULES,
    REPEATED_EVENT,
    Rule,
)
from features.tables.sources import CustomerTable, EventTable, ItemTable, Source, Table
from features.tables.sql import ident, text


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

    def with_repeated(self, repeated: int) -> Counts:
        """The same with some accepted lines found to repeat the id of another event."""
        if not repeated:
            return self
        dropped = self.dropped | {REPEATED_EVENT: repeated}
        return Counts(self.table, self.read, self.accepted - repeated, self.quarantined, dropped)


HIDDEN = ("customer", "counterparty")
"""Fields whose cells no message repeats."""


class Intake:
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
                sql, rules = typed.customer_columns(table, self.source.timezone, columns, place), CUSTOMER_RULES
            case ItemTable():
                sql, rules = typed.item_columns(table, columns, place), ITEM_RULES
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
            shown = cell(column) if column and rule.field not in HIDDEN else "'(not shown)'"
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
                f"{clean(attribute.column)} AS value, valid_from, "
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
