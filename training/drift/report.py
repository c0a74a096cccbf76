"""The drift report of a grading: every feature, score and attribute beside the month before and its own past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from features.catalogue import FINGERPRINT
from features.company import Company
from features.progress import Progress, silent
from features.workspace import Workspace, read_json, write_json
from training.drift.alarm import Compared, Movement, judge
from training.drift.bins import Bins, Counts, NumberBins, category_bins, number_bins, psi
from training.drift.months import REACH, Month, grid, read_months
from training.drift.reference import FILE, Column, Reference
from training.release import Release

REPORT = "drift.json"
PICTURE = "drift.png"

SHORTEST, LONGEST = 20, 45
"""The days after which a recorded grading stands for the month before."""

UNSEEN = "its window reaches back before the first day of the data"


@dataclass(frozen=True)
class DriftReport:
    """What moved. against: the date of the reference; recorded: whether that is what was graded then (else the month
    before as computed today); customers: those looked at, then and now; months: the date at which each place of a full
    history ends, oldest first; base: this grading as the reference of the next."""

    as_of: date
    against: date | None
    recorded: bool
    customers: tuple[int, int]
    months: tuple[date, ...]
    movements: tuple[Movement, ...]
    base: Reference

    @property
    def alarms(self) -> tuple[Movement, ...]:
        """What moved, the furthest first."""
        return tuple(
            sorted((each for each in self.movements if each.alarm), key=lambda each: (-_size(each), each.name))
        )

    @property
    def sentences(self) -> list[str]:
        """What a reviewer reads: a line per alarm, or that there is none; then how many columns were not judged."""
        judged = sum(each.p is not None for each in self.movements)
        if self.against is None:
            return ["There is no earlier month to compare with."]
        lines = [f"{each.sentence}." for each in self.alarms]
        if not lines:
            lines = [f"Nothing has drifted since {self.against}." if judged else "Nothing can be judged yet."]
        reasons = [each.why_not for each in self.movements if each.p is None]
        counted = {reason: reasons.count(reason) for reason in sorted(set(reasons))}
        return [*lines, f"{judged} of {len(self.movements)} columns were judged."] + [
            f"{many} not judged: {reason}." for reason, many in counted.items()
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values, the same bytes for the same report."""
        return {
            "as_of": self.as_of.isoformat(),
            "against": self.against.isoformat() if self.against else None,
            "recorded": self.recorded,
            "customers": list(self.customers),
            "months": [day.isoformat() for day in self.months],
            "alarms": [each.name for each in self.alarms],
            "sentences": self.sentences,
            "columns": [asdict(each) for each in self.movements],
        }


def drift_report(
    workspace: Workspace,
    release: Release,
    as_of: date,
    folder: Path | None = None,
    progress: Progress = silent,
) -> DriftReport:
    """Compare the base at `as_of`, as the release scores it, with the month before and with a year of past months.

    The month before is what was graded then (`drift-reference.json` of an earlier grading), where release and features
    were the same, so that a past rewritten since shows as drift; else it is computed. folder: of the grading, which
    gets drift.json, drift.png and drift-reference.json. Raises InputError before `scoring ingest`.
    """
    report = read_json(workspace.needs(workspace.tables / "report.json", "scoring ingest"))
    first = date.fromisoformat(report["first_day"])
    company = Company.from_json(report["company"])
    dates = grid(as_of, first) or (as_of,)
    months = read_months(workspace.tables, company, release, dates, progress)
    found = compare_months(months, first, release.digest, recorded(workspace, release, as_of))
    if folder is not None:
        write_report(found, folder)
    return found


def compare_months(
    months: Sequence[Month], first_day: date, digest: str, before: Reference | None = None
) -> DriftReport:
    """The last of `months` beside the one before it, or beside the recorded reference `before`; the PSI of the pairs
    of months before that are the history. digest: of the release that scored them."""
    names = list(dict.fromkeys(name for month in reversed(months[-2:]) for name in month.columns))
    pairs = {name: _pairs(name, months, first_day) for name in names}
    compared = [_compared(name, months, pairs[name], before) for name in names] if len(months) > 1 else []
    columns = {}
    for name in months[-1].columns:
        bins = _bins(months[-1], name)
        history = tuple(each.psi for each in pairs[name] if np.isfinite(each.psi))
        columns[name] = Column(bins, _count(bins, months[-1], name), history)
    return DriftReport(
        as_of=months[-1].as_of,
        against=before.as_of if before else months[-2].as_of if len(months) > 1 else None,
        recorded=before is not None,
        customers=(months[-2].customers if len(months) > 1 else 0, months[-1].customers),
        months=tuple(month.as_of for month in months[1:-1]),
        movements=tuple(judge(compared)),
        base=Reference(months[-1].as_of, digest, FINGERPRINT, columns),
    )


def recorded(workspace: Workspace, release: Release, as_of: date) -> Reference | None:
    """What the last grading of about a month ago left, of the same release and features; None when there is none."""
    for path in sorted(workspace.grades.glob(f"????-??-??-v{release.version}/{FILE}"), reverse=True):
        found = Reference.load(path)
        same = (found.release, found.features) == (release.digest, FINGERPRINT)
        if same and SHORTEST <= (as_of - found.as_of).days <= LONGEST:
            return found
    return None


def write_report(report: DriftReport, folder: Path) -> None:
    """drift.json, drift.png and the reference of the next grading, into the folder of a grading."""
    from training.drift.picture import picture

    write_json(folder / REPORT, report.to_json())
    (folder / PICTURE).write_bytes(picture(report))
    report.base.save(folder / FILE)


@dataclass(frozen=True)
class _Pair:
    """Two consecutive months of a column, in the bins of the first; `to` is the date of the second."""

    to: date
    reference: Counts
    live: Counts

    @property
    def psi(self) -> float:
        return psi(self.reference, self.live)


def _pairs(name: str, months: Sequence[Month], first_day: date) -> list[_Pair]:
    """All consecutive months of a column whose window had begun by the first of them."""
    found = []
    for a, b in pairwise(months):
        if name in a.columns and a.as_of - timedelta(days=REACH.get(name, 0)) >= first_day:
            bins = _bins(a, name)
            found.append(_Pair(b.as_of, _count(bins, a, name), _count(bins, b, name)))
    return found


def _compared(name: str, months: Sequence[Month], pairs: list[_Pair], before: Reference | None) -> Compared:
    now = months[-1]
    history = tuple(each.psi for each in pairs if each.to < now.as_of and np.isfinite(each.psi))
    if not pairs or pairs[-1].to < now.as_of:
        nothing = np.zeros(1, np.int64)
        why_not = UNSEEN if name in months[-2].columns else "no earlier month has it"
        return Compared(name, nothing, nothing, history, why_not=why_not)
    reference, live = pairs[-1].reference, pairs[-1].live
    if before is not None and name in before.columns:
        column = before.columns[name]
        reference, live = column.counts, _count(column.bins, now, name)
    year_ago = history[-12] if len(history) >= 12 else None
    return Compared(name, reference, live, history, year_ago=year_ago)


def _bins(month: Month, name: str) -> Bins:
    column = month.columns[name]
    return number_bins(column) if isinstance(column, np.ndarray) else category_bins(column)


def _count(bins: Bins, month: Month, name: str) -> Counts:
    """A column that a month does not have is null for everyone."""
    if isinstance(bins, NumberBins):
        column = month.columns.get(name, np.full(month.customers, np.nan))
        return bins.count(np.asarray(column, float))
    return bins.count(
        [None if value is None else str(value) for value in month.columns.get(name, [None] * month.customers)]
    )


def _size(movement: Movement) -> float:
    return movement.psi or 0.0
