"""One run of ingest in time: what was complete before it, and when what it brings was known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from features.calendar import zone
from features.tables.sql import instant


@dataclass(frozen=True)
class Batch:
    """One run of ingest. number: how many runs went before; now: its instant; data_end: the instant up to which the
    days were complete before it, null for the first run."""

    number: int
    now: datetime
    data_end: datetime | None

    @staticmethod
    def after(last_day: str | None, number: int, now: datetime, timezone: str) -> Batch:
        """The run at `now` that follows data which end with `last_day` (ISO), in the company's zone."""
        if last_day is None:
            return Batch(number, now, None)
        end = datetime.combine(date.fromisoformat(last_day) + timedelta(days=1), time(), zone(timezone))
        return Batch(number, now, end.astimezone(UTC))

    def known_at(self, of: str = "") -> str:
        """SQL of when a staged event was known, where its table does not say: when it happened; but an event of days
        that were complete is known only now. of: the staged event's name in the query, with a dot."""
        if self.data_end is None:
            return f"coalesce({of}known_at, {of}ts)"
        late = f"{of}ts < {instant(self.data_end)}"
        return f"coalesce({of}known_at, CASE WHEN {late} THEN {instant(self.now)} ELSE {of}ts END)"
