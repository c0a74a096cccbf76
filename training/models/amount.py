"""How much will a customer buy? Spend (the model of value) or orders (of demand) in the horizon."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from math import log
from pathlib import Path
from typing import Any, Literal

import numba as nb
import numpy as np
from numpy.typing import NDArray

from features.workspace import read_json, write_json
from training.explain import Contributions
from training.models.boosting import Forest, fit_forest
from training.models.curve import STRAIGHT, Curve, fit_curve
from training.models.inputs import INPUTS, PLACE, Examples, inputs, stacked
from training.models.level import log_ratio, off_by
from training.recipes import Boosting
from training.rhythm import COLUMNS, Rhythm

Array = NDArray[np.float64]
Of = Literal["spend", "orders"]

WEIGHTS = {"tweedie": 1 / 3, "buys": 1 / 3, "amount": 1 / 3, "btyd": 1 / 3}
"""Of the logarithms. What is bought in all is said twice, by `tweedie` and by `buys` times `amount`."""
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

    def predict(self, rows: Array, horizon_days: int) -> Array:
        """Minor units or orders, > 0, shape (n,)."""
        return np.asarray(np.exp(self.curve.at(self.score(rows, horizon_days))) * self.unit * self.level)

    def score(self, rows: Array, horizon_days: int) -> Array:
        """The additive score by which customers are ranked, shape (n,); the prediction is an increasing function."""
        expected = self.rhythm.columns(rows, horizon_days)
        return np.asarray(self._blended(inputs(rows, expected), expected)[0])

    def explain(self, rows: Array, horizon_days: int) -> Contributions:
        """Of the rank score, a logarithm of amounts; what is usual counts as 0."""
        expected = self.rhythm.columns(rows, horizon_days)
        table = inputs(rows, expected)
        score, log_btyd, own = self._blended(table, expected)
        values, base = np.zeros(table.shape), 0.0
        for name, forest in self.forests.items():
            found, start = forest.contributions(table)
            values, base = values + WEIGHTS[name] * found, base + WEIGHTS[name] * start
        values = values * (1 - own)[:, None]
        values[:, PLACE[f"btyd_{self.of}"]] += ((1 - own) * WEIGHTS["btyd"] + own) * log_btyd - own * base
        return Contributions(INPUTS, table, values, base, score, MOVES[self.of])

    def _blended(self, table: Array, expected: Array) -> Array:
        """Score, BTYD's logarithm, and how far BTYD alone decides, from 0 below `top` to 1 above it; shape (3, n)."""
        tweedie, buys, amount = (self.forests[name].score(table) for name in ("tweedie", "buys", "amount"))
        (low, high), out = self.top, np.empty((3, len(table)))
        _blend(tweedie, buys, amount, expected[:, COLUMNS.index(f"btyd_{self.of}")], self.unit, low, high, out)
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
        forests = {name: Forest.load(folder / f"{name}.txt") for name in WEIGHTS if name != "btyd"}
        curve = Curve(tuple(found["curve"]["scores"]), tuple(found["curve"]["logs"]))
        rhythm = Rhythm.from_json(found["rhythm"])
        return AmountModel(found["of"], forests, rhythm, found["unit"], tuple(found["top"]), curve, found["level"])


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _blend(
    tweedie: Array, buys: Array, amount: Array, btyd: Array, unit: float, low: float, high: float, out: Array
) -> None:
    """The weighted mean of the logarithms, and more and more BTYD's own between the bounds of the top."""
    for i in range(out.shape[1]):
        log_btyd = log((btyd[i] if btyd[i] > 0.0 else 0.0) / unit + FLOOR)
        own = min(max((log_btyd - low) / max(high - low, 1e-9), 0.0), 1.0)
        total = W_BTYD * log_btyd + W_TWEEDIE * tweedie[i] + W_BUYS * buys[i] + W_AMOUNT * amount[i]
        out[0, i], out[1, i], out[2, i] = (1.0 - own) * total + own * log_btyd, log_btyd, own


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
