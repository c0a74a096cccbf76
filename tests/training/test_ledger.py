"""The ledger of promotions: one winner, a champion after every crash, and no line changed unseen."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from features.errors import InputError
from tests.postgres import PASSWORD
from tests.postgres import postgres_url as postgres_url
from training import promotion, registry
from training.ledger import PROMOTIONS, Entry, Ledger, read_ledger
from training.promotion import write

SOURCE = "shop"
STEPS = ("append", "promote", "note")
"""What `write` asks of the registry, in this order."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SQLite file of a registry with five versions of a scorer."""
    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
        _releases(5)
    return path


@pytest.fixture
def store(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A registry of one's own; its address."""
    uri = f"sqlite:///{shutil.copy(template, tmp_path / 'mlflow.db')}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri


def _releases(count: int) -> None:
    client = registry.connect()
    name = registry.model_name(SOURCE)
    client.create_registered_model(name)
    for _ in range(count):
        client.create_model_version(name, "file:///nowhere")


def entry(to: int, before: int | None = None, action: Any = "promote", who: str = "anna") -> Entry:
    return Entry(action, before, to, who, "all checks passed", "0" * 64)


def put(to: int, action: Any = "promote") -> Ledger:
    """One promotion, nobody else about."""
    seen = read_ledger(SOURCE)
    write(seen, entry(to, seen.alias, action))
    return read_ledger(SOURCE)


def rival(uri: str, barrier: Barrier, rounds: int, to: int, wins: Any) -> None:
    """A process that promotes as often as it can, each time at the same instant as its rivals."""
    os.environ["MLFLOW_TRACKING_URI"] = uri
    for number in range(rounds):
        seen = read_ledger(SOURCE)
        barrier.wait(60)
        try:
            write(seen, entry(to, seen.alias, who=f"rival {to}"))
            wins.append((number, to))
        except InputError:
            pass
        barrier.wait(60)


def unlocked_rival(*arguments: Any) -> None:
    """A rival on another machine: no file lock keeps it apart, nothing killed holds it up, and between its look and its
    line there may be time enough for another to finish."""
    promotion._lock = lambda: nullcontext(True)
    asked, to = registry.append, arguments[3]

    def late(*line: Any) -> int:
        time.sleep(0.4 * (to - 2))
        return asked(*line)

    registry.append = late
    rival(*arguments)


def victim(uri: str, step: str, after: bool, to: int) -> None:
    """A promotion that is killed just before or just after a step."""
    os.environ["MLFLOW_TRACKING_URI"] = uri
    asked = getattr(registry, step)

    def killed(*arguments: Any) -> None:
        if after:
            asked(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(registry, step, killed)
    seen = read_ledger(SOURCE)
    write(seen, entry(to, seen.alias))


def sleeper(uri: str, awake: Any, told: Any) -> None:
    """A promotion on another machine that falls asleep just before it moves the alias."""
    os.environ["MLFLOW_TRACKING_URI"] = uri
    promotion._lock = lambda: nullcontext(False)
    asked = registry.promote

    def late(*arguments: Any) -> None:
        registry.promote = asked
        told.set()
        awake.wait(60)
        asked(*arguments)

    registry.promote = late
    seen = read_ledger(SOURCE)
    try:
        write(seen, entry(2, seen.alias, who="sleeper"))
    except InputError:
        os._exit(7)


@pytest.fixture(scope="module")
def forks() -> Any:
    """Processes that start quickly: forked off one that has imported what they need, and has no connection."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.training.test_ledger"])
    return context


@contextmanager
def running(forks: Any, *calls: tuple[Any, ...]) -> Iterator[list[Any]]:
    started = [forks.Process(target=call[0], args=call[1:]) for call in calls]
    for each in started:
        each.start()
    yield started
    for each in started:
        each.join(120)
        assert each.exitcode is not None


@pytest.mark.parametrize("how", [rival, unlocked_rival])
def test_of_promotions_at_once_exactly_one_wins(store: str, forks: Any, how: Any) -> None:
    """Five rounds of three processes; the champion is the winner's, and the others are told so."""
    _race(store, forks, how, rounds=5)


@pytest.mark.long
def test_of_promotions_on_postgresql_exactly_one_wins(
    postgres_url: str, forks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file lock there: the database alone decides."""
    uri = postgres_url.replace("postgresql://owner", f"postgresql+psycopg://owner:{PASSWORD}")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    _releases(5)
    _race(uri, forks, rival, rounds=15)


def _race(store: str, forks: Any, how: Any, rounds: int) -> None:
    rivals = (2, 3, 4)
    put(1)
    with forks.Manager() as manager:
        barrier, wins = forks.Barrier(len(rivals)), manager.list()
        with running(forks, *[(how, store, barrier, rounds, to, wins) for to in rivals]) as processes:
            pass
        assert [each.exitcode for each in processes] == [0, 0, 0]
        winners = sorted(wins)
    assert [number for number, _ in winners] == list(range(rounds))
    found = read_ledger(SOURCE)
    assert [line.entry.to for line in found.standing] == [1, *(to for _, to in winners)]
    assert found.alias == winners[-1][1] and not found.findings()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after", [False, True])
def test_a_kill_leaves_the_old_champion_or_the_new_one(store: str, forks: Any, step: str, after: bool) -> None:
    """Whatever was done, ledger and alias agree, and the next promotion goes through."""
    put(1)
    with running(forks, (victim, store, step, after, 2)) as (process,):
        pass
    assert process.exitcode == -signal.SIGKILL
    found = read_ledger(SOURCE)
    moved = step == "note" or (step == "promote" and after)
    assert found.alias == (2 if moved else 1) == found.live_at(datetime.now(UTC))
    assert not found.findings()
    appended = step != "append" or after
    assert [found.state(line) for line in found.lines] == (
        ["past", "live"] if moved else ["live", "under way"] if appended else ["live"]
    )
    found = put(3)
    assert [line.entry.to for line in found.standing] == ([1, 2, 3] if moved else [1, 3])
    assert found.alias == 3 and not found.findings()
    assert [found.state(line) for line in found.lines if line not in found.standing] == (
        ["void"] if appended and not moved else []
    )


def test_one_who_wakes_up_too_late_steps_back(store: str, forks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asleep between its last look and the alias, beyond its lease: the other's champion stays, the ledger agrees."""
    put(1)
    awake, told = forks.Event(), forks.Event()
    with running(forks, (sleeper, store, awake, told)) as (process,):
        assert told.wait(60)
        monkeypatch.setattr(promotion, "_lock", lambda: nullcontext(False))
        with pytest.raises(InputError, match="sleeper"):
            put(3)
        monkeypatch.setattr(promotion, "LEASE", timedelta(0, 1e-6))
        monkeypatch.setattr(promotion.time, "monotonic", lambda: 0.0)
        put(3)
        awake.set()
    assert process.exitcode == 7
    found = read_ledger(SOURCE)
    assert found.alias == 3 and [line.entry.to for line in found.standing] == [1, 3] and not found.findings()


def test_it_says_which_release_was_live_when(store: str) -> None:
    """At every instant; and which were live at any time since."""
    at = [datetime.now(UTC)]
    for to in (1, 2, 3):
        put(to)
        at.append(datetime.now(UTC))
    put(2, "rollback")
    found = read_ledger(SOURCE)
    assert [found.live_at(when) for when in at] == [None, 1, 2, 3]
    assert found.live_at(datetime.now(UTC)) == 2
    assert found.released_since(at[0]) == (1, 2, 3)
    assert found.released_since(at[2]) == (2, 3)
    assert found.released_since(datetime.now(UTC)) == (2,)
    assert [line.when for line in found.lines] == sorted({line.when for line in found.lines})


def test_going_back_goes_back_further_each_time(store: str) -> None:
    """What was live before: promotions go on, rollbacks go back; the first release has nothing before it."""
    assert put(1).before() is None
    put(2)
    put(3)
    assert put(4).before() == 3
    assert put(3, "rollback").before() == 2
    assert put(2, "rollback").before() == 1
    assert put(4).before() == 2
    assert put(5, "rollback").before() == 4


def test_every_change_of_a_line_is_found(store: str) -> None:
    """Any tag of any line, a line taken out, the alias moved behind its back."""
    for to in (1, 2, 3, 4):
        put(to)
    client, name = registry.connect(), registry.model_name(SOURCE, PROMOTIONS)
    whole = read_ledger(SOURCE)
    assert not whole.findings()
    for line in whole.lines:
        for tag, value in line.tags().items():
            other = {"when": "2020-01-01T00:00:00.000000+00:00", "action": "rollback"}.get(tag, "9")
            client.set_model_version_tag(name, str(line.number), tag, other)
            assert any(f"line {line.number}" in said for said in read_ledger(SOURCE).findings()), (line.number, tag)
            client.set_model_version_tag(name, str(line.number), tag, value)
    assert not read_ledger(SOURCE).findings()
    registry.promote(SOURCE, 1)
    assert "version 1 is live, the ledger says version 4" in read_ledger(SOURCE).findings()
    registry.promote(SOURCE, 4)
    client.delete_model_version(name, "2")
    found = read_ledger(SOURCE)
    assert "line 2 is gone" in found.findings()
    assert [line.entry.to for line in found.standing] == [1, 3, 4]


def test_a_version_that_is_no_line_is_refused(store: str) -> None:
    """Somebody registers something else under the ledger's name, or takes a tag away."""
    put(1)
    client, name = registry.connect(), registry.model_name(SOURCE, PROMOTIONS)
    client.delete_model_version_tag(name, "1", "who")
    with pytest.raises(InputError, match="no line of the ledger"):
        read_ledger(SOURCE)
