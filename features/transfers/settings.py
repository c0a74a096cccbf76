"""How much: the settings of the typologies, configs/typologies.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from features.config import Config, load_config

TYPOLOGIES = Path("configs/typologies.yaml")

Stage = Literal["placement", "layering", "integration"]
"""What the money is at: put in, moved away from where it came from, or used as if it were clean."""

Days = Annotated[int, Field(ge=1, le=3_650)]
Share = Annotated[float, Field(gt=0, le=1)]
Branch = Annotated[int, Field(ge=1)]


class Typology(Config):
    """What every typology has. days: its window; at_least: the strength in one window that makes a finding."""

    stage: Stage
    days: Days
    at_least: Annotated[float, Field(gt=0)]


class Fan(Typology):
    """fresh_days: a pair without a transfer for so long is new; alike: factor of the steps of similar amounts."""

    fresh_days: Days
    alike: Annotated[float, Field(ge=1.25)]


class Cycle(Typology):
    """longest: transfers of a cycle; alike: the least ratio of its amounts; branch, steps: what bounds the search."""

    longest: Annotated[int, Field(ge=3, le=6)]
    alike: Share
    branch: Branch
    steps: Annotated[int, Field(ge=1)]


class RoundTrip(Typology):
    """alike: the least ratio of what went and what came back; branch: returns looked at for each transfer."""

    alike: Share
    branch: Branch


class PassThrough(Typology):
    """share: of what came in, the least that goes on, in one transfer; branch: transfers looked at for each."""

    within_days: Days
    share: Share
    branch: Branch


class Structuring(Typology):
    """pieces_days: deposits below the threshold that reach it together within so many days are pieces."""

    pieces_days: Days


class RapidMovement(Typology):
    """share: of what came in, the least that goes on, in any number of transfers; branch: how many are looked at."""

    within_hours: Annotated[int, Field(ge=1, le=240)]
    share: Share
    branch: Branch


class Dormant(Typology):
    """silence_days: without any transfer, before the first."""

    silence_days: Days


class Typologies(Config):
    """One field for each typology, in the order in which findings list them."""

    fan_in: Fan
    fan_out: Fan
    cycle: Cycle
    round_trip: RoundTrip
    pass_through: PassThrough
    structuring: Structuring
    rapid_movement: RapidMovement
    dormant_then_active: Dormant


class TypologySettings(Config):
    """configs/typologies.yaml. cash: channels, in small letters; size_cap: see `features.transfers.typologies`."""

    lookback_days: Days
    cash: tuple[str, ...]
    size_cap: Annotated[int, Field(ge=1)]
    typologies: Typologies


NAMES = tuple(Typologies.model_fields)
"""The typologies."""


def load_typologies(path: Path = TYPOLOGIES) -> TypologySettings:
    """The settings of the typologies."""
    return load_config(TypologySettings, path, "the settings of the typologies")
