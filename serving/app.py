"""The HTTP service over one live set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from typing import Annotated

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi import Path as InPath
from fastapi.responses import JSONResponse
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException

from serving import batch_routes, credit_routes, history_routes, laundering_routes, scheme_routes, score_routes
from serving.direct import Direct, Lane
from serving.documents import document_of
from serving.guard import Guard
from serving.keys import KeyRing
from serving.logs import Log
from serving.meters import Meters
from serving.problems import REFUSALS, answer_problem
from serving.records import version
from serving.roles import guard_routes
from serving.schema import ClassPlayOut, CustomerScore, Health, ReleaseOut, Text
from serving.service import Live, Service
from serving.settings import load_serving
from serving.store.state import StoreError
from serving.watch import Trouble, Watch

router = APIRouter()


@router.get(
    "/v1/customers/{customer_id:path}", response_model=CustomerScore, summary="The last graded state of a customer"
)
def customer(customer_id: Annotated[Text, InPath(description="the company's own id")], live: Live) -> JSONResponse:
    """What the last grading of the whole base said of the customer, what persons decided since, and the play for it.

    In an id a slash before `history`, `why`, `credit` or `laundering` at its end is written %2F: those are questions of
    their own.
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
async def healthz() -> dict[str, str]:
    """Always 200."""
    return {"status": "ok"}


@router.get("/readyz", response_model=Health, summary="Whether it can answer")
def readyz(request: Request, live: Live) -> JSONResponse:
    """200 once the models are loaded and warm, and while the store answers; 503 else."""
    live.store.check()
    trouble: Trouble | None = request.app.state.trouble
    stale = {"stale": trouble.since.isoformat(timespec="seconds")} if trouble else {}
    return JSONResponse({"status": "ready", "live": version(live.scorer.live)} | stale)


@router.get("/metrics", response_class=Response, summary="What Prometheus reads")
def metrics(request: Request, live: Live) -> Response:
    """Latencies by route, answers by class, drift of scores, what is live and since when, whether the store answers."""
    meters: Meters = request.app.state.meters
    try:
        live.store.check()
        meters.store.set(1)
    except StoreError:
        meters.store.set(0)
    return Response(meters.page(), media_type=meters.content_type)


SILENT: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""Paths, which carry customers' ids, are nobody else's to record."""

Watching = Callable[[Callable[[Service], None], Callable[[Trouble | None], None]], Watch]


def create_app(
    service: Service, keys: KeyRing | None = None, log: Log | None = None, watching: Watching | None = None
) -> FastAPI:
    """The application. service: what is live at first; keys: those that are asked for, None asks for none; log: by
    default none; watching: makes the watch of what is to be live, None: what is live stays."""

    log = log or Log(service.scorer.pseudonyms)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.scorer.warm()
        adopt(service)
        watch = watching(adopt, tell) if watching else None
        if watch:
            watch.start()
        flushing = asyncio.create_task(meters.keep_flushing())
        yield
        flushing.cancel()
        meters.flush()
        if watch:
            watch.stop()
        app.state.service.store.close()
        app.state.service = None

    def adopt(new: Service) -> None:
        app.state.service = new
        said = version(new.scorer.live)
        meters.went_live(new.scorer.live, new.graded_scores)
        log.event("live", **said)

    def tell(trouble: Trouble | None) -> None:
        app.state.trouble = trouble
        meters.stale.set(trouble is not None)
        if trouble:
            meters.failures.inc()
            log.event("stale", found=trouble.what, since=trouble.since.isoformat(), times=trouble.times)

    title = service.scorer.live.release.about["title"]
    app = FastAPI(
        title="customer-scoring",
        description=f"Scores and classes of the customers of: {title}.",
        lifespan=lifespan,
        telemetry=SILENT,
    )
    settings, meters = load_serving(), Meters()
    app.state.service, app.state.trouble = None, None
    app.state.limits, app.state.meters = settings.limits, meters
    _include(app)
    app.openapi = lru_cache(1)(partial(document_of, app))  # type: ignore[method-assign]
    app.add_middleware(Lane, routes=[route for route in app.routes if isinstance(route, Direct)])
    app.add_middleware(Guard, limits=settings.limits, keys=keys, log=log, meters=meters)
    return app


def _include(app: FastAPI) -> None:
    """The routes themselves, and not their routers: FastAPI asks a router that is included twice."""
    by_customer = (
        history_routes.router,
        credit_routes.by_customer,
        laundering_routes.router,
    )  # before the path that any id fits
    others = (batch_routes.router, score_routes.router, router, scheme_routes.router, credit_routes.router)
    for each in (*by_customer, *others):
        app.router.routes.extend(each.routes)
    guard_routes(app.routes)
    for error in REFUSALS:
        app.add_exception_handler(error, answer_problem)
