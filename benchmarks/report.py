"""What every benchmark prints: a line per target, as JSON or as a table, and the machine it ran on."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RESULTS = Path("benchmarks/results")


@dataclass(frozen=True)
class Target:
    """A promise and what was measured. `target` begins with ≤ or ≥."""

    name: str
    target: str
    measured: float
    unit: str

    @property
    def holds(self) -> bool:
        """Whether the measure keeps the promise."""
        bound = float(self.target[1:])
        return self.measured <= bound if self.target[0] == "≤" else self.measured >= bound


Part = tuple[list[Target], str]
"""What a part of a benchmark gives: its targets, and its tables in Markdown."""


def run_targets(measured: Callable[[bool], Sequence[Target]]) -> None:
    """The command line of a benchmark that prints targets: `--quick` for a small run, `--json` for a line each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    print_targets(measured(asked.quick), asked.json)


def print_targets(targets: Sequence[Target], as_json: bool) -> None:
    """One line per target."""
    for each in targets:
        said = asdict(each) | {"holds": each.holds}
        verdict = "holds" if each.holds else "MISSED"
        line = f"{each.name:50} {each.target:>7} {each.measured:9.3g} {each.unit:9} {verdict}"
        sys.stdout.write((json.dumps(said, ensure_ascii=False) if as_json else line) + "\n")


def say(text: str) -> None:
    """Tell on standard error what is going on."""
    sys.stderr.write(text + "\n")


def markdown(rows: Sequence[dict[str, object]]) -> str:
    """A table of rows with the same keys."""
    heads = list(rows[0])
    lines = [heads, ["---"] * len(heads), *([_cell(row[head]) for head in heads] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine(packages: Sequence[str]) -> str:
    """Processor, cores, memory, Python and the versions of `packages`, in one paragraph."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    return f"{cores} cores, {memory:.0f} GiB, Python {platform.python_version()}; {', '.join(found)}."


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else "" if value is None else str(value)
