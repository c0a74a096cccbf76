"""The BTYD view of a base at one date: what the models of timing and spend expect of each customer.

These models learn from histories alone, without labels, so fitting them on the base they are asked about leaks
nothing from the future.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from features.catalogue import POSITION
from training.btyd import DAYS_PER_UNIT, Spend, Timing, fit_spend, fit_timing
from training.mbg import expected_mean, expected_purchases, p_active

Array = NDArray[np.float64]

COLUMNS = ("btyd_p_active", "btyd_orders", "btyd_spend")
DOCS = {
    "btyd_p_active": "Chance to buy again in the horizon, as the BTYD model of timing sees it.",
    "btyd_orders": "Days with a purchase expected in the horizon by the BTYD model of timing.",
    "btyd_spend": "Spend expected in the horizon by the BTYD model of timing and the gamma-gamma model of spend.",
}
UNITS = {"btyd_p_active": "1", "btyd_orders": "days", "btyd_spend": "minor currency units"}

MOST_CUSTOMERS = 20_000
"""More customers than this do not change four parameters; an evenly spaced part of the base is fitted."""


@dataclass(frozen=True)
class Rhythm:
    """Fitted models of timing and (where amounts are known) of spend."""

    timing: Timing
    spend: Spend | None

    def columns(self, rows: Array, horizon_days: int) -> Array:
        """P(active), E[days with a purchase] and E[spend] in the horizon; shape (rows, 3), NaN without a purchase."""
        if self.compiled:
            out = np.empty((len(rows), len(COLUMNS)))
            timing, spend, horizon = self.params(horizon_days)
            fill_rhythm(timing, spend, rows, horizon, out)
            return out
        bought = rows[:, POSITION["order_days"]] > 0
        x, t_x, T = timing_inputs(rows[bought])
        horizon = horizon_days / DAYS_PER_UNIT
        out = np.full((len(rows), len(COLUMNS)), np.nan)
        expected = self.timing.expected_purchases(x, t_x, T, horizon)
        out[bought, 0] = self.timing.p_active(x, t_x, T, horizon)
        out[bought, 1] = expected
        if self.spend is not None:
            m = np.maximum(rows[bought, POSITION["spend_per_order_day"]], 0.0)
            out[bought, 2] = expected * self.spend.expected_mean(x + 1, m)
        return out

    @property
    def compiled(self) -> bool:
        """Whether `fill_rhythm` has its models."""
        return self.timing.name == "mbg_nbd"

    def params(self, horizon_days: int) -> tuple[Array, Array, float]:
        """What `fill_rhythm` takes: those of both models, NaN where no amounts are known, and the horizon in weeks."""
        return *self._params, horizon_days / DAYS_PER_UNIT

    @cached_property
    def _params(self) -> tuple[Array, Array]:
        spend = [*self.spend.params, self.spend.scale] if self.spend else [np.nan] * 4
        return np.array(self.timing.params), np.array(spend)

    def to_json(self) -> dict[str, Any]:
        """Parameters only."""
        return {"timing": asdict(self.timing), "spend": asdict(self.spend) if self.spend else None}

    @staticmethod
    def from_json(found: dict[str, Any]) -> Rhythm:
        """What `to_json` gave."""
        timing, spend = found["timing"], found["spend"]
        return Rhythm(
            Timing(timing["name"], tuple(timing["params"])),
            Spend(tuple(spend["params"]), spend["scale"]) if spend else None,
        )


def fit_rhythm(rows: Array, model: str = "mbg_nbd") -> Rhythm:
    """Fit on all customers of `rows` who ever bought; ValueError when nobody bought twice."""
    bought = rows[rows[:, POSITION["order_days"]] > 0]
    bought = bought[:: 1 + len(bought) // MOST_CUSTOMERS]
    x, t_x, T = timing_inputs(bought)
    m = bought[:, POSITION["spend_per_order_day"]]
    return Rhythm(fit_timing(model, x, t_x, T), fit_spend(x + 1, m) if (m > 0).sum() >= 2 else None)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def fill_rhythm(timing: Array, spend: Array, rows: Array, horizon: float, out: Array) -> None:
    """The columns of MBG/NBD, row by row, so that one and many give the same bits: into out (rows, COLUMNS)."""
    for i in range(len(rows)):
        if not rows[i, ORDER_DAYS] > 0:
            out[i, :] = np.nan
            continue
        x, T = rows[i, ORDER_DAYS] - 1.0, rows[i, TENURE] / DAYS_PER_UNIT
        t_x = (rows[i, TENURE] - rows[i, RECENCY]) / DAYS_PER_UNIT
        m = rows[i, SPEND_PER_DAY]
        out[i, 0] = p_active(timing, x, t_x, T, horizon)
        out[i, 1] = expected_purchases(timing, x, t_x, T, horizon)
        out[i, 2] = out[i, 1] * expected_mean(spend, x + 1.0, 0.0 if m < 0.0 else m)


ORDER_DAYS, RECENCY, TENURE, SPEND_PER_DAY = (
    POSITION[name] for name in ("order_days", "recency_days", "tenure_days", "spend_per_order_day")
)


def timing_inputs(rows: Array) -> tuple[Array, Array, Array]:
    """x, t_x and T in weeks of customers who bought; several orders on a day are one purchase."""
    days = {name: rows[:, POSITION[name]] for name in ("order_days", "recency_days", "tenure_days")}
    T = days["tenure_days"] / DAYS_PER_UNIT
    return days["order_days"] - 1, (days["tenure_days"] - days["recency_days"]) / DAYS_PER_UNIT, T
