"""On which days customers bought, as it was known at any date: what the early warning watches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from features.calendar import day_number, zone
from features.company import Company
from features.tables.consents import read_consents
from features.tables.sql import instant, parquet
from features.workspace import damaged

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

NEVER = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Bought:
    """Days with a purchase, several purchases on one day once, in order of customer and day.

    customer (m,): position of the customer; day (m,): days from 1970-01-01; customers: how many there are.
    """

    customer: Ints
    day: Ints
    customers: int

    def between(self, first: int, end: int) -> Bought:
        """The days from `first` up to, but without, `end`."""
        return self._where((self.day >= first) & (self.day < end))

    def of(self, chosen: Ints) -> Bought:
        """The days of the customers at the ascending positions `chosen`, numbered in that order."""
        place = np.full(self.customers, -1)
        place[chosen] = np.arange(chosen.size)
        mine = self._where(place[self.customer] >= 0)
        return Bought(place[mine.customer], mine.day, chosen.size)

    @property
    def counts(self) -> Ints:
        """Days per customer, shape (customers,)."""
        return np.bincount(self.customer, minlength=self.customers)

    def first(self) -> Ints:
        """First day per customer, shape (customers,); NEVER without one."""
        found = np.full(self.customers, NEVER)
        np.minimum.at(found, self.customer, self.day)
        return found

    def last(self) -> Ints:
        """Last day per customer, shape (customers,); −NEVER without one."""
        found = np.full(self.customers, -NEVER)
        np.maximum.at(found, self.customer, self.day)
        return found

    def _where(self, kept: NDArray[np.bool_]) -> Bought:
        return Bought(self.customer[kept], self.day[kept], self.customers)


@dataclass(frozen=True)
class PurchaseDays:
    """Purchases and returns, summed per customer, day and time of knowledge, in this order.

    ids (n,): pseudonyms; customer (m,): position in ids; day (m,): days from 1970-01-01; known, until (m,):
    microseconds of UTC, NEVER for what was not replaced; purchase (m,): not a return; amount (m,): net, minor units,
    NaN where no line says one.
    """

    ids: tuple[str, ...]
    timezone: str
    customer: Ints
    day: Ints
    known: Ints
    until: Ints
    purchase: NDArray[np.bool_]
    amount: Array

    def at(self, as_of: date) -> PurchaseDays:
        """What was visible at `as_of`: happened and known before it, and not replaced before it."""
        midnight = int(_midnight(as_of, self.timezone).timestamp() * 1_000_000)
        kept = (self.day < day_number(as_of)) & (self.known < midnight) & (self.until >= midnight)
        names = ("customer", "day", "known", "until", "purchase", "amount")
        return replace(self, **{name: getattr(self, name)[kept] for name in names})

    def bought(self) -> Bought:
        """The days with a purchase."""
        pairs = np.unique(np.column_stack([self.customer, self.day])[self.purchase], axis=0)
        return Bought(pairs[:, 0], pairs[:, 1], len(self.ids))

    def spend(self, first: int, end: int) -> Array:
        """Net spend from `first` up to `end`, shape (n,); NaN for who never bought before `end`."""
        before, inside = self.day < end, (self.day >= first) & (self.day < end) & ~np.isnan(self.amount)
        found = np.bincount(self.customer[inside], self.amount[inside], len(self.ids))
        customers = np.bincount(self.customer[before & self.purchase], minlength=len(self.ids)) > 0
        return np.where(customers, found, np.nan)


def read_purchase_days(tables: Path, company: Company, as_of: date) -> PurchaseDays:
    """Everything that was known of purchases and returns at `as_of`, without those who object to profiling.

    Raises InputError for a damaged event table.
    """
    midnight, events = instant(_midnight(as_of, company.timezone)), tables / "events.parquet"
    try:
        with duckdb.connect() as db:
            found = db.execute(
                f"""
                SELECT customer_id, (day - DATE '1970-01-01')::BIGINT AS day, epoch_us(known_at) AS known,
                    coalesce(epoch_us(known_until), {NEVER}) AS until, kind = 'purchase' AS purchase,
                    sum(amount)::DOUBLE AS amount
                FROM {parquet(events)}
                WHERE kind IN ('purchase', 'return') AND day < ? AND known_at < {midnight}
                GROUP BY ALL ORDER BY ALL
                """,
                [as_of],
            ).fetchnumpy()
    except duckdb.Error as error:
        raise damaged(events, error) from None
    objected = read_consents(tables).no_profiling
    kept = np.array([id_ not in objected for id_ in found["customer_id"]], bool)
    ids, customer = np.unique(np.asarray(found["customer_id"])[kept].astype(str), return_inverse=True)
    amount = np.ma.filled(np.ma.asarray(found["amount"], float), np.nan)[kept]
    columns = {name: np.asarray(found[name])[kept] for name in ("day", "known", "until", "purchase")}
    return PurchaseDays(tuple(ids.tolist()), company.timezone, customer, amount=amount, **columns)


def changed_contacts(tables: Path, company: Company, as_of: date, days: int) -> dict[str, date]:
    """Pseudonym → day of the latest change of its contact person in the `days` before `as_of`, as known then."""
    midnight, events = instant(_midnight(as_of, company.timezone)), tables / "events.parquet"
    try:
        with duckdb.connect() as db:
            found = db.execute(
                f"""
                SELECT customer_id, max(day) FROM {parquet(events)}
                WHERE kind = 'contact_changed' AND day < ? AND day >= ?::DATE - {days} AND known_at < {midnight}
                    AND (known_until IS NULL OR known_until >= {midnight})
                GROUP BY ALL ORDER BY ALL
                """,
                [as_of, as_of],
            ).fetchall()
    except duckdb.Error as error:
        raise damaged(events, error) from None
    return dict(found)


def _midnight(day: date, timezone: str) -> datetime:
    return datetime.combine(day, time(), zone(timezone))
