"""Who said no: to being scored (`no_profiling`), or to being canvassed (`no_marketing`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.tables.events import CONSENTS, CUSTOMERS
from features.tables.person import Person, merged_ids
from features.tables.rewrite import Rewritten, digest, write_part
from features.tables.sql import parquet
from features.workspace import damaged, part_files

ORDER = [(name, "ascending") for name in ("customer_id", "attribute", "valid_from", "value")]


@dataclass(frozen=True)
class Consents:
    """Pseudonyms of those who said no and did not take it back, the merged ids of theirs included."""

    no_profiling: frozenset[str] = frozenset()
    no_marketing: frozenset[str] = frozenset()

    def but(self, ids: frozenset[str]) -> Consents:
        """The same without some customers."""
        return Consents(self.no_profiling - ids, self.no_marketing - ids)


def read_consents(tables: Path) -> Consents:
    """What holds now, whatever date is computed: of each id the row with the last `valid_from` (null: since ever;
    of one day `yes`). One id of a person that says no is enough."""
    path = tables / "customers.parquet"
    if not part_files(path):
        return Consents()
    try:
        with duckdb.connect() as db:
            rows = db.sql(
                f"""SELECT DISTINCT attribute, customer_id FROM (
                    SELECT * FROM {parquet(path)} WHERE family = 'consent'
                    QUALIFY 1 = row_number() OVER (PARTITION BY customer_id, merged_from, attribute
                        ORDER BY valid_from DESC NULLS LAST, value DESC NULLS LAST))
                WHERE value = 'yes'"""
            ).fetchall()
    except duckdb.Error as error:
        raise damaged(path, error) from None
    said = {name: {id_ for attribute, id_ in rows if attribute == name} for name in CONSENTS}
    for id_, survivor in merged_ids(tables).items():
        for ids in said.values():
            ids |= {id_} if survivor in ids else set()
    return Consents(**{name: frozenset(ids) for name, ids in said.items()})


def write_consent(tables: Path, person: Person, rows: pa.Table) -> Rewritten:
    """Put a person's new rows (CUSTOMERS, of one day) in the place of what they said that day. `tables` is staged.

    They go into the part file where the person's pseudonym belongs; the others are not touched.
    """
    parts = part_files(tables / "customers.parquet")
    own = rows["customer_id"][0].as_py()
    path = next((part for part in reversed(parts[1:]) if _first_id(part) <= own), parts[0])
    before, old = digest(path), pq.read_table(path, schema=CUSTOMERS)
    day, names = rows["valid_from"][0], rows["attribute"].unique()
    said = pc.and_(pc.equal(old["valid_from"], day), pc.is_in(old["attribute"], names))
    again = pc.and_(said, pc.is_in(old["customer_id"], pa.array(sorted(person.ids))))
    new = pa.concat_tables([old.filter(pc.invert(pc.fill_null(again, False))), rows]).sort_by(ORDER)
    write_part(new, path)
    return Rewritten(f"{path.relative_to(tables)}", before, digest(path), old.num_rows, new.num_rows)


def _first_id(part: Path) -> str:
    """The least pseudonym of a part file, which is sorted by it."""
    first = next(pq.ParquetFile(part).iter_batches(1, columns=["customer_id"]), None)
    return str(first["customer_id"][0].as_py()) if first else ""
