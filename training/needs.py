"""What each task needs of a company's data, and what a company's data lack."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from features.tables.sql import parquet
from features.workspace import part_files
from training.recipes import Settings


@dataclass(frozen=True)
class Holdings:
    """What a company's events are. kinds: kind → events; priced: purchases with an amount; buyers: customers with a
    purchase; first_day, last_day: of all events; attributes: what is known of customers, but for the vault's: name →
    (family, customers)."""

    kinds: dict[str, int]
    priced: int
    buyers: int
    first_day: date
    last_day: date
    attributes: dict[str, tuple[str, int]]

    @property
    def days(self) -> int:
        """From the first day to the last, both counted."""
        return (self.last_day - self.first_day).days + 1


@dataclass(frozen=True)
class Need:
    """kinds: of each group at least one kind of event; amounts: of purchases; history: enough days to train and to
    test; buyers: enough customers who bought."""

    task: str
    kinds: tuple[tuple[str, ...], ...]
    amounts: bool = False
    history: bool = False
    buyers: bool = False


CLASSES = "classes"
NEEDS = (
    Need(CLASSES, (("purchase",),)),
    Need("churn", (("purchase",),), history=True, buyers=True),
    Need("value", (("purchase",),), amounts=True, history=True, buyers=True),
    Need("demand", (("purchase",),), history=True, buyers=True),
    Need("intent", (("purchase",),), history=True, buyers=True),
    Need("potential", (("purchase",),), amounts=True, history=True, buyers=True),
    Need("segments", (("purchase",),)),
    Need("arrears", (("invoice_due",), ("payment",)), history=True),
    Need("laundering", (("transfer_in", "transfer_out"),)),
)
"""The classes of the scheme, and the tasks."""


def days_needed(settings: Settings, horizon_days: int | None = None, tested: bool = True) -> int:
    """The shortest history with a training date whose labels close: before a test date whose labels close in turn, or
    untested, before the end of the data. horizon_days: by default that of churn and value."""
    return settings.history_days + (1 + tested) * (horizon_days or settings.horizon_days)


def holdings(tables: Path) -> Holdings:
    """What the events of a workspace's tables are."""
    with duckdb.connect() as db:
        events = parquet(tables / "events.parquet")
        kinds = dict(db.sql(f"SELECT kind, count(*) FROM {events} GROUP BY kind ORDER BY kind").fetchall())
        priced, buyers = db.sql(
            f"SELECT count(amount), count(DISTINCT customer_id) FROM {events} WHERE kind = 'purchase'"
        ).fetchall()[0]
        first, last = db.sql(f"SELECT min(day), max(day) FROM {events}").fetchall()[0]
        attributes = {}
        if part_files(tables / "customers.parquet"):
            found = db.sql(
                "SELECT attribute, family, count(DISTINCT customer_id) "
                f"FROM {parquet(tables / 'customers.parquet')} GROUP BY ALL ORDER BY attribute"
            ).fetchall()
            attributes = {name: (family, count) for name, family, count in found}
    return Holdings(kinds, priced, buyers, first, last, attributes)


def lacking(held: Holdings, settings: Settings) -> dict[str, str]:
    """Task → what it lacks; empty for one that the data allow."""
    return {need.task: "; ".join(_lacks(need, held, settings)) for need in NEEDS}


def _lacks(need: Need, held: Holdings, settings: Settings) -> list[str]:
    found = [f"no events of kind {' or '.join(group)}" for group in need.kinds if not set(group) & set(held.kinds)]
    if found:
        return found
    if need.amounts and not held.priced:
        found.append("the purchases have no amounts")
    if need.history and held.days < days_needed(settings):
        found.append(f"{held.days} days of data, at least {days_needed(settings)} are needed")
    if need.buyers and held.buyers < settings.fewest_customers:
        found.append(f"{held.buyers} customers with a purchase, at least {settings.fewest_customers} are needed")
    return found
