"""A stopwatch: one function call in a fresh process, its CPU seconds, wall seconds and peak memory."""

from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, get_type_hints

ROOT = Path(__file__).resolve().parent.parent
THREAD_VARIABLES = (
    "ARROW_IO_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)


@dataclass(frozen=True)
class Measured:
    """What a call took: CPU seconds of all threads and children, wall seconds, peak resident memory in MiB."""

    cpu: float
    wall: float
    peak_mib: float


def measure(function: str, arguments: dict[str, Any], threads: int = 1, python: str | None = None) -> Measured:
    """Call `package.module:function` with the keyword arguments in a fresh process on `threads` cores.

    Paths and dates travel as text and become what the function's annotations say. What the module imports, and what
    its `warm()` does if it has one, comes before the measured call.
    """
    task = json.dumps({"function": function, "arguments": arguments, "threads": threads}, default=str)
    done = subprocess.run(
        [python or sys.executable, "-m", "benchmarks.measure"],
        input=task,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))},
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{function} ended with code {done.returncode}:\n{done.stderr}")
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Run the task on standard input and write what it took as one line of JSON."""
    task = json.load(sys.stdin)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: task["threads"]])
    module_name, _, name = task["function"].partition(":")
    module = importlib.import_module(module_name)
    function = getattr(module, name)
    arguments = _typed(function, task["arguments"])
    if hasattr(module, "warm"):
        module.warm()
    measured = _measured(function, arguments)
    sys.stdout.write(f"\n{json.dumps(asdict(measured))}\n")


def _measured(function: Callable[..., object], arguments: dict[str, Any]) -> Measured:
    own_peak = _forget_peak()
    cpu, wall = _cpu(), time.perf_counter()
    function(**arguments)
    return Measured(cpu=_cpu() - cpu, wall=time.perf_counter() - wall, peak_mib=_peak_mib(own_peak))


def _typed(function: Callable[..., object], arguments: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(function)
    makers: dict[object, Callable[[Any], Any]] = {
        Path: Path,
        date: date.fromisoformat,
        Sequence[date]: lambda values: [date.fromisoformat(value) for value in values],
    }
    return {name: makers.get(hints.get(name), lambda value: value)(value) for name, value in arguments.items()}


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _forget_peak() -> bool:
    """Start the kernel's record of peak memory afresh; whether that worked."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _peak_mib(own_peak: bool) -> float:
    if own_peak:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


if __name__ == "__main__":
    main()
