"""One customer's events in, its graded record out: features, models and scheme of one live set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from classification.grade import LiveSet
from features.catalogue import PROGRAM
from features.online import Event, row_of, told_by
from features.tables.privacy import Pseudonyms
from features.traits import traits_of
from serving.records import Records
from training.release import contributions
from training.trees import MANY


@dataclass(frozen=True)
class Scorer:
    """Grades customers with one live set. categories: item → its category."""

    live: LiveSet
    pseudonyms: Pseudonyms
    categories: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def records(self) -> Records:
        """The records of the live set."""
        return Records(self.live)

    def features(
        self, customer: str, events: Sequence[Event], as_of: date
    ) -> tuple[NDArray[np.float64], dict[str, str | None]]:
        """The feature row (features,) and the traits of a customer, a pseudonym as all ids in `events`."""
        company = self.live.snapshot.company
        told = told_by(customer, events, company)
        return row_of(PROGRAM, told, as_of, company), traits_of(told, as_of, self.categories)

    def pseudonymous(self, event: Event) -> Event:
        """An event as it was sent, with a pseudonym for the company's own id of a partner."""
        if event.counterparty is None:
            return event
        return msgspec.structs.replace(event, counterparty=self.pseudonyms.of(event.counterparty))

    def warm(self) -> None:
        """Answer once for one customer and once for many, so that everything is compiled and loaded before the first
        request."""
        events = [Event(datetime(2020, 1, day, tzinfo=UTC), "purchase", amount=100, item="x") for day in (1, 9, 20)]
        row, _ = self.features("warm", events, date(2020, 2, 1))
        self.live.grade_one(row, {})
        for rows in (row[None, :], np.tile(row, (MANY, 1))):
            self.live.grade(rows)
            for task in self.live.release.models:
                contributions(self.live.release, task, rows)
