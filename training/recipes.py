"""What is asked of the data: one recipe per question a customer manager would ask."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from features.catalogue import POSITION
from features.config import Config, load_config

Array = NDArray[np.float64]
TRAINING = Path("configs/training.yaml")


@dataclass(frozen=True)
class Recipe:
    """A question and how it is answered.

    predicts: what the prediction is, and so how it is judged (`training.metrics.METRICS`). asked: of whom: all
    customers, those who ever bought, those who bought lately (`Settings.fewest_returns`), or those of the lowest class
    of value. outputs: the names of its answers; the first is judged and ranked. answer, unit: what the first one is;
    the others are probabilities.
    """

    name: str
    question: str
    answer: str
    unit: str
    predicts: Literal["probability", "amount", "count", "segment"]
    asked: Literal["everyone", "bought", "active", "lowest class"]
    needs_amounts: bool = False
    more_outputs: tuple[str, ...] = ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of its answers."""
        return (self.name, *self.more_outputs)


CHURN = Recipe(
    "churn",
    question="Will a customer who has bought lately buy nothing in the horizon?",
    answer="Probability of buying nothing in the horizon",
    unit="probability",
    predicts="probability",
    asked="active",
)
VALUE = Recipe(
    "value",
    question="How much will a customer spend in the horizon, returns counted against?",
    answer="Spend expected in the horizon",
    unit="minor currency units",
    predicts="amount",
    asked="bought",
    needs_amounts=True,
)
DEMAND = Recipe(
    "demand",
    question="How many orders will a customer place in the horizon?",
    answer="Orders expected in the horizon",
    unit="orders",
    predicts="count",
    asked="bought",
)
INTENT = Recipe(
    "intent",
    question="When will a customer buy next: within a month (1), a quarter (2), half a year (3), or later if ever (4)?",
    answer="When it will buy next, as a number from 1 to 4",
    unit="number of the class",
    predicts="probability",
    asked="everyone",
    more_outputs=("intent_interested", "intent_hesitant", "intent_not_now", "intent_never"),
)
POTENTIAL = Recipe(
    "potential",
    question="Will a customer of the lowest class of value belong to a higher one two quarters later?",
    answer="Probability of rising from the lowest class of value",
    unit="probability",
    predicts="probability",
    asked="lowest class",
)
SEGMENTS = Recipe(
    "segments",
    question="Which customers are alike in how often, how lately, how regularly and how much they buy?",
    answer="Number of the segment",
    unit="number of the segment",
    predicts="segment",
    asked="bought",
)
RECIPES = (CHURN, VALUE, DEMAND, INTENT, POTENTIAL, SEGMENTS)
BY_NAME = {recipe.name: recipe for recipe in RECIPES}
OUTPUTS = tuple(output for recipe in RECIPES for output in recipe.outputs)
"""The names of all answers, in order."""


class Boosting(Config):
    """Settings of LightGBM, under its own names."""

    rounds: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    num_leaves: Annotated[int, Field(ge=2)]
    min_data_in_leaf: Annotated[int, Field(ge=1)]
    feature_fraction: Annotated[float, Field(gt=0, le=1)]
    lambda_l2: Annotated[float, Field(ge=0)]


class Settings(Config):
    """configs/training.yaml: what each number means stands there."""

    horizon_days: Annotated[int, Field(ge=1)]
    intent_days: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
    potential_days: Annotated[int, Field(ge=1)]
    fewest_returns: Annotated[float, Field(gt=0, lt=1)]
    step_days: Annotated[int, Field(ge=1)]
    snapshots: Annotated[int, Field(ge=1)]
    test_dates: Annotated[int, Field(ge=1)]
    history_days: Annotated[int, Field(ge=1)]
    fewest_customers: Annotated[int, Field(ge=1)]
    fewest_per_class: Annotated[int, Field(ge=1)]
    fewest_repeaters: Annotated[int, Field(ge=1)]
    seed: int
    boosting: Boosting

    def horizons(self, recipe: Recipe) -> tuple[int, ...]:
        """The days a recipe looks ahead, the judged one first; none for segments."""
        if recipe is SEGMENTS:
            return ()
        if recipe is INTENT:
            return self.intent_days
        return (self.potential_days if recipe is POTENTIAL else self.horizon_days,)

    @property
    def looks(self) -> tuple[tuple[int, ...], ...]:
        """The horizons of every recipe that has some, each once."""
        return tuple(dict.fromkeys(days for recipe in RECIPES if (days := self.horizons(recipe))))


def load_settings(path: Path = TRAINING) -> Settings:
    """The settings of all recipes."""
    return load_config(Settings, path, "the training settings")


def asked(recipe: Recipe, rows: Array, active_days: int | None) -> NDArray[np.bool_]:
    """Whom a recipe is asked of, shape (rows,), as far as features can tell: that `potential` is asked of the lowest
    class is for those to say who know the classes. active_days: None takes everybody who ever bought for active."""
    if recipe.asked == "everyone":
        return np.ones(len(rows), bool)
    return rows[:, POSITION["recency_days"]] <= longest_silence(recipe, active_days)  # null is not


def longest_silence(recipe: Recipe, active_days: int | None) -> float:
    """The days since the last purchase up to which a recipe is asked that is not asked of everyone."""
    return math.inf if recipe.asked != "active" or active_days is None else active_days
