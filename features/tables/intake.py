"""Taking in raw lines, a portion at a time: each typed, judged by the rules, and put in its place.

Events are staged (`staging`), for what takes more than the line itself is judged later (`settle`). Attributes and items
wait in tables of the scratch database. Refused lines go to the vault as they came (`findings`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

import duckdb
import numpy as np
import pyarrow as pa

from features.calendar import zone
from features.tables import typed
from features.tables.chunks import NUMBER
from features.tables.customers import accept_customers, prepare_customers
from features.tables.findings import HIDDEN, Findings, Plan, Portion
from features.tables.items import accept_items, prepare_items
from features.tables.person import tombstone
from features.tables.privacy import Pseudonyms
from features.tables.raw import cell, sql_condition
from features.tables.rules import CUSTOMER_RULES, EVENT_RULES, FORGOTTEN, ITEM_RULES, Rule
from features.tables.sources import CustomerTable, EventTable, ItemTable, Source, Table
from features.tables.sql import ident, instant, text
from features.tables.staging import Staging


@dataclass(frozen=True)
class Known:
    """What earlier runs left that concerns ids. survivors: pseudonym → the one it was merged into; forgotten: the
    tombstones of erased customers."""

    survivors: Mapping[str, str] = field(default_factory=dict)
    forgotten: frozenset[str] = frozenset()


class Intake:
    """One run over a scratch database `db`."""

    def __init__(
        self,
        db: duckdb.DuckDBPyConnection,
        source: Source,
        pseudonyms: Pseudonyms,
        known: Known,
        staging: Staging,
        findings: Findings,
        now: datetime,
    ) -> None:
        """`now`: the instant of this run; days after it have not come."""
        self.db, self.source, self.pseudonyms, self.known = db, source, pseudonyms, known
        self.staging, self.findings = staging, findings
        own = zone(source.timezone)
        tomorrow = datetime.combine(now.astimezone(own).date() + timedelta(days=1), time(), own)
        first = datetime(1900, 1, 1, tzinfo=own)
        self._limits = {"$tomorrow": instant(tomorrow), "$first": instant(first)}
        db.execute("CREATE TABLE names (id VARCHAR, name VARCHAR, survivor VARCHAR, forgotten BOOLEAN)")
        prepare_items(db)
        prepare_customers(db)

    def plan(self, table: Table, columns: list[str]) -> Plan:
        """How to read a table whose files have `columns`. Raises InputError for a mapping onto none of them."""
        place = f"{self.source.name}.yaml: tables.{table.name}"
        rules: tuple[Rule, ...]
        match table:
            case EventTable():
                types = typed.event_columns(table, self.source, columns, place)
                written = table.format.decimal, self.source.currency
                drops = (
                    Rule(d.rule, "drop", sql_condition(d.when, columns, f"{place}.drop", *written), "", "customer")
                    for d in table.drop
                )
                rules = (*drops, *EVENT_RULES)
            case CustomerTable():
                types, rules = typed.customer_columns(table, self.source, columns, place), CUSTOMER_RULES
            case ItemTable():
                types, rules = typed.item_columns(table, columns, place), ITEM_RULES
        rules = (*rules, *_required(table, self.source, columns, place))
        return Plan(table, self.source.tables.index(table), columns, types, rules)

    def take(self, portion: Portion) -> None:
        """Put every line in its place."""
        self._judge(portion)
        self._name_customers(portion.plan)
        self.findings.tally(portion)
        table = portion.plan.table
        match table:
            case EventTable():
                self._stage(portion, table.both_sides)
            case CustomerTable():
                accept_customers(self.db, table, self.findings.counts[table.name])
            case ItemTable():
                accept_items(self.db, portion, self.findings)
        self.db.execute("DROP TABLE lines")

    def _judge(self, portion: Portion) -> None:
        """Table `lines`: the typed columns of each line, the first rule it breaks (null: none), and the rules it breaks
        that are only noted (`odd`)."""
        plan = portion.plan
        cells = ", ".join(cell(column) for column in plan.columns)
        types = ", ".join(f"{expression} AS {ident(name)}" for name, expression in plan.types.items())
        rules = [rule for rule in plan.rules if rule.id != portion.waived]
        noted = [rule for rule in rules if self.findings.severity(rule) == "keep"]
        cases = " ".join(f"WHEN {rule.broken} THEN {text(rule.id)}" for rule in rules if rule not in noted)
        odd = ", ".join(f"CASE WHEN {rule.broken} THEN {text(rule.id)} END" for rule in noted)
        kept = ", ".join(ident(name) for name in plan.types if not name.endswith(("_given", "_mapped")))
        query = f"""
            CREATE OR REPLACE TEMP TABLE lines AS
            WITH t AS (SELECT *, {types}, hash({cells}) AS h1, hash('again', {cells}) AS h2 FROM chunk)
            SELECT {NUMBER}, {kept}, h1, h2, CASE {cases} END AS rule,
                {f"[{odd}]" if odd else "NULL::VARCHAR[]"} AS odd FROM t"""
        for name, value in self._limits.items():
            query = query.replace(name, value)
        self.db.register("chunk", portion.chunk.typed)
        self.db.execute(query)
        self.db.unregister("chunk")

    def _name_customers(self, plan: Plan) -> None:
        """Give every customer and counterparty of `lines` its pseudonym; lines of forgotten customers are dropped."""
        named = [column for column in HIDDEN if column in plan.types]
        if not named:
            return
        ids = " UNION ".join(f"SELECT {c} AS id FROM lines WHERE {c} IS NOT NULL" for c in named)
        new = self.db.sql(f"SELECT id FROM ({ids}) ANTI JOIN names USING (id) ORDER BY id").to_arrow_table()
        if new.num_rows:
            found = self.pseudonyms.of_all(new["id"].to_pylist())
            survivors = [self.known.survivors.get(name, name) for name in found] if self.known.survivors else found
            gone = [tombstone(name) in self.known.forgotten for name in found] if self.known.forgotten else None
            flags = pa.array(gone or np.zeros(len(found), np.bool_))
            more = pa.table({"id": new["id"], "name": found, "survivor": survivors, "forgotten": flags})
            self.db.register("more", more)
            self.db.execute("INSERT INTO names SELECT * FROM more")
            self.db.unregister("more")
        if self.known.forgotten:
            gone_ids = "(SELECT id FROM names WHERE forgotten)"
            refused = f" OR rule IS NOT NULL AND counterparty IN {gone_ids}" if "counterparty" in named else ""
            self.db.execute(f"UPDATE lines SET rule = '{FORGOTTEN}' WHERE customer IN {gone_ids}{refused}")

    def _stage(self, portion: Portion, both_sides: bool) -> None:
        """The events of the sound lines → staging."""
        said = "ts, has_time, known_at, amount, cost, quantity, due_day, score, ref, item, channel, country, code"
        here = f"{NUMBER}, given_id, fix, h1, h2, {said}"
        sides = [f"SELECT 0::TINYINT AS side, me, mine, other AS counterparty, kind, {here} FROM named"]
        if both_sides:
            sides.append(
                "SELECT 1::TINYINT AS side, other AS me, others AS mine, me AS counterparty, 'transfer_in' AS kind, "
                f"{here} FROM named WHERE other IS NOT NULL"
            )
        found = self.db.sql(
            f"""
            WITH named AS (
                SELECT l.* EXCLUDE (counterparty), c.name AS me, c.survivor AS mine,
                    p.name AS other, p.survivor AS others
                FROM lines l JOIN names c ON c.id = l.customer
                LEFT JOIN names p ON p.id = l.counterparty AND NOT p.forgotten
                WHERE rule IS NULL),
            sides AS ({" UNION ALL ".join(sides)}),
            events AS (SELECT *, me AS customer_id FROM sides)
            SELECT *, hash(event_id) AS id_hash FROM (
                SELECT coalesce(given_id || CASE WHEN side = 1 THEN '/in' ELSE '' END, {typed.event_id()}) AS event_id,
                    mine AS customer_id, CASE WHEN mine <> me THEN me END AS merged_from,
                    given_id IS NOT NULL AS given, side, kind, counterparty, {NUMBER}, fix, h1, h2, {said} FROM events)
            """
        ).to_arrow_table()
        at = found[NUMBER].to_numpy()
        own = {
            "source": pa.array(np.full(len(at), portion.plan.number, np.int16)),
            "file": pa.array(portion.file[at]),
            "line": portion.chunk.lines.take(at),
            "waived": pa.array([portion.waived] * len(at), pa.string()),
        }
        for name, column in own.items():
            found = found.append_column(name, column)
        self.staging.add(found)


def _required(table: Table, source: Source, columns: list[str], place: str) -> list[Rule]:
    """The rules that the source file itself makes. An empty cell fails them: what is missing was not shown to hold."""
    rules, where, written = [], f"{place}.require", (table.format.decimal, source.currency)
    for required in table.require:
        holds = sql_condition(required.that, columns, where, *written)
        asked = sql_condition(required.when, columns, where, *written) if required.when else "true"
        wanted = ", ".join(required.that)
        rules.append(
            Rule(
                required.rule,
                required.otherwise,
                f"{asked} AND NOT ({holds})",
                f"what `require` says of {wanted}",
                "",
                waivable=True,
            )
        )
    return rules
