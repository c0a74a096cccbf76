"""Who bought what, for the products that most customers bought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import duckdb
import numpy as np
from numpy.typing import NDArray

from features.tables.sql import parquet, visible

MOST_PRODUCTS = 100


@dataclass(frozen=True)
class Baskets:
    """bought[i, j]: customer i bought products[j]; products: item codes or categories, bought by most first."""

    products: tuple[str, ...]
    bought: NDArray[np.bool_]


def read_baskets(
    tables: Path,
    ids: Sequence[str],
    as_of: date,
    timezone: str = "UTC",
    days: int = 365,
    by: Literal["item", "category"] = "item",
    most: int = MOST_PRODUCTS,
) -> Baskets:
    """What customers bought in the `days` before `as_of`, as far as it was known then.

    tables: the folder of the workspace; ids (n,): pseudonyms, in the order of the rows; by: the item's code, or its
    category in the items table; most: products kept, those with the most customers, ties by name. No product at all
    where purchases say no item, or items no category.
    """
    column = "i.category" if by == "category" else "e.item"
    with duckdb.connect() as db:
        found = db.execute(
            f"""
            SELECT DISTINCT e.customer_id, {column} AS product
            FROM {parquet(tables / "events.parquet")} e
            LEFT JOIN {parquet(tables / "items.parquet")} i USING (item)
            WHERE e.kind = 'purchase' AND {column} IS NOT NULL AND e.day >= ? AND {visible(as_of, timezone, "e.")}
            """,
            [as_of - timedelta(days=days)],
        ).fetchnumpy()
    row = {id_: i for i, id_ in enumerate(ids)}
    pairs = [(row[id_], str(p)) for id_, p in zip(found["customer_id"], found["product"], strict=True) if id_ in row]
    names, customers = np.unique([product for _, product in pairs], return_counts=True)
    products = tuple(str(names[j]) for j in np.lexsort((names, -customers))[:most])
    place = {product: j for j, product in enumerate(products)}
    bought = np.zeros((len(ids), len(products)), bool)
    for i, product in pairs:
        if product in place:
            bought[i, place[product]] = True
    return Baskets(products, bought)
