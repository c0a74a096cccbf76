"""Events that arrived are on the disk before they are answered, whatever happens then."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.online import Event
from features.stored import encode_event
from serving.store.arrivals import Arrivals
from serving.store.state import Arrival, StoreError

EVENT = encode_event(Event(datetime(2026, 11, 1, tzinfo=UTC), "visit"), "UTC")


def arrival(i: int, customer: str = "c1") -> Arrival:
    return Arrival(customer, f"e{i}", f"2026-11-01T10:00:{i % 60:02d}.{i:06d}+00:00", EVENT, b"sealed")


def test_an_event_id_is_one_event(tmp_path: Path) -> None:
    """Sent twice, it is kept once; of another customer it is another."""
    arrivals = Arrivals(tmp_path / "a" / "arrivals.sqlite")
    assert arrivals.of(["c1"]) == [] and arrivals.waiting() == []
    assert arrivals.add([arrival(1), arrival(2)]) == 2
    assert arrivals.add([arrival(2), arrival(3)]) == 1
    assert arrivals.add([arrival(2, "c2")]) == 1
    assert [each.event_id for each in arrivals.of(["c1"])] == ["e1", "e2", "e3"]
    assert arrivals.of(["c2"]) == [arrival(2, "c2")]


def test_of_a_forgotten_customer_no_byte_stays(tmp_path: Path) -> None:
    """Neither in the file nor in its log."""
    arrivals = Arrivals(tmp_path / "arrivals.sqlite")
    arrivals.add([Arrival("c" * 32, "trace-1", "2026", EVENT, b"x"), arrival(1)])
    assert b"trace-1" in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    arrivals.forget(["c" * 32])
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"trace-1" not in content and b"c" * 32 not in content and b"e1" in content


WRITER = """
import sys
from pathlib import Path
from tests.serving.store.test_arrivals import arrival
from serving.store.arrivals import Arrivals
arrivals = Arrivals(Path(sys.argv[1]))
for i in range(10**6):
    arrivals.add([arrival(i, sys.argv[2])])
    print(i, flush=True)
"""


def test_nothing_acknowledged_is_lost_when_writers_are_killed(tmp_path: Path) -> None:
    """Two processes write at once, and are killed; a third goes on at once."""
    path = tmp_path / "arrivals.sqlite"
    for _ in range(2):
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, path, name], stdout=subprocess.PIPE, text=True)
            for name in ("c1", "c2")
        ]
        for writer in writers:
            assert writer.stdout is not None and writer.stdout.readline() == "0\n"
        time.sleep(0.3)
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
        said = [len(writer.communicate()[0].splitlines()) + 1 for writer in writers]
        arrivals = Arrivals(path)
        kept = [{each.event_id for each in arrivals.of([name])} for name in ("c1", "c2")]
        for count, ids in zip(said, kept, strict=True):
            assert count > 1 and {f"e{i}" for i in range(count)} <= ids
        assert arrivals.add([arrival(10**6 + 1, "c3")]) in (0, 1)
        arrivals.close()


def test_a_full_disk_is_said_and_nothing_acknowledged(tmp_path: Path) -> None:
    """A file that may grow no further stands for it; when there is room again, it goes on."""
    path = tmp_path / "arrivals.sqlite"
    arrivals = Arrivals(path)
    arrivals.add([arrival(0)])
    big = [Arrival("c1", f"big{i}", "2026", b"x" * 2000, b"") for i in range(200)]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    was = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        with pytest.raises(StoreError):
            arrivals.add(big)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, was)
    assert [each.event_id for each in arrivals.of(["c1"])] == ["e0"]
    assert arrivals.add(big) == 200


def test_a_damaged_file_is_a_store_that_does_not_answer(tmp_path: Path) -> None:
    """Never an empty answer."""
    path = tmp_path / "arrivals.sqlite"
    path.write_bytes(b"no database, but longer than a header has to be" * 50)
    with pytest.raises(StoreError):
        Arrivals(path).of(["c1"])
