"""When a customer will buy next: three models of silence, one a horizon, and a rule for those who never bought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numba as nb
import numpy as np
from numpy.typing import NDArray

from features.catalogue import POSITION
from features.workspace import read_json, write_json
from training.explain import Contributions
from training.models.rungs import load_model
from training.models.seen import Supervised

Array = NDArray[np.float64]

LATELY_DAYS = 30
FEWEST_LEADS = 50
PRIOR_LEADS = 20.0
GROUPS = 3
ORDER_DAYS, VISITED = POSITION["order_days"], POSITION["visit_recency_days"]


@dataclass(frozen=True)
class LeadRule:
    """The cold start: how often leads (no purchase yet) bought within each horizon, by whether they visited in the
    last 30 days, earlier, or never. rates (groups, horizons), rising along horizons; empty: too few leads were seen.
    """

    rates: tuple[tuple[float, ...], ...] = ()

    def table(self, horizons: int) -> Array:
        """The rates, shape (groups, horizons); NaN when too few leads were seen."""
        return np.array(self.rates) if self.rates else np.full((GROUPS, horizons), np.nan)


def fit_leads(horizons: Sequence[tuple[Array, Array]]) -> LeadRule:
    """From the leads of each horizon's training dates: rows (n, features), and whether they bought (n,).

    Each group's rate is drawn to that of all leads by PRIOR_LEADS leads; never falls from one horizon to the next.
    """
    if not all(len(rows) >= FEWEST_LEADS for rows, _ in horizons):
        return LeadRule()
    rates = []
    for rows, bought in horizons:
        group = np.array([_group(recency) for recency in rows[:, VISITED]])
        total, count = np.bincount(group, bought, GROUPS), np.bincount(group, minlength=GROUPS)
        rates.append((total + PRIOR_LEADS * bought.mean()) / (count + PRIOR_LEADS))
    rising = np.maximum.accumulate(np.array(rates), axis=0)
    return LeadRule(tuple(tuple(map(float, each)) for each in rising.T))


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _group(recency: float) -> int:
    """0 visited lately, 1 earlier, 2 never; recency: days since the last visit, NaN without one."""
    if recency != recency:
        return 2
    return 0 if recency <= LATELY_DAYS else 1


@dataclass(frozen=True)
class IntentModel:
    """models: P(no purchase) within each of `horizons`, the shortest first; leads: for those who never bought."""

    models: tuple[Supervised, ...]
    horizons: tuple[int, ...]
    leads: LeadRule

    def predict(self, rows: Array, horizon_days: int = 0) -> Array:
        """P(purchase within the shortest horizon), shape (n,); NaN for leads when too few were seen."""
        return np.asarray(self.answers(rows)[1])

    def answers(self, rows: Array) -> Array:
        """The class by number, then the chance of each: interested, hesitant, not now, never; shape (5, n).

        The class is where the median of the time to the next purchase falls: the first horizon within which a purchase
        is as likely as not.
        """
        return self.told(rows, np.stack([model.predict(rows, days) for model, days in self.parts]))

    @property
    def parts(self) -> tuple[tuple[Supervised, int], ...]:
        """Each model with its horizon."""
        return tuple(zip(self.models, self.horizons, strict=True))

    def told(self, rows: Array, silences: Array) -> Array:
        """The same of what the models answer, (horizons, n); of those who never bought that does not count."""
        out = np.empty((len(silences) + 2, len(rows)))
        _answer(rows, silences, self._leads, out)
        return out

    @cached_property
    def _leads(self) -> Array:
        return self.leads.table(len(self.horizons))

    def explain(self, rows: Array, horizon_days: int = 0) -> Contributions:
        """Of the log-odds of a purchase within the shortest horizon; rows of customers who have bought."""
        found = self.models[0].explain(rows, self.horizons[0])
        return found.turned(f"the probability to buy within {self.horizons[0]} days")

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
def _answer(rows: Array, silences: Array, leads: Array, out: Array) -> None:
    """The class by number, the chance of each horizon, and that of none; NaN where nothing is known."""
    horizons = len(silences)
    for i in range(len(rows)):
        number, before = 1.0, 0.0
        for h in range(horizons):
            within = 1.0 - silences[h, i] if rows[i, ORDER_DAYS] > 0.0 else leads[_group(rows[i, VISITED]), h]
            if within < before:
                within = before  # never falls from one horizon to the next
            number += within < 0.5
            out[1 + h, i], before = within - before, within
        out[0, i] = before if np.isnan(before) else number
        out[1 + horizons, i] = 1.0 - before
