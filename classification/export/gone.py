"""Customers whom the target has and should not, or has elsewhere: the company's own ids, and why."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from classification.export.base import Base, People
from classification.export.cells import can_hold
from classification.export.ledger import Ledger
from classification.export.target import Target

GONE = "gone"
"""The name of their file."""

OBJECTS, MERGED, UNGRADED = "objects to profiling", "merged", "no longer graded"

ROWS = pa.schema([(name, pa.string()) for name in ("customer_id", "file", "why", "into")])
"""customer_id: pseudonym; file: in which the customer was handed over, null: unknown; into: where it is now, a file or
the pseudonym of a customer, null: nowhere."""


def moved(ledger: Ledger, handed: pa.Table) -> pa.Table:
    """Those who are handed over in another file than before, such as a lead that bought; ROWS."""
    before = ledger.files(handed["customer_id"].combine_chunks())
    mask = pc.fill_null(pc.not_equal(before, handed["file"].combine_chunks()), False)
    rows = handed.filter(mask)
    why = pc.binary_join_element_wise("now in", rows["file"], " ")
    return pa.table([rows["customer_id"], before.filter(mask), why, rows["file"]], schema=ROWS)


def left(ledger: Ledger, base: Base, people: People) -> pa.Table:
    """Those who were handed over and may not be any more; ROWS.

    Of somebody who was erased the ledger has nothing. So where somebody was, all who object to profiling are named:
    the target may have any of them. Those who were forgotten nobody knows any more.
    """
    rows = ledger.rows.filter(pc.invert(pc.is_in(ledger.rows["customer_id"], base.grades["customer_id"])))
    found = dict(zip(rows["customer_id"].to_pylist(), rows["file"].to_pylist(), strict=True))
    objects = people.consents.no_profiling
    if ledger.erased:
        found |= dict.fromkeys(objects - found.keys())
    said = []
    for id_, file in sorted(found.items()):
        why = OBJECTS if id_ in objects else MERGED if id_ in people.merges else UNGRADED
        into = people.merges[id_] if why == MERGED else None
        said.append({"customer_id": id_, "file": file, "why": why, "into": into})
    return pa.Table.from_pylist(said, ROWS)


def as_cells(rows: pa.Table, people: People, target: Target) -> pa.Table:
    """The cells of their file: customer and into as the company's own ids, in order of the customer. Ids that the
    target cannot hold were never handed over."""
    ids = people.own(rows["customer_id"].combine_chunks())
    survivors = people.own(rows["into"].combine_chunks())
    into = pc.if_else(pc.equal(rows["why"], MERGED), survivors, rows["into"])
    found = pa.table({"customer": ids, "file": rows["file"], "why": rows["why"], "into": into})
    return found.filter(can_hold(ids, target)).sort_by([("customer", "ascending"), ("file", "ascending")])
