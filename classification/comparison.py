"""Two months side by side: what was known of the same customers at both, and by what they were judged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from classification.facts import Array
from classification.grade import Graded, LiveSet
from classification.months import Month, read_rows
from classification.snapshots import load_live_set, read_ranks, snapshot_cutoffs
from classification.why import Comparison, Side, View
from features.catalogue import POSITION
from features.texts import Texts
from training.recipes import OUTPUTS
from training.release import Release
from training.snapshots import Snapshot

SCORE, TEXT = "score_", "text_"


@dataclass(frozen=True)
class Bases:
    """What a monthly run grades. now: the customers at the month's end; before: the customers as they were at the month
    before, needed only where another release graded that one."""

    now: Snapshot
    before: Snapshot | None = None


def compare(before: Month, old: Release | None, live: LiveSet, bases: Bases, graded: Graded) -> Comparison:
    """The customers of `bases.now` at the month before and now. old: the release that graded the month before, None
    where it is not at hand."""
    now, decimals = bases.now, live.release.about["decimals"]
    view = View(live.scheme, live.snapshot.cutoffs, live.snapshot.ranks)
    features = {name: now.rows[:, i] for name, i in POSITION.items()}
    if old is None or old.digest == live.release.digest or bases.before is None:
        was, scores, texts = stored_facts(before.folder, now.ids)
        sides = Side(was, texts, (scores, scores)), Side(features, now.texts, (graded.scores, graded.scores))
        complete = old is not None and old.digest == live.release.digest
        old_view = View(live.scheme, snapshot_cutoffs(before.folder, live.scheme), read_ranks(before.folder))
        return Comparison(now.ids, sides, (old_view, view), decimals, complete)
    rows, texts = _aligned(bases.before, now.ids)
    was = {name: rows[:, i] for name, i in POSITION.items()}
    sides = (
        Side(was, texts, (old.score(rows), live.release.score(rows))),
        Side(features, now.texts, (old.score(now.rows), graded.scores)),
    )
    then = load_live_set(before.folder, old)
    return Comparison(now.ids, sides, (View(then.scheme, then.snapshot.cutoffs, then.snapshot.ranks), view), decimals)


def stored_facts(folder: Path, ids: NDArray[np.object_]) -> tuple[dict[str, Array], dict[str, Array], dict[str, Texts]]:
    """Features, scores and texts of customers as a month keeps them; null for those it did not know."""
    path = folder / "grades.parquet"
    names = pq.read_schema(path).names
    features = [name for name in names if name in POSITION]
    scores = [f"{SCORE}{name}" for name in OUTPUTS]
    texts = [name for name in names if name.startswith(TEXT)]
    table = read_rows(path, ids, [*features, *scores, *texts])
    return (
        {name: table[name].to_numpy().astype(float, copy=False) for name in features},
        {name.removeprefix(SCORE): table[name].to_numpy().astype(float, copy=False) for name in scores},
        {name.removeprefix(TEXT): Texts.of_arrow(table[name].combine_chunks()) for name in texts},
    )


def _aligned(base: Snapshot, ids: NDArray[np.object_]) -> tuple[Array, dict[str, Texts]]:
    """The rows of a base in the order of `ids`, NaN for those it did not know."""
    places = pc.index_in(pa.array(ids, pa.string()), pa.array(base.ids, pa.string()))
    at = pc.fill_null(places, -1).to_numpy()
    rows = base.rows[at]
    rows[at < 0] = np.nan
    return rows, {n: Texts(np.where(at < 0, -1, t.codes[at]).astype(np.int32), t.names) for n, t in base.texts.items()}
