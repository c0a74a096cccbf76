"""The audit log: who did what, when and why, in lines of which none can be changed unseen."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest

from features.tables.audit import START, Audit, open_audit, read_lines, verify
from features.tables.person import Person


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    """A log of three lines, one of them about a person."""
    log = open_audit(tmp_path / "home", "anna")
    log.append("release-scheme", None, "shares of 2027", scheme="2027-01")
    log.append("access", Person(frozenset({"0" * 32}), frozenset()))
    log.append("promote", None, "passed", version=3, was=None)
    return log


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs `scoring audit`; what it printed."""
    from serving.cli import main

    def command(*words: object, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["scoring", "audit", *map(str, words)])
        try:
            main()
            ended = 0
        except SystemExit as end:
            ended = int(end.code or 0)
        assert ended == code
        return "".join(capsys.readouterr())

    return command


def test_acts_about_nobody_are_in_the_same_chain(audit: Audit) -> None:
    """A scheme, a playbook, a promotion: a line without a person, held by the lines around it."""
    lines = read_lines(audit.path)
    assert [line["action"] for line in lines] == ["release-scheme", "access", "promote"]
    assert [len(line["person"]) for line in lines] == [0, 1, 0] and lines[0]["before"] == START
    assert verify(audit.path)[0] == 3
    assert [line["action"] for line in audit.lines(Person(frozenset({"0" * 32}), frozenset()))] == ["access"]


def test_what_is_said_cannot_break_the_chain(audit: Audit) -> None:
    """A detail named like a part of every line is refused, and nothing is written."""
    for name in ("before", "at", "by"):
        with pytest.raises(TypeError, match=name):
            audit.append("override", None, **{name: "B"})
    assert verify(audit.path)[0] == 3


def test_lines_are_chosen_by_day_and_by_action(audit: Audit) -> None:
    """From a day on, and by what was done."""
    today = datetime.now(UTC).date()
    assert len(read_lines(audit.path, since=today)) == 3 and not read_lines(audit.path, since=today + timedelta(1))
    assert [line["version"] for line in read_lines(audit.path, date(2026, 1, 1), "promote")] == [3]


def test_the_list_says_who_when_what_and_why(audit: Audit, said: Callable[..., str]) -> None:
    """A line each; nobody's pseudonym; a log that does not hold is not listed."""
    where = ("--home", audit.path.parent)
    out = said("list", *where)
    assert len(out.splitlines()) == 3 and "anna  release-scheme  scheme 2027-01  because: shares of 2027" in out
    assert f"{datetime.now(UTC):%Y-%m-%d}" in out and "0000" not in out
    assert said("list", *where, "--action", "promote").splitlines()[0].endswith("promote  version 3  because: passed")
    assert said("list", *where, "--since", "2999-01-01") == "No lines.\n"
    assert said("list", "--home", audit.path.parent / "none") == "No lines.\n"
    audit.path.write_text(audit.path.read_text().replace("2027-01", "2027-02"))
    assert "The log was changed" in said("list", *where, "--since", "2999-01-01", code=2)


def _append(path: Path) -> None:
    for _ in range(5):
        Audit(path, "somebody").append("note", None)


def test_writers_wait_for_one_another(tmp_path: Path) -> None:
    """Four processes at once: every line is there, and the chain holds."""
    context = get_context("fork")
    writers = [context.Process(target=_append, args=(tmp_path / "audit.jsonl",)) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert verify(tmp_path / "audit.jsonl")[0] == 20
