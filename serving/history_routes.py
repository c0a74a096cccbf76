"""What became of a customer month by month, and why, over HTTP.

An id may have slashes. Whether `…/history` is a question about `…`, or a customer who is called so, is told by the
address as it was sent: a slash that belongs to an id, before `history`, `why`, `credit` or `laundering` at its end, is
written %2F.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as InPath
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.routing import Match
from starlette.types import Scope

from classification.history import Change, PastMonth, ScoreReason, history, score_reasons
from classification.months import months
from serving.records import override_record
from serving.schema import OverrideOut, Text
from serving.service import Live


class LastSegment(APIRoute):
    """A route whose last segment stands in the address as it was sent, before anything in it is decoded."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this route answers."""
        last = self.path.rpartition("/")[2]
        if not scope["raw_path"].endswith(f"/{last}".encode()):
            return Match.NONE, {}
        return super().matches(scope)


class CustomerHistory(BaseModel):
    """A customer through the months that know it, in order; empty before the first monthly run."""

    customer_id: str
    months: list[PastMonth]


class CustomerWhy(BaseModel):
    """What the last month that was graded changed, the features that move its scores most, and what persons decided.

    month: null before the first monthly run, and for a customer whom it does not know.
    """

    customer_id: str
    month: str | None
    changes: list[Change]
    reasons: list[ScoreReason]
    overrides: list[OverrideOut]


router = APIRouter(route_class=LastSegment)
CustomerId = Annotated[Text, InPath(description="the company's own id")]


@router.get(
    "/v1/customers/{customer_id:path}/history",
    response_model=CustomerHistory,
    summary="A customer's classes in every month that was graded, and what changed",
)
def customer_history(customer_id: CustomerId, live: Live) -> CustomerHistory:
    """Classes, code, release and scheme of each month, its changes with the share of each cause."""
    customer = live.graded(customer_id).customer
    return CustomerHistory(customer_id=customer_id, months=history(live.workspace, customer))


@router.get(
    "/v1/customers/{customer_id:path}/why",
    response_model=CustomerWhy,
    summary="Why a customer's classes and scores are what they are",
)
def customer_why(customer_id: CustomerId, live: Live) -> CustomerWhy:
    """What changed in the last month that was graded, the reasons of its scores, and what persons decided."""
    state, known = live.graded(customer_id), months(live.workspace)
    customer = state.customer
    last = history(live.workspace, customer, [month.name for month in known[-1:]])
    return CustomerWhy(
        customer_id=customer_id,
        month=last[0].month if last else None,
        changes=last[0].changes if last else [],
        reasons=score_reasons(known[-1].folder, customer) if last else [],
        overrides=[OverrideOut.model_validate(override_record(each)) for each in live.overrides(state)],
    )
