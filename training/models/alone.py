"""BTYD alone: what the models of timing and spend expect, set right where labels are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from features.workspace import read_json, write_json
from training.explain import Contributions
from training.models import amount, silence
from training.models.amount import Of
from training.models.inputs import Examples
from training.models.linear import P_ACTIVE, Platt, fit_platt, inactive
from training.rhythm import Rhythm

Array = NDArray[np.float64]

RAW = Platt()
"""BTYD's own probability."""


@dataclass(frozen=True)
class BtydSilence:
    """P(no purchase in the horizon), Platt-scaled where labels are known."""

    rhythm: Rhythm
    platt: Platt = RAW

    def predict(self, rows: Array, horizon_days: int) -> Array:
        """Probabilities in (0, 1), shape (n,)."""
        return np.asarray(expit(self.platt.log_odds(inactive(self.rhythm.columns(rows, horizon_days)[:, 0]))))

    def explain(self, rows: Array, horizon_days: int) -> Contributions:
        """Of the log-odds of silence: all of it is BTYD's."""
        p = self.rhythm.columns(rows, horizon_days)[:, 0]
        score = self.platt.log_odds(inactive(p))
        values = (score - self.platt.intercept)[:, None]
        return Contributions((P_ACTIVE,), p[:, None], values, self.platt.intercept, score, silence.MOVES)

    def save(self, folder: Path) -> None:
        """model.json."""
        said = {"rhythm": self.rhythm.to_json(), "platt": vars(self.platt)}
        write_json(folder / "model.json", {"model": "btyd_silence", **said})

    @staticmethod
    def load(folder: Path) -> BtydSilence:
        """What `save` wrote."""
        found: dict[str, Any] = read_json(folder / "model.json")
        return BtydSilence(Rhythm.from_json(found["rhythm"]), Platt(**found["platt"]))


@dataclass(frozen=True)
class BtydAmount:
    """Spend or orders expected in the horizon, times `level`, which makes a known total right."""

    of: Of
    rhythm: Rhythm
    level: float = 1.0

    def predict(self, rows: Array, horizon_days: int) -> Array:
        """Minor units or days with a purchase, ≥ 0, shape (n,)."""
        return amount.btyd(self.rhythm, rows, horizon_days, self.of) * self.level

    def explain(self, rows: Array, horizon_days: int) -> Contributions:
        """Of the logarithm of the amount: all of it is BTYD's."""
        found = self.predict(rows, horizon_days)
        score = np.log(np.maximum(found, 1e-9))
        inputs = (found / self.level)[:, None]
        base = float(np.log(self.level))
        values = (score - base)[:, None]
        return Contributions((f"btyd_{self.of}",), inputs, values, base, score, amount.MOVES[self.of])

    def save(self, folder: Path) -> None:
        """model.json."""
        said = {"of": self.of, "rhythm": self.rhythm.to_json(), "level": self.level}
        write_json(folder / "model.json", {"model": "btyd_amount", **said})

    @staticmethod
    def load(folder: Path) -> BtydAmount:
        """What `save` wrote."""
        found: dict[str, Any] = read_json(folder / "model.json")
        return BtydAmount(found["of"], Rhythm.from_json(found["rhythm"]), found["level"])


def btyd_silence(examples: Sequence[Examples], rhythm: Rhythm, horizon_days: int) -> BtydSilence:
    """With the labels there are, which may be none."""
    if not examples:
        return BtydSilence(rhythm)
    p = np.concatenate([each.rhythm.columns(each.rows, horizon_days)[:, 0] for each in examples])
    return BtydSilence(rhythm, fit_platt(inactive(p), np.concatenate([each.label for each in examples])))


def btyd_amount(
    examples: Sequence[Examples], season: Examples | None, rhythm: Rhythm, horizon_days: int, of: Of
) -> BtydAmount:
    """At the level of its date (`training.models.level`), where there are examples.

    Raises ValueError where spend is asked for and no amount is known.
    """
    if of == "spend" and rhythm.spend is None:
        raise ValueError("no amounts to learn spend from")
    if not examples:
        return BtydAmount(of, rhythm)
    return BtydAmount(of, rhythm, amount.btyd_factor(examples, season, horizon_days, of))
