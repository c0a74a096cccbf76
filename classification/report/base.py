"""What a report reads of a graded month, and of the month that it is held against."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from classification.migration import Pairing, pair
from classification.months import CLASS, NOTES, Month
from classification.why import SCHEMA
from features.texts import Texts
from features.workspace import read_parquet

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

Naming = Callable[[pa.Array], pa.Array]
"""Pseudonyms → what a report calls these customers."""

NUMBERS = ("spend_365d", "margin_365d", "service_cost_365d", "score_potential")
HANDLE = 10
"""Digits of a pseudonym that a report tells: enough to find a customer by, and no pseudonym."""


@dataclass(frozen=True)
class Base:
    """The customers of a graded month, (n,) each, in order of pseudonym. classes: dimension → a text each, empty where
    a customer has no class; numbers: those of NUMBERS, NaN for null; notes: why classes are not the raw ones, null for
    most; objects: who objects to marketing."""

    month: Month
    ids: pa.Array
    classes: Mapping[str, Texts]
    numbers: Mapping[str, Array]
    notes: pa.Array
    objects: Mask

    @property
    def spend(self) -> Array:
        """Net spend of the last 365 days in minor units; where returns exceed it, or it is null, 0."""
        return np.maximum(np.nan_to_num(self.numbers["spend_365d"]), 0.0)

    def of_class(self, dimension: str, *classes: str) -> Mask:
        """Who is of one of these classes; nobody where the base does not know the dimension."""
        found = self.classes.get(dimension)
        return np.zeros(len(self.ids), bool) if found is None else found.among(classes)

    def rows(self, which: Mask) -> Base:
        """Some of the customers."""
        return Base(
            self.month,
            self.ids.filter(pa.array(which)),
            {name: texts.rows(which) for name, texts in self.classes.items()},
            {name: column[which] for name, column in self.numbers.items()},
            self.notes.filter(pa.array(which)),
            self.objects[which],
        )


@dataclass(frozen=True)
class Period:
    """A month beside an earlier one. before: empty where `against` is None: no earlier month was graded; changes: of
    all months after the earlier one, in their order, with the columns of `classification.why.SCHEMA`."""

    against: Month | None
    before: Base
    after: Base
    paired: Pairing
    changes: pa.Table


def handles(ids: pa.Array) -> pa.Array:
    """The first digits of pseudonyms."""
    return pc.utf8_slice_codeunits(ids, 0, HANDLE)


def read_base(month: Month, dimensions: Collection[str] | None = None) -> Base:
    """The customers of a month; dimensions: only these, by default all. Raises InputError for a damaged file."""
    path = month.folder / "grades.parquet"
    known = pq.read_schema(path).names
    mine = [n for n in known if n.startswith(CLASS) and (dimensions is None or n.removeprefix(CLASS) in dimensions)]
    numbers = [name for name in NUMBERS if name in known]
    table = read_parquet(path, columns=["customer_id", "no_marketing", NOTES, *mine, *numbers])
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    nothing = np.full(table.num_rows, np.nan)
    return Base(
        month,
        columns["customer_id"],
        {name.removeprefix(CLASS): Texts.of_arrow(pc.fill_null(columns[name], "")) for name in mine},
        {n: columns[n].to_numpy(zero_copy_only=False) if n in columns else nothing for n in NUMBERS},
        columns[NOTES],
        columns["no_marketing"].to_numpy(zero_copy_only=False),
    )


def read_period(after: Base, against: Month | None, between: Sequence[Month], within: Mapping[str, str]) -> Period:
    """A base beside an earlier month. between: the months after the earlier one, the last included; within: dimension →
    class, only customers who are of these classes in the later month."""
    chosen = after
    for dimension, class_ in within.items():
        chosen = chosen.rows(chosen.of_class(dimension, class_))
    before = read_base(against) if against else chosen.rows(np.zeros(len(chosen.ids), bool))
    changes = pa.concat_tables([SCHEMA.empty_table(), *(_changes(month) for month in between)])
    if within:
        before = before.rows(pc.is_in(before.ids, chosen.ids).to_numpy(zero_copy_only=False))
        changes = changes.filter(pc.is_in(changes["customer_id"], chosen.ids))
    return Period(against, before, chosen, pair(before.ids, chosen.ids), changes)


def _changes(month: Month) -> pa.Table:
    return read_parquet(month.folder / "changes.parquet", columns=SCHEMA.names)
