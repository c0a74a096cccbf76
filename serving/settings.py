"""configs/serving.yaml: how the service answers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field

from features.config import Config, load_config

SERVING = Path("configs/serving.yaml")
STORE = "CUSTOMER_SCORING_STORE"

Positive = Annotated[int, Field(gt=0)]


class Limits(Config):
    """What one request may ask for; each is refused with a problem document that names it."""

    body_bytes: Positive
    line_bytes: Positive
    body_seconds: Positive
    batch_customers: Positive
    requests_per_second: Annotated[int, Field(ge=0)]
    burst: Positive
    at_once: Positive


class ServingSettings(Config):
    """store: the address of a Redis, or empty for SQLite in the workspace."""

    store: str
    watch_seconds: Annotated[float, Field(gt=0)]
    limits: Limits


def load_serving() -> ServingSettings:
    """configs/serving.yaml, with the store that the environment names."""
    found = load_config(ServingSettings, SERVING, "the settings of the service")
    return found.model_copy(update={"store": os.environ.get(STORE) or found.store})
