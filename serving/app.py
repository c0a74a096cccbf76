"""The HTTP service over one live set."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, FastAPI
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from serving import batch_routes, credit_routes, history_routes, scheme_routes, score_routes
from serving.bodies import NotJsonError
from serving.problems import answer_problem
from serving.schema import ClassPlayOut, CustomerScore, Health, Problem, ReleaseOut, Text
from serving.scorer import version
from serving.service import Live, Service
from serving.settings import load_serving
from serving.store.state import StoreError

router = APIRouter()


@router.get(
    "/v1/customers/{customer_id:path}", response_model=CustomerScore, summary="The last graded state of a customer"
)
def customer(customer_id: Annotated[Text, InPath(description="the company's own id")], live: Live) -> JSONResponse:
    """What the last grading of the whole base said of the customer, what persons decided since, and the play for it.

    In an id a slash before `history`, `why` or `credit` at its end is written %2F: those are questions of their own.
    """
    return JSONResponse(live.last(customer_id))


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
    app.state.limits = load_serving().limits
    for before in (history_routes.router, credit_routes.by_customer):
        app.include_router(before)  # before the path that any id fits
    for each in (router, batch_routes.router, score_routes.router, scheme_routes.router, credit_routes.router):
        app.include_router(each)
    for error in (RequestValidationError, HTTPException, NotJsonError, StoreError, Exception):
        app.add_exception_handler(error, answer_problem)
    return app
