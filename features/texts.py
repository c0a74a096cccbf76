"""A text per customer, such as an industry or a channel, as numbers into a short list of names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


@dataclass(frozen=True)
class Texts:
    """codes (n,): each customer's position in `names`, −1 for null; names: the distinct texts, in order."""

    codes: NDArray[np.int32]
    names: tuple[str, ...]

    @staticmethod
    def of(values: Sequence[str | None]) -> Texts:
        """The texts of some customers, None for null."""
        return Texts.of_arrow(pa.array(values, pa.string()))

    @staticmethod
    def of_arrow(column: pa.Array) -> Texts:
        """The same of an Arrow column of strings."""
        names = sorted(name for name in pc.unique(column).to_pylist() if name is not None)
        codes = pc.fill_null(pc.index_in(column, pa.array(names, pa.string())), -1)
        return Texts(np.asarray(codes.to_numpy(zero_copy_only=False), np.int32), tuple(names))

    def among(self, wanted: Collection[str]) -> NDArray[np.bool_]:
        """Whose text is one of `wanted`; shape (n,)."""
        known = np.array([name in wanted for name in self.names] + [False])
        return known[self.codes]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Who has a text; shape (n,)."""
        return self.codes >= 0

    def rows(self, which: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Texts:
        """The texts of some of the customers."""
        return Texts(self.codes[which], self.names)

    def to_arrow(self) -> pa.Array:
        """An Arrow column of strings."""
        codes = pa.array(self.codes, pa.int32(), mask=self.codes < 0)
        return pa.DictionaryArray.from_arrays(codes, pa.array(self.names, pa.string())).cast(pa.string())


def texts_by_name(
    table: pa.Table, ids: Sequence[str] | NDArray[np.object_], name: str, value: str = "value"
) -> Mapping[str, Texts]:
    """The texts of a long table (`customer_id`, `name`, `value`): name → a text per customer of `ids`, null where the
    table has no row. A customer has at most one row of a name."""
    everyone = pa.array(ids, pa.string())
    found = {}
    for each in sorted(pc.unique(table[name]).to_pylist()):
        mine = table.filter(pc.equal(table[name], each))
        places = pc.index_in(everyone, mine["customer_id"].combine_chunks())
        found[each] = Texts.of_arrow(mine[value].combine_chunks().take(places))
    return found
