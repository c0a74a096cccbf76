"""Every benchmark works, in its small size. What it measures is not asserted: that is for `make bench-…` to say."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.conftest import real_data

pytest.importorskip("polars")


@pytest.mark.long
def test_the_feature_benchmark_prints_a_line_per_target() -> None:
    """`--quick --json`: JSON lines and nothing else; our rows are those of SQL, Polars and pandas."""
    call = [sys.executable, "-m", "benchmarks.features", "--quick", "--json"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) >= 10 and len({line["name"] for line in lines}) == len(lines)
    for line in lines:
        assert list(line) == ["name", "target", "measured", "unit", "holds"]
        assert isinstance(line["measured"], float) and isinstance(line["holds"], bool) and line["target"][0] in "≤≥"
    assert next(line for line in lines if line["name"] == "largest difference from any peer")["holds"]


def test_the_ingest_benchmark_prints_a_line_per_target() -> None:
    """`--quick --json`: JSON lines and nothing else."""
    call = [sys.executable, "-m", "benchmarks.ingest", "--quick", "--json"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [list(line) for line in lines] == 3 * [["name", "target", "measured", "unit", "holds"]]


@pytest.mark.real
def test_the_segments_benchmark_prints_a_line_per_target() -> None:
    """`--quick --json`: JSON lines and nothing else."""
    real_data("cdnow/CDNOW_master.txt.gz")
    call = [sys.executable, "-m", "benchmarks.segments", "--quick", "--json"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [list(line) for line in lines] == 7 * [["name", "target", "measured", "unit", "holds"]]


@pytest.mark.long
@pytest.mark.real
def test_the_models_benchmark_prints_a_line_per_target() -> None:
    """`--quick --json`: JSON lines and nothing else."""
    real_data("cdnow/CDNOW_master.txt.gz")
    call = [sys.executable, "-m", "benchmarks.models", "--quick", "--json"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [list(line) for line in lines] == 11 * [["name", "target", "measured", "unit", "holds"]]


@pytest.mark.long
@pytest.mark.real
def test_the_risk_benchmark_prints_a_line_per_target() -> None:
    """`--quick --json`: JSON lines and nothing else."""
    real_data("german_credit/german.csv.gz")
    call = [sys.executable, "-m", "benchmarks.risk", "--quick", "--json"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [list(line) for line in lines] == 11 * [["name", "target", "measured", "unit", "holds"]]


@pytest.mark.long
@pytest.mark.parametrize(("name", "lines"), [("reclassify", 4), ("warning", 2)])
def test_the_benchmarks_of_the_month_print_a_line_per_target(name: str, lines: int) -> None:
    """`--quick --json`: JSON lines and nothing else."""
    call = [sys.executable, "-m", f"benchmarks.{name}", "--quick", "--json"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [list(line) for line in found] == lines * [["name", "target", "measured", "unit", "holds"]]


@pytest.mark.long
def test_the_serving_benchmark_prints_a_line_per_target() -> None:
    """`--quick --json`: JSON lines and nothing else; every answer that was measured was a right one."""
    call = [sys.executable, "-m", "benchmarks.serving", "--quick", "--json"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) >= 7 and {tuple(line) for line in lines} == {("name", "target", "measured", "unit", "holds")}
