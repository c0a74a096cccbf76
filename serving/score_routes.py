"""Scores over HTTP: by events in the request, by what the store knows, and after something happened."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from serving import answers
from serving.bodies import read_json
from serving.direct import AsOf, CustomerId, Direct, HowMany, asking_of, customer_of, documented
from serving.records import Answer
from serving.roles import caller_of
from serving.schema import CustomerScore, EventsRequest, KeptScore, ScoreRequest
from serving.service import service_of
from serving.wire import read_asked

router = APIRouter(route_class=Direct)

FEW_EVENTS = 500
"""So many are scored while other requests wait; more are not."""


@router.post("/v1/score", response_model=CustomerScore, summary="Score and classify one customer from its own events")
@documented(body=ScoreRequest, reasons=(HowMany, 0))
async def score(request: Request) -> Response:
    """Features up to `as_of`, every model of the live set, classes and code by its scheme; what a person decided about
    the customer's class counts; and the play for its classes."""
    service, asking = service_of(request), asking_of(request)
    asked = read_asked(await read_json(request), ScoreRequest)
    work = partial(answers.of_events, service, asked, asking.reasons)
    return await _answer(request, work, service.store.local and len(asked.events) <= FEW_EVENTS)


@router.post("/v1/events", response_model=KeptScore, summary="Keep what happened to a customer, and score it anew")
@documented(body=EventsRequest, reasons=(HowMany, 0))
async def events(request: Request) -> Response:
    """The events are kept, each id once, before anything is answered; the score is by the customer's whole history."""
    service, asking = service_of(request), asking_of(request)
    asked = read_asked(await read_json(request), EventsRequest)
    work = partial(answers.of_arrival, service, asked, caller_of(request.scope).roles, asking.reasons)
    return await _answer(request, work, False)


@router.post(
    "/v1/score/{customer_id:path}", response_model=CustomerScore, summary="Score and classify one stored customer"
)
@documented(customer_id=CustomerId, as_of=(AsOf, None), reasons=(HowMany, 0))
async def score_stored(request: Request) -> Response:
    """By the features and the history in the online store, the events that arrived since included."""
    service, asking, customer = service_of(request), asking_of(request), customer_of(request)
    work = partial(answers.of_customer, service, customer, asking.as_of, asking.reasons)
    return await _answer(request, work, service.store.local and not asking.reasons)


async def _answer(request: Request, work: Callable[[], Answer], quick: bool) -> Response:
    """The answer as JSON; what is not quick is done beside other requests."""
    found = work() if quick else await run_in_threadpool(work)
    request.app.state.meters.scored(found)
    return _Record(found.body)


class _Record(Response):
    """JSON, without all that a response may have."""

    def __init__(self, body: bytes) -> None:
        self.status_code, self.body, self.background = HTTPStatus.OK, body, None
        self.raw_headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
