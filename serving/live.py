"""What every answer of the service comes from, as routes ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from serving.plays import Plays
from serving.scorer import Scorer
from serving.store import Store


@dataclass(frozen=True)
class Service:
    """One scorer, the records of the same snapshot, and the plays for its classes."""

    scorer: Scorer
    store: Store
    plays: Plays | None = None


def _service(request: Request) -> Service:
    service: Service | None = request.app.state.service
    if service is None:
        raise HTTPException(503, "starting")
    return service


Live = Annotated[Service, Depends(_service)]
