"""Routes on the fast path: the endpoint takes the request, and reads from it what it needs.

What FastAPI does around an endpoint is a good part of an answer's time. So it only documents these routes, and answers
what is asked of them amiss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import Parameter, Signature
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Path as InPath
from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.problems import REFUSALS, answer_problem
from serving.schema import MOST_REASONS, Day, Text

CustomerId = Annotated[Text, InPath(description="the company's own id")]
AsOf = Annotated[Day | None, Query(description="events before this day count")]
Reasons = Annotated[int, Field(ge=0, le=MOST_REASONS)]
HowMany = Annotated[Reasons, Query(description="how many reasons of each score are told")]

E = TypeVar("E", bound=Callable[..., Any])


class Direct(APIRoute):
    """A route that hands the request to its endpoint, a coroutine, with nothing in between."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        super().__init__(path, endpoint, **more)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive, send)
            try:
                response = await endpoint(request)
            except REFUSALS as error:
                response = await answer_problem(request, error)
            await response(scope, receive, send)

        self.app = app


class Lane:
    """An ASGI application before another one: requests for `routes` go past it."""

    def __init__(self, app: ASGIApp, routes: Sequence[Direct]) -> None:
        self.app = app
        self.plain = {route.path: (route,) for route in routes if not route.param_convertors}
        self.others = [route for route in routes if route.param_convertors]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        straight = scope["type"] == "http" and not scope.get("root_path")
        for route in self.plain.get(scope["path"], self.others) if straight else ():
            match, found = route.matches(scope)
            if match is Match.FULL:
                scope.update(found)
                await route.app(scope, receive, send)
                return
        await self.app(scope, receive, send)


def documented(**parameters: Any) -> Callable[[E], E]:
    """Documents the parameters of an endpoint: name → annotation, or annotation and default."""

    def mark(endpoint: E) -> E:
        found = [Parameter("request", Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)]
        for name, said in parameters.items():
            annotation, default = said if isinstance(said, tuple) else (said, Parameter.empty)
            found.append(Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation, default=default))
        endpoint.__signature__ = Signature(found)  # type: ignore[attr-defined]
        return endpoint

    return mark


class Asking(BaseModel):
    """The query of a question for scores."""

    as_of: Day | None = None
    reasons: Reasons = 0


PLAIN = Asking()
_text = TypeAdapter(Text)


def customer_of(request: Request) -> str:
    """The customer in the path; RequestValidationError for what is no id."""
    try:
        return _text.validate_python(request.path_params["customer_id"])
    except ValidationError as error:
        raise _invalid(error, "path", "customer_id") from None


def asking_of(request: Request) -> Asking:
    """What the query says; names it does not know do not count. RequestValidationError for what does not fit."""
    if not request.scope["query_string"]:
        return PLAIN
    try:
        return Asking.model_validate(dict(parse_qsl(request.scope["query_string"].decode("latin-1"))))
    except ValidationError as error:
        raise _invalid(error, "query") from None


def _invalid(error: ValidationError, *place: str) -> RequestValidationError:
    return RequestValidationError([e | {"loc": (*place, *e["loc"])} for e in error.errors(include_input=False)])
