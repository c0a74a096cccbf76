"""One customer through the months that were graded: its classes, what changed, and why.

Only what lies in the months' folders is told, so that the answer is what was said at the time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from classification.months import CLASS, NOTES, RAW, Month, months, read_notes
from classification.why import SCHEMA
from features.workspace import Workspace, damaged

SHARE = "share_"
CAUSES = ("facts", "model", "cutoff", "scheme")
"""What may have moved a raw class: the customer's own facts, the models, the cut-offs of the base, the scheme."""

_CHANGES = [name for name in SCHEMA.names if name != "customer_id"]


@dataclass(frozen=True)
class PastClass:
    """The class of a month; raw: by the facts of that month alone; note: why it is another, null where it is not."""

    code: str
    raw: str
    note: str | None


@dataclass(frozen=True)
class Change:
    """A class or raw class that is another than the month before.

    kind: moved, held, illegal, override, caught up (the class followed a raw class that had moved before), override
    ended. shares: cause → its share in the move of the raw class, which add up to 1; null where that did not move, or
    where the release of the month before is lost. reason: the facts as they were and as they are.
    """

    dimension: str
    before: str
    after: str
    raw_before: str
    raw_after: str
    kind: str
    shares: dict[str, float] | None
    reason: str

    @staticmethod
    def of_row(row: Mapping[str, Any]) -> Change:
        """A row of changes.parquet (`classification.why.SCHEMA`)."""
        shares = {cause: row[f"{SHARE}{cause}"] for cause in CAUSES}
        said = {each.name: row[each.name] for each in fields(Change) if each.name != "shares"}
        return Change(shares=None if shares["facts"] is None else shares, **said)


@dataclass(frozen=True)
class PastMonth:
    """What a month said of a customer. release, scheme: the versions that graded it; changes: against the month before,
    in the order of the scheme's dimensions."""

    month: str
    as_of: date
    release: int
    scheme: str
    code: str
    classes: dict[str, PastClass]
    changes: list[Change]


@dataclass(frozen=True)
class ScoreReason:
    """One of the features that move a score most, rank 1 first."""

    task: str
    rank: int
    feature: str
    reason: str


def history(workspace: Workspace, customer: str, only: Collection[str] | None = None) -> list[PastMonth]:
    """The months that know a customer (a pseudonym, not of a merged id), in order; only: those of these names.

    Raises InputError for a damaged month.
    """
    asked = [month for month in months(workspace) if only is None or month.name in only]
    return [found for month in asked if (found := _of(month, customer)) is not None]


def score_reasons(folder: Path, customer: str) -> list[ScoreReason]:
    """Why the scores of a graded base are what they are, for one customer; by task and rank."""
    columns = ["task", "rank", "feature", "reason"]
    return [ScoreReason(**row) for row in _rows(folder / "reasons.parquet", customer, columns).to_pylist()]


def _of(month: Month, customer: str) -> PastMonth | None:
    path = month.folder / "grades.parquet"
    dimensions = _told(pq.read_schema(path))
    columns = [f"{part}{name}" for name in dimensions for part in (CLASS, RAW)]
    table = _rows(path, customer, [*columns, NOTES, "code"])
    if not table.num_rows:
        return None
    (row,) = table.to_pylist()
    notes = {name: str(note[0]) for name, note in read_notes(table[NOTES]).items()}
    classes = {n: PastClass(row[f"{CLASS}{n}"], row[f"{RAW}{n}"], notes.get(n)) for n in dimensions}
    changes = [Change.of_row(each) for each in _rows(month.folder / "changes.parquet", customer, _CHANGES).to_pylist()]
    told = [change for change in changes if change.dimension in classes]
    return PastMonth(month.name, month.as_of, month.release, month.scheme, row["code"], classes, told)


def _rows(path: Path, customer: str, columns: list[str]) -> pa.Table:
    """A customer's rows, from the row groups that can have them; texts stay numbered, which reads them faster."""
    mine = pc.field("customer_id") == customer
    try:
        return pq.read_table(path, columns=columns, filters=mine, read_dictionary=columns)
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, error) from None


def _told(schema: pa.Schema) -> list[str]:
    """The dimensions that a history tells of: all that were graded. Whatever must not be told to everybody is left out
    here."""
    return [name.removeprefix(CLASS) for name in schema.names if name.startswith(CLASS)]
