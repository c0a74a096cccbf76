"""How much: the settings of arrears, configs/arrears.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from features.config import Config, FlawError, load_config

ARREARS = Path("configs/arrears.yaml")

Days = Annotated[int, Field(ge=0, le=3650)]


class ArrearsSettings(Config):
    """configs/arrears.yaml, where each number is explained."""

    late_days: Days
    last: Annotated[float, Field(gt=0, le=0.25)]
    ece: Annotated[float, Field(gt=0, lt=1)]
    loss_days: Annotated[int, Field(ge=1, le=3650)]
    horizons: Annotated[tuple[Annotated[int, Field(ge=1, le=3650)], ...], Field(min_length=1)]
    ageing: Annotated[tuple[Days, ...], Field(min_length=1)]
    sales_days: Annotated[int, Field(ge=1)]
    bands: Annotated[int, Field(ge=1, le=20)]
    fewest_per_band: Annotated[int, Field(ge=10)]
    longest_days: Annotated[int, Field(ge=1, le=3650)]
    billing_days: Annotated[int, Field(ge=1, le=3650)]
    cushion_days: Days
    advice: Annotated[dict[str, str], Field(min_length=1)]

    @field_validator("horizons", "ageing")
    @classmethod
    def _rising(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        if list(days) != sorted(set(days)):
            raise FlawError(f"{', '.join(map(str, days))}", "days that rise")
        return days

    @field_validator("ageing")
    @classmethod
    def _from_the_due_day(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        if days[0] != 0:
            raise FlawError(f"{days[0]} as the first bound", "0: what is not due yet is a bucket of its own")
        return days


def load_arrears(path: Path = ARREARS, late_days: int | None = None) -> ArrearsSettings:
    """The settings; late_days: instead of those of the file."""
    found = load_config(ArrearsSettings, path, "the settings of arrears")
    return found if late_days is None else found.model_copy(update={"late_days": late_days})
