"""LitServe around our scorer, in an environment of its own (litserve.lock): a process takes requests, another answers.

Its log of requests is off, as ours is.
"""

from __future__ import annotations

import sys
from typing import Any

import litserve

from benchmarks.peers.serving_scorer import open_scorer


class Scorer(litserve.LitAPI):  # type: ignore[misc]
    """One worker, one scorer."""

    def setup(self, device: str) -> None:
        """Open it, in the process that answers."""
        self.answer = open_scorer()

    def decode_request(self, request: dict[str, str], **kwargs: Any) -> str:
        """The customer."""
        return request["customer_id"]

    def predict(self, x: str, **kwargs: Any) -> dict[str, Any]:
        """A stored customer."""
        return self.answer(x)


if __name__ == "__main__":
    server = litserve.LitServer(Scorer(), accelerator="cpu", workers_per_device=1)
    server.run(
        "127.0.0.1", int(sys.argv[1]), num_api_servers=1, log_level="warning", generate_client_file=False,
        access_log=False,
    )  # fmt: skip
