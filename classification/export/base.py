"""Who may be handed over: the customers of a graded month under the company's own ids, and what they object to today.

Nothing else but a person's own requests reads the way back from pseudonyms.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from classification.export.target import Target, check_target, target_path
from classification.months import CLASS, NOTES, Month
from classification.scheme import Scheme, load_scheme
from features.tables.consents import Consents, read_consents
from features.tables.merges import read_merges
from features.tables.person import read_names
from features.tables.privacy import Pseudonyms
from features.tables.vault import open_vault
from features.workspace import Workspace, read_parquet

Plays = Callable[[pa.Table], Mapping[str, pa.Array]]
"""Rows of a month's grades → what their plays say: one of `target.PLAYS` → a text, or a day, per row."""


@dataclass(frozen=True)
class Order:
    """What is to be handed over. name: of the target; folder: where the files go, a new one outside the workspace.

    decimals: of the currency; within: dimension → class, only customers of these classes, and those whom the target has
    already; full: also those of whom nothing changed.
    """

    name: str
    target: Target
    month: Month
    folder: Path
    decimals: int
    within: Mapping[str, str] = field(default_factory=dict)
    full: bool = False


@dataclass(frozen=True)
class People:
    """What holds of customers whenever they were graded. names: pseudonym (`customer_id`) → the company's own `id`;
    merges: merged id → survivor, pseudonyms."""

    names: pa.Table
    merges: Mapping[str, str]
    consents: Consents

    def own(self, ids: pa.Array) -> pa.Array:
        """The company's own ids of some pseudonyms, null where nobody knows them."""
        return self.names["id"].combine_chunks().take(pc.index_in(ids, self.names["customer_id"].combine_chunks()))

    def others(self, ids: pa.Array) -> pa.Array:
        """The company's own ids that are merged into each of some customers, `C-2; C-3`; null for none."""
        merged: dict[str, list[str]] = {}
        for own, survivor in zip(
            self.own(pa.array(list(self.merges), pa.string())).to_pylist(), self.merges.values(), strict=True
        ):
            merged.setdefault(survivor, []).extend([own] if own else [])
        texts = pa.array(["; ".join(sorted(each)) or None for each in merged.values()], pa.string())
        return texts.take(pc.index_in(ids, pa.array(list(merged), pa.string())))


@dataclass(frozen=True)
class Base:
    """The customers of a month that may be handed over, (n,) each.

    grades: rows of grades.parquet, with `no_marketing` as it is now; ids: the company's own, null where nobody knows
    it; other_ids: those merged into it, null for none; plays: what their plays say; decimals: of the currency.
    """

    month: Month
    scheme: Scheme
    grades: pa.Table
    ids: pa.Array
    other_ids: pa.Array
    plays: Mapping[str, pa.Array]
    decimals: int

    def rows(self, mask: pa.Array) -> Base:
        """Some of them; mask: (n,)."""
        if pc.all(mask, min_count=0).as_py():
            return self
        plays = {name: column.filter(mask) for name, column in self.plays.items()}
        grades, ids, others = (each.filter(mask) for each in (self.grades, self.ids, self.other_ids))
        return Base(self.month, self.scheme, grades, ids, others, plays, self.decimals)

    def among(self, within: Mapping[str, Collection[str]]) -> pa.Array:
        """Who is of these classes; within: dimension → classes; (n,)."""
        mask = pa.repeat(True, len(self.ids))
        for dimension, classes in within.items():
            mask = pc.and_(mask, pc.is_in(self.grades[f"{CLASS}{dimension}"].combine_chunks(), pa.array(list(classes))))
        return mask


def read_people(workspace: Workspace, pseudonyms: Pseudonyms) -> People:
    """What the tables, and the vault, say today."""
    tables = workspace.tables
    return People(read_names(open_vault(tables, pseudonyms)), read_merges(tables), read_consents(tables))


def read_base(workspace: Workspace, order: Order, people: People, plays: Plays | None = None) -> Base:
    """The customers of a month, but for those who object to profiling today and ids that are merged by now.

    Raises InputError for a target that names what the month does not have.
    """
    path, scheme = order.month.folder / "grades.parquet", load_scheme(order.month.scheme)
    known = pq.read_schema(path).names
    check_target(order.target, scheme, known, target_path(order.name))
    told = {f"{column.kind}_{column.name}" for file in order.target.files.values() for column in file.columns}
    wanted = [name for name in known if name.startswith(CLASS) or name in told]
    grades = read_parquet(path, columns=["customer_id", "as_of", "code", NOTES, "no_marketing", *wanted])
    out = pa.array([*people.consents.no_profiling, *people.merges], pa.string())
    grades = grades.filter(pc.invert(pc.is_in(grades["customer_id"], out)))
    objects = pc.is_in(grades["customer_id"], pa.array(list(people.consents.no_marketing), pa.string()))
    grades = grades.set_column(grades.column_names.index("no_marketing"), "no_marketing", objects)
    ids = grades["customer_id"].combine_chunks()
    said = plays(grades) if plays else {}
    return Base(order.month, scheme, grades, people.own(ids), people.others(ids), said, order.decimals)
