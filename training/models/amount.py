"""How much will a customer buy? Spend (the model of value) or orders (of demand) in the horizon."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from math import exp, log
from pathlib import Path
from typing import Any, Literal

import numba as nb
import numpy as np
from numpy.typing import NDArray

from features.workspace import read_json, write_json
from training.explain import Contributions
from training.models.boosting import Forest, fit_forest
from training.models.curve import STRAIGHT, Curve, curve_at, fit_curve
from training.models.inputs import INPUTS, PLACE, Examples, inputs, stacked
from training.models.level import log_ratio, off_by
from training.models.seen import AMOUNT, Formula, Seen, seen_by
from training.recipes import Boosting
from training.rhythm import COLUMNS, Rhythm

Array = NDArray[np.float64]
Of = Literal["spend", "orders"]

WEIGHTS = {"tweedie": 1 / 3, "buys": 1 / 3, "amount": 1 / 3, "btyd": 1 / 3}
"""Of the logarithms. What is bought in all is said twice, by `tweedie` and by `buys` times `amount`."""
FORESTS = ("tweedie", "buys", "amount")
W_TWEEDIE, W_BUYS, W_AMOUNT, W_BTYD = WEIGHTS.values()
TOP = (0.97, 0.99)
"""Between these ranks of its expectation BTYD decides: forests cannot rank the few who buy that much."""
FLOOR = 0.05
"""BTYD gives a silent seasonal customer up for dead; this share of the mean amount keeps that from being final."""
CAP = 0.995
"""Training amounts above this quantile count as it, lest a few decide."""
LEAST = 1e-6
"""The least share of the mean amount that anybody is given."""
MOVES = {"spend": "the spend expected", "orders": "the orders expected"}


@dataclass(frozen=True)
class AmountModel:
    """A ranking, handed out as amounts that BTYD's are distributed like, times `level`, the season's correction.

    The ranking is a mean of logarithms: of a Tweedie forest, of two forests in two parts (whether the customer buys,
    and how much then), and of BTYD's expectation, all relative to what is usual at their date. `unit` is the mean
    amount; `curve` turns the rank score into the logarithm of an amount; between `top`, logarithms, BTYD takes over.
    """

    of: Of
    forests: dict[str, Forest]
    rhythm: Rhythm
    unit: float
    top: tuple[float, float]
    curve: Curve = STRAIGHT
    level: float = 1.0

    @property
    def sees(self) -> tuple[Rhythm, tuple[Forest, ...]]:
        """BTYD's columns and three forests."""
        return self.rhythm, tuple(self.forests[name] for name in FORESTS)

    @cached_property
    def formula(self) -> Formula:
        """As `amount_score` and `amount_at` take it."""
        fixed, (scores, logs) = (self.unit, *self.top, self.unit * self.level), self.curve.points
        return Formula(AMOUNT, np.array([COLUMNS.index(f"btyd_{self.of}")]), np.concatenate([fixed, scores, logs]))

    def predict(self, rows: Array, horizon_days: int) -> Array:
        """Minor units or orders, > 0, shape (n,)."""
        return np.asarray(self._blended(seen_by(self, rows, horizon_days))[3])

    def score(self, rows: Array, horizon_days: int) -> Array:
        """The additive score by which customers are ranked, shape (n,); the prediction is an increasing function."""
        return np.asarray(self._blended(seen_by(self, rows, horizon_days))[0])

    def explain(self, rows: Array, horizon_days: int) -> Contributions:
        """Of the rank score, a logarithm of amounts; what is usual counts as 0."""
        seen = seen_by(self, rows, horizon_days)
        table, (score, log_btyd, own, _) = inputs(rows, seen.expected), self._blended(seen)
        values, base = np.zeros(table.shape), 0.0
        for name, forest in self.forests.items():
            found, start = forest.contributions(table)
            values, base = values + WEIGHTS[name] * found, base + WEIGHTS[name] * start
        values = values * (1 - own)[:, None]
        values[:, PLACE[f"btyd_{self.of}"]] += ((1 - own) * WEIGHTS["btyd"] + own) * log_btyd - own * base
        return Contributions(INPUTS, table, values, base, score, MOVES[self.of])

    def _blended(self, seen: Seen) -> Array:
        """Score, BTYD's logarithm, how far BTYD alone decides, and the amount; shape (4, n)."""
        out = np.empty((4, len(seen.rows)))
        _blend(self.formula.whole, self.formula.numbers, *seen, out)
        return out

    def save(self, folder: Path) -> None:
        """A file per forest and model.json."""
        for name, forest in self.forests.items():
            forest.save(folder / f"{name}.txt")
        said = {"model": "amount", "of": self.of, "rhythm": self.rhythm.to_json()}
        write_json(
            folder / "model.json",
            said | {"unit": self.unit, "top": self.top, "level": self.level, "curve": asdict(self.curve)},
        )

    @staticmethod
    def load(folder: Path) -> AmountModel:
        """What `save` wrote."""
        found: dict[str, Any] = read_json(folder / "model.json")
        forests = {name: Forest.load(folder / f"{name}.txt") for name in FORESTS}
        curve = Curve(tuple(found["curve"]["scores"]), tuple(found["curve"]["logs"]))
        rhythm = Rhythm.from_json(found["rhythm"])
        return AmountModel(found["of"], forests, rhythm, found["unit"], tuple(found["top"]), curve, found["level"])


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _blend(whole: NDArray[np.int64], numbers: Array, rows: Array, expected: Array, raw: Array, out: Array) -> None:
    for i in range(out.shape[1]):
        out[0, i] = amount_score(whole, numbers, rows[i], expected[i], raw[i])
        out[1, i], out[2, i] = _of_btyd(whole, numbers, expected[i])
        out[3, i] = amount_at(numbers, out[0, i])


@nb.njit(cache=True, nogil=True, error_model="numpy")
def amount_score(whole: NDArray[np.int64], numbers: Array, row: Array, expected: Array, raw: Array) -> float:
    """The weighted mean of the logarithms, and more and more BTYD's own between the bounds of the top; of a customer as
    `Seen` has it."""
    log_btyd, own = _of_btyd(whole, numbers, expected)
    total = W_BTYD * log_btyd + W_TWEEDIE * raw[0] + W_BUYS * raw[1] + W_AMOUNT * raw[2]
    return float((1.0 - own) * total + own * log_btyd)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _of_btyd(whole: NDArray[np.int64], numbers: Array, expected: Array) -> tuple[float, float]:
    """BTYD's logarithm, and how far BTYD alone decides, from 0 below the top to 1 above it."""
    unit, low, high, found = numbers[0], numbers[1], numbers[2], expected[whole[0]]
    log_btyd = log((found if found > 0.0 else 0.0) / unit + FLOOR)
    return log_btyd, min(max((log_btyd - low) / max(high - low, 1e-9), 0.0), 1.0)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def amount_at(numbers: Array, score: float) -> float:
    """The amount that is handed out at a score."""
    end = 4 + (len(numbers) - 4) // 2
    return float(exp(curve_at(numbers[4:end], numbers[end:], score)) * numbers[3])


def fit_amount(
    examples: Sequence[Examples],
    season: Examples | None,
    rhythm: Rhythm,
    horizon_days: int,
    boosting: Boosting,
    seed: int,
    of: Of = "spend",
    base: Array | None = None,
) -> AmountModel:
    """Fit to amounts ≥ 0 (minor units, or orders, which need no amounts in the data).

    examples: the training dates, in order; season: the one of a year before the date the model is for, if it is among
    them; rhythm: fitted at that date; base (m, features): who is asked then, by default who was at the latest training
    date: BTYD's amounts for them are those handed out, at the level of `training.models.level`. Raises ValueError where
    nobody bought in any horizon, or where spend is asked for and no amount is known.
    """
    all_ = stacked(examples, horizon_days)
    if not (all_.label > 0).any() or (of == "spend" and rhythm.spend is None):
        raise ValueError(f"nothing to learn {of} from")
    base = examples[-1].rows if base is None else base
    unit = float(all_.label.mean())
    expected = btyd(rhythm, base, horizon_days, of) / unit
    low, high = map(float, np.quantile(np.log(expected + FLOOR), TOP))
    forests = _forests(inputs(all_.rows, all_.expected), all_.label, examples, boosting, seed)
    model = AmountModel(of, forests, rhythm, unit, (low, high))
    end = high, float(np.log(max(np.exp(high) - FLOOR, LEAST)))
    model = replace(model, curve=fit_curve(model.score(base, horizon_days), np.log(expected + LEAST), end))
    total = float(model.predict(base, horizon_days).sum()) / (unit * float(expected.sum()))
    return replace(model, level=btyd_factor(examples, season, horizon_days, of) / total)


def btyd_factor(examples: Sequence[Examples], season: Examples | None, horizon_days: int, of: Of) -> float:
    """By how much BTYD's amounts must be multiplied at the date in question (`training.models.level`)."""

    def miss(each: Examples) -> float:
        return log_ratio(each.label, btyd(each.rhythm, each.rows, horizon_days, of))

    return float(np.exp(off_by(miss, examples, season, horizon_days)))


def btyd(rhythm: Rhythm, rows: Array, horizon_days: int, of: Of) -> Array:
    """What BTYD expects, ≥ 0, shape (n,): minor units, or days with a purchase."""
    return np.maximum(rhythm.columns(rows, horizon_days)[:, COLUMNS.index(f"btyd_{of}")], 0.0)


def _forests(
    table: Array, label: Array, examples: Sequence[Examples], boosting: Boosting, seed: int
) -> dict[str, Forest]:
    """All relative to their date: to its mean amount, its share of buyers and its buyers' mean log amount."""
    bought = label > 0
    usual = _per_date(examples, lambda y: float(y.mean()) or 1.0)
    share = _per_date(examples, lambda y: float(np.log(max((y > 0).mean(), 1e-3))))
    mean_log = _per_date(examples, lambda y: float(np.log(y[y > 0]).mean()) if (y > 0).any() else 0.0)
    relative = label / usual
    relative = np.minimum(relative, np.quantile(relative[bought], CAP))
    logs = (np.log(label, where=bought, out=np.zeros(len(label))) - mean_log)[bought]
    tweedie = fit_forest("tweedie", table, relative, boosting, seed, tweedie_variance_power=1.3)
    buys = fit_forest("poisson", table, bought.astype(float), boosting, seed, share)
    return {"tweedie": tweedie, "buys": buys, "amount": fit_forest("regression", table[bought], logs, boosting, seed)}


def _per_date(examples: Sequence[Examples], of: Callable[[Array], float]) -> Array:
    return np.concatenate([np.full(len(each.label), of(each.label)) for each in examples])
