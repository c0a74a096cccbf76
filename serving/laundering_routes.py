"""Money-laundering grades over HTTP, for the role `aml` alone: what `scoring laundering show` tells of a customer.

Every look is noted in the sealed log of the records, by the id of the key that asked, and nowhere else.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi import Path as InPath
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from classification.laundering import role
from classification.laundering.page import ground_said
from classification.laundering.reviews import OUTCOME
from classification.laundering.scheme import LaunderingScheme
from features.errors import InputError
from features.tables.person import UnknownCustomerError
from features.workspace import read_json
from serving.history_routes import LastSegment
from serving.laundering import Officer, Row, officer_of
from serving.roles import caller_of
from serving.schema import Text
from serving.service import Live, Service

NO_KEY = "the key of the role aml is not at this service"
NO_RECORDS = "the laundering records cannot be read at this service"


class LaunderingFactor(BaseModel):
    """A factor of the grade. value: null where it is not known; sub_score: 1 to the scheme's scale; points: its part of
    the total."""

    factor: str
    element: str
    title: str
    value: str | None
    sub_score: int
    weight: float
    points: float


class LaunderingAct(BaseModel):
    """What a person said: assess, confirm, diligence, or outcome (of an alert). grade: of an assessment; kind: of due
    diligence, or the outcome; alert: the one it is about."""

    act: str
    day: date
    grade: str | None
    kind: str | None
    alert: int | None
    by: str
    reason: str


class LaunderingAlert(BaseModel):
    """What was found in the customer's transfers. state: open, or what a person said of it; strength: by the measure of
    the typology; partners: how many."""

    alert: int
    typology: str
    stage: str | None
    strength: float | None
    first_day: date
    last_day: date
    transfers: int | None
    amount: int | None = Field(description="minor currency units")
    partners: int | None
    state: str


class LaunderingOut(BaseModel):
    """A customer's grade with what it follows from. ground: the rule that decided; system_grade, system_ground: what
    the system says, where a person decided otherwise."""

    customer_id: str
    as_of: date = Field(description="of the register; what persons said since counts")
    scheme: str
    grade: str
    name: str
    ground: str
    since: date
    score: float = Field(description="the total, above 0 up to 100")
    system_grade: str
    system_ground: str
    due_diligence: str = Field(description="what the grade asks")
    diligence_done: str | None
    diligence_on: date | None
    diligence_lacks: bool
    graded_on: date
    reviewed: date | None
    review_due: date
    overdue: bool
    waits: bool = Field(description="an assessment waits for a second person")
    factors: list[LaunderingFactor]
    acts: list[LaunderingAct]
    alerts: list[LaunderingAlert]


router = APIRouter(route_class=LastSegment)


@router.get(
    "/v1/customers/{customer_id:path}/laundering",
    response_model=LaunderingOut,
    summary="For the role aml: a customer's money-laundering grade and its evidence",
)
def laundering(
    customer_id: Annotated[Text, InPath(description="the company's own id")], request: Request, live: Live
) -> JSONResponse:
    """Grade, the rule it follows from, every factor, what persons decided, alerts; also of who objects to profiling,
    for the grading is a legal duty. 404 for who is not in the register; 503 where this service lacks the role's key."""
    officer = _officer(live, f"key {caller_of(request.scope).key}")
    try:
        row, scheme, acts, alerts = officer.show(customer_id)
    except UnknownCustomerError:
        raise HTTPException(404, "no customer of that id in the register") from None
    except InputError:
        raise HTTPException(503, NO_RECORDS) from None
    found = laundering_out(customer_id, row, scheme, acts, alerts)
    return JSONResponse(found.model_dump(mode="json"))


def laundering_out(
    customer_id: str, row: Row, scheme: LaunderingScheme, acts: list[Row], alerts: list[Row]
) -> LaunderingOut:
    """What `Officer.show` gives, as it is answered."""
    factors = [
        LaunderingFactor(
            factor=name,
            element=each.element,
            title=each.title,
            value=row[f"value_{name}"],
            sub_score=row[f"sub_{name}"],
            weight=each.weight,
            points=row[f"sub_{name}"] * each.weight / scheme.scale,
        )
        for name, each in scheme.factors.items()
    ]
    said = {name: row[name] for name in LaunderingOut.model_fields if name in row} | {
        "customer_id": customer_id,
        "scheme": scheme.version,
        "name": scheme.names[row["grade"]],
        "ground": ground_said(scheme, row["ground"]),
        "system_ground": ground_said(scheme, row["system_ground"]),
        "acts": [_act(each) for each in acts],
        "alerts": [LaunderingAlert.model_validate(each | {"alert": each["alert_id"]}) for each in alerts],
    }
    return LaunderingOut(**said, factors=factors)


def _act(act: dict[str, Any]) -> LaunderingAct:
    return LaunderingAct.model_validate(act | {"alert": act["refers"] if act["act"] == OUTCOME else None})


def _officer(live: Service, by: str) -> Officer:
    """The officer's desk; HTTPException 503 where it cannot be opened, whoever is asked for. No key is ever made."""
    if not role.is_here():
        raise HTTPException(503, NO_KEY)
    workspace = live.workspace
    if not workspace.laundering.exists():
        raise HTTPException(503, NO_RECORDS)
    try:
        report = read_json(workspace.tables / "report.json")
        return officer_of(workspace, live.scorer.pseudonyms, report, live.scorer.live.release.about["title"], by)
    except InputError:
        raise HTTPException(503, NO_RECORDS) from None
