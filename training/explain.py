"""Why a customer's score is what it is: every feature's share in it, and the largest of them in plain sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numba as nb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
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

    def turned(self, moves: str) -> Contributions:
        """Of the opposite: what speaks for silence speaks against a purchase."""
        return Contributions(self.names, self.inputs, -self.values, -self.base, -self.score, moves)


def sentences_of(
    names: Sequence[str], which: NDArray[np.intp], values: Array, contributions: Array, moves: str, decimals: int = 2
) -> pa.Array:
    """Reasons in plain words: `Days since the last purchase: 212 days, raises the probability to leave`.

    which (n,): the place of each one's input among `names`; values (n,), NaN for null; contributions (n,). decimals: of
    the currency; amounts are told in major units.
    """
    order = np.argsort(which, kind="stable")
    place, begin = np.unique(which[order], return_index=True)
    parts = zip(place, np.split(order, begin[1:]), strict=True) if len(order) else ()
    told = [said_of(names[i], values[mine], decimals) for i, mine in parts]
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    said = pa.concat_arrays([pa.array([], pa.string()), *told]).take(pa.array(back))
    heads = pa.array([f"{short_doc(name)}: " for name in names]).take(pa.array(which))
    tails = pa.array([f", lowers {moves}", f", raises {moves}"]).take(pa.array((contributions > 0).astype(np.int8)))
    return pc.binary_join_element_wise(heads, said, tails, "")


def sentence(name: str, value: float, contribution: float, moves: str, decimals: int = 2) -> str:
    """One of `sentences_of`."""
    said = _said(value, UNITS.get(name, "1"), decimals)
    return f"{short_doc(name)}: {said}, {'raises' if contribution > 0 else 'lowers'} {moves}"


def largest(values: Array, k: int) -> NDArray[np.intp]:
    """The columns of the `k` values that are furthest from 0 in each row, the furthest first, of equals the first;
    values (n, m) → (n, k)."""
    k = min(k, values.shape[1])
    found = np.zeros((len(values), k), np.intp)
    _largest(values, found)
    return found


@nb.njit(cache=True, nogil=True)
def _largest(values: Array, found: NDArray[np.intp]) -> None:
    k = found.shape[1]
    best = np.empty(k)
    for row in range(values.shape[0]):
        best[:] = -1.0
        for column in range(values.shape[1]):
            size = abs(values[row, column])
            at = k
            while at > 0 and size > best[at - 1]:
                at -= 1
            for i in range(k - 1, at, -1):
                best[i], found[row, i] = best[i - 1], found[row, i - 1]
            if at < k:
                best[at], found[row, at] = size, column


def said_of(name: str, values: Array, decimals: int = 2) -> pa.Array:
    """Numbers of one input as a sentence says them, `212 days`; values (n,). name: an input of a model, or any other
    number, which has no unit."""
    distinct, place = np.unique(values, return_inverse=True)
    unit = UNITS.get(name, "1")
    return pa.array([_said(float(value), unit, decimals) for value in distinct], pa.string()).take(pa.array(place))


def short_doc(name: str) -> str:
    """What an input is, in short; its name in words where it has no doc."""
    return _short(DOCS.get(name, name.replace("_", " ")))


@cache
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
