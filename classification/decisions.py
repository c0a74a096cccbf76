"""What persons decided about customers' classes: every act, what of it holds, and whose class it is in a base.

An act is never changed: to set an override again, or to lift it, is another row. A grading counts what was said before
its date, so that a month that is graded again is graded by the same decisions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from classification.scheme import Scheme, read_scheme
from classification.stability import Decision
from features.tables.events import INSTANT
from features.tables.merges import read_merges
from features.tables.rewrite import Rewritten, digest
from features.workspace import Workspace, read_parquet
from training.release import SCHEME_FILE, Release
from training.snapshots import Snapshot

FILE = "overrides.parquet"
SET, LIFTED = "set", "lifted"

ACTS = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),  # pseudonym of the id that it was said of, merged or not
        pa.field("dimension", pa.string(), nullable=False),
        pa.field("class", pa.string()),  # null: lifted
        pa.field("from_day", pa.date32(), nullable=False),  # the company's day on which it was said
        pa.field("until", pa.date32()),  # the last day on which it holds; null: lifted
        pa.field("by", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("act", pa.string(), nullable=False),  # set or lifted
        pa.field("at", INSTANT, nullable=False),
    ]
)


@dataclass(frozen=True)
class Override:
    """A customer is of a class through the day `until`, whatever its facts say. customer_id: a pseudonym."""

    customer_id: str
    dimension: str
    class_: str
    until: date
    by: str
    reason: str

    def holds(self, day: date, scheme: Scheme) -> bool:
        """Whether it has not run out by that day, and the scheme has its dimension and class still."""
        found = scheme.dimensions.get(self.dimension)
        return day <= self.until and found is not None and self.class_ in found.rule.classes


def read_acts(folder: Path) -> pa.Table:
    """Every act in its order, columns as in ACTS; no row before the first."""
    return read_parquet(folder / FILE) if (folder / FILE).exists() else ACTS.empty_table()


def add_acts(folder: Path, rows: Iterable[Mapping[str, Any]]) -> Rewritten:
    """Add acts to those in `folder`, which is staged."""
    path, old = folder / FILE, read_acts(folder)
    before = digest(path) if path.exists() else None
    new = pa.concat_tables([old, pa.Table.from_pylist(list(rows), ACTS)])
    path.unlink(missing_ok=True)
    pq.write_table(new, path, compression="zstd")
    return Rewritten(FILE, before, digest(path), old.num_rows, new.num_rows)


def standing_acts(acts: pa.Table, before: date | None = None) -> list[dict[str, Any]]:
    """Of each id and dimension the last act, where that is an override; before: of those said before that day."""
    last: dict[tuple[str, str], dict[str, Any]] = {}
    for act in acts.to_pylist():
        if before is None or act["from_day"] < before:
            last[act["customer_id"], act["dimension"]] = act
    return [act for act in last.values() if act["act"] == SET]


def read_overrides(workspace: Workspace, before: date | None = None) -> list[Override]:
    """Overrides that were not lifted, whether they have run out or not, by customer and dimension.

    An override of an id that is merged is one of its survivor; of two of one customer the later counts. before: as if
    only what was said before that day had been said.
    """
    under = read_merges(workspace.tables)
    found: dict[tuple[str, str], tuple[datetime, Override]] = {}
    for act in standing_acts(read_acts(workspace.decisions), before):
        customer, name = under.get(act["customer_id"], act["customer_id"]), act["dimension"]
        said = Override(customer, name, act["class"], act["until"], act["by"], act["reason"])
        if (customer, name) not in found or found[customer, name][0] <= act["at"]:
            found[customer, name] = act["at"], said
    return [found[key][1] for key in sorted(found)]


def decisions_for(workspace: Workspace, release: Release, base: Snapshot) -> list[Decision]:
    """What counts when a release grades a base: said before its date, and not run out on the day before it."""
    scheme, day = read_scheme(release.scheme, SCHEME_FILE), base.as_of - timedelta(days=1)
    holding = [each for each in read_overrides(workspace, base.as_of) if each.holds(day, scheme)]
    return as_decisions(holding, base.ids)


def as_decisions(overrides: Iterable[Override], ids: NDArray[np.object_]) -> list[Decision]:
    """The overrides of customers among `ids` (n,), those of one class together, by dimension and class."""
    said = list(overrides)
    wanted = pa.array([each.customer_id for each in said], pa.string())
    places = pc.fill_null(pc.index_in(wanted, pa.array(ids, pa.string())), -1).to_pylist()
    found: dict[tuple[str, str], list[int]] = {}
    for each, place in zip(said, places, strict=True):
        if place >= 0:
            found.setdefault((each.dimension, each.class_), []).append(place)
    return [Decision(*key, np.array(sorted(found[key]), np.intp)) for key in sorted(found)]
