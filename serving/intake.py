"""Events that arrive over HTTP on their way into the event table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from starlette.exceptions import HTTPException

from features.calendar import zone
from features.online import Event, event_digest
from features.stored import encode_event
from features.tables.counts import Counts
from features.tables.events import CONFIDENTIAL_KINDS
from features.tables.hand import Line, line_of
from features.tables.person import forgotten, tombstone
from features.tables.privacy import Pseudonyms
from features.tables.sources import Source
from features.tables.vault import open_vault, seal, unseal
from features.tables.written import write_lines
from features.workspace import Workspace
from serving.service import Service
from serving.store.state import Arrival, Inbox

AHEAD = timedelta(minutes=5)
"""Clocks differ; what lies further in the future has not happened."""

SEALED = "arrival"
"""The name under which the lines of arrivals are sealed."""


def arrivals_of(
    service: Service, raw_id: str, customer: str, events: Sequence[Event], roles: frozenset[str]
) -> list[Arrival]:
    """Events as they were sent of a customer → as they are kept, known from now on. customer: its pseudonym.

    HTTPException 422 for an event that has not happened, 403 for one that only the role `aml` may write.
    """
    now = datetime.now(UTC)
    for event in events:
        _check(event, service.timezone, now, roles)
    return [_arrival(service, raw_id, customer, event, now) for event in events]


def take_arrivals(source: Source, workspace: Workspace, pseudonyms: Pseudonyms, inbox: Inbox) -> Counts | None:
    """What arrived and was not taken in yet → the event table; what became of it. None: nothing waits, or there is no
    table yet."""
    waiting = inbox.waiting()
    if not waiting or not (workspace.tables / "report.json").exists():
        return None
    key, gone = open_vault(workspace.tables, pseudonyms).key, frozenset(forgotten(workspace.tables))
    lines: list[Line] = [
        msgspec.json.decode(unseal(key, each.line, SEALED, workspace.arrivals))
        for each in waiting
        if tombstone(each.customer) not in gone
    ]
    counts = write_lines(source, workspace, pseudonyms, lines) if lines else None
    inbox.taken(waiting)
    return counts


def _check(event: Event, timezone: str, now: datetime, roles: frozenset[str]) -> None:
    if event.kind in CONFIDENTIAL_KINDS and "aml" not in roles:
        raise HTTPException(403, "events of this kind are written by the role aml")
    if (event.ts if event.ts.tzinfo else event.ts.replace(tzinfo=zone(timezone))) > now + AHEAD:
        raise HTTPException(422, "ts: a time that has not come; wanted: a time up to now")
    if event.known_at is not None or event.known_until is not None:
        raise HTTPException(422, "known_at, known_until: wanted: none, for what is sent is known from now on")


def _arrival(service: Service, raw_id: str, customer: str, event: Event, now: datetime) -> Arrival:
    own, decimals = service.timezone, service.scorer.live.release.about["decimals"]
    hidden = service.scorer.pseudonymous(event)
    id_ = event.event_id or event_digest(customer, hidden, own)
    kept = msgspec.structs.replace(hidden, event_id=id_, known_at=now)
    line = line_of(raw_id, msgspec.structs.replace(event, event_id=id_), now, own, decimals)
    sealed = seal(service.vault_key, msgspec.json.encode(line), SEALED)
    return Arrival(customer, id_, now.isoformat(), encode_event(kept, own), sealed)
