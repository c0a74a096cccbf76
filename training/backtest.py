"""Which dates train, which date tests, which date is graded: no target of a training date reaches past the test."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from features.errors import InputError
from training.labels import closes
from training.recipes import Settings


@dataclass(frozen=True)
class Cuts:
    """The dates of one run. All are as_of dates: features use days before them.

    test: its labels judge the models; train: their labels close on or before `test`; refit: their labels close on or
    before `grade`, for the models that are served; grade: the day after the last day that is known. Data too short to
    train and to test have no train and no refit dates, and `test` is `grade`: its labels are not known.
    """

    test: date
    train: tuple[date, ...]
    refit: tuple[date, ...]
    grade: date

    def to_json(self) -> dict[str, Any]:
        """The dates as ISO texts."""
        many = {name: [day.isoformat() for day in getattr(self, name)] for name in ("train", "refit")}
        return {"test": self.test.isoformat(), "grade": self.grade.isoformat(), **many}

    @staticmethod
    def from_json(found: dict[str, Any]) -> Cuts:
        """What `to_json` gave."""
        test, grade = (date.fromisoformat(found[name]) for name in ("test", "grade"))
        train, refit = (tuple(map(date.fromisoformat, found[name])) for name in ("train", "refit"))
        return Cuts(test, train, refit, grade)

    @property
    def labelled(self) -> tuple[date, ...]:
        """All dates that need labels, in order."""
        return tuple(sorted({self.test, *self.train, *self.refit})) if self.train else ()

    @property
    def all(self) -> tuple[date, ...]:
        """All dates that need features, in order."""
        return tuple(sorted({*self.labelled, self.test, self.grade}))


def plan_cuts(
    first_day: date, data_end: date, settings: Settings, test: date | None = None, grade: date | None = None
) -> Cuts:
    """The dates of a run over data of [first_day, data_end).

    test: by default the latest date whose labels close; grade: by default `data_end`. Data too short for a training
    date have `grade` alone. Raises InputError where a date asked for has no labels, or no training date before it.
    """
    horizon = timedelta(days=settings.horizon_days)
    for option, day in (("--as-of", test), ("--grade-as-of", grade)):
        if day is not None and not first_day <= day <= data_end:
            raise InputError(
                option, str(day), f"a date from {first_day} to {data_end}, the day after the last of the data"
            )
    end = grade or data_end
    latest = data_end - horizon
    if test is not None and test > latest:
        raise InputError(
            "--as-of",
            f"{test}, whose labels close on {closes(test, settings.horizon_days)}",
            f"a date up to {latest}: the data end on {data_end - timedelta(days=1)}",
            f"Choose an earlier date, or a horizon below {settings.horizon_days} days in configs/training.yaml.",
        )
    earliest = first_day + timedelta(days=settings.history_days)
    chosen = test or end - horizon
    train = _monthly(chosen - horizon, settings.snapshots, earliest)
    refit = _monthly(end - horizon, settings.snapshots, earliest)
    if (not train or not refit) and test is None and grade is None:
        return Cuts(end, (), (), end)
    if not train or not refit:
        raise InputError(
            "--as-of" if test else "--grade-as-of",
            f"{test or grade}: no date to train on after {settings.history_days} days of history, with labels in time",
            f"at least {settings.history_days + 2 * settings.horizon_days} days of data to train and test",
            f"The data begin on {first_day}. Choose a later date, or bring more history.",
        )
    return Cuts(chosen, train, refit, end)


def _monthly(last: date, count: int, earliest: date) -> tuple[date, ...]:
    """`last` and the same day of the months before it, at most `count`, none before `earliest`; in order."""
    dates = [_months_before(last, k) for k in range(count)]
    return tuple(sorted(day for day in dates if day >= earliest))


def _months_before(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
