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
from features.calendar import today
from features.tables.vault import open_vault
from features.texts import Texts
from features.workspace import Workspace, finite
from serving.plays import Plays
from serving.reasons import reasons_of
from serving.records import Answer, Said, override_record, to_json
from serving.scorer import Scorer
from serving.store.state import State, Store
from training.drift.reference import Reference

BODY = b'{"customer_id":%b,%b,%b,"overrides":%b,"no_marketing":%b,"play":%b}'
NULL, TRUE, FALSE, NOTHING = map(to_json, (None, True, False, []))


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
        if not state.overrides:
            return []
        live, day = self.scorer.live, today(self.timezone)
        return [each for each in state.overrides if each.holds(day, live.scheme)]

    def last(self, customer_id: str) -> dict[str, Any]:
        """The customer as the last grading left it, with what persons decided since, and the play for it."""
        state = self.graded(customer_id)
        record = self.store.record(state.customer)
        if record is None:
            raise HTTPException(404, "no graded customer of that id")
        answer = self._told(customer_id, self.scorer.records.read(record), state)
        told: dict[str, Any] = msgspec.json.decode(answer.body)
        return told

    def answer(
        self,
        customer_id: str,
        state: State,
        row: NDArray[np.float64],
        texts: Mapping[str, str | None],
        as_of: date,
        reasons: int = 0,
        held: bool = False,
    ) -> Answer:
        """A feature row (features,) and texts of a customer, scored and classified; held: with the classes that the
        grading held while the facts still say what they said then."""
        said = self.scorer.records.of(self.scorer.live.grade_one(row, texts), as_of)
        told = self._told(customer_id, said, state, held)
        if reasons:
            found = reasons_of(self.scorer.live.release, row, finite(dict(said.scores)), reasons)
            return told.also("reasons", found)
        return told

    def answer_many(self, states: Mapping[str, State]) -> Iterator[Answer]:
        """The same of customers (company's own id → state with a row) as the snapshot has them, graded together."""
        known = list(states.values())
        rows = np.concatenate([state.row for state in known if state.row is not None]).reshape(len(known), -1)
        texts = {name: Texts.of([state.texts.get(name) for state in known]) for name in self.scorer.live.scheme.texts}
        live = self.scorer.live
        every = self.scorer.records.of_many(live.grade(rows, texts), live.snapshot.as_of)
        for (customer_id, state), said in zip(states.items(), every, strict=True):
            yield self._told(customer_id, said, state, held=True)

    def _told(self, customer_id: str, said: Said, state: State, held: bool = False) -> Answer:
        """What is said of a customer, with what holds of it now. The play is never stored: the playbook may change
        between two gradings."""
        records, overrides = self.scorer.records, self.overrides(state)
        if held and state.held:
            said = records.settled(said, state.held)
        said = records.current(said, overrides)
        classed = said.classed
        play = self.plays.of(classed.codes, state.no_marketing) if self.plays else NULL
        objects = TRUE if state.no_marketing else FALSE
        decided = to_json([override_record(each) for each in overrides]) if overrides else NOTHING
        pieces = to_json(customer_id), said.told, classed.told, decided, objects, play
        return Answer(BODY % pieces, said.scores, classed.codes, self.scorer.live.snapshot.id)


def service_of(request: Request) -> Service:
    """What is live when a request begins; it answers from that alone. HTTPException 503 before there is any."""
    service: Service | None = request.app.state.service
    if service is None:
        raise HTTPException(503, "starting")
    return service


async def _service(request: Request) -> Service:
    return service_of(request)


Live = Annotated[Service, Depends(_service)]
