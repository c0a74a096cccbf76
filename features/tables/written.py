"""One event of a customer, written by a person into the event table: by the ordinary way, all or nothing.

So come back what a talk with the customer gave: when it expects to buy (kind `contact` with a due day), why it did not
(kind `refusal` with the reason as its code), or anything else that no table of the company has.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from features.calendar import zone
from features.errors import InputError
from features.progress import silent
from features.tables.audit import Audit
from features.tables.counts import Counts
from features.tables.events import CONFIDENTIAL_KINDS, KINDS
from features.tables.hand import Line, keep, known_at, line_of, source_by_hand, take_lines
from features.tables.ingest import scratch_folder
from features.tables.merges import is_customer, read_merges
from features.tables.person import Person, forgotten, is_telling, tombstone, unknown_customer
from features.tables.privacy import BLANKS, Pseudonyms
from features.tables.received import load_received
from features.tables.rules import REPEATED_EVENT, RULES
from features.tables.run import Run
from features.tables.sources import HAND, Source
from features.tables.vault import open_vault
from features.workspace import Workspace, staged, write_json

if TYPE_CHECKING:
    from features.online import Event

OPEN_KINDS = tuple(kind for kind in KINDS if kind not in CONFIDENTIAL_KINDS)
CHANNELS = ("representative", "supervisor", "phone")
"""By whom or how the company's people talk with a customer."""


class _RepeatedError(Exception):
    """The event is there already."""


def write_event(
    source: Source,
    workspace: Workspace,
    pseudonyms: Pseudonyms,
    audit: Audit,
    customer: str,
    event: Event,
    new: bool = False,
    now: datetime | None = None,
) -> bool:
    """Take `event` in, as known from `now` on; False, and not a byte has changed, when it was there already.

    customer: the company's own id; new: it may be of a customer of whom nothing is known yet. Features, models and
    grades at hand do not change: they see the event when they are made anew, at dates after `now`. The audit log gets a
    line. Raises InputError, whose place is the field to mend, for a customer who is unknown or was forgotten, for what
    the customer must not learn of, and for what breaks a rule of ingest; then nothing has changed.
    """
    now = now or datetime.now(UTC)
    customer, name = customer.strip(BLANKS), pseudonyms.of(customer)
    _check(event, source, now)
    if is_telling(customer) and customer in (event.code or ""):
        raise InputError("code", "the customer's id", "a text without it", "Reports tell how often a code was given.")
    line = line_of(customer, event, now, source.timezone, source.decimals)
    try:
        with staged(workspace.tables, keep=True) as tables, scratch_folder(tables) as scratch:
            _check_customer(tables, name, new)
            run = Run(source_by_hand(source, [line]), tables, scratch, pseudonyms, 1, now, silent, released=True)
            take_lines(run, [line])
            _check_taken(*(counts for counts in run.finish().counts if counts.table == HAND))
            keep(open_vault(tables, pseudonyms), pseudonyms, [line])
            write_json(tables / "received.json", load_received(tables, source).plus(now, []).to_json())
            person = Person(frozenset({name, read_merges(tables).get(name, name)}), frozenset())
            audit.append("write-event", person, kind=event.kind)
    except _RepeatedError:
        return False
    return True


def write_lines(source: Source, workspace: Workspace, pseudonyms: Pseudonyms, lines: Sequence[Line]) -> Counts:
    """Take in lines that arrived one by one, each known since it arrived (`hand.line_of`, in that order); what became
    of them. An event that is there already, or of a customer who was forgotten, is dropped; what breaks a rule of
    ingest is set aside. All or nothing."""
    with staged(workspace.tables, keep=True) as tables, scratch_folder(tables) as scratch:
        moment = known_at(lines[-1])
        run = Run(source_by_hand(source, lines), tables, scratch, pseudonyms, 1, moment, silent, released=True)
        take_lines(run, lines)
        (counts,) = (counts for counts in run.finish().counts if counts.table == HAND)
        keep(open_vault(tables, pseudonyms), pseudonyms, lines)
        write_json(tables / "received.json", load_received(tables, source).plus(moment, []).to_json())
    return counts


def _check(event: Event, source: Source, now: datetime) -> None:
    """What the event must be, whoever's it is."""
    if event.kind in CONFIDENTIAL_KINDS:
        raise InputError(
            "kind",
            f"{event.kind}, which the customer must not learn of",
            f"one of {', '.join(OPEN_KINDS)}",
            "It comes in with the tables of those who watch for money laundering, by `scoring ingest`.",
        )
    if event.kind not in KINDS:
        raise InputError("kind", f"'{event.kind}'", f"one of {', '.join(OPEN_KINDS)}")
    own = zone(source.timezone)
    ts = event.ts if event.ts.tzinfo else event.ts.replace(tzinfo=own)
    if ts > now:
        raise InputError(
            "ts", f"{event.ts.isoformat()}, which has not come", f"a time up to now, {now:%Y-%m-%d %H:%M} UTC"
        )
    if event.known_at is not None or event.known_until is not None:
        place = "known_at" if event.known_at is not None else "known_until"
        raise InputError(place, "a time", "none: what is written is known from now on")
    if event.kind != "contact":
        return
    if event.channel is not None and event.channel not in CHANNELS:
        raise InputError("channel", f"'{event.channel}'", f"one of {', '.join(CHANNELS)}, for a contact")
    if event.due_day is not None and event.due_day < ts.astimezone(own).date():
        raise InputError(
            "due_day", f"{event.due_day}, before the contact itself", "the day on which the customer expects to buy"
        )


def _check_customer(tables: Path, name: str, new: bool) -> None:
    if tombstone(name) in forgotten(tables):
        raise InputError("customer", "an id of a customer who was forgotten", "one who was not")
    if not new and not is_customer(tables, name):
        raise unknown_customer("customer")


def _check_taken(counts: Counts) -> None:
    """Whether the one line was taken in; else it was repeated, or is refused for good."""
    if counts.accepted or counts.fixed:
        return
    ((rule, _),) = (counts.quarantined + counts.dropped).items()
    if rule == REPEATED_EVENT:
        raise _RepeatedError
    place = {"time": "ts"}.get(RULES[rule].field, RULES[rule].field)
    raise InputError(place, f"what breaks the rule '{rule}'", RULES[rule].wanted)
