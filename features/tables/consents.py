"""Who said no: to being scored (`no_profiling`), or to being canvassed (`no_marketing`).

The company's tables say it, as attributes of the family `consent`; and a person may say it to us, which is kept in a
table of its own, so that no later export of the company takes it back.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.tables.events import CONSENTS, CUSTOMERS
from features.tables.merges import read_merges
from features.tables.rewrite import Rewritten, digest
from features.tables.sql import parquet
from features.workspace import damaged, part_files, read_parquet

FILE = "objections.parquet"
OBJECTIONS = pa.schema([CUSTOMERS.field(name) for name in ("customer_id", "attribute", "value", "valid_from")])
"""What persons said to us: customer_id is the pseudonym of the id it was said of, merged or not."""


@dataclass(frozen=True)
class Consents:
    """Pseudonyms of those who said no and did not take it back, with all ids that are one customer with theirs."""

    no_profiling: frozenset[str] = frozenset()
    no_marketing: frozenset[str] = frozenset()

    def but(self, ids: frozenset[str]) -> Consents:
        """The same without some customers."""
        return Consents(self.no_profiling - ids, self.no_marketing - ids)


def read_consents(tables: Path) -> Consents:
    """What holds now, whatever date is computed.

    Of each id the row with the last `valid_from` counts (null: since ever; of one day what was said to us, then
    `yes`), but a no that was said to us holds until that is taken back. One id of a customer that says no is enough.
    """
    said = _rows(tables)
    merges = read_merges(tables)
    found = {name: {merges.get(id_, id_) for attribute, id_ in said if attribute == name} for name in CONSENTS}
    for ids in found.values():
        ids |= {id_ for id_, survivor in merges.items() if survivor in ids}
    return Consents(**{name: frozenset(ids) for name, ids in found.items()})


def read_objections(tables: Path) -> pa.Table:
    """The rows of OBJECTIONS."""
    return read_parquet(tables / FILE) if (tables / FILE).exists() else OBJECTIONS.empty_table()


def write_objections(tables: Path, rows: pa.Table) -> Rewritten:
    """Add rows of one day, in the place of what was said that day by the same persons of the same. `tables` is
    staged."""
    old = read_objections(tables)
    again = pa.array([True] * old.num_rows, pa.bool_())
    for name in ("customer_id", "attribute", "valid_from"):
        again = pc.and_(again, pc.is_in(old[name], rows[name]))
    new = pa.concat_tables([old.filter(pc.invert(again)), rows.cast(OBJECTIONS)])
    new = new.sort_by([(name, "ascending") for name in ("customer_id", "attribute", "valid_from")])
    path = tables / FILE
    before = digest(path) if path.exists() else None
    path.unlink(missing_ok=True)
    pq.write_table(new, path, compression="zstd")
    return Rewritten(FILE, before, digest(path), old.num_rows, new.num_rows)


def _rows(tables: Path) -> list[tuple[str, str]]:
    """Attribute and id of every no that holds."""
    path = tables / "customers.parquet"
    columns = "attribute, value, coalesce(valid_from, DATE '0001-01-01') AS since"
    told = f"SELECT coalesce(merged_from, customer_id) AS id, {columns}, 0 AS to_us FROM {parquet(path)}"
    try:
        with duckdb.connect() as db:
            db.register("objections", read_objections(tables))
            said = f"SELECT customer_id AS id, {columns}, 1 AS to_us FROM objections"
            both = f"{said} UNION ALL ({told} WHERE family = 'consent')" if part_files(path) else said
            return db.sql(
                f"""SELECT attribute, id FROM ({both}) GROUP BY attribute, id HAVING
                    arg_max(value, (since, to_us, value)) = 'yes'
                    OR arg_max(value, since) FILTER (WHERE to_us = 1) = 'yes' """
            ).fetchall()
    except duckdb.Error as error:
        raise damaged(path, error) from None
