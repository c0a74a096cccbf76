"""From a recipe to the model of its highest rung."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from training.models.inputs import Examples, Model
from training.models.ladder import Lesson, Question, fit_rung, load_model
from training.recipes import CHURN, VALUE, Boosting, Recipe
from training.rhythm import Rhythm

__all__ = ["LOADERS", "Examples", "Model", "fit"]

LOADERS: dict[str, Callable[[Path], Model]] = {CHURN.name: load_model, VALUE.name: load_model}


def fit(
    recipe: Recipe,
    examples: Sequence[Examples],
    season: Examples | None,
    rhythm: Rhythm,
    horizon_days: int,
    boosting: Boosting,
    seed: int,
) -> Model:
    """Fit a recipe's model on the examples of its training dates.

    season: the examples of one year before the date the model is for, if there are any; rhythm: fitted at that date.
    """
    question: Question = "silence" if recipe is CHURN else "spend"
    return fit_rung("lightgbm", question, Lesson(examples, season, rhythm, horizon_days), boosting, seed)
