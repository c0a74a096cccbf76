"""What is asked of the data: one recipe per question a customer manager would ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from features.catalogue import POSITION
from features.config import Config, load_config
from training import labels

Array = NDArray[np.float64]
TRAINING = Path("configs/training.yaml")


@dataclass(frozen=True)
class Recipe:
    """A question, the label that answers it, and the fewest examples with which the answer is worth giving.

    predicts: what the prediction is, and so how it is judged (`training.metrics.METRICS`). column, label: the label
    feature and what makes the label of it (None: there is no right answer to learn from).
    """

    name: str
    question: str
    predicts: Literal["probability", "amount", "segment"]
    column: str | None = None
    label: Callable[[Array], Array] | None = None
    needs_amounts: bool = False


CHURN = Recipe(
    name="churn",
    question="Will a customer who has bought lately buy nothing in the horizon?",
    predicts="probability",
    column="orders_next",
    label=labels.churn,
)
VALUE = Recipe(
    name="value",
    question="How much will a customer spend in the horizon, returns counted against?",
    predicts="amount",
    column="spend_next",
    label=labels.value,
    needs_amounts=True,
)
SEGMENTS = Recipe(
    name="segments",
    question="Which customers are alike in how often, how lately, how regularly and how much they buy?",
    predicts="segment",
    needs_amounts=True,
)
RECIPES = (CHURN, VALUE, SEGMENTS)


class Boosting(Config):
    """Settings of LightGBM, under its own names."""

    rounds: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    num_leaves: Annotated[int, Field(ge=2)]
    min_data_in_leaf: Annotated[int, Field(ge=1)]
    feature_fraction: Annotated[float, Field(gt=0, le=1)]
    lambda_l2: Annotated[float, Field(ge=0)]


class Settings(Config):
    """configs/training.yaml."""

    horizon_days: Annotated[int, Field(ge=1)]
    active_days: Annotated[int, Field(ge=1)]
    snapshots: Annotated[int, Field(ge=1)]
    history_days: Annotated[int, Field(ge=1)]
    fewest_customers: Annotated[int, Field(ge=1)]
    fewest_per_class: Annotated[int, Field(ge=1)]
    segments: Annotated[int, Field(ge=2, le=9)]
    seed: int
    boosting: Boosting


def load_settings(path: Path = TRAINING) -> Settings:
    """The settings of all recipes."""
    return load_config(Settings, path, "the training settings")


def eligible(rows: Array, active_days: int) -> NDArray[np.bool_]:
    """Whom churn and value are asked of: customers who bought within `active_days` before as_of; shape (rows,)."""
    recency = rows[:, POSITION["recency_days"]]
    return np.nan_to_num(recency, nan=np.inf) <= active_days
