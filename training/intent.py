"""When a customer will buy next: three models of silence, one a horizon, and a rule for those who never bought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numba as nb
import numpy as np
from numpy.typing import NDArray

from features.catalogue import POSITION
from features.workspace import read_json, write_json
from training.explain import Contributions
from training.models.inputs import Supervised
from training.models.rungs import load_model

Array = NDArray[np.float64]

LATELY_DAYS = 30
FEWEST_LEADS = 50
PRIOR_LEADS = 20.0


@dataclass(frozen=True)
class LeadRule:
    """The cold start: how often leads (no purchase yet) bought within each horizon, by whether they visited in the
    last 30 days, earlier, or never. rates (groups, horizons), rising along horizons; empty: too few leads were seen.
    """

    rates: tuple[tuple[float, ...], ...] = ()

    def within(self, rows: Array, horizon: int) -> Array:
        """P(first purchase within the `horizon`-th horizon), shape (n,); NaN when too few leads were seen."""
        if not self.rates:
            return np.full(len(rows), np.nan)
        return np.array([rates[horizon] for rates in self.rates])[_group(rows)]


def fit_leads(horizons: Sequence[tuple[Array, Array]]) -> LeadRule:
    """From the leads of each horizon's training dates: rows (n, features), and whether they bought (n,).

    Each group's rate is drawn to that of all leads by PRIOR_LEADS leads; never falls from one horizon to the next.
    """
    if not all(len(rows) >= FEWEST_LEADS for rows, _ in horizons):
        return LeadRule()
    rates = []
    for rows, bought in horizons:
        group = _group(rows)
        total, count = np.bincount(group, bought, 3), np.bincount(group, minlength=3)
        rates.append((total + PRIOR_LEADS * bought.mean()) / (count + PRIOR_LEADS))
    rising = np.maximum.accumulate(np.array(rates), axis=0)
    return LeadRule(tuple(tuple(map(float, each)) for each in rising.T))


def _group(rows: Array) -> NDArray[np.int64]:
    """0 visited lately, 1 earlier, 2 never."""
    recency = rows[:, POSITION["visit_recency_days"]]
    return np.where(np.isnan(recency), 2, np.where(recency <= LATELY_DAYS, 0, 1))


@dataclass(frozen=True)
class IntentModel:
    """models: P(no purchase) within each of `horizons`, the shortest first; leads: for those who never bought."""

    models: tuple[Supervised, ...]
    horizons: tuple[int, ...]
    leads: LeadRule

    def predict(self, rows: Array, horizon_days: int = 0) -> Array:
        """P(purchase within the shortest horizon), shape (n,); NaN for leads when too few were seen."""
        return np.asarray(self._within(rows)[0])

    def answers(self, rows: Array) -> tuple[Array, ...]:
        """The class by number, then the chance of each: interested, hesitant, not now, never; shape (n,) each.

        The class is where the median of the time to the next purchase falls: the first horizon within which a purchase
        is as likely as not.
        """
        within = self._within(rows)
        out = np.empty((len(within) + 2, len(rows)))
        _answer(within, out)
        return tuple(out)

    def explain(self, rows: Array, horizon_days: int = 0) -> Contributions:
        """Of the log-odds of a purchase within the shortest horizon; rows of customers who have bought."""
        found = self.models[0].explain(rows, self.horizons[0])
        return found.turned(f"the probability to buy within {self.horizons[0]} days")

    def _within(self, rows: Array) -> Array:
        """P(purchase) within each horizon, never falling; shape (horizons, n)."""
        bought = rows[:, POSITION["order_days"]] > 0
        everybody, within = bool(bought.all()), np.empty((len(self.horizons), len(rows)))
        for i, (model, days) in enumerate(zip(self.models, self.horizons, strict=True)):
            if everybody:
                within[i] = 1.0 - model.predict(rows, days)
                continue
            within[i] = self.leads.within(rows, i)
            if bought.any():
                within[i, bought] = 1.0 - model.predict(rows[bought], days)
        return np.asarray(np.fmax.accumulate(within))

    def save(self, folder: Path) -> None:
        """A folder per horizon, and model.json."""
        for model, days in zip(self.models, self.horizons, strict=True):
            (folder / f"{days}d").mkdir()
            model.save(folder / f"{days}d")
        write_json(folder / "model.json", {"horizons": self.horizons, "leads": asdict(self.leads)})

    @staticmethod
    def load(folder: Path) -> IntentModel:
        """What `save` wrote."""
        found = read_json(folder / "model.json")
        models = tuple(load_model(folder / f"{days}d") for days in found["horizons"])
        rates = tuple(tuple(each) for each in found["leads"]["rates"])
        return IntentModel(models, tuple(found["horizons"]), LeadRule(rates))


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _answer(within: Array, out: Array) -> None:
    """The class by number, the chance of each horizon, and that of none; NaN where nothing is known."""
    horizons = len(within)
    for i in range(out.shape[1]):
        number = 1.0
        for h in range(horizons):
            number += within[h, i] < 0.5
            out[1 + h, i] = within[h, i] - within[h - 1, i] if h else within[h, i]
        out[0, i] = within[0, i] if np.isnan(within[0, i]) else number
        out[1 + horizons, i] = 1.0 - within[horizons - 1, i]
