"""Making a release the champion: one line of the ledger, then the alias.

A promotion appends its line, sees that it is valid, moves the alias, and marks the line as done. Killed in between, it
leaves the old champion and a line that the next promotion passes over, or the new champion and a line that counts as
done, because the alias says so.

Limits. MLflow cannot move an alias on a condition. On one machine a file lock keeps promotions apart. Between machines
a promotion under way is left alone for LEASE; one that wakes up later finds the newer line and steps back, and puts
the alias right if it has moved it already. Only a process that is stopped for half of LEASE between its last look and
the move of the alias, and is killed before it looks again, leaves an alias that the ledger does not know, which
`Ledger.findings` tells. The clocks of machines that promote must agree to within a few seconds.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from features.errors import InputError
from training import registry
from training.ledger import DONE, PROMOTIONS, Entry, Ledger, Line, read_ledger

LEASE = timedelta(seconds=60)
"""For so long a promotion from another machine may be under way before it counts as killed."""


def write(seen: Ledger, entry: Entry) -> Line:
    """Carry out a decision that was taken on `seen`: append the line, then make `entry.to` the champion.

    Raises InputError when anybody else was quicker or is under way; the champion is then theirs.
    """
    source = seen.source
    with _lock() as alone:
        now = read_ledger(source)
        recent = now.pending is not None and datetime.now(UTC) - now.pending.when < LEASE
        if now.last != seen.last or (recent and not alone):
            raise _overtaken(now, entry)
        started = time.monotonic()
        line = _append(now, entry)
        now = read_ledger(source)
        if now.newest != line.number or time.monotonic() - started > LEASE.total_seconds() / 2:
            raise _overtaken(now, entry)
        registry.promote(source, entry.to)
        now = read_ledger(source)
        if now.newest != line.number and line not in now.standing:
            raise _overtaken(_settled(source), entry)
        registry.note(source, PROMOTIONS, line.number, DONE, now.digest(line.number))
        _settled(source)
        return line


def _append(now: Ledger, entry: Entry) -> Line:
    """Add the line; it is valid only if it got the number that its writer expected."""
    after = now.standing[-1] if now.standing else None
    when = datetime.now(UTC)
    if after is not None and when <= after.when:  # a clock that was put back
        when = after.when + timedelta(microseconds=1)
    line = Line(now.last + 1, entry, when, now.last, after.number if after else 0, now.digest(now.last))
    number = registry.append(now.source, PROMOTIONS, entry.to, line.tags(), _said(entry))
    return Line(number, entry, when, line.seen, line.after, line.previous)


def _settled(source: str) -> Ledger:
    """The alias on what the ledger says is live."""
    found = read_ledger(source)
    for _ in range(5):
        if not found.standing or found.standing[-1].entry.to == found.alias:
            break
        registry.promote(source, found.standing[-1].entry.to)
        found = read_ledger(source)
    return found


def _said(entry: Entry) -> str:
    approved = f", approved by {entry.approved_by}" if entry.approved_by else ""
    return f"{entry.action} {entry.before or 'nothing'} → {entry.to} by {entry.who}{approved}: {entry.why}"


def _overtaken(now: Ledger, entry: Entry) -> InputError:
    others = [line for line in now.lines if line.valid and line.entry != entry]
    other = (
        f"{others[-1].entry.action} to version {others[-1].entry.to} by {others[-1].entry.who}" if others else "none"
    )
    return InputError(
        f"{registry.model_name(now.source)} version {entry.to}",
        f"another promotion at the same time, or just before ({other})",
        "a ledger that nobody has written to since the decision",
        f"Version {now.alias} is live. Look at `scoring releases`, evaluate again, then promote again. A promotion "
        f"that was killed elsewhere stands in the way for {LEASE.seconds} seconds.",
    )


@contextmanager
def _lock() -> Iterator[bool]:
    """Keeps the promotions of one machine apart; yields whether there can be none elsewhere."""
    store = registry.store_file()
    if store is None:
        yield False
        return
    store.parent.mkdir(parents=True, exist_ok=True)
    with store.with_name(f"{store.name}.promotions.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield True
