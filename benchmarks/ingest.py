"""Ingest beside a plain copy: `make bench-ingest`, or `python -m benchmarks.ingest [--quick] [--json]`.

A generated company's export, one CSV file, is taken in (typed, judged, pseudonyms, repeats settled, sorted by customer)
and is copied to Parquet by plain DuckDB (typed, nothing else). Every run is a process of its own on two cores.
`--quick` is a small run that shows that everything works.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from benchmarks.company import generate
from benchmarks.measure import Measured, measure
from benchmarks.peers.ingest import export
from benchmarks.report import RESULTS, Target, machine, markdown, print_targets, say

DATA = Path("data/benchmarks")
OURS, COPY = "ours", "copy"
CORES = 2
FULL, QUICK = (50_000_000, 2), (50_000, 1)
PACKAGES = ("duckdb", "pyarrow", "numpy")


def raw_file(rows: int) -> Path:
    """A CSV file of about so many lines, made on first use."""
    path = DATA / f"export-{rows}.csv"
    if not path.exists():
        DATA.mkdir(parents=True, exist_ok=True)
        say(f"generate {rows:,} lines")
        with tempfile.TemporaryDirectory(dir=DATA) as folder:
            events = Path(folder, "events.parquet")
            generate(events, rows * 11 // 10)  # visits are left out
            export(events, Path(folder, "export.csv"))
            Path(folder, "export.csv").replace(path)
    return path


def run(rows: int, repeats: int) -> dict[str, list[Measured]]:
    """What each took, one after the other, again and again."""
    file, taken = raw_file(rows), {OURS: [], COPY: []}
    for repeat in range(repeats):
        for who, measured in taken.items():
            with tempfile.TemporaryDirectory(dir=DATA) as out:
                measured.append(measure(f"benchmarks.peers.ingest:{who}", {"file": str(file), "out": out}, CORES))
            last = measured[-1]
            say(f"{who:5} run {repeat + 1}: {last.wall:7.1f} s, {last.cpu:7.1f} CPU s, {last.peak_mib:6.0f} MiB")
    return taken


def targets(taken: dict[str, list[Measured]], rows: int) -> list[Target]:
    """The promises of ingest."""
    wall = {who: statistics.median(each.wall for each in measured) for who, measured in taken.items()}
    cpu = {who: statistics.median(each.cpu for each in measured) for who, measured in taken.items()}
    peak = max(each.peak_mib for each in taken[OURS])
    return [
        Target(f"throughput beside a plain COPY, {rows:,} lines", "≥0.4", wall[COPY] / wall[OURS], "×"),
        Target(f"the same in CPU seconds, {rows:,} lines", "≥0.4", cpu[COPY] / cpu[OURS], "×"),
        Target(f"peak memory, {rows:,} lines", "≤2048", peak, "MiB"),
    ]


def report(taken: dict[str, list[Measured]], rows: int, found: list[Target]) -> str:
    """The results as a page."""
    size = raw_file(rows).stat().st_size / 2**30
    rounds = [
        {
            "who": who,
            "wall s": statistics.median(each.wall for each in measured),
            "CPU s": statistics.median(each.cpu for each in measured),
            "peak MiB": max(each.peak_mib for each in measured),
            "million lines/s": rows / 1e6 / statistics.median(each.wall for each in measured),
        }
        for who, measured in taken.items()
    ]
    verdicts = [
        {"target": f.name, "wanted": f.target, "measured": f.measured, "unit": f.unit, "holds": f.holds} for f in found
    ]
    return "\n\n".join(
        [
            "# Ingest",
            f"A CSV file of {rows:,} lines ({size:.1f} GiB); medians of {len(taken[OURS])} runs. Made by "
            "`make bench-ingest`.",
            markdown(verdicts),
            markdown(rounds),
            machine(PACKAGES),
        ]
    )


def main() -> None:
    """Measure, print, and, in full size, write the page."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows, repeats = QUICK if arguments.quick else FULL
    taken = run(rows, repeats)
    found = targets(taken, rows)
    print_targets(found, arguments.json)
    if not arguments.quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "ingest.md").write_text(report(taken, rows, found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
