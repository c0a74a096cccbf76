"""A month of a large company, from ready feature rows: graded beside the month before, every change explained, the
report written."""

from __future__ import annotations

import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import Measured, measure
from benchmarks.report import RESULTS, Target, machine, markdown, run_targets, say
from classification.comparison import Bases
from classification.monthly import reclassify
from classification.reasons import reasons
from classification.report.files import report_folder, write_report
from classification.report.report import make_report
from classification.report.setting import Setting
from classification.snapshots import load_live_set
from features.batch import matrix
from features.catalogue import NAMES
from features.company import Company
from features.tables.sources import load_source
from features.texts import Texts
from features.workspace import Workspace, read_json, read_parquet
from serving.steps import Job
from training.manifest import manifest_digest
from training.release import Release, load_release
from training.snapshots import Origin, Snapshot, base_at

MONTHS = {"2026-09": date(2026, 10, 1), "2026-10": date(2026, 11, 1)}
SIZES, QUICK = (250_000, 1_000_000), (2_000, 8_000)
EXPLAINED = 2_000
"""Customers whose reasons are timed."""


def prepare(home: Path, customers: int) -> None:
    """A sample company with a trained candidate, and the feature rows of its bases at both months."""
    job = Job(load_source("sample"), Workspace(home))
    job.ingest(customers)
    job.features()
    job.train()
    company = Company.from_json(job.report()["company"])
    for name, base in zip(MONTHS, base_at(job.workspace, company, list(MONTHS.values())), strict=True):
        texts = {f"text_{key}": each.to_arrow() for key, each in base.texts.items()}
        columns = {"customer_id": base.ids, **{key: base.rows[:, i] for i, key in enumerate(NAMES)}, **texts}
        pq.write_table(pa.table(columns), home / f"{name}.parquet")


def enlarge(home: Path, customers: int) -> None:
    """`customers` alike to those of the sample, each a little different; rows of both months, in parts."""
    tables = [pq.read_table(home / f"{name}.parquet") for name in MONTHS]
    known = sorted(set(tables[0]["customer_id"].to_pylist()) & set(tables[1]["customer_id"].to_pylist()))
    drawn = np.random.default_rng(1).integers(0, len(known), customers)
    for name, table in zip(MONTHS, tables, strict=True):
        place = {id_: i for i, id_ in enumerate(table["customer_id"].to_pylist())}
        at = np.array([place[known[i]] for i in drawn])
        rows = matrix(table, NAMES)
        factor = np.exp(np.random.default_rng([2, date.toordinal(MONTHS[name])]).normal(0, 0.05, customers))
        folder = home / f"{customers}" / name
        folder.mkdir(parents=True)
        for part, some in enumerate(np.array_split(np.arange(customers), max(1, customers // 100_000))):
            mine = {
                f"{key}": rows[at[some], i] * (factor[some] if "spend" in key else 1) for i, key in enumerate(NAMES)
            }
            ids = pa.array([f"{i:032x}" for i in some])
            texts = table.select([c for c in table.column_names if c.startswith("text_")]).take(pa.array(at[some]))
            whole = pa.table({"customer_id": ids, **mine, **{c: texts[c] for c in texts.column_names}})
            pq.write_table(whole, folder / f"part-{part:03d}.parquet", compression="lz4")


def month(home: Path, customers: int, name: str) -> None:
    """Grade a month from the rows at hand, without the reasons of scores, and write its report."""
    release = candidate(home)
    report = read_json(home / "tables" / "report.json")
    origin = Origin("sample", report["key"], Company.from_json(report["company"]), 90, None)
    workspace = _Large(home / f"{customers}", home)
    old = None if name == min(MONTHS) else release
    done = reclassify(workspace, name, (old, release), Bases(read_base(home, customers, name)), origin, told=False)
    source, days = load_source("sample"), int(release.about["potential_days"])
    setting = Setting(source.title, source.currency, source.decimals, done.live.scheme, days, {})
    report = make_report(workspace, setting, name)
    write_report(report, report_folder(workspace, report, named=False))


class _Large(Workspace):
    """Months of its own, beside the tables of the sample."""

    def __init__(self, home: Path, sample: Path) -> None:
        super().__init__(home / "graded")
        object.__setattr__(self, "sample", sample)

    @property
    def tables(self) -> Path:
        """The sample's: consents and the report."""
        return Path(vars(self)["sample"]) / "tables"


def read_base(home: Path, customers: int, name: str) -> Snapshot:
    """The base of a month, a part file at a time."""
    ids, texts = [], []
    rows = np.empty((customers, len(NAMES)))
    first = 0
    for part in sorted((home / f"{customers}" / name).glob("*.parquet")):
        table = read_parquet(part)
        rows[first : first + len(table)] = matrix(table, NAMES)
        ids.append(table["customer_id"].to_numpy(zero_copy_only=False))
        texts.append(table.select([c for c in table.column_names if c.startswith("text_")]))
        first += len(table)
    known = pa.concat_tables(texts).combine_chunks()
    found = {c.removeprefix("text_"): Texts.of_arrow(known[c].combine_chunks()) for c in known.column_names}
    return Snapshot(MONTHS[name], np.concatenate(ids), rows, {}, found)


def candidate(home: Path) -> Release:
    """What the sample company trained."""
    folder = home / "training" / "release"
    return load_release(folder, manifest_digest(folder), 1)


def seconds_of_reasons(home: Path, customers: int) -> float:
    """CPU seconds per 1,000 customers for the reasons of every score."""
    base = read_base(home, customers, max(MONTHS))
    some = slice(0, EXPLAINED)
    few = Snapshot(base.as_of, base.ids[some], base.rows[some], {}, {n: t.rows(some) for n, t in base.texts.items()})
    live = load_live_set(home / f"{customers}" / "graded" / "months" / max(MONTHS), candidate(home))
    graded = live.grade(few.rows, few.texts)
    start = time.process_time()
    reasons(live.release, few, graded.scores)
    return (time.process_time() - start) * 1_000 / len(few.ids)


def measured(quick: bool) -> list[Target]:
    """Grade two months of two sizes; quick: small ones."""
    taken: dict[int, Measured] = {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        prepare(home, 600 if quick else 4_000)
        for size in QUICK if quick else SIZES:
            enlarge(home, size)
            month(home, size, min(MONTHS))
            call = {"home": home, "customers": size, "name": max(MONTHS)}
            taken[size] = measure("benchmarks.reclassify:month", call, threads=2)
            say(f"{size:,} customers: {taken[size].wall:.1f} s, {taken[size].peak_mib:,.0f} MiB")
        explained = seconds_of_reasons(home, min(taken))
    small, large = (taken[size] for size in sorted(taken))
    times = max(taken) / min(taken)
    found = [
        Target(f"{max(taken):,} customers graded, changes explained, reported", "≤60", large.wall, "s"),
        Target(f"{max(taken):,} customers, peak memory", "≤3072", large.peak_mib, "MiB"),
        Target(f"CPU of {times:.0f} times the customers", f"≤{1.2 * times:.1f}", large.cpu / small.cpu, "times"),
        Target("CPU of the reasons of 1,000 customers", "≤2", explained, "s"),
    ]
    if not quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "reclassify.md").write_text(page(found) + "\n", encoding="utf-8")
    return found


def page(found: list[Target]) -> str:
    """The results as a page."""
    rows: list[dict[str, object]] = [
        {"target": f.name, "wanted": f.target, "measured": f.measured, "unit": f.unit, "holds": f.holds} for f in found
    ]
    said = (
        "Made by `make bench-reclassify`. Two months of customers alike to the sample company's, from ready feature "
        "rows: scores of six tasks, percentiles, twenty dimensions, classes held against the month before, each change "
        "with its shares and a sentence, written as Parquet, and the report with its pictures; on two cores. The "
        "reasons of scores are not in it: they are timed by themselves."
    )
    return "\n\n".join(["# The monthly run", said, markdown(rows), machine(("lightgbm", "numpy", "numba", "pyarrow"))])


if __name__ == "__main__":
    run_targets(measured)
