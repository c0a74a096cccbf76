"""What answers over HTTP come from, and to whom none are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from classification.decisions import Override
from features.calendar import today
from features.workspace import Workspace
from serving.current import current
from serving.plays import Plays
from serving.scorer import Scorer
from serving.store import Store


@dataclass(frozen=True)
class Service:
    """One scorer, the records of the same snapshot, the workspace whose months are the history, and the plays for the
    classes (None: no playbook in use is for the scheme)."""

    scorer: Scorer
    store: Store
    workspace: Workspace
    plays: Plays | None = None

    def consents(self, customer_id: str) -> dict[str, bool]:
        """What an answer says of consents; whoever objects to profiling gets none: HTTPException 403."""
        no_profiling, no_marketing = self.store.consents(self.scorer.pseudonyms.of(customer_id))
        if no_profiling:
            raise HTTPException(403, "this customer has objected to profiling")
        return {"no_marketing": no_marketing}

    def record(self, customer_id: str) -> dict[str, Any]:
        """The customer as the last grading left it; HTTPException 404 for nobody."""
        found = self.store.get(self.scorer.pseudonyms.of(customer_id))
        if found is None:
            raise HTTPException(404, "no graded customer of that id")
        return found

    def overrides(self, customer_id: str) -> list[Override]:
        """What persons decided about the customer, as far as it holds today."""
        live = self.scorer.live
        day = today(live.snapshot.company.timezone)
        found = self.store.overrides(self.scorer.pseudonyms.of(customer_id))
        return [each for each in found if each.holds(day, live.scheme)]

    def answer(self, customer_id: str, record: dict[str, Any], consents: dict[str, bool]) -> dict[str, Any]:
        """A record of the customer with what persons decided about it, and what to do for its classes.

        The play is added to what is answered, and never stored: the playbook may change between two gradings.
        """
        found = current(self.scorer.live, record, self.overrides(customer_id)) | {"customer_id": customer_id} | consents
        play = self.plays.of(found["classes"], found["no_marketing"]) if self.plays else None
        return found | {"play": play}


def _service(request: Request) -> Service:
    service: Service | None = request.app.state.service
    if service is None:
        raise HTTPException(503, "starting")
    return service


Live = Annotated[Service, Depends(_service)]
