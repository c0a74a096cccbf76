"""Whether the classification is whole: nobody without a class, nobody counted twice, no move that cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from classification.months import RAW, read_notes, read_rows
from classification.report.base import Base, Naming
from classification.scheme import Scheme
from classification.stability import ILLEGAL
from features.workspace import read_json

ILLEGAL_MOVES = pa.schema(
    [("customer", pa.string()), ("dimension", pa.string()), ("class", pa.string()), ("raw_class", pa.string())]
)


@dataclass(frozen=True)
class Health:
    """graded: customers whom the monthly run graded, None within a class; rows: those of whom there are grades still,
    the others were erased since; distinct: of these, different ones; unclassified: those without a class in some
    dimension; unknown: dimension → customers whose class is `U`; illegal: as ILLEGAL_MOVES says, those whose facts say
    a class that cannot follow the one before, so that their records must be wrong; cautions: in what the classes should
    not be believed."""

    graded: int | None
    rows: int
    distinct: int
    unclassified: int
    unknown: Mapping[str, int]
    illegal: pa.Table
    cautions: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether everybody has exactly one class in every dimension."""
        return self.unclassified == 0 and self.rows == self.distinct


def health(base: Base, whole: bool, scheme: Scheme, naming: Naming) -> Health:
    """Look at the classes of a base; whole: whether it is all that the monthly run graded."""
    without = np.zeros(len(base.ids), bool)
    for name in scheme.dimensions:
        texts = base.classes.get(name)
        without |= ~texts.among(scheme.dimensions[name].all) if texts else True
    about = read_json(base.month.folder / "snapshot.json")
    return Health(
        int(about["customers"]) if whole else None,
        len(base.ids),
        len(pc.unique(base.ids)),
        int(without.sum()),
        {name: int(base.of_class(name, dimension.unknown).sum()) for name, dimension in scheme.dimensions.items()},
        _illegal(base, scheme, naming),
        tuple(about["cautions"]),
    )


def _illegal(base: Base, scheme: Scheme, naming: Naming) -> pa.Table:
    said = pc.fill_null(pc.match_substring(base.notes, f" {ILLEGAL}"), False)
    ids, notes = base.ids.filter(said), pa.chunked_array([base.notes.filter(said)])
    noted = {name: note == ILLEGAL for name, note in read_notes(notes).items() if name in scheme.dimensions}
    wanted = [name for name in scheme.dimensions if name in noted and noted[name].any()]
    raw = read_rows(base.month.folder / "grades.parquet", ids.to_numpy(zero_copy_only=False), [RAW + n for n in wanted])
    parts = [ILLEGAL_MOVES.empty_table()]
    for name in wanted:
        which = pa.array(noted[name])
        mine = base.classes[name].to_arrow().filter(said).filter(which)
        columns = [naming(ids.filter(which)), pa.array([name] * len(mine)), mine, raw[RAW + name].filter(which)]
        parts.append(pa.table(columns, schema=ILLEGAL_MOVES))
    return pa.concat_tables(parts)
