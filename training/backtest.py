"""Which dates train, which dates test, which date is graded: no target of a training date reaches past a test.

All dates but the graded one lie on a grid, `step_days` apart, that the test date belongs to. Each horizon has test
dates and training dates of its own on it, because a longer one closes later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from features.errors import InputError
from training.labels import closes
from training.recipes import Settings


@dataclass(frozen=True)
class Cuts:
    """The dates of one run. All are as_of dates: features use days before them.

    looks: for each question the days its labels look ahead, the judged ones first; test: the latest date that judges;
    grade: the day that is graded; end: the day after the last of the data; earliest: no training date before it.
    """

    looks: tuple[tuple[int, ...], ...]
    test: date
    grade: date
    end: date
    earliest: date
    step_days: int
    snapshots: int
    test_dates: int

    def tests(self, horizon_days: int) -> tuple[date, ...]:
        """The dates that judge predictions of a horizon, in order: each has closed labels, a training date before it,
        and outcomes apart from the next one's. Empty: the data are too short."""
        found: list[date] = []
        latest = min(self.test, self.end - timedelta(days=horizon_days))
        while len(found) < self.test_dates:
            day = self._on_grid(latest)
            if not self.train(day, horizon_days):
                break
            found.append(day)
            latest = day - timedelta(days=horizon_days)
        return tuple(sorted(found))

    def train(self, at: date, horizon_days: int) -> tuple[date, ...]:
        """The last dates whose labels close on or before `at`: those that a model for that date learns from."""
        last = self._on_grid(at - timedelta(days=horizon_days))
        dates = (last - timedelta(days=self.step_days * k) for k in range(self.snapshots))
        return tuple(sorted(day for day in dates if day >= self.earliest))

    @property
    def labelled(self) -> frozenset[tuple[date, int]]:
        """Every date with every horizon whose labels are needed."""
        found: set[tuple[date, int]] = set()
        for look in self.looks:
            tests = self.tests(look[0])
            found |= {(day, look[0]) for day in tests}
            found |= {(day, days) for days in look for at in (*tests, self.grade) for day in self.train(at, days)}
        return frozenset(found)

    @property
    def all(self) -> tuple[date, ...]:
        """All dates that need features, in order."""
        return tuple(sorted({self.grade, *(day for day, _ in self.labelled)}))

    def closings(self, horizon_days: int) -> tuple[date, ...]:
        """The dates on which the labels of a horizon close, in order."""
        return tuple(sorted(closes(day, days) for day, days in self.labelled if days == horizon_days))

    def to_json(self) -> dict[str, Any]:
        """Everything that the dates follow from."""
        days = {name: getattr(self, name).isoformat() for name in _DATES}
        return days | {name: getattr(self, name) for name in _NUMBERS} | {"looks": [list(look) for look in self.looks]}

    @staticmethod
    def from_json(found: dict[str, Any]) -> Cuts:
        """What `to_json` gave."""
        said: dict[str, Any] = {name: date.fromisoformat(found[name]) for name in _DATES}
        said |= {name: found[name] for name in _NUMBERS}
        return Cuts(looks=tuple(tuple(look) for look in found["looks"]), **said)

    def _on_grid(self, latest: date) -> date:
        """The last date of the grid that is not after `latest`."""
        steps = (latest - self.test).days // self.step_days
        return self.test + timedelta(days=steps * self.step_days)


_DATES = ("test", "grade", "end", "earliest")
_NUMBERS = ("step_days", "snapshots", "test_dates")


def plan_cuts(
    first_day: date, data_end: date, settings: Settings, test: date | None = None, grade: date | None = None
) -> Cuts:
    """The dates of a run over data of [first_day, data_end).

    test: by default the latest date whose labels of `horizon_days` close by `grade`; grade: by default `data_end`.
    Raises InputError where a date that was asked for has no labels, or no training date before it.
    """
    horizon = timedelta(days=settings.horizon_days)
    for option, day in (("--as-of", test), ("--grade-as-of", grade)):
        if day is not None and not first_day <= day <= data_end:
            raise InputError(
                option, str(day), f"a date from {first_day} to {data_end}, the day after the last of the data"
            )
    latest = data_end - horizon
    if test is not None and test > latest:
        raise InputError(
            "--as-of",
            f"{test}, whose labels close on {closes(test, settings.horizon_days)}",
            f"a date up to {latest}: the data end on {data_end - timedelta(days=1)}",
            f"Choose an earlier date, or a horizon below {settings.horizon_days} days.",
        )
    cuts = Cuts(
        looks=settings.looks,
        test=test or (grade or data_end) - horizon,
        grade=grade or data_end,
        end=data_end,
        earliest=first_day + timedelta(days=settings.history_days),
        step_days=settings.step_days,
        snapshots=settings.snapshots,
        test_dates=settings.test_dates,
    )
    learns = cuts.tests(settings.horizon_days) and cuts.train(cuts.grade, settings.horizon_days)
    if not learns and (test or grade):
        raise InputError(
            "--as-of" if test else "--grade-as-of",
            f"{test or grade}: no date to train on after {settings.history_days} days of history, with labels in time",
            f"at least {settings.history_days + 2 * settings.horizon_days} days of data to train and test",
            f"The data begin on {first_day}. Choose a later date, or bring more history.",
        )
    return cuts
