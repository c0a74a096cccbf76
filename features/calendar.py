"""Days, months and hours of a company's own clock. Days count from 1970-01-01, instants are microseconds of UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numba as nb
import numpy as np
from numpy.typing import NDArray

EPOCH = date(1970, 1, 1).toordinal()
FIRST_DAY, LAST_DAY = date(1900, 1, 1).toordinal() - EPOCH, date(2199, 12, 31).toordinal() - EPOCH
"""The days that can be computed with."""

FOREVER = int(np.iinfo(np.int32).max)
"""A day that never comes."""

HOUR, DAY = 3_600_000_000, 86_400_000_000
START = datetime(1970, 1, 1, tzinfo=UTC)


def day_number(day: date) -> int:
    """Days from 1970-01-01 to `day`."""
    return day.toordinal() - EPOCH


@lru_cache(maxsize=1)
def zones() -> frozenset[str]:
    """The names of all time zones."""
    return frozenset((files("tzdata") / "zones").read_text(encoding="utf-8").split())


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """A time zone by the rules of the installed `tzdata`, never by the machine's own: they must be those of ingest."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, key=name)


def today(timezone: str, now: float | None = None) -> date:
    """The present day in a time zone (`now`: seconds since 1970, for tests)."""
    instant = datetime.now(UTC) if now is None else datetime.fromtimestamp(now, UTC)
    return instant.astimezone(zone(timezone)).date()


@lru_cache(maxsize=1)
def calendar() -> NDArray[np.int32]:
    """Shape (4, days from FIRST_DAY to LAST_DAY): months since January 1970; month 0–11; quarter 0–3; weekday 0–6."""
    day = np.arange(FIRST_DAY, LAST_DAY + 1)
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    weekday = (day + 3) % 7  # 1970-01-01 was a Thursday; 0 is Monday
    return np.array([month, month % 12, month % 12 // 3, weekday], np.int32)


class Clock(NamedTuple):
    """A time zone as the offsets it has had. since (k,): the instant from which offset (k,), microseconds, holds."""

    since: NDArray[np.int64]
    offset: NDArray[np.int64]


@lru_cache(maxsize=64)
def clock(timezone: str) -> Clock:
    """The clock of an IANA time zone between FIRST_DAY and LAST_DAY, each change of its offset found to the second."""
    own = zone(timezone)

    def offset(second: int) -> int:
        shift = (START + timedelta(seconds=second)).astimezone(own).utcoffset()
        return int(shift.total_seconds()) if shift else 0

    seconds = range(FIRST_DAY * 86_400, (LAST_DAY + 2) * 86_400, 86_400)
    since, offsets = [np.iinfo(np.int64).min], [offset(seconds[0])]
    if timezone == "UTC":
        return Clock(np.array(since), np.array(offsets))
    for begin in seconds[:-1]:
        if offset(begin + 86_400) != offsets[-1]:
            low, high = begin, begin + 86_400
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == offsets[-1] else (low, middle)
            since.append(high * 1_000_000)
            offsets.append(offset(begin + 86_400))
    return Clock(np.array(since), np.array(offsets, np.int64) * 1_000_000)


def instants(shown: NDArray[np.int64], clock: Clock) -> NDArray[np.int64]:
    """When a clock shows each time, shape (n,): of two instants the first; of none, as if it had not changed yet."""
    changes = clock.since[1:] + np.maximum(clock.offset[:-1], clock.offset[1:])
    return shown - clock.offset[np.searchsorted(changes, shown, side="right")]


@nb.njit(cache=True, nogil=True)
def local_time(instants: NDArray[np.int64], clock: Clock) -> NDArray[np.int64]:
    """What the clock shows at each instant, shape (n,), in microseconds from its 1970-01-01 00:00."""
    shown = np.empty(instants.size, np.int64)
    last = clock.since.size - 1
    k = last
    for i in range(instants.size):
        t = instants[i]
        if t < clock.since[k] or (k < last and t >= clock.since[k + 1]):
            k = np.searchsorted(clock.since, t, side="right") - 1
        shown[i] = t + clock.offset[k]
    return shown
