"""What the features must know about a company beside its events: its clock, and what it holds for suspicious."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from features.calendar import zones
from features.config import Config


def _known_zone(name: str) -> str:
    if name not in zones():
        raise ValueError("a time zone of the IANA database, such as Europe/London")
    return name


Zone = Annotated[str, AfterValidator(_known_zone)]
Hour = Annotated[int, Field(ge=0, le=23)]


class Company(Config):
    """Amounts are minor currency units; what a company does not say leaves the features that need it null.

    night: its first hour and the hour after its last; just_below: the amounts from the first up to, but without, the
    second, where people stay who avoid a report; round_to: amounts that are multiples of it are round.
    """

    timezone: Zone = "UTC"
    night: tuple[Hour, Hour] = (22, 6)
    just_below: tuple[int, int] | None = None
    round_to: Annotated[int, Field(ge=1)] | None = None
    high_risk_countries: tuple[str, ...] = ()

    @staticmethod
    def from_json(said: dict[str, Any]) -> Company:
        """What `model_dump` wrote into a JSON file."""
        return Company.model_validate_json(json.dumps(said))
