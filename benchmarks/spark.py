"""A base graded by Spark beside the same by one machine, on the same cores: features, scores, classes, reasons.

What Spark costs where it is not needed says from where on it pays: see the page.
"""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.company import generate
from benchmarks.measure import Measured, measure
from benchmarks.reclassify import candidate
from benchmarks.report import RESULTS, Target, machine, markdown, run_targets, say
from classification.grade import score_base
from classification.reasons import reasons
from classification.spark import grade_base
from features.company import Company
from features.engine import spark_session
from features.tables.events import CUSTOMERS, ITEMS
from features.tables.sources import load_source
from features.workspace import Workspace
from serving.steps import Job
from training.snapshots import Origin, base_at

AS_OF = date(2026, 1, 1)
SIZES, QUICK = (1_000_000, 10_000_000), (5_000, 20_000)


def prepare(home: Path, customers: int) -> None:
    """A release to grade with, of the sample company."""
    job = Job(load_source("sample"), Workspace(home))
    job.ingest(customers)
    job.features()
    job.train()


def company(home: Path, rows: int) -> Workspace:
    """A workspace with `rows` generated events, if it is not there yet."""
    workspace = Workspace(home / f"{rows}")
    if not workspace.tables.exists():
        workspace.tables.mkdir(parents=True)
        generate(workspace.tables / "events.parquet", rows)
        pq.write_table(CUSTOMERS.empty_table(), workspace.tables / "customers.parquet")
        pq.write_table(ITEMS.empty_table(), workspace.tables / "items.parquet")
    return workspace


def by_one_machine(home: Path, rows: int) -> None:
    """Everything that `by_spark` gives."""
    origin, workspace, release = _origin(), company(home, rows), candidate(home)
    (base,) = base_at(workspace, origin.company, [AS_OF])
    scored = score_base(release, base, origin)
    scored.live.grade(base.rows, base.texts, scores=scored.scores)
    reasons(release, base, scored.scores)


def by_spark(home: Path, rows: int) -> None:
    """On all cores of this machine."""
    with spark_session() as session:
        grade_base(session, company(home, rows), candidate(home), _origin(), [AS_OF])


def _origin() -> Origin:
    return Origin("generated", "", Company(timezone="UTC"), 90, None)


def measured(quick: bool) -> list[Target]:
    """Grade companies of two sizes both ways; quick: small ones."""
    taken: dict[tuple[str, int], Measured] = {}
    sizes = QUICK if quick else SIZES
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        prepare(home, 300 if quick else 2_000)
        for rows in sizes:
            company(home, rows)
            for way in ("by_one_machine", "by_spark"):
                taken[way, rows] = measure(f"benchmarks.spark:{way}", {"home": home, "rows": rows}, threads=2)
                say(f"{way}, {rows:,} events: {taken[way, rows].wall:.1f} s")
    small, large = sizes
    more = {way: taken[way, large].wall - taken[way, small].wall for way in ("by_one_machine", "by_spark")}
    per = (large - small) / 1_000_000
    found = [
        Target("one machine, per million events", "≥0", more["by_one_machine"] / per, "s"),
        Target("Spark on the same cores, per million events", "≥0", more["by_spark"] / per, "s"),
        Target(f"Spark, {small:,} events: wall / one machine", "≥0",
               taken["by_spark", small].wall / taken["by_one_machine", small].wall, "ratio"),
        Target(f"Spark, {large:,} events: wall / one machine", "≥0",
               taken["by_spark", large].wall / taken["by_one_machine", large].wall, "ratio"),
    ]  # fmt: skip
    if not quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "spark.md").write_text(page(found, taken) + "\n", encoding="utf-8")
    return found


def page(found: list[Target], taken: dict[tuple[str, int], Measured]) -> str:
    """The results as a page."""
    rows: list[dict[str, object]] = [{"what": f.name, "measured": f.measured, "unit": f.unit} for f in found]
    runs: list[dict[str, object]] = [
        {"who": way.replace("_", " "), "events": f"{rows:,}", "wall s": each.wall, "CPU s": each.cpu}
        for (way, rows), each in taken.items()
    ]
    said = (
        "Made by `make bench-spark`. A generated company, about 50 events per customer: features at one date, scores "
        "of six tasks, ranks, raw classes and reasons; on two cores, Spark in local mode, its start included. Nothing "
        "here has to hold: it says what Spark costs on one machine, so that one knows how many it must bring."
    )
    about = machine(("pyspark", "numpy", "numba", "pyarrow"))
    return "\n\n".join(["# Grading by Spark", said, markdown(rows), markdown(runs), about])


if __name__ == "__main__":
    run_targets(measured)
