"""Credit over HTTP: advice with its reasons, and what persons decided. The service itself decides nothing."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi import Path as InPath
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from classification.credit.decisions import Act, CreditDecision, Outcome
from features.calendar import today
from features.errors import InputError
from features.tables.audit import open_audit
from features.tables.person import UnknownCustomerError
from serving.credit_desk import CreditDesk, Said
from serving.history_routes import LastSegment
from serving.schema import Body, Problem, Text, Units
from serving.service import Live, Service


class DecisionIn(Body):
    """What a person says of a customer's credit: a decision, that the customer contests one, or the review of that."""

    customer_id: Text
    act: Act = "decided"
    outcome: Outcome | None = Field(None, description="with `decided` and `reviewed`")
    limit: Annotated[Units, Field(ge=0)] | None = Field(None, description="minor currency units; with `limited` only")
    decision: Text | None = Field(None, description="the one that is contested or reviewed; by default the last")
    reason: Text
    by: Text = Field(description="the person who acts; nobody reviews their own decision")


class DecisionOut(BaseModel):
    """A decision as it stands. advice: what was advised on the day it was made; null: nothing was."""

    decision: str
    state: Act
    outcome: Outcome
    limit: int | None
    by: str
    reason: str
    on: date
    at: datetime
    decided_by: str
    advice: dict[str, Any] | None


class CreditAdvice(BaseModel):
    """What a model says about a customer's credit. Null where it cannot say: no invoices, or no model that answers."""

    as_of: date
    probability: float | None = Field(description="of arrears with a usual invoice")
    score: float | None = Field(description="points; more is better")
    grade: str | None
    percentile: float | None = Field(description="0 to 100 among the customers with invoices; 100 has the best score")
    limit: int | None = Field(description="reference limit, minor currency units")
    open: int | None = Field(description="what is open, minor currency units")
    reasons: list[str]
    advice: str
    model: str
    version: int


class CreditOut(BaseModel):
    """The advice about a customer (null: there is none), and every decision about it."""

    customer_id: str
    note: str = "Advice with reasons, made by a model; a person decides, and the customer may contest the decision."
    advice: CreditAdvice | None
    decisions: list[DecisionOut]


router = APIRouter()
by_customer = APIRouter(route_class=LastSegment)


@router.post(
    "/v1/decisions",
    response_model=DecisionOut,
    status_code=201,
    responses={409: {"model": Problem}},
    summary="Note what a person decided about a customer's credit",
)
def decide(body: DecisionIn, live: Live) -> JSONResponse:
    """The decision as it then stands, with what is advised today beside it. 404 for a customer nobody knows; 409 for
    an act that cannot follow, such as a review by the person who decided."""
    said = Said(body.act, body.reason, body.outcome, body.limit, body.decision)
    try:
        done = _desk(live, body.by).say(body.customer_id, said, today(live.scorer.live.snapshot.company.timezone))
    except UnknownCustomerError:
        raise HTTPException(404, "no customer of that id") from None
    except InputError as error:
        if not error.place.startswith("--"):
            raise  # not what was said, but where it is kept
        raise HTTPException(409, f"{error.place.removeprefix('--')}: {error.wanted}") from None
    return JSONResponse(_as_json(done).model_dump(mode="json"), 201)


@by_customer.get(
    "/v1/customers/{customer_id:path}/credit",
    response_model=CreditOut,
    summary="What is advised about a customer's credit, and what persons decided",
)
def credit(customer_id: Annotated[Text, InPath(description="the company's own id")], live: Live) -> JSONResponse:
    """The latest advice of `scoring arrears grade`, none about who objects to profiling; what persons decided all the
    same, so that it can be contested."""
    desk = _desk(live, "")
    try:
        advice, made = desk.advice(customer_id), desk.of(customer_id)
    except UnknownCustomerError:
        raise HTTPException(404, "no customer of that id") from None
    found = CreditOut(
        customer_id=customer_id,
        advice=CreditAdvice.model_validate(advice) if advice else None,
        decisions=[_as_json(each) for each in made],
    )
    return JSONResponse(found.model_dump(mode="json"))


def _desk(live: Service, by: str) -> CreditDesk:
    return CreditDesk(live.workspace, live.scorer.pseudonyms, open_audit(live.workspace.home, by or None))


def _as_json(decision: CreditDecision) -> DecisionOut:
    said = {name: getattr(decision, name) for name in DecisionOut.model_fields if name != "advice"}
    return DecisionOut(**said, advice=json.loads(decision.advice) if decision.advice else None)
