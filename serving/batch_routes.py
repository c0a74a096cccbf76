"""Scores of many customers in one request: a line of JSON each in, a line of JSON each out, in the same order."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from serving.batch import answer_lines, refused
from serving.direct import Direct, documented
from serving.history_routes import LastSegment
from serving.service import Service, service_of

NDJSON = "application/x-ndjson"
BLOCK = 500
"""Lines that are answered together."""


class _Batch(Direct, LastSegment):
    """Its path is also that of a customer who is called `batch`, who is asked for as `%62atch`."""


router = APIRouter(route_class=_Batch)
LINES = {"schema": {"type": "string", "description": "a JSON object a line: a `CustomerLine` or a `ScoreRequest`"}}


@router.post(
    "/v1/score/batch",
    response_class=StreamingResponse,
    responses={200: {"content": {NDJSON: LINES}, "description": "a `CustomerScore`, or what is wrong, for each line"}},
    openapi_extra={"requestBody": {"required": True, "content": {NDJSON: LINES}}},
    summary="Score and classify many customers",
)
@documented()
async def score_batch(request: Request) -> StreamingResponse:
    """A line is `{"customer_id": "…"}` for a stored customer, or has the events of one as `POST /v1/score` takes them.
    All answers come from one live set; a line that cannot be answered gives `{"line": 3, "problem": {…}}`."""
    return _Lines(_answers(request, service_of(request)), media_type=NDJSON)


class _Lines(StreamingResponse):
    """Goes out while the request still comes in: whoever listened for the caller's leaving would take its lines away.
    That the caller has left is seen when it is written to."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await self.stream_response(send)


async def _answers(request: Request, service: Service) -> AsyncIterator[bytes]:
    """Answers while lines still arrive, so that nothing piles up."""
    limits, done = request.app.state.limits, 0
    async for lines in _blocks(request, limits.line_bytes):
        room = limits.batch_customers - done
        yield await run_in_threadpool(answer_lines, service, lines[:room], done, request.app.state.meters.scored)
        if len(lines) > room:
            yield refused(done + room + 1, HTTPException(413, f"at most {limits.batch_customers} lines"))
            return
        done += len(lines)


async def _blocks(request: Request, longest: int) -> AsyncIterator[list[bytes]]:
    """The lines of the body, without empty ones, up to BLOCK at a time. One that is too long is cut off, so that it
    cannot be read."""
    rest, lines = b"", list[bytes]()
    async for chunk in request.stream():
        *whole, rest = (rest + chunk).split(b"\n")
        lines += [line[: longest + 1] for line in whole if line.strip()]
        rest = rest[: longest + 1]
        while len(lines) >= BLOCK:
            yield lines[:BLOCK]
            lines = lines[BLOCK:]
    if rest.strip():
        lines.append(rest)
    if lines:
        yield lines
