"""Taking in raw lines, a chunk at a time: each typed, judged by the rules, and put in its place.

Events are staged (`staging`), for what takes more than the line itself is judged later (`settle`). Attributes and items
wait in tables of the scratch database. Refused lines go to the vault as they came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

import duckdb
import numpy as np
import pyarrow as pa

from features.calendar import zone
from features.errors import InputError
from features.tables import typed
from features.tables.chunks import NUMBER, Chunk
from features.tables.counts import Counts
from features.tables.customers import accept_customers, prepare_customers
from features.tables.privacy import Pseudonyms
from features.tables.quarantine import Refused
from features.tables.raw import cell, sql_condition
from features.tables.rules import (
    CUSTOMER_RULES,
    EVENT_RULES,
    FORGOTTEN,
    ITEM_DEFINED_TWICE,
    ITEM_RULES,
    REPEATED_LINE,
    RULES,
    Rule,
)
from features.tables.sources import CustomerTable, EventTable, ItemTable, Severity, Source, Table
from features.tables.sql import ident, instant, text
from features.tables.staging import Staging

HIDDEN = ("customer", "counterparty")
"""Fields whose cells no message repeats."""

HOPELESS = 0.5
"""A first chunk with more unreadable lines than this share ends the run at once."""


@dataclass(frozen=True)
class Known:
    """What earlier runs left that concerns ids. survivors: pseudonym → the one it was merged into; forgotten: the
    tombstones of erased customers."""

    survivors: Mapping[str, str] = field(default_factory=dict)
    forgotten: frozenset[str] = frozenset()


def tombstone(pseudonym: str) -> str:
    """What remains of an erased customer: enough to know it again, not to name it."""
    return hashlib.sha256(pseudonym.encode()).hexdigest()


@dataclass(frozen=True)
class Plan:
    """How one table is read: its place in the source file, the SQL of its columns, its rules in order."""

    table: Table
    number: int
    columns: list[str]
    types: dict[str, str]
    rules: tuple[Rule, ...]


class Intake:
    """One run over a scratch database `db`."""

    def __init__(
        self,
        db: duckdb.DuckDBPyConnection,
        source: Source,
        pseudonyms: Pseudonyms,
        known: Known,
        staging: Staging,
        refused: Refused,
        now: datetime,
    ) -> None:
        """`now`: the instant of this run; days after it have not come."""
        self.db, self.source, self.pseudonyms, self.known = db, source, pseudonyms, known
        self.staging, self.refused = staging, refused
        self.counts = {table.name: Counts(table.name) for table in source.tables}
        self._first_broken: dict[tuple[str, str], tuple[str, int, str]] = {}
        own = zone(source.timezone)
        tomorrow = datetime.combine(now.astimezone(own).date() + timedelta(days=1), time(), own)
        first = datetime(1900, 1, 1, tzinfo=own)
        self._limits = {"$tomorrow": instant(tomorrow), "$first": instant(first)}
        db.execute("CREATE TABLE names (id VARCHAR, name VARCHAR, survivor VARCHAR, forgotten BOOLEAN)")
        db.execute("CREATE TABLE items (item VARCHAR, category VARCHAR)")
        prepare_customers(db)

    def plan(self, table: Table, columns: list[str]) -> Plan:
        """How to read a table whose files have `columns`. Raises InputError for a mapping onto none of them."""
        place = f"{self.source.name}.yaml: tables.{table.name}"
        match table:
            case EventTable():
                types = typed.event_columns(table, self.source, columns, place)
                drops = (
                    Rule(d.rule, "drop", sql_condition(d.when, columns, f"{place}.drop"), "", "customer")
                    for d in table.drop
                )
                rules = (*drops, *EVENT_RULES)
            case CustomerTable():
                types, rules = typed.customer_columns(table, self.source, columns, place), CUSTOMER_RULES
            case ItemTable():
                types, rules = typed.item_columns(table, columns, place), ITEM_RULES
        return Plan(table, self.source.tables.index(table), columns, types, (*rules, *_required(table, columns, place)))

    def severity(self, rule: Rule) -> Severity:
        """What happens to a line that breaks `rule`, by the source file."""
        return self.source.rules.get(rule.id, rule.severity)

    def take(
        self,
        plan: Plan,
        chunk: Chunk,
        files: list[str],
        file: np.ndarray[tuple[int], np.dtype[np.int32]],
        waived: str | None = None,
    ) -> None:
        """Put every line of `chunk` in its place. files: names; file (n,): which of them each line is from; waived: a
        rule that does not count this time."""
        counts = self.counts[plan.table.name]
        counts.read += chunk.raw.num_rows + len(chunk.misfits)
        self._judge(plan, chunk, waived)
        self._name_customers(plan)
        self._tally(plan, chunk, files, file)
        match plan.table:
            case EventTable():
                self._stage(plan, plan.table, chunk, file, waived)
            case CustomerTable():
                accept_customers(self.db, plan.table, counts)
            case ItemTable():
                self._accept_items(plan, chunk, files, file)
        self.db.execute("DROP TABLE lines")

    def refuse_misfits(self, plan: Plan, chunk: Chunk, file: str) -> None:
        """Set aside what is no row of the table."""
        for rule in sorted({misfit.rule for misfit in chunk.misfits}):
            mine = [misfit for misfit in chunk.misfits if misfit.rule == rule]
            self._note_first(plan, RULES[rule], file, mine[0].line, mine[0].found)
            sides = {"drop": "dropped", "keep": "dropped"}.get(self.severity(RULES[rule]), "quarantined")
            getattr(self.counts[plan.table.name], sides)[rule] += len(mine)
            if sides == "quarantined":
                self.refused.add_texts(plan.table.name, file, rule, mine)

    def stop_if_misread(self, plan: Plan, so_far: bool = False) -> None:
        """Raise InputError where more lines than the source file allows could not be read."""
        counts = self.counts[plan.table.name]
        judged = {id_: rule for id_, rule in RULES.items() if rule.reading and id_ not in self.source.rules}
        broken = {id_: n for id_, n in (counts.quarantined + counts.dropped).items() if id_ in judged}
        limit = max(HOPELESS, self.source.unreadable) if so_far else self.source.unreadable
        if sum(broken.values()) > limit * counts.read:
            self._stop(plan, judged[max(broken, key=lambda id_: broken[id_])])

    def _judge(self, plan: Plan, chunk: Chunk, waived: str | None) -> None:
        """Table `lines`: the typed columns of each line, and the first rule it breaks (null: none)."""
        cells = ", ".join(cell(column) for column in plan.columns)
        types = ", ".join(f"{expression} AS {ident(name)}" for name, expression in plan.types.items())
        judged = [rule for rule in plan.rules if rule.id != waived and self.severity(rule) != "keep"]
        kept = [rule for rule in plan.rules if rule.id != waived and self.severity(rule) == "keep"]
        cases = " ".join(f"WHEN {rule.broken} THEN {text(rule.id)}" for rule in judged)
        odd = ", ".join(f"CASE WHEN {rule.broken} THEN {text(rule.id)} END" for rule in kept)
        query = f"""
            CREATE OR REPLACE TEMP TABLE lines AS
            WITH t AS (SELECT *, {types}, hash({cells}) AS h1, hash('again', {cells}) AS h2 FROM chunk)
            SELECT {NUMBER}, {", ".join(map(ident, plan.types))}, h1, h2, CASE {cases} END AS rule,
                {f"[{odd}]" if odd else "NULL::VARCHAR[]"} AS odd FROM t"""
        for name, value in self._limits.items():
            query = query.replace(name, value)
        self.db.register("chunk", chunk.typed)
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
            self.db.execute(
                f"UPDATE lines SET rule = '{FORGOTTEN}' WHERE customer IN (SELECT id FROM names WHERE forgotten)"
            )

    def _tally(
        self, plan: Plan, chunk: Chunk, files: list[str], file: np.ndarray[tuple[int], np.dtype[np.int32]]
    ) -> None:
        """Count the lines that broke a rule, and set aside those that are for a person to look at."""
        counts = self.counts[plan.table.name]
        rules = {rule.id: rule for rule in plan.rules} | {FORGOTTEN: Rule(FORGOTTEN, "drop", "", "", "customer")}
        found = self.db.sql(
            f"SELECT rule, count(*), min({NUMBER}) AS first FROM lines WHERE rule IS NOT NULL GROUP BY rule "
            "ORDER BY first"
        ).fetchall()
        for id_, lines, first in found:
            rule = rules[id_]
            blamed = typed.mapped_cell(plan.table, rule.field)
            shown = chunk.raw[blamed][first].as_py() if blamed and rule.field not in HIDDEN else "(not shown)"
            self._note_first(plan, rule, files[file[first]], chunk.lines[first].as_py(), f"'{shown}'")
            if self.severity(rule) == "stop":
                self._stop(plan, rule)
            dropped = self.severity(rule) == "drop" or id_ == FORGOTTEN
            (counts.dropped if dropped else counts.quarantined)[id_] += lines
        odd = "SELECT unnest(odd) AS rule FROM lines WHERE rule IS NULL"
        counts.noted.update(
            dict(self.db.sql(f"SELECT rule, count(*) FROM ({odd}) WHERE rule IS NOT NULL GROUP BY rule").fetchall())
        )
        kept = [id_ for id_, _, _ in found if id_ != FORGOTTEN and self.severity(rules[id_]) == "quarantine"]
        if kept:
            listed = ", ".join(map(text, kept))
            refused = self.db.sql(
                f"SELECT {NUMBER}, rule FROM lines WHERE rule IN ({listed}) ORDER BY {NUMBER}"
            ).to_arrow_table()
            at, broken = refused[NUMBER].to_numpy(), refused["rule"].to_pylist()
            blamed_cells = {id_: typed.mapped_cell(plan.table, rules[id_].field) for id_ in kept}
            names = [files[k] for k in file[at]]
            self.refused.add(plan.table.name, names, chunk.lines.take(at), broken, blamed_cells, chunk.raw.take(at))

    def _stage(
        self,
        plan: Plan,
        table: EventTable,
        chunk: Chunk,
        file: np.ndarray[tuple[int], np.dtype[np.int32]],
        waived: str | None,
    ) -> None:
        said = "ts, has_time, known_at, amount, cost, quantity, due_day, score, ref, item, channel, country, code"
        here = f"{NUMBER}, given_id, fix, h1, h2, {said}"
        sides = [f"SELECT 0::TINYINT AS side, me, mine, other AS counterparty, kind, {here} FROM named"]
        if table.both_sides:
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
            SELECT coalesce(given_id || CASE WHEN side = 1 THEN '/in' ELSE '' END, {typed.event_id()}) AS event_id,
                mine AS customer_id, CASE WHEN mine <> me THEN me END AS merged_from, given_id IS NOT NULL AS given,
                side, kind, counterparty, {NUMBER}, fix, h1, h2, {said} FROM events
            """
        ).to_arrow_table()
        at = found[NUMBER].to_numpy()
        own = {
            "source": pa.array(np.full(len(at), plan.number, np.int16)),
            "file": pa.array(file[at]),
            "line": chunk.lines.take(at),
            "waived": pa.array([waived] * len(at), pa.string()),
        }
        for name, column in own.items():
            found = found.append_column(name, column)
        self.staging.add(found)

    def _accept_items(
        self, plan: Plan, chunk: Chunk, files: list[str], file: np.ndarray[tuple[int], np.dtype[np.int32]]
    ) -> None:
        """An item's first definition counts; the same again is a repeat, another one goes to quarantine."""
        counts = self.counts[plan.table.name]
        self.db.execute(
            """
            CREATE OR REPLACE TEMP TABLE judged AS
            WITH first AS (SELECT item, category, nr, row_number() OVER (PARTITION BY item ORDER BY nr) AS n,
                first_value(category) OVER (PARTITION BY item ORDER BY nr) AS said FROM lines WHERE rule IS NULL)
            SELECT f.nr, f.item, f.category, i.item IS NULL AND f.n = 1 AS new,
                coalesce(i.category, CASE WHEN i.item IS NULL THEN f.said END) IS NOT DISTINCT FROM f.category AS same
            FROM first f LEFT JOIN items i USING (item);
            INSERT INTO items SELECT item, category FROM judged WHERE new ORDER BY nr
            """
        )
        new, again = self.db.sql(
            "SELECT count(*) FILTER (new), count(*) FILTER (NOT new AND same) FROM judged"
        ).fetchall()[0]
        counts.accepted += new
        if again:
            counts.dropped[REPEATED_LINE] += again
        at = (
            self.db.sql("SELECT nr FROM judged WHERE NOT new AND NOT same ORDER BY nr")
            .to_arrow_table()["nr"]
            .to_numpy()
        )
        if len(at):
            counts.quarantined[ITEM_DEFINED_TWICE.id] += len(at)
            blamed = {ITEM_DEFINED_TWICE.id: typed.mapped_cell(plan.table, "item")}
            names = [files[k] for k in file[at]]
            self.refused.add(
                plan.table.name,
                names,
                chunk.lines.take(at),
                [ITEM_DEFINED_TWICE.id] * len(at),
                blamed,
                chunk.raw.take(at),
            )

    def _note_first(self, plan: Plan, rule: Rule, file: str, line: int, found: str) -> None:
        self._first_broken.setdefault((plan.table.name, rule.id), (file, line, found))

    def _stop(self, plan: Plan, rule: Rule) -> None:
        file, line, found = self._first_broken[plan.table.name, rule.id]
        counts = self.counts[plan.table.name]
        many = max(1, (counts.quarantined + counts.dropped)[rule.id])
        column = typed.mapped_cell(plan.table, rule.field) if rule.field else None
        raise InputError(
            f"{file}: line {line}" + (f", column {column}" if column else ""),
            f"{found} ({many:,} such {'line' if many == 1 else 'lines'} of {counts.read:,})",
            rule.wanted,
            f"Mend the file, or the mapping; or let such lines be set aside with `rules: {{{rule.id}: quarantine}}` in "
            "the source file.",
        )


def _required(table: Table, columns: list[str], place: str) -> list[Rule]:
    """The rules that the source file itself makes. An empty cell fails them: what is missing was not shown to hold."""
    rules = []
    for required in table.require:
        where = f"{place}.require"
        holds = sql_condition(required.that, columns, where)
        asked = sql_condition(required.when, columns, where) if required.when else "true"
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
