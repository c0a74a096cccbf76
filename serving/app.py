"""The HTTP service over one live set."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from serving import credit_routes, history_routes, scheme_routes
from serving.credit_routes import DecisionIn
from serving.schema import ClassPlayOut, CustomerScore, EventIn, Health, Problem, ReleaseOut, ScoreRequest, Text
from serving.scorer import version
from serving.service import Live, Service

PROBLEM = "application/problem+json"


router = APIRouter()


@router.post("/v1/score", response_model=CustomerScore, summary="Score and classify one customer from its own events")
def score(body: ScoreRequest, live: Live) -> JSONResponse:
    """Features up to `as_of`, every model of the live set, classes and code by its scheme; what a person decided about
    the customer's class counts; and the play for its classes."""
    said = live.consents(body.customer_id)
    return JSONResponse(live.answer(body.customer_id, live.scorer.score(body), said))


@router.get(
    "/v1/customers/{customer_id:path}", response_model=CustomerScore, summary="The last graded state of a customer"
)
def customer(customer_id: Annotated[Text, InPath(description="the company's own id")], live: Live) -> JSONResponse:
    """What the last grading of the whole base said of the customer, what persons decided since, and the play for it.

    In an id a slash before `history`, `why` or `credit` at its end is written %2F: those are questions of their own.
    """
    said = live.consents(customer_id)
    return JSONResponse(live.answer(customer_id, live.record(customer_id), said))


@router.get("/v1/plays/{dimension}/{class}", response_model=ClassPlayOut, summary="What to do for one class")
def play(
    dimension: Annotated[Text, InPath(description="of the scheme, such as value")],
    class_: Annotated[Text, InPath(alias="class", description="such as A")],
    live: Live,
) -> JSONResponse:
    """What the playbook says of a class by itself; a customer's own play joins those of its classes."""
    found = live.plays.one(dimension, class_) if live.plays else None
    if found is None:
        raise HTTPException(404, "no play of that class")
    return JSONResponse(found)


@router.get("/v1/release", response_model=ReleaseOut, summary="What is live")
def release(live: Live) -> JSONResponse:
    """Release, scheme and grading snapshot, the tasks they answer, and the tasks the data did not allow."""
    set_ = live.scorer.live
    named = ("source", "tasks", "rungs", "skipped", "horizon_days", "tested_at", "trained_through", "features")
    return JSONResponse({"live": version(set_)} | {name: set_.release.about[name] for name in named})


@router.get("/healthz", response_model=Health, summary="Whether the process lives")
def healthz() -> dict[str, str]:
    """Always 200."""
    return {"status": "ok"}


@router.get("/readyz", response_model=Health, summary="Whether it can answer")
def readyz(live: Live) -> JSONResponse:
    """200 once the models are loaded and warm, 503 before."""
    return JSONResponse({"status": "ready", "live": version(live.scorer.live)})


def create_app(service: Service) -> FastAPI:
    """The service, warmed when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.scorer.warm()
        app.state.service = service
        yield
        app.state.service = None
        service.store.close()

    title = service.scorer.live.release.about["title"]
    app = FastAPI(
        title="customer-scoring",
        description=f"Scores and classes of the customers of: {title}.",
        lifespan=lifespan,
        responses={status: {"model": Problem} for status in (403, 404, 422, 503)},
    )
    app.state.service = None
    for before in (history_routes.router, credit_routes.by_customer):
        app.include_router(before)  # before the path that any id fits
    app.include_router(router)
    app.include_router(scheme_routes.router)
    app.include_router(credit_routes.router)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _failed)
    return app


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Names the place and what was wanted; never repeats what was sent."""
    found: list[dict[str, Any]] = list(error.errors()) if isinstance(error, RequestValidationError) else []
    errors = [{"place": _place(each["loc"]), "wanted": each["msg"]} for each in found[:20]]
    problem = Problem(title="The request does not fit", status=422, detail=f"{len(found)} errors", errors=errors)
    return JSONResponse(problem.model_dump(), 422, media_type=PROBLEM)


NAMES = ("body", "path", "query", "customer_id", "code", "version", "dimension", "class")
KNOWN = {*NAMES, *(name for body in (ScoreRequest, EventIn, DecisionIn) for name in body.model_fields)}


def _place(location: tuple[int | str, ...]) -> str:
    """Where in the request; a name that is not ours came with the request, and is not repeated."""
    return ".".join(str(part) if isinstance(part, int) or part in KNOWN else "(another name)" for part in location)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    problem = Problem(title="The service failed; it was not the request's fault", status=500)
    return JSONResponse(problem.model_dump(), 500, media_type=PROBLEM)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    status, detail = (error.status_code, str(error.detail)) if isinstance(error, HTTPException) else (500, "")
    return JSONResponse(Problem(title=detail, status=status).model_dump(), status, media_type=PROBLEM)
