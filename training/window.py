"""For how long a silent customer is still worth asking about: derived from the days between purchases."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from features.tables.sql import parquet, visible
from features.workspace import damaged

Days = NDArray[np.int64]

FEWEST_AT_RISK = 100
"""Fewer customers who were silent for so long tell nothing."""


def churn_window(tables: Path, as_of: date, timezone: str, horizon_days: int, fewest_returns: float) -> int | None:
    """The days of silence after which fewer than `fewest_returns` of customers come back within the horizon.

    From all that was known at `as_of`. None: no such silence was seen, everybody who ever bought is asked about.
    """
    return window_of(*silences(tables, as_of, timezone), horizon_days, fewest_returns)


def silences(tables: Path, as_of: date, timezone: str) -> tuple[Days, Days]:
    """Days from one buying day to the next, shape (gaps,); and from the last one to `as_of`, shape (customers,).

    Raises InputError for a damaged event table.
    """
    bought = (
        f"SELECT DISTINCT customer_id, day FROM {parquet(tables / 'events.parquet')} "
        f"WHERE kind = 'purchase' AND {visible(as_of, timezone)}"
    )
    next_day = "lead(day) OVER (PARTITION BY customer_id ORDER BY day)"
    try:
        with duckdb.connect() as db:
            found = f"SELECT day, {next_day} AS next FROM ({bought})"
            rows = db.sql(
                f"SELECT next - day AS gap, DATE '{as_of}' - day AS open FROM ({found}) ORDER BY ALL"
            ).fetchnumpy()
    except duckdb.Error as error:
        raise damaged(tables / "events.parquet", error) from None
    gap = np.ma.asarray(rows["gap"])
    seen = ~np.ma.getmaskarray(gap)
    return np.asarray(gap[seen], np.int64), np.asarray(np.ma.asarray(rows["open"])[~seen], np.int64)


def window_of(gaps: Days, still_silent: Days, horizon_days: int, fewest_returns: float) -> int | None:
    """The smallest w with P(next purchase within the horizon | silent for w days) below `fewest_returns`.

    From S, the Kaplan–Meier estimate of the survival of a silence (Kaplan & Meier 1958), in which those still silent
    are censored: 1 − S(w + horizon) / S(w). Only silences that FEWEST_AT_RISK customers were followed through to the
    horizon's end are looked at; never less than the horizon.
    """
    if not len(gaps):
        return None
    longest = int(max(gaps.max(), still_silent.max(initial=0))) + 1
    ended = np.bincount(gaps, minlength=longest + 1)
    left = np.bincount(still_silent, minlength=longest + 1)
    at_risk = np.cumsum((ended + left)[::-1])[::-1]
    survival = np.cumprod(1 - ended / np.maximum(at_risk, 1))
    silent = np.arange(horizon_days, longest + 1 - horizon_days)
    silent = silent[at_risk[silent + horizon_days] >= FEWEST_AT_RISK]
    returns = 1 - survival[silent + horizon_days] / np.maximum(survival[silent], 1e-300)
    few = np.flatnonzero(returns < fewest_returns)
    return int(silent[few[0]]) if len(few) else None
