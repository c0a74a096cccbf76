"""BentoML around our scorer, in an environment of its own (bentoml.lock): it needs another OpenTelemetry and certifi.

Its log of requests is off, as ours is; the method is async, which spares it a thread per request.
"""

from __future__ import annotations

from typing import Any

import bentoml

from benchmarks.peers.serving_scorer import open_scorer


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Scorer:
    """One process, one scorer."""

    def __init__(self) -> None:
        self.answer = open_scorer()

    @bentoml.api
    async def score(self, customer_id: str) -> dict[str, Any]:
        """A stored customer."""
        return self.answer(customer_id)
