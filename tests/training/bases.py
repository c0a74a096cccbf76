"""Made-up bases of customers, as feature rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.catalogue import POSITION

Array = NDArray[np.float64]

KINDS = (
    # recency_days, orders, spend_per_order, customers
    (10.0, 12.0, 30_000.0, 150),
    (25.0, 3.0, 60_000.0, 250),
    (120.0, 5.0, 4_000.0, 300),
    (400.0, 1.0, 20_000.0, 500),
    (400.0, 1.0, 1_500.0, 400),
)


def base(seed: int = 1, kinds: tuple[tuple[float, float, float, int], ...] = KINDS, amounts: bool = True) -> Array:
    """Customers of a few kinds, each about its middle, and ten who never bought; shape (n, features)."""
    rng = np.random.default_rng(seed)
    parts = []
    for recency, orders, size, customers in kinds:
        rows = np.full((customers, len(POSITION)), np.nan)
        often = np.maximum(1.0, np.rint(orders * rng.lognormal(0, 0.15, customers)))
        ago = np.ceil(recency * rng.lognormal(0, 0.2, customers))
        _set(rows, orders=often, order_days=often, recency_days=ago, tenure_days=ago + 30 * often)
        _set(rows, orders_365d=np.where(ago < 365, often, 0.0))
        if amounts:
            each = np.rint(size * rng.lognormal(0, 0.25, customers))
            spent = each * often
            _set(rows, spend=spent, spend_per_order=each, line_max=each, spend_365d=np.where(ago < 365, spent, 0.0))
        parts.append(rows)
    nobody = np.full((10, len(POSITION)), np.nan)
    _set(nobody, orders=np.zeros(10), order_days=np.zeros(10))
    return np.concatenate([*parts, nobody])


def _set(rows: Array, **columns: Array) -> None:
    for name, column in columns.items():
        rows[:, POSITION[name]] = column
