"""Answers about customers: what is known of one is scored, classified and rendered by one live set."""

from __future__ import annotations

from datetime import date, timedelta

from starlette.exceptions import HTTPException

from features.calendar import today, zone
from features.online import Event
from serving.intake import arrivals_of
from serving.records import Answer
from serving.service import Service
from serving.store.state import State
from serving.wire import Asked


def of_events(service: Service, asked: Asked, reasons: int = 0) -> Answer:
    """A customer by the events and attributes that came with the request; none of it is kept."""
    state = service.state(asked.customer_id)
    as_of = asked.as_of or today(service.timezone) + timedelta(days=1)
    events = [service.scorer.pseudonymous(event) for event in asked.events]
    row, traits = service.scorer.features(state.customer, events, as_of)
    texts = {**asked.attributes, **traits}
    return service.answer(asked.customer_id, state, row, texts, as_of, reasons)


def of_customer(service: Service, customer_id: str, as_of: date | None = None, reasons: int = 0) -> Answer:
    """A customer by what the store knows of it: as the snapshot has it, with the classes that the grading held; once
    events arrived, by its whole history on the day after the last of them became known; or at another date.

    HTTPException 404 for whom the store does not know.
    """
    state = service.state(customer_id)
    if state.row is None and not state.arrived:
        raise HTTPException(404, "no customer of that id")
    return _of_state(service, customer_id, state, as_of, reasons)


def of_arrival(service: Service, asked: Asked, roles: frozenset[str], reasons: int = 0) -> Answer:
    """Keep the events, and answer by all that is known then. HTTPException 409 for a customer who was forgotten."""
    state = service.state(asked.customer_id)
    if state.forgotten:
        raise HTTPException(409, "this customer was forgotten: nothing is kept of it again")
    arrivals = arrivals_of(service, asked.customer_id, state.customer, asked.events, roles)
    new = service.store.append(state.customer, arrivals)
    answer = _of_state(service, asked.customer_id, state._replace(arrived=True), asked.as_of, reasons)
    return answer.also("kept", {"new": new, "repeated": len(arrivals) - new})


def _of_state(service: Service, customer_id: str, state: State, as_of: date | None, reasons: int) -> Answer:
    """A customer's answer from its state; at the snapshot's own date without any computing of features."""
    graded_at = service.scorer.live.snapshot.as_of
    if state.row is not None and as_of is None and not state.arrived:
        return service.answer(customer_id, state, state.row, state.texts, graded_at, reasons, held=True)
    events = service.store.history(state.customer)
    at = as_of or max([graded_at, *(_known(event, service.timezone) for event in events)])
    row, traits = service.scorer.features(state.customer, events, at)
    return service.answer(customer_id, state, row, {**state.texts, **traits}, at, reasons, held=as_of is None)


def _known(event: Event, timezone: str) -> date:
    """The first date whose features see an event."""
    instant = event.known_at or event.ts
    own = zone(timezone)
    local = instant.astimezone(own) if instant.tzinfo else instant
    return local.date() + timedelta(days=1)
