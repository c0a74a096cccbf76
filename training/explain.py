"""Why a customer's score is what it is: every feature's share in it, and the largest of them in plain sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.catalogue import CATALOGUE
from training.models.ratios import DOCS as RATIO_DOCS
from training.recipes import RECIPES
from training.rhythm import DOCS as RHYTHM_DOCS
from training.rhythm import UNITS as RHYTHM_UNITS

Array = NDArray[np.float64]

CELL = "rfm_cell"
DOCS = {
    **{feature.name: feature.doc for feature in CATALOGUE},
    **RATIO_DOCS,
    **RHYTHM_DOCS,
    CELL: "Recency, orders and spend taken together.",
    **{recipe.name: recipe.answer for recipe in RECIPES},
}
"""Every input of a model and what it is, ratios and the BTYD models' outputs too; and every score."""
UNITS = {each.name: each.unit for each in (*CATALOGUE, *RECIPES)} | RHYTHM_UNITS
"""Those that have one."""
PLAIN = ("1", "nats", "probability", "number of the class", "number of the segment")
"""Units that are not told with the number."""
AMOUNT = "minor currency units"


@dataclass(frozen=True)
class Contributions:
    """A model's own additive score per customer, shared out: `base + values.sum(axis=1)` is `score` to 1e-9.

    names (k,): the inputs; inputs (n, k): their values, NaN for null; values (n, k): what each adds to the score;
    score (n,): log-odds of a probability, the logarithm of an amount. The prediction is an increasing function of it,
    the same for all customers. moves: what a positive contribution raises, in words.
    """

    names: tuple[str, ...]
    inputs: Array
    values: Array
    base: float
    score: Array
    moves: str

    def of(self, row: int, k: int) -> list[tuple[str, float, float]]:
        """(input, its value, its contribution) of the `k` that move one customer's score most; zeros are none."""
        found = self.values[row]
        order = np.argsort(-np.abs(found), kind="stable")[:k]
        return [(self.names[i], float(self.inputs[row, i]), float(found[i])) for i in order if found[i]]

    def turned(self, moves: str) -> Contributions:
        """Of the opposite: what speaks for silence speaks against a purchase."""
        return Contributions(self.names, self.inputs, -self.values, -self.base, -self.score, moves)


class Explained(Protocol):
    """A model that can say why."""

    def explain(self, rows: Array, horizon_days: int) -> Contributions:
        """What each input adds to the score of each row."""
        ...


Reason = tuple[str, float, float]
"""An input's name, its value (NaN for null), and what it adds to the score."""


def top_reasons(model: Explained, rows: Array, horizon_days: int, k: int = 3) -> list[list[Reason]]:
    """The `k` inputs that move each row's score most, largest first; rows (n, features) → n lists."""
    found = model.explain(rows, horizon_days)
    return [found.of(row, k) for row in range(len(rows))]


def importance(found: Contributions) -> list[tuple[str, float]]:
    """Mean absolute contribution of every input over all rows, largest first; inputs that never count are left out."""
    mean = np.abs(found.values).mean(axis=0)
    return [(found.names[i], float(mean[i])) for i in np.argsort(-mean, kind="stable") if mean[i] > 0]


def sentence(reason: Reason, moves: str, decimals: int = 2) -> str:
    """A reason in plain words: `Days since the last purchase: 212 days, raises the probability to leave`.

    decimals: of the currency; amounts are told in major units.
    """
    name, value, contribution = reason
    verb = "raises" if contribution > 0 else "lowers"
    said = _said(value, UNITS.get(name, "1"), decimals)
    return f"{_short(DOCS[name])}: {said}, {verb} {moves}"


def said_of(name: str, values: Array, decimals: int = 2) -> pa.Array:
    """Numbers of one input as a sentence says them, `212 days`; values (n,). name: an input of a model, or any other
    number, which has no unit."""
    distinct, place = np.unique(values, return_inverse=True)
    unit = UNITS.get(name, "1")
    return pa.array([_said(float(value), unit, decimals) for value in distinct], pa.string()).take(pa.array(place))


def short_doc(name: str) -> str:
    """What an input is, in short; its name in words where it has no doc."""
    return _short(DOCS.get(name, name.replace("_", " ")))


def sentences(reasons: Sequence[Reason], moves: str) -> list[str]:
    """A sentence per reason."""
    return [sentence(reason, moves) for reason in reasons]


def _short(doc: str) -> str:
    """The doc without how it is reckoned, what it says of null, and papers."""
    return re.split(r"[;:]| \(", doc)[0].rstrip(".")


def _said(value: float, unit: str, decimals: int) -> str:
    if not np.isfinite(value):
        return "not known"
    if unit == AMOUNT:
        return f"{value / 10**decimals:,.{decimals}f}"
    number = f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 100 else f"{value:,.3g}"
    return number if unit in PLAIN else f"{number} {unit}"
