"""The monthly run: the base graded at a month's end, beside the month before, into a folder that never changes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from classification.comparison import Bases, compare
from classification.feedback import expected_purchases, refusal_reasons
from classification.grade import Graded, LiveSet, Scored, score_base
from classification.months import ALERTS, EXPECTED, REFUSALS, Month, earlier_of, find_month, month_before, months
from classification.past import VALUE_DIMENSION
from classification.snapshots import ROW_GROUP, write_snapshot
from classification.stability import Decision
from classification.warning import early_warnings
from classification.why import SCHEMA, explain_changes
from features.errors import InputError
from features.progress import Progress, silent
from features.workspace import Workspace, staged, write_json
from training.release import Release
from training.snapshots import Origin, Snapshot


@dataclass(frozen=True)
class MonthlyRun:
    """What was done. written: whether the month is new; live: what graded it."""

    month: Month
    live: LiveSet
    written: bool


def month_end(name: str) -> date:
    """The day after the last of a month, `2026-10` → 2026-11-01. Raises InputError for what is no month."""
    try:
        first = date.fromisoformat(f"{name}-01")
    except ValueError:
        raise InputError("--month", f"'{name}'", "a month as in 2026-10") from None
    return (first + timedelta(days=32)).replace(day=1)


def covered_month(name: str | None, end: date) -> tuple[str, date]:
    """A month, by default the last before `end`, the day after the last of the data; and the day after its own last.

    Raises InputError for one that the data do not cover whole.
    """
    last = end.replace(day=1) - timedelta(days=1)
    as_of = month_end(name or f"{last:%Y-%m}")
    if as_of > end:
        raise InputError(
            "--month", f"'{name}', but the data end on {end - timedelta(days=1)}", f"a month up to {last:%Y-%m}"
        )
    return f"{as_of - timedelta(days=1):%Y-%m}", as_of


def reclassify(
    workspace: Workspace,
    name: str,
    releases: tuple[Release | None, Release],
    bases: Bases,
    origin: Origin,
    decisions: Sequence[Decision] = (),
    restate: bool = False,
    progress: Progress = silent,
    told: bool = True,
    scored: Scored | None = None,
) -> MonthlyRun:
    """Grade a month, all or nothing; what is there already stays as it is, to the byte.

    releases: that of the month before (None: there is none, or it is not at hand) and the one that grades. Raises
    InputError where the month was graded from something else, or where a later one stands on it; with `restate` the
    last month is graded again. told: whether every score is given its reasons; scored: what another machine has made
    of `bases.now` already.
    """
    scored = scored or score_base(releases[1], bases.now, origin)
    live = scored.live
    before = month_before(workspace, bases.now.as_of)
    id_ = _month_id(live, before, bases.now, decisions)
    there = next((month for month in months(workspace) if month.name == name), None)
    if there and there.id == id_:
        return MonthlyRun(there, live, False)
    _may_write(workspace, name, there, bases.now.as_of, restate)
    earlier = earlier_of(before, bases.now.as_of, bases.now.ids) if before else None
    graded = live.grade(bases.now.rows, bases.now.texts, earlier, decisions, scored.scores, scored.raw)
    folder = workspace.months / name
    with staged(folder) as new:
        write_snapshot(new, workspace, live, bases.now, graded, progress, told, scored.reasons)
        changes = SCHEMA.empty_table()
        if before and earlier:
            changes = explain_changes(compare(before, releases[0], live, bases, graded), earlier, graded)
        by_customer = changes.sort_by([("customer_id", "ascending")])
        pq.write_table(by_customer, new / "changes.parquet", compression="zstd", row_group_size=ROW_GROUP)
        _write_news(new, workspace, bases.now, graded, live)
        write_json(new / "month.json", _as_json(id_, live, before))
    return MonthlyRun(find_month(workspace, name), live, True)


def _write_news(folder: Path, workspace: Workspace, base: Snapshot, graded: Graded, live: LiveSet) -> None:
    """What happened to the customers of a base beside their classes, as known at its date."""
    tables, company = workspace.tables, live.snapshot.company
    ids = pa.array(base.ids, pa.string())
    for name, found in {
        ALERTS: early_warnings(tables, company, base.as_of),
        EXPECTED: expected_purchases(tables, base.as_of, company.timezone),
    }.items():
        mine = found.filter(pc.is_in(found["customer_id"], ids))
        pq.write_table(mine, folder / name, compression="zstd")
    value = graded.classes.get(VALUE_DIMENSION)
    classes = None if value is None else pa.table({"customer_id": ids, "class": pa.array(value, pa.string())})
    reasons = refusal_reasons(tables, base.as_of, company.timezone, classes)
    pq.write_table(reasons, folder / REFUSALS, compression="zstd")


def _may_write(workspace: Workspace, name: str, there: Month | None, as_of: date, restate: bool) -> None:
    later = [month.name for month in months(workspace) if month.as_of > as_of]
    if later:
        raise InputError(
            workspace.months / name,
            f"{later[-1]}, which was graded already and stands on the months before it",
            f"a month after {later[-1]}",
        )
    if there and not restate:
        raise InputError(
            there.folder,
            f"a month graded by release {there.release} from other data, decisions or months before it",
            "the same as then: a month that was graded does not change",
            "To grade the last month again all the same: --restate with the reason.",
        )


def _month_id(live: LiveSet, before: Month | None, base: Snapshot, decisions: Sequence[Decision]) -> str:
    said = [live.snapshot.id, before.id if before else ""]
    said += [f"{d.dimension} {d.class_} {' '.join(base.ids[d.places])}" for d in decisions]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:12]


def _as_json(id_: str, live: LiveSet, before: Month | None) -> dict[str, Any]:
    return {
        "id": id_,
        "as_of": live.snapshot.as_of.isoformat(),
        "release": live.release.version,
        "scheme": live.scheme.version,
        "before": before.id if before else None,
        "month_before": before.name if before else None,
    }
