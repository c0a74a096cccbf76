"""A run that is killed leaves what was there before; the next run ends with the tables of a run that was not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.tables.privacy import Pseudonyms
from features.tables.vault import open_vault
from features.workspace import Workspace, read_json

SOURCE = """
name: shop
title: A shop
timezone: Europe/Berlin
tables:
  - name: orders
    gives: events
    files: [in/]
    customer: customer
    time: {column: at}
    kind: purchase
    amount: amount
"""
LINES = 60_000


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two exports; some lines of both are refused."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "in").mkdir()
    (folder / "shop.yaml").write_text(SOURCE)
    for month in (1, 2):
        lines = (
            f"{f'k{i % 977}' if i % 50 else ''},2026-{month:02d}-{1 + i % 28:02d},{i}.{i % 100:02d}\n"
            for i in range(LINES)
        )
        (folder / "in" / f"{month}.csv").write_text("customer,at,amount\n" + "".join(lines))
    return folder


def call(shop: Path, home: Path) -> subprocess.Popen[bytes]:
    words = ["ingest", "--source", str(shop / "shop.yaml"), "--raw", str(shop), "--home", str(home)]
    quiet = subprocess.DEVNULL
    return subprocess.Popen([sys.executable, "-m", "serving.cli", *words], stdout=quiet, stderr=quiet)


def contents(home: Path, pseudonyms: Pseudonyms) -> dict[str, object]:
    """All that a run leaves, but for when it ran and what is random in a sealed file."""
    tables = Workspace(home).tables
    found: dict[str, object] = {
        str(path.relative_to(tables)): pq.read_table(path) for path in sorted(tables.rglob("*.parquet"))
    }
    sealed: dict[str, pa.Table] = dict(open_vault(tables, pseudonyms).tables(""))
    return found | sealed | {"report": read_json(tables / "report.json")}


def killed_often(shop: Path, home: Path, pseudonyms: Pseudonyms, kills: int) -> None:
    clean = home / "clean"
    assert call(shop, clean).wait(timeout=120) == 0
    wanted = contents(clean, pseudonyms)
    rng = random.Random(7)
    mine = home / "killed"
    for _ in range(kills):
        run = call(shop, mine)
        try:
            run.wait(timeout=rng.uniform(0.8, 4.0))
        except subprocess.TimeoutExpired:
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
        if (mine / "tables").exists():  # all or nothing
            assert contents(mine, pseudonyms) == wanted
    assert call(shop, mine).wait(timeout=120) == 0
    assert contents(mine, pseudonyms) == wanted
    assert [path.name for path in mine.iterdir()] == ["tables"]


def test_killed_at_any_moment(shop: Path, tmp_path: Path, pseudonyms: Pseudonyms) -> None:
    """A rerun gives the same tables."""
    killed_often(shop, tmp_path, pseudonyms, 4)


@pytest.mark.long
def test_killed_a_hundred_times(shop: Path, tmp_path: Path, pseudonyms: Pseudonyms) -> None:
    """The same, at many moments."""
    killed_often(shop, tmp_path, pseudonyms, 100)
