"""What is found wrong with lines: counted, and set aside where it is for a person to look at."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
from numpy.typing import NDArray

from features.errors import InputError
from features.tables import typed
from features.tables.chunks import NUMBER, Chunk
from features.tables.counts import Counts
from features.tables.quarantine import Refused
from features.tables.reading import Severity
from features.tables.rules import FORGOTTEN, RULES, Rule
from features.tables.sources import Source, Table

HIDDEN = ("customer", "counterparty")
"""Fields whose cells no message repeats."""

HOPELESS = 0.5
"""A portion with more unreadable lines than this share ends the run at once."""


@dataclass(frozen=True)
class Plan:
    """How one table is read: its place in the source file, the SQL of its columns, its rules in order."""

    table: Table
    number: int
    columns: list[str]
    types: dict[str, str]
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Portion:
    """Some lines of a table. names: of the run's files; file (n,): which of them each line is from; waived: a rule that
    does not count this time."""

    plan: Plan
    chunk: Chunk
    names: list[str]
    file: NDArray[np.int32]
    waived: str | None = None


class Findings:
    """The counts of one run, table by table, and the lines it refuses."""

    def __init__(self, db: duckdb.DuckDBPyConnection, source: Source, refused: Refused) -> None:
        """`db`: the scratch database, whose table `lines` holds what was judged last."""
        self._db, self._source, self._refused = db, source, refused
        self.counts = {table.name: Counts(table.name) for table in source.tables}
        self._first: dict[tuple[str, str], tuple[str, int, str]] = {}

    def severity(self, rule: Rule) -> Severity:
        """What happens to a line that breaks `rule`, by the source file."""
        return self._source.rules.get(rule.id, rule.severity)

    def tally(self, portion: Portion) -> None:
        """Count the judged lines of a portion that broke a rule, and set aside those that are for a person."""
        counts = self.counts[portion.plan.table.name]
        counts.read += portion.chunk.raw.num_rows
        rules = {rule.id: rule for rule in portion.plan.rules}
        broken = self._db.sql(f"SELECT {NUMBER}, rule FROM lines WHERE rule IS NOT NULL ORDER BY {NUMBER}")
        found = broken.to_arrow_table()
        at, ids = found[NUMBER].to_numpy(), found["rule"].combine_chunks().dictionary_encode()
        for code, id_ in enumerate(ids.dictionary.to_pylist()):
            mine = at[ids.indices.to_numpy() == code]
            if id_ == FORGOTTEN:
                counts.dropped[FORGOTTEN] += len(mine)
            else:
                self.refuse(portion, rules[id_], mine)
        odd = "SELECT unnest(odd) AS rule FROM lines WHERE rule IS NULL"
        noted = self._db.sql(f"SELECT rule, count(*) FROM ({odd}) WHERE rule IS NOT NULL GROUP BY rule").fetchall()
        counts.noted.update(dict(noted))

    def refuse(self, portion: Portion, rule: Rule, at: NDArray[np.int64]) -> None:
        """Do with the lines `at` of a portion what the source file says of those that break `rule`."""
        if not len(at):
            return
        table, chunk, first = portion.plan.table, portion.chunk, at[0]
        blamed = typed.mapped_cell(table, rule.field)
        shown = f"'{chunk.raw[blamed][first].as_py()}'" if blamed and rule.field not in HIDDEN else "a cell (not shown)"
        self._note_first(table, rule, portion.names[portion.file[first]], chunk.lines[first].as_py(), shown)
        if self._dropped(table, rule, len(at)):
            return
        names = [portion.names[k] for k in portion.file[at]]
        self._refused.add(table.name, names, chunk.lines.take(at), rule.id, blamed, chunk.raw.take(at))

    def misfits(self, plan: Plan, chunk: Chunk, file: str) -> None:
        """Set aside what is no row of the table."""
        self.counts[plan.table.name].read += len(chunk.misfits)
        for rule in sorted({misfit.rule for misfit in chunk.misfits}):
            mine = [misfit for misfit in chunk.misfits if misfit.rule == rule]
            self._note_first(plan.table, RULES[rule], file, mine[0].line, mine[0].found)
            if not self._dropped(plan.table, RULES[rule], len(mine)):
                self._refused.add_texts(plan.table.name, file, rule, mine)

    def stop_if_misread(self, plan: Plan, so_far: bool = False) -> None:
        """Raise InputError where more lines than the source file allows could not be read."""
        counts = self.counts[plan.table.name]
        judged = {id_: rule for id_, rule in RULES.items() if rule.reading and id_ not in self._source.rules}
        broken = {id_: n for id_, n in counts.quarantined.items() if id_ in judged}
        limit = max(HOPELESS, self._source.unreadable) if so_far else self._source.unreadable
        if sum(broken.values()) > limit * counts.read:
            self._stop(plan.table, judged[max(broken, key=lambda id_: broken[id_])])

    def _dropped(self, table: Table, rule: Rule, lines: int) -> bool:
        """Count lines that break `rule`; whether they are dropped. Raises InputError where they end the run."""
        counts, severity = self.counts[table.name], self.severity(rule)
        (counts.dropped if severity == "drop" else counts.quarantined)[rule.id] += lines
        if severity == "stop":
            self._stop(table, rule)
        return severity == "drop"

    def _note_first(self, table: Table, rule: Rule, file: str, line: int, found: str) -> None:
        self._first.setdefault((table.name, rule.id), (file, line, found))

    def _stop(self, table: Table, rule: Rule) -> None:
        file, line, found = self._first[table.name, rule.id]
        counts = self.counts[table.name]
        many = counts.quarantined[rule.id]
        column = typed.mapped_cell(table, rule.field) if rule.field else None
        raise InputError(
            f"{file}: line {line}" + (f", column {column}" if column else ""),
            f"{found} ({many:,} such {'line' if many == 1 else 'lines'} of {counts.read:,})",
            rule.wanted,
            f"Mend the file, or the mapping; or let such lines be set aside with `rules: {{{rule.id}: quarantine}}` in "
            "the source file.",
        )
