"""The sorted events of many customers as flat arrays: what the kernel reads, in batch and online alike."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.spec import CODES, COLUMNS

FOREVER = np.iinfo(np.int32).max
EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; 0 = Monday


class Histories(NamedTuple):
    """Events sorted by customer, then (day, event_id). Days count from 1970-01-01 in the company's time zone.

    offsets (c + 1,): customer i has rows offsets[i]:offsets[i + 1]; day, known, until (n,): when it happened, was
    learnt, was replaced (FOREVER: never); kind (n,): position in KINDS; values (len(COLUMNS), n): NaN for null;
    codes (len(CODES), n): numbered from 0 within each customer, −1 for null or for a column nobody asked for.
    """

    offsets: NDArray[np.int64]
    day: NDArray[np.int32]
    known: NDArray[np.int32]
    until: NDArray[np.int32]
    kind: NDArray[np.int8]
    values: NDArray[np.float64]
    codes: NDArray[np.int32]


def empty_histories(customers: int, rows: int) -> Histories:
    """Arrays of the right shapes and types, to be filled."""
    return Histories(
        offsets=np.zeros(customers + 1, np.int64),
        day=np.zeros(rows, np.int32),
        known=np.zeros(rows, np.int32),
        until=np.full(rows, FOREVER, np.int32),
        kind=np.zeros(rows, np.int8),
        values=np.full((len(COLUMNS), rows), np.nan),
        codes=np.full((len(CODES), rows), -1, np.int32),
    )


def add_calendar(histories: Histories) -> None:
    """Fill the codes that follow from the day: month (0–11) and weekday (0–6)."""
    month = histories.day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
    histories.codes[CODES.index("month")] = month
    histories.codes[CODES.index("weekday")] = (histories.day + EPOCH_WEEKDAY) % 7
