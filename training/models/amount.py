"""How much will a customer buy? Spend (the model of value) or orders (of demand) in the horizon."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from features.workspace import read_json, write_json
from training.explain import Contributions
from training.models.boosting import Forest, fit_forest
from training.models.curve import Curve, fit_curve
from training.models.inputs import INPUTS, PLACE, Examples, inputs, stacked
from training.recipes import Boosting
from training.rhythm import COLUMNS, Rhythm

Array = NDArray[np.float64]
Of = Literal["spend", "orders"]

WEIGHTS = {"tweedie": 1 / 3, "buys": 1 / 3, "amount": 1 / 3, "btyd": 1 / 3}
"""Of the logarithms. What is bought in all is said twice, by `tweedie` and by `buys` times `amount`."""
FLOOR = 0.05
"""BTYD gives a silent seasonal customer up for dead; this share of the mean amount keeps that from being final."""
TOP = 0.995
"""Training amounts above this quantile count as it, lest a few decide."""
MOVES = {"spend": "the spend expected", "orders": "the orders expected"}


@dataclass(frozen=True)
class AmountModel:
    """A ranking, handed out as amounts that BTYD's are distributed like, times `level`, the season's correction.

    The ranking is a mean of logarithms: of a Tweedie forest, of two forests in two parts (whether the customer buys,
    and how much then), and of BTYD's expectation, all relative to what is usual at their date. `unit` is the mean
    amount; `curve` turns the rank score into the logarithm of an amount.
    """

    of: Of
    forests: dict[str, Forest]
    rhythm: Rhythm
    unit: float
    curve: Curve
    level: float = 1.0

    def predict(self, rows: Array, horizon_days: int) -> Array:
        """Minor units or orders, > 0, shape (n,)."""
        return np.asarray(np.exp(self.curve.at(self.score(rows, horizon_days))) * self.unit * self.level)

    def score(self, rows: Array, horizon_days: int) -> Array:
        """The additive score by which customers are ranked, shape (n,); the prediction is an increasing function."""
        expected = self.rhythm.columns(rows, horizon_days)
        table = inputs(rows, expected)
        total = WEIGHTS["btyd"] * self._btyd(expected)
        for name, forest in self.forests.items():
            total = total + WEIGHTS[name] * forest.score(table)
        return np.asarray(total)

    def explain(self, rows: Array, horizon_days: int) -> Contributions:
        """Of the rank score, a logarithm of amounts; what is usual counts as 0."""
        expected = self.rhythm.columns(rows, horizon_days)
        table = inputs(rows, expected)
        values, base = np.zeros(table.shape), 0.0
        for name, forest in self.forests.items():
            found, start = forest.contributions(table)
            values, base = values + WEIGHTS[name] * found, base + WEIGHTS[name] * start
        values[:, PLACE[self._column]] += WEIGHTS["btyd"] * self._btyd(expected)
        return Contributions(INPUTS, table, values, base, self.score(rows, horizon_days), MOVES[self.of])

    @property
    def _column(self) -> str:
        return f"btyd_{self.of}"

    def _btyd(self, expected: Array) -> Array:
        column = expected[:, COLUMNS.index(self._column)]
        return np.asarray(np.log(np.maximum(column, 0.0) / self.unit + FLOOR))

    def at_level(self, season: Sequence[Examples], horizon_days: int) -> AmountModel:
        """The same model at the level that would have made the total of `season` right."""
        now = replace(self, level=1.0)
        total = sum(float(replace(now, rhythm=each.rhythm).predict(each.rows, horizon_days).sum()) for each in season)
        actual = sum(float(each.label.sum()) for each in season)
        return replace(self, level=actual / total if actual > 0 and total > 0 else 1.0)

    def save(self, folder: Path) -> None:
        """A file per forest and model.json."""
        for name, forest in self.forests.items():
            forest.save(folder / f"{name}.txt")
        said = {"model": "amount", "of": self.of, "rhythm": self.rhythm.to_json()}
        write_json(folder / "model.json", said | {"unit": self.unit, "level": self.level, "curve": vars(self.curve)})

    @staticmethod
    def load(folder: Path) -> AmountModel:
        """What `save` wrote."""
        found: dict[str, Any] = read_json(folder / "model.json")
        forests = {name: Forest.load(folder / f"{name}.txt") for name in WEIGHTS if name != "btyd"}
        curve = Curve(tuple(found["curve"]["scores"]), tuple(found["curve"]["logs"]))
        rhythm = Rhythm.from_json(found["rhythm"])
        return AmountModel(found["of"], forests, rhythm, found["unit"], curve, found["level"])


def fit_amount(
    examples: Sequence[Examples],
    season: Examples | None,
    rhythm: Rhythm,
    horizon_days: int,
    boosting: Boosting,
    seed: int,
    of: Of = "spend",
) -> AmountModel:
    """Fit to amounts ≥ 0 (minor units, or orders, which need no amounts in the data).

    season: the examples of one year before the date the model is for, if there are any; rhythm: fitted at that date.
    Raises ValueError where nobody bought in any horizon, or where spend is asked for and no amount is known.
    """
    all_ = stacked(examples, horizon_days)
    if not (all_.label > 0).any() or (of == "spend" and rhythm.spend is None):
        raise ValueError(f"nothing to learn {of} from")
    table = inputs(all_.rows, all_.expected)
    unit = float(all_.label.mean())
    forests = _forests(table, all_.label, examples, boosting, seed)
    model = AmountModel(of, forests, rhythm, unit, Curve((0.0,), (0.0,)))
    scores = np.concatenate([
        replace(model, rhythm=each.rhythm).score(each.rows, horizon_days) for each in examples
    ])  # fmt: skip
    btyd = np.log(np.maximum(all_.expected[:, COLUMNS.index(f"btyd_{of}")], 0.0) / unit + 1e-6)
    model = replace(model, curve=fit_curve(scores, btyd))
    return model.at_level([season] if season else examples, horizon_days)


def _forests(
    table: Array, label: Array, examples: Sequence[Examples], boosting: Boosting, seed: int
) -> dict[str, Forest]:
    """All relative to their date: to its mean amount, its share of buyers and its buyers' mean log amount."""
    bought = label > 0
    usual = _per_date(examples, lambda y: float(y.mean()) or 1.0)
    share = _per_date(examples, lambda y: float(np.log(max((y > 0).mean(), 1e-3))))
    mean_log = _per_date(examples, lambda y: float(np.log(y[y > 0]).mean()) if (y > 0).any() else 0.0)
    relative = label / usual
    relative = np.minimum(relative, np.quantile(relative[bought], TOP))
    logs = (np.log(label, where=bought, out=np.zeros(len(label))) - mean_log)[bought]
    tweedie = fit_forest("tweedie", table, relative, boosting, seed, tweedie_variance_power=1.3)
    buys = fit_forest("poisson", table, bought.astype(float), boosting, seed, share)
    return {"tweedie": tweedie, "buys": buys, "amount": fit_forest("regression", table[bought], logs, boosting, seed)}


def _per_date(examples: Sequence[Examples], of: Callable[[Array], float]) -> Array:
    return np.concatenate([np.full(len(each.label), of(each.label)) for each in examples])
