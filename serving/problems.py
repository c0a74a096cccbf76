"""What is answered when a request cannot be: one shape for everything (RFC 9457), which never repeats what was sent."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from serving.bodies import NotJsonError
from serving.credit_routes import DecisionIn
from serving.schema import CustomerLine, EventIn, EventsRequest, Problem, ScoreRequest
from serving.store.state import StoreError

PROBLEM = "application/problem+json"
MOST_ERRORS = 20
RETRY_SECONDS = 1

NAMES = ("body", "path", "query", "customer_id", "code", "version", "dimension", "class", "as_of", "reasons")
BODIES = (ScoreRequest, EventsRequest, EventIn, CustomerLine, DecisionIn)
REFUSALS = (HTTPException, RequestValidationError, NotJsonError, StoreError)
"""What says why a request is not answered as it was meant to be."""

KNOWN = {*NAMES, *(name for body in BODIES for name in body.model_fields)}


def problem_of(error: Exception) -> Problem:
    """The problem that an error is to whoever asked."""
    if isinstance(error, RequestValidationError):
        found: list[dict[str, Any]] = list(error.errors())
        errors = [{"place": place_of(each["loc"]), "wanted": each["msg"]} for each in found[:MOST_ERRORS]]
        count = f"{len(found)} errors" if len(found) > 1 else "1 error"
        return Problem(title="The request does not fit", status=422, detail=count, errors=errors)
    if isinstance(error, NotJsonError):
        errors = [{"place": place_of(error.place), "wanted": error.wanted}]
        return Problem(title="The body is not JSON as it should be", status=400, errors=errors)
    if isinstance(error, StoreError):
        return Problem(title="The online store does not answer; try again", status=503)
    if isinstance(error, HTTPException):
        standard = error.detail == HTTPStatus(error.status_code).phrase
        return Problem(
            title=HTTPStatus(error.status_code).phrase if standard else str(error.detail), status=error.status_code
        )
    return Problem(title="The service failed; it was not the request's fault", status=500)


def respond(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """A problem as a response."""
    wait = {"retry-after": str(RETRY_SECONDS)} if problem.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Response(problem.model_dump_json(), problem.status, {**wait, **(headers or {})}, PROBLEM)


async def answer_problem(request: Request, error: Exception) -> Response:
    """The handler of every error."""
    return respond(problem_of(error), getattr(error, "headers", None))


def place_of(location: tuple[int | str, ...]) -> str:
    """Where in the request; a name that is not ours came with the request, and is not repeated."""
    return ".".join(str(part) if isinstance(part, int) or part in KNOWN else "(another name)" for part in location)
