"""The kernel against plain SQL over the same event table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pytest

from features.batch import feature_table, matrix
from features.catalogue import CATALOGUE
from features.company import Company
from features.online import Event
from features.spec import OPS, AnyFeature, Combined, Feature, kinds
from features.tables.events import KINDS
from tests.conftest import Ran
from tests.features.sql_reference import NOT_IN_SQL, sql_table
from tests.histories import COMPANY, write_tables

EXPRESSED = [feature for feature in CATALOGUE if feature.name not in dict(NOT_IN_SQL)]
AMOUNTS = (None, 0, 5_000, 8_999, 9_000, 9_999, 10_000, 12_345, 250_000)
OFTEN = ("purchase", "purchase", "return", "visit", "invoice_due", "payment", "transfer_in", "transfer_out")
START, DAYS, BUSY_DAYS = datetime(2020, 1, 1, tzinfo=UTC), range(730), range(515, 550)
AS_OFS = (date(2020, 7, 4), date(2021, 7, 1), date(2021, 12, 30))
SILENT = Company(timezone=COMPANY.timezone, night=(1, 5))
"""A company that names neither amounts nor countries, and whose night lies within a day."""


def generated(customers: int, most: int, seed: int = 1) -> list[list[Event]]:
    """Customers with up to `most` random events of all kinds: late, replaced, at midnight, with and without values."""
    random = Random(seed)
    return [[_event(random) for _ in range(random.randint(1, most))] for _ in range(customers)]


def _event(random: Random) -> Event:
    kind = random.choice(KINDS if random.random() < 0.4 else OFTEN)
    day = random.choice(random.choice([DAYS, BUSY_DAYS]))
    ts = START + timedelta(days=day, minutes=random.choice([300, 240, *range(0, 1440, 37)]))
    known = ts + timedelta(days=random.choice([0, 0, 0, 0, 3, 200]))
    amount = random.choice([*AMOUNTS, random.randrange(10**6)])
    names = (None, "a", "b", "c", "ü", f"day {ts.date()}")
    return Event(
        ts=ts,
        kind=kind,
        ref=random.choice([*names, *map(str, range(20))]),
        amount=-amount if amount and kind == "return" else amount,
        cost=random.randrange(-1_000, 10**5) if random.random() < 0.95 else None,
        quantity=random.choice([None, random.uniform(-10, 100), random.randrange(50)]),
        item=random.choice(names),
        channel=random.choice(names),
        counterparty=random.choice([None, *(f"{k:032x}" for k in range(5))]),
        country=random.choice(names),
        due_day=ts.date() + timedelta(days=random.randint(-10, 90)) if random.random() < 0.9 else None,
        score=random.choice([None, random.uniform(0, 10), random.randrange(11)]),
        known_at=known,
        known_until=known + timedelta(days=random.choice([1, 90, 300])) if random.random() < 0.2 else None,
    )


@pytest.fixture(scope="module")
def random_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The event table of 300 random customers."""
    folder = tmp_path_factory.mktemp("random")
    write_tables(folder, generated(300, 60))
    return folder


def disagreements(ours: pa.Table, reference: pa.Table, features: Sequence[AnyFeature]) -> list[str]:
    """The features whose values are not the same to 1e-9, or null at other places, each with the first such row."""
    keys = ["customer_id", "as_of"]
    assert ours.select(keys).to_pydict() == reference.select(keys).to_pydict()
    names = [feature.name for feature in features]
    found = []
    for name, mine, wanted in zip(names, matrix(ours, names).T, matrix(reference, names).T, strict=True):
        wrong = np.flatnonzero(~np.isclose(mine, wanted, rtol=1e-9, atol=1e-9, equal_nan=True))
        if wrong.size:
            who, when = (ours[key][int(wrong[0])] for key in keys)
            found.append(f"{name}: {mine[wrong[0]]}, by SQL {wanted[wrong[0]]}, {who} at {when}; {wrong.size} rows")
    return found


@pytest.mark.parametrize("company", [COMPANY, SILENT], ids=["outspoken", "silent"])
def test_the_kernel_agrees_with_sql_on_random_histories(random_tables: Path, company: Company) -> None:
    """Every feature of every customer at three dates, values and nulls."""
    ours = feature_table(random_tables, company, EXPRESSED, AS_OFS)
    assert disagreements(ours, sql_table(random_tables, company, EXPRESSED, AS_OFS), EXPRESSED) == []


def test_random_histories_ask_for_everything(random_tables: Path) -> None:
    """Every op and every feature has different answers among the random customers, so that agreement says something."""
    assert {feature.op for feature in EXPRESSED if isinstance(feature, Feature)} == set(OPS)
    ours = feature_table(random_tables, COMPANY, EXPRESSED, AS_OFS)
    assert [name for name in ours.column_names if len(ours[name].drop_null().unique()) < 2] == []


@pytest.mark.real
def test_the_kernel_agrees_with_sql_on_online_retail(online_retail: Ran) -> None:
    """Every feature of purchases and returns, of every real customer at two dates."""
    features = answered_by("purchase", "return")
    tables, company = online_retail.workspace.tables, online_retail.job.source.company()
    as_ofs = (date(2011, 3, 1), date(2011, 12, 10))
    ours = feature_table(tables, company, features, as_ofs)
    assert disagreements(ours, sql_table(tables, company, features, as_ofs), features) == []


def answered_by(*names: str) -> list[AnyFeature]:
    """The features that look at events of these kinds only, and what is combined of them."""
    chosen: list[AnyFeature] = []
    for feature in EXPRESSED:
        if isinstance(feature, Combined):
            answered = {*feature.of} <= {other.name for other in chosen}
        else:
            answered = not feature.kinds & ~kinds(*names)
        if answered:
            chosen.append(feature)
    return chosen
