"""The rungs of the ladder: with too little data from LightGBM down to BTYD, to RFM cells, and to rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.workspace import read_json
from training.models.alone import BtydAmount, BtydSilence, btyd_amount, btyd_silence
from training.models.amount import AmountModel, fit_amount
from training.models.cells import CellsModel, fit_cells
from training.models.event import EventModel, fit_event
from training.models.inputs import Examples
from training.models.seen import Supervised
from training.models.silence import SilenceModel, fit_silence
from training.recipes import Boosting
from training.rhythm import Rhythm

Array = NDArray[np.float64]

Question = Literal["silence", "spend", "orders", "event"]
"""What a model is asked: P(no purchase), spend, orders, or P(something else)."""
Rung = Literal["lightgbm", "btyd", "rfm", "rules", "k-means"]

RUNGS: dict[Question, tuple[Rung, ...]] = {
    "silence": ("lightgbm", "btyd", "rfm", "rules"),
    "spend": ("lightgbm", "btyd", "rfm", "rules"),
    "orders": ("lightgbm", "btyd", "rfm", "rules"),
    "event": ("lightgbm", "rfm", "rules"),
}
"""From the highest down; `rules` has no model and nothing to write."""


@dataclass(frozen=True)
class Lesson:
    """What a model learns from, for a date.

    examples: the training dates, in order (none: only BTYD can be fitted); season: the one of a year before the date,
    if it is among them; rhythm: fitted at the date; base (m, features): who is asked then, for the level.
    """

    examples: Sequence[Examples]
    season: Examples | None
    rhythm: Rhythm
    horizon_days: int
    base: Array | None = None


def fit_rung(rung: Rung, question: Question, lesson: Lesson, boosting: Boosting, seed: int) -> Supervised:
    """Fit the model of one rung; raises ValueError where the lesson is too short for it."""
    examples, season, rhythm, horizon = lesson.examples, lesson.season, lesson.rhythm, lesson.horizon_days
    if rung not in RUNGS[question] or rung == "rules":
        raise ValueError(f"{question} has no model on the rung {rung}")
    if rung != "btyd" and not examples:
        raise ValueError(f"no examples to fit {rung} to")
    if rung == "rfm":
        return fit_cells(examples, "amount" if question in ("spend", "orders") else "probability")
    if question == "event":
        return fit_event(examples, rhythm, horizon, boosting, seed)
    if question == "silence":
        if rung == "btyd":
            return btyd_silence(examples, rhythm, horizon)
        return fit_silence(examples, season, rhythm, horizon, boosting, seed, lesson.base)
    if rung == "btyd":
        return btyd_amount(examples, season, rhythm, horizon, question)
    return fit_amount(examples, season, rhythm, horizon, boosting, seed, question, lesson.base)


LOADERS: dict[str, Callable[[Path], Supervised]] = {
    "silence": SilenceModel.load,
    "amount": AmountModel.load,
    "event": EventModel.load,
    "cells": CellsModel.load,
    "btyd_silence": BtydSilence.load,
    "btyd_amount": BtydAmount.load,
}


def load_model(folder: Path) -> Supervised:
    """Whichever model was saved there."""
    return LOADERS[read_json(folder / "model.json")["model"]](folder)
