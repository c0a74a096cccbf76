"""How much: the settings of the ranking of accounts, configs/laundering-model.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from features.config import Config, load_config
from training.cases.settings import CaseSettings, load_case_settings

LAUNDERING_MODEL = Path("configs/laundering-model.yaml")

Budget = Annotated[float, Field(gt=0, le=1)]


class RankSettings(Config):
    """configs/laundering-model.yaml. budgets: shares of all accounts that are looked at; fewest_reported: accounts,
    below which nothing is learnt."""

    budgets: Annotated[tuple[Budget, ...], Field(min_length=1)]
    fewest_reported: Annotated[int, Field(ge=10)]


def load_rank_settings(path: Path = LAUNDERING_MODEL) -> tuple[RankSettings, CaseSettings]:
    """The settings of the ranking, and those of fitting."""
    return load_config(RankSettings, path, "the settings of the laundering model"), load_case_settings()
