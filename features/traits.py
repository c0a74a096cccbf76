"""What a customer mostly does, as a text: the channel it buys through, the category it buys.

Kernel features are numbers; these few answers are names. Batch asks DuckDB, the service asks the events at hand, and a
property test holds them to one answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import duckdb
import numpy as np
import pyarrow as pa

from features.calendar import day_number
from features.company import Company
from features.online import Told
from features.tables.sql import parquet, visible
from features.workspace import damaged, read_parquet

DAYS = 365
SCHEMA = pa.schema(
    [("customer_id", pa.string()), ("as_of", pa.date32()), ("trait", pa.string()), ("value", pa.string())]
)


@dataclass(frozen=True)
class Trait:
    """The text that most purchase lines of the last DAYS days carry; of equals the first in order of text; null where
    no line carries one. by: the channel, or the category that the items table has for the item."""

    name: str
    by: Literal["channel", "category"]
    doc: str


TRAITS = (
    Trait("top_channel", "channel", "The channel of most purchase lines of the last 365 days."),
    Trait("top_category", "category", "The category of most purchase lines of the last 365 days."),
)


def trait_table(tables: Path, company: Company, as_of: date) -> pa.Table:
    """The traits of every customer who has some at a date: customer_id, as_of, trait, value; in this order.

    Raises InputError for a damaged table.
    """
    events, items = parquet(tables / "events.parquet"), parquet(tables / "items.parquet")
    seen = (
        f"FROM {events} e LEFT JOIN {items} i USING (item) WHERE e.kind = 'purchase' "
        f"AND e.day >= DATE '{as_of - timedelta(days=DAYS)}' AND {visible(as_of, company.timezone, 'e.')}"
    )
    columns = {"channel": "e.channel", "category": "i.category"}
    lines = " UNION ALL ".join(
        f"SELECT customer_id, '{trait.name}' AS trait, {columns[trait.by]} AS value {seen}" for trait in TRAITS
    )
    try:
        with duckdb.connect() as db:
            found = db.sql(
                f"""SELECT customer_id, DATE '{as_of}' AS as_of, trait, value FROM ({lines}) WHERE value IS NOT NULL
                GROUP BY customer_id, trait, value
                QUALIFY 1 = row_number() OVER (PARTITION BY customer_id, trait ORDER BY count(*) DESC, value)
                ORDER BY customer_id, trait"""
            )
            return found.to_arrow_table().cast(SCHEMA)
    except duckdb.Error as error:
        raise damaged(tables / "events.parquet", error) from None


def read_categories(tables: Path) -> Mapping[str, str]:
    """Item → its category, for the items that have one."""
    path = tables / "items.parquet"
    if not path.exists():
        return {}
    rows = read_parquet(path, columns=["item", "category"]).to_pylist()
    return {row["item"]: row["category"] for row in rows if row["category"] is not None}


def traits_of(told: Told, as_of: date, categories: Mapping[str, str]) -> dict[str, str | None]:
    """The traits of one customer from its events at hand; categories: item → category."""
    kinds, channels, items = (told.columns[name] for name in ("kind", "channel", "item"))
    lately = told.visible(as_of) & (told.day >= day_number(as_of) - DAYS)
    bought = [i for i in np.flatnonzero(lately).tolist() if kinds[i] == "purchase"]
    said = {"channel": [channels[i] for i in bought], "category": [categories.get(items[i] or "") for i in bought]}
    return {trait.name: _most(said[trait.by]) for trait in TRAITS}


def _most(texts: Sequence[str | None]) -> str | None:
    counts = Counter(texts)
    del counts[None]
    return min(counts, key=lambda text: (-counts[text], str(text)), default=None)
