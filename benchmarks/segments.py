"""Segments of two companies, retrained every month: how stable they are, and how many customers keep theirs."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.report import RESULTS, Target, machine, markdown, run_targets, say
from features.batch import matrix, write_features
from features.catalogue import CATALOGUE, NAMES
from features.tables.sources import load_source
from features.workspace import Workspace
from serving.steps import Job
from training.segments import Segmentation, described, segmented
from training.segments.choice import SMALLEST
from training.segments.retrain import STABLE_ENOUGH

DATA = Path("../shared/data")
PACKAGES = ("scikit-learn", "numpy", "scipy")
SEED = 20260101


@dataclass(frozen=True)
class Company:
    """A source, the folder of its raw files, two earlier dates for the choice, and the dates of the models."""

    source: str
    raw: str
    earlier: tuple[date, ...]
    dates: tuple[date, ...]


COMPANIES = (
    Company(
        "cdnow", "cdnow", (date(1997, 10, 1), date(1997, 12, 1)), tuple(date(1998, month, 1) for month in range(2, 8))
    ),
    Company(
        "online-retail", "online_retail", (date(2011, 1, 10), date(2011, 3, 10)),
        tuple(date(2011, month, 10) for month in range(5, 13)),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Month:
    """The segments of a date, and the seconds they took."""

    day: date
    found: Segmentation
    seconds: float


def months(company: Company, home: Path, dates: int) -> list[Month]:
    """The first model is chosen, each later one goes on from the one before."""
    job = Job(load_source(company.source), Workspace(home), DATA / company.raw)
    job.ingest()
    wanted = (*company.earlier, *company.dates[:dates])
    write_features(job.workspace.tables, job.source.company(), CATALOGUE, wanted, home / "rows.parquet")
    table = pq.read_table(home / "rows.parquet")
    rows = {day: matrix(table.filter(pc.equal(table["as_of"], day)), NAMES) for day in wanted}
    earlier: list[np.ndarray] = [rows[day] for day in company.earlier]
    champion, found = None, []
    for day in company.dates[:dates]:
        start = time.perf_counter()
        segments = segmented(rows[day], SEED, champion, earlier)
        found.append(Month(day, segments, time.perf_counter() - start))
        champion = segments.model
        say(f"{company.source} {day}: {len(champion.numbers)} segments, stability {segments.stability:.3f}")
    return found


def targets(source: str, found: list[Month]) -> list[Target]:
    """What is promised of the first model and of its retrain a month later."""
    first, later = found[0].found, found[1].found
    sizes = [segment.customers for segment in first.model.profile]
    kept = 1 - (later.reassigned or 0.0)
    named = sum(change.fate == "kept" for change in later.changes) / len(later.model.profile)
    return [
        Target(f"{source}: mean ARI of bootstrap refits", f"≥{STABLE_ENOUGH}", first.stability, "ARI"),
        Target(f"{source}: segments, at least", "≥4", float(len(sizes)), "segments"),
        Target(f"{source}: segments, at most", "≤8", float(len(sizes)), "segments"),
        Target(f"{source}: smallest segment", f"≥{SMALLEST}", min(sizes), "share"),
        Target(f"{source}: customers who keep theirs a month later", "≥0.8", kept, "share"),
        Target(f"{source}: names kept a month later", "≥0.8", named, "share"),
        Target(f"{source}: seconds to choose", "≤20", found[0].seconds, "s"),
    ]


def page(taken: dict[str, list[Month]], found: list[Target]) -> str:
    """The results as a page: targets, every month, and the candidates of the first choice."""
    verdicts: list[dict[str, object]] = [
        {"target": f.name, "wanted": f.target, "measured": f.measured, "unit": f.unit, "holds": f.holds} for f in found
    ]
    parts = ["# Segments", "Made by `make bench-segments`.", markdown(verdicts)]
    for source, listed in taken.items():
        first = listed[0].found
        parts += [f"## {source}", markdown([_month(each) for each in listed])]
        parts += ["\n".join(f"- {segment.number}: {described(segment)}" for segment in first.model.profile)]
        parts += [f"The candidates on {listed[0].day}:", markdown([vars(each) for each in first.candidates])]
    return "\n\n".join([*parts, machine(PACKAGES)])


def _month(month: Month) -> dict[str, object]:
    chosen = next(each for each in month.found.candidates if each.chosen)
    fates = [change.fate for change in month.found.changes]
    return {
        "as of": month.day,
        "space": chosen.space,
        "segments": chosen.count,
        "stability": month.found.stability,
        "smallest": chosen.smallest,
        "told": chosen.told,
        "reassigned": month.found.reassigned,
        **{fate: fates.count(fate) for fate in ("kept", "renamed", "new", "gone")},
        "seconds": month.seconds,
    }


def measured(quick: bool) -> list[Target]:
    """Take the segments of both companies (quick: of one, for two dates) and, in full size, write the page."""
    taken: dict[str, list[Month]] = {}
    for company in COMPANIES[:1] if quick else COMPANIES:
        with tempfile.TemporaryDirectory() as home:
            taken[company.source] = months(company, Path(home), 2 if quick else len(company.dates))
    found = [target for source, listed in taken.items() for target in targets(source, listed)]
    if not quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "segments.md").write_text(page(taken, found) + "\n", encoding="utf-8")
    return found


if __name__ == "__main__":
    run_targets(measured)
