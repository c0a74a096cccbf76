"""What answers over HTTP come from, and to whom none are given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Annotated, Any

import msgspec
import numpy as np
from fastapi import Depends, Request
from numpy.typing import NDArray
from starlette.exceptions import HTTPException

from classification.decisions import Override
from classification.grade import One
from features.calendar import today
from features.tables.vault import open_vault
from features.texts import Texts
from features.workspace import Workspace
from serving.plays import Plays
from serving.reasons import reasons_of
from serving.scorer import Scorer
from serving.store.state import State, Store
from training.drift.reference import Reference


@dataclass(frozen=True)
class Service:
    """The live set: one scorer, the states of the same snapshot, the workspace whose months are the history, and the
    plays for the classes (None: no playbook in use is for the scheme); and the scores of the grading, counted."""

    scorer: Scorer
    store: Store
    workspace: Workspace
    plays: Plays | None = None
    graded_scores: Reference | None = None

    @property
    def timezone(self) -> str:
        """The company's."""
        return self.scorer.live.snapshot.company.timezone

    @cached_property
    def vault_key(self) -> bytes:
        """What seals the company's own ids in events that arrive."""
        return open_vault(self.workspace.tables, self.scorer.pseudonyms).key

    def state(self, customer_id: str) -> State:
        """What the store knows of a customer; whoever objects to profiling gets no answer: HTTPException 403."""
        found = self.store.find(self.scorer.pseudonyms.of(customer_id))
        if found.no_profiling:
            raise HTTPException(403, "this customer has objected to profiling")
        return found

    def graded(self, customer_id: str) -> State:
        """The same of a customer whom the last grading knows; HTTPException 404 for nobody."""
        found = self.state(customer_id)
        if found.row is None:
            raise HTTPException(404, "no graded customer of that id")
        return found

    def overrides(self, state: State) -> list[Override]:
        """What persons decided about the customer, as far as it holds today."""
        live, day = self.scorer.live, today(self.timezone)
        return [each for each in state.overrides if each.holds(day, live.scheme)]

    def last(self, customer_id: str) -> dict[str, Any]:
        """The customer as the last grading left it, with what persons decided since, and the play for it."""
        state = self.graded(customer_id)
        return self._with_play(customer_id, msgspec.json.decode(self.store.record(state.customer) or b"{}"), state)

    def answer(
        self,
        customer_id: str,
        state: State,
        row: NDArray[np.float64],
        texts: Mapping[str, str | None],
        as_of: date,
        reasons: int = 0,
        held: bool = False,
    ) -> dict[str, Any]:
        """A feature row (features,) and texts of a customer, scored and classified; held: with the classes that the
        grading held while the facts still say what they said then."""
        told = self._told(customer_id, state, self.scorer.live.grade_one(row, texts), as_of, held)
        if reasons:
            scores = {name: each["value"] for name, each in told["scores"].items()}
            told["reasons"] = reasons_of(self.scorer.live.release, row, scores, reasons)
        return told

    def answer_many(self, states: Mapping[str, State]) -> Iterator[dict[str, Any]]:
        """The same of customers (company's own id → state with a row) as the snapshot has them, graded together."""
        known = list(states.values())
        names = sorted({name for state in known for name in state.texts})
        rows = np.stack([state.row for state in known if state.row is not None])
        texts = {name: Texts.of([state.texts.get(name) for state in known]) for name in names}
        graded, as_of = self.scorer.live.grade(rows, texts).each(), self.scorer.live.snapshot.as_of
        for (customer_id, state), one in zip(states.items(), graded, strict=True):
            yield self._told(customer_id, state, one, as_of, held=True)

    def _told(self, customer_id: str, state: State, one: One, as_of: date, held: bool) -> dict[str, Any]:
        found = self.scorer.records.of(one, as_of)
        if held:
            found = self.scorer.records.settled(found, state.held)
        return self._with_play(customer_id, found, state)

    def _with_play(self, customer_id: str, record: dict[str, Any], state: State) -> dict[str, Any]:
        """The play is added to what is answered, and never stored: the playbook may change between two gradings."""
        found = self.scorer.records.current(record, self.overrides(state))
        found |= {"customer_id": customer_id, "no_marketing": state.no_marketing}
        play = self.plays.of(found["classes"], state.no_marketing) if self.plays else None
        return found | {"play": play}


def service_of(request: Request) -> Service:
    """What is live when a request begins; it answers from that alone. HTTPException 503 before there is any."""
    service: Service | None = request.app.state.service
    if service is None:
        raise HTTPException(503, "starting")
    return service


async def _service(request: Request) -> Service:
    return service_of(request)


Live = Annotated[Service, Depends(_service)]
