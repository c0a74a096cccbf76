"""The cases of a workspace, as far as they can be learnt from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.tables.cases import CASES
from features.workspace import Workspace, read_parquet
from training.cases.question import Question

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

ASKED, KNOWN = "asked_on", "known_on"
"""Columns of days that a table of cases may have beside those of the question."""


@dataclass(frozen=True)
class Cases:
    """Cases whose outcome is known, in the order of the table.

    ids: pseudonyms (n,); table: the columns of the question, typed as in cases.parquet; label (n,): 1 yes, 0 no;
    side (n,): train, test or None; open: cases whose outcome is not known yet, which are not among the n. asked, known
    (n,): the days on which each was asked and its outcome was known, where the table says so.
    """

    ids: pa.ChunkedArray
    table: pa.Table
    label: Array
    side: tuple[str | None, ...]
    open: int = 0
    asked: NDArray[np.datetime64] | None = None
    known: NDArray[np.datetime64] | None = None

    def __len__(self) -> int:
        return len(self.label)

    def answers(self, rows: Rows | None = None) -> tuple[int, int]:
        """How many of `rows` (all) answer no, and how many yes."""
        yes = int(self.label.sum() if rows is None else self.label[rows].sum())
        return (len(self) if rows is None else len(rows)) - yes, yes

    def with_label(self, label: Array) -> Cases:
        """The same cases with other outcomes."""
        return replace(self, label=label)


def read_cases(workspace: Workspace, question: Question) -> Cases:
    """What `scoring ingest` left; private columns and leaks are not read.

    Raises InputError where there is nothing, or it is damaged.
    """
    path = workspace.needs(workspace.tables / CASES, f"scoring ingest --source {question.source}")
    there = pq.read_schema(path).names
    days = [name for name in (ASKED, KNOWN) if name in there]
    found = read_parquet(path, columns=["case_id", "label", "split", *days, *question.columns])
    known = found.filter(found["label"].is_valid())
    label = known["label"].to_numpy().astype(float)
    side = tuple(known["split"].to_pylist())
    own, open_ = known.select(list(question.columns)), len(found) - len(known)
    return Cases(known["case_id"], own, label, side, open_, *(known[name].to_numpy() for name in days))
