"""The feature engine beside its peers: `make bench-features`, or `python -m benchmarks.features [--quick] [--json]`.

Every run is a process of its own that reads the event table from Parquet and writes feature rows to Parquet; what is
compared is CPU seconds, the median of interleaved runs. `--quick` is a small run that shows that everything works.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import matplotlib

from benchmarks.company import generate
from benchmarks.compare import differences
from benchmarks.measure import Measured, measure
from benchmarks.report import RESULTS, Target, machine, markdown, print_targets, say

DATA = Path("data/benchmarks")
LAST = date(2026, 1, 1)
OURS, DUCKDB, LOOP, POLARS, PANDAS, FLOOR = "ours", "duckdb_sql", "duckdb_loop", "polars_", "pandas_", "floor"
PEERS = (DUCKDB, POLARS, PANDAS)
COLOURS = {
    OURS: "black",
    DUCKDB: "tab:blue",
    LOOP: "tab:cyan",
    POLARS: "tab:orange",
    PANDAS: "tab:green",
    FLOOR: "tab:gray",
    "featuretools": "tab:red",
}
PACKAGES = ("duckdb", "polars", "pandas", "pyarrow", "numba", "numpy")
ONLINE_EVENTS, ONLINE_CALLS = 200, 3_000


@dataclass(frozen=True)
class Sizes:
    """How large the runs are: rows, and how often each is repeated."""

    small: int
    middle: int
    large: int
    repeats: int


FULL = Sizes(1_000_000, 10_000_000, 50_000_000, 5)
QUICK = Sizes(20_000, 20_000, 80_000, 1)


class Bench:
    """Runs, and remembers what each took. A run is (who, rows, dates, threads)."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self.taken: dict[tuple[str, int, int, int], list[Measured]] = defaultdict(list)

    def run(self, plans: Iterable[tuple[str, int, int, int]], repeats: int | None = None) -> None:
        """Measure each plan so many times, one after the other, again and again."""
        plans = list(dict.fromkeys(plans))
        for repeat in range(repeats or self.sizes.repeats):
            for who, rows, dates, threads in plans:
                with tempfile.TemporaryDirectory(dir=DATA) as out:
                    arguments = {"events": str(events(rows)), "as_ofs": months(dates), "out": out, "threads": threads}
                    taken = measure(f"benchmarks.peers.{who}:features", arguments, threads)
                self.taken[who, rows, dates, threads].append(taken)
                what = f"{who:12} {rows:>11,} rows × {dates:>2} dates, {threads} core"
                say(f"{what}, run {repeat + 1}: {taken.cpu:7.2f} CPU s, {taken.wall:7.2f} s, {taken.peak_mib:6.0f} MiB")

    def cpu(self, who: str, rows: int, dates: int = 1) -> float:
        """Median CPU seconds on one core."""
        return statistics.median(each.cpu for each in self.taken[who, rows, dates, 1])

    def wall(self, who: str, rows: int, threads: int) -> float:
        """Median wall seconds of one date."""
        return statistics.median(each.wall for each in self.taken[who, rows, 1, threads])

    def peak(self, who: str, rows: int, dates: int) -> float:
        """Largest peak memory on one core, GiB."""
        return max(each.peak_mib for each in self.taken[who, rows, dates, 1]) / 1024

    def table(self) -> list[dict[str, object]]:
        """A row per run."""
        return [
            {
                "who": who,
                "rows": f"{rows:,}",
                "dates": dates,
                "cores": threads,
                "CPU s": statistics.median(each.cpu for each in taken),
                "wall s": statistics.median(each.wall for each in taken),
                "peak GiB": max(each.peak_mib for each in taken) / 1024,
                "runs": len(taken),
            }
            for (who, rows, dates, threads), taken in self.taken.items()
        ]


def events(rows: int) -> Path:
    """The generated event table of about so many rows, made on first use."""
    path = DATA / f"events-{rows}.parquet"
    if not path.exists():
        DATA.mkdir(parents=True, exist_ok=True)
        say(f"generate {rows:,} events")
        generate(path.with_suffix(".new"), rows)
        path.with_suffix(".new").rename(path)
    return path


def months(count: int) -> list[str]:
    """The first days of the last `count` months, the last being LAST."""
    firsts = [date(LAST.year - (11 + k) // 12, 12 - (k + 11) % 12, 1) for k in range(count)]
    return [day.isoformat() for day in sorted(firsts)]


def measure_all(sizes: Sizes, python: str | None) -> tuple[Bench, list[Target]]:
    """All runs, and the targets they are held to."""
    bench = Bench(sizes)
    small, middle, large = sizes.small, sizes.middle, sizes.large
    agreement = agree(small)
    bench.run((who, rows, 1, 1) for rows in (small, middle) for who in (OURS, *PEERS, FLOOR))
    bench.run([(OURS, small, 6, 1), *((who, small, 24, 1) for who in (OURS, DUCKDB, LOOP, POLARS))])
    bench.run([(OURS, middle, 1, 2), (OURS, middle, 1, 1)])
    bench.run([(OURS, large, 1, 1), (OURS, middle, 24, 1)], 1)
    if python is not None:
        featuretools(bench, python)
    best = min(PEERS, key=lambda who: bench.cpu(who, middle))
    one, many = bench.cpu(OURS, middle), bench.cpu(OURS, small, 24)
    by_rows = math.log(bench.cpu(OURS, large) / bench.cpu(OURS, small)) / math.log(large / small)
    by_dates = math.log(many / bench.cpu(OURS, small, 6)) / math.log(4)
    two_cores = bench.wall(OURS, middle, 1) / bench.wall(OURS, middle, 2)
    median, p99 = online()
    found = (
        (f"one date, {middle:,} rows: CPU / {best}", "≤0.30", one / bench.cpu(best, middle), "ratio"),
        (f"24 dates, {small:,} rows: CPU / DuckDB loop", "≤0.08", many / bench.cpu(LOOP, small, 24), "ratio"),
        (
            f"24 dates, {small:,} rows: CPU / DuckDB in memory",
            "≤0.08",
            many / bench.cpu(DUCKDB, small, 24),
            "ratio",
        ),
        (f"one date, {middle:,} rows: CPU / scan and group", "≤4", one / bench.cpu(FLOOR, middle), "ratio"),
        (f"growth with rows, {small:,} to {large:,}", "≤1.05", by_rows, "exponent"),
        (f"growth with dates, 6 to 24, {small:,} rows", "≤0.6", by_dates, "exponent"),
        (f"peak memory, {large:,} rows, 1 date", "≤2.5", bench.peak(OURS, large, 1), "GiB"),
        (f"peak memory, {middle:,} rows, 24 dates", "≤2.5", bench.peak(OURS, middle, 24), "GiB"),
        (f"two cores, {middle:,} rows: wall of one / of two", "≥1.6", two_cores, "ratio"),
        (f"online, {ONLINE_EVENTS} events from JSON: median", "≤0.3", median, "ms"),
        (f"online, {ONLINE_EVENTS} events from JSON: p99", "≤2", p99, "ms"),
        ("largest difference from any peer", "≤1e-9", agreement, "relative"),
    )
    return bench, [Target(*each) for each in found]


def agree(rows: int) -> float:
    """The largest relative difference between our rows and any peer's; inf for a different null."""
    with tempfile.TemporaryDirectory(dir=events(rows).parent) as folder:
        for who in (OURS, *PEERS):
            Path(folder, who).mkdir()
            measure(
                f"benchmarks.peers.{who}:features",
                {"events": str(events(rows)), "as_ofs": months(3), "out": f"{folder}/{who}", "threads": 1},
            )
        return max(max(differences(Path(folder, OURS), Path(folder, who)).values()) for who in PEERS)


def online() -> tuple[float, float]:
    """Median and 99th percentile, in ms, of one customer's row of the whole catalogue from the JSON of its events."""
    from features.catalogue import PROGRAM
    from features.company import Company
    from features.online import feature_row, read_events

    body, company = online_body(), Company(timezone="Europe/London")
    taken = []
    for call in range(ONLINE_CALLS + 10):
        begin = time.perf_counter()
        feature_row(PROGRAM, "0" * 32, read_events(body), LAST, company)
        if call >= 10:
            taken.append(1000 * (time.perf_counter() - begin))
    return statistics.median(taken), statistics.quantiles(taken, n=100)[98]


def online_body() -> bytes:
    """A customer's events over three years as an application would send them."""
    random = Random(1)  # noqa: S311 the same every time, nothing secret
    said = []
    for i in range(ONLINE_EVENTS):
        at = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(minutes=random.randrange(3 * 525_600))
        event = {"ts": at.isoformat(), "kind": random.choice(["purchase"] * 8 + ["return", "visit"])}
        if event["kind"] != "visit":
            amount = random.randrange(10_000) * (-1 if event["kind"] == "return" else 1)
            event |= {"ref": str(i // 3), "amount": amount, "item": f"I{random.randrange(60)}"}  # type: ignore[dict-item]
        said.append(event | {"channel": random.choice(["web", "shop"])})
    return json.dumps(said).encode()


def featuretools(bench: Bench, python: str) -> None:
    """One run of featuretools in its own environment, for the table only: it computes 33 of the 40."""
    rows = bench.sizes.small
    with tempfile.TemporaryDirectory(dir=DATA) as out:
        arguments = {"events": str(events(rows)), "as_ofs": months(1), "out": out, "threads": 1}
        taken = measure("benchmarks.peers.featuretools_:features", arguments, 1, python)
    bench.taken["featuretools", rows, 1, 1].append(taken)


def write_results(bench: Bench, targets: Sequence[Target], command: str) -> None:
    """The table and the plot, with the command and the versions that made them."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    held = [
        {
            "target": t.name,
            "bound": t.target,
            "measured": t.measured,
            "unit": t.unit,
            "holds": "yes" if t.holds else "no",
        }
        for t in targets
    ]
    text = f"""# Feature engine

Made by `{command}` on {machine(PACKAGES)}
40 features per customer, generated Pareto/negative-binomial customers, about 50 events each; from Parquet to Parquet;
medians of interleaved runs, each in a process of its own, what is compiled loaded before. `duckdb_sql` keeps the typed
table in memory over the dates, `duckdb_loop` is the same SQL from the file for each date; `floor` only scans the table
and groups it by customer.

{markdown(held)}

{markdown(bench.table())}

![Cost against rows and dates](features.png)
"""
    (RESULTS / "features.md").write_text(text, encoding="utf-8")
    plot(bench, RESULTS / "features.png")


def plot(bench: Bench, path: Path) -> None:
    """CPU seconds against rows (one date) and against dates (the small table), both axes logarithmic."""
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True, layout="constrained")
    small = bench.sizes.small
    for who, colour in COLOURS.items():
        style = {"linewidth": 2.5 if who == OURS else 1.2, "color": colour}
        runs = [(rows, dates) for name, rows, dates, threads in bench.taken if name == who and threads == 1]
        by_rows = sorted((rows, bench.cpu(who, rows)) for rows, dates in runs if dates == 1)
        by_dates = sorted((dates, bench.cpu(who, small, dates)) for rows, dates in runs if rows == small)
        for axis, points in zip(axes, (by_rows, by_dates), strict=True):
            if points:
                axis.plot(*zip(*points, strict=True), marker="o", label=who.rstrip("_"), **style)
    axes[0].set(xscale="log", yscale="log", xlabel="rows (one date)", ylabel="CPU seconds")
    axes[1].set(xscale="log", xlabel=f"dates ({small:,} rows)", xticks=[1, 6, 24], xticklabels=["1", "6", "24"])
    axes[1].legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    for axis in axes:
        axis.grid(alpha=0.3, which="both")
        axis.minorticks_off()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Measure, print the targets, and after a full run write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small run, less than a minute")
    parser.add_argument("--json", action="store_true", help="a JSON line per target and nothing else on stdout")
    parser.add_argument("--featuretools", metavar="PYTHON", help="the Python of an environment with featuretools.lock")
    asked = parser.parse_args()
    bench, targets = measure_all(QUICK if asked.quick else FULL, asked.featuretools)
    print_targets(targets, asked.json)
    if not asked.quick:
        extra = " ARGS='--featuretools PYTHON'" if asked.featuretools else ""
        write_results(bench, targets, "make bench-features" + extra)


if __name__ == "__main__":
    sys.exit(main())
