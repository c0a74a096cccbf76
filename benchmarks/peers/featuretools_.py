"""featuretools: what its primitives can say, in an environment of its own (featuretools.lock): it needs pandas 2.

A cutoff time knows when a row happened, not when it became known or was replaced, so rows are filtered by that first.
Left out, because no primitive of featuretools gives them: line_std (its Std is the sample's, not the population's), the
gaps between distinct days (gap_mean, gap_std, gap_cv, gap_median), spend_prev_90d (a training window ends at the
cutoff) and top_quarter_share.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import featuretools as ft
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from featuretools import primitives as p

from benchmarks.peers import NAMES, WINDOWS

COLUMNS = ["customer_id", "day", "known_at", "known_until", "kind", "amount", "item"]
LEFT_OUT = ("line_std", "gap_mean", "gap_std", "gap_cv", "gap_median", "spend_prev_90d", "top_quarter_share")
ZERO = ("lines", "spend", "order_", "items", "returns")


def features(events: Path, as_ofs: Sequence[date], out: Path, threads: int) -> None:
    """Write one file per date into `out`."""
    table = pq.read_table(events, columns=COLUMNS, use_threads=threads > 1).to_pandas()
    table["day"] = pd.to_datetime(table["day"])
    for as_of in as_ofs:
        cutoff = pd.Timestamp(as_of)
        rows = _rows(_company(table, cutoff), cutoff)
        names = [name for name in NAMES if name not in LEFT_OUT]
        filled = {name: rows[name].fillna(0) if name.startswith(ZERO) else rows[name] for name in names}
        own = [pa.array(rows.index, pa.string()), pa.array([as_of] * len(rows), pa.date32())]
        columns = [pa.array(column.astype(float), pa.float64(), from_pandas=True) for column in filled.values()]
        pq.write_table(pa.table([*own, *columns], ["customer_id", "as_of", *names]), out / f"{as_of}.parquet")


def _company(table: pd.DataFrame, cutoff: pd.Timestamp) -> ft.EntitySet:
    """Customers, their purchase lines and their returns, as known at the cutoff."""
    midnight = cutoff.tz_localize("UTC")
    replaced = table["known_until"].notna() & (table["known_until"] < midnight)
    visible = table[(table["day"] < cutoff) & (table["known_at"] < midnight) & ~replaced]
    company = ft.EntitySet("company")
    customers = pd.DataFrame({"customer_id": visible["customer_id"].unique()})
    company.add_dataframe(customers, "customers", index="customer_id", logical_types={"customer_id": "Categorical"})
    for kind in ("purchase", "return"):
        lines = visible.loc[visible["kind"] == kind, ["customer_id", "day", "amount", "item"]].reset_index(drop=True)
        types = {"customer_id": "Categorical", "day": "Datetime", "amount": "Double", "item": "Categorical"}
        company.add_dataframe(lines, kind, index="row", make_index=True, time_index="day", logical_types=types)
        company.add_relationship("customers", "customer_id", kind, "customer_id")
    return company


def _rows(company: ft.EntitySet, cutoff: pd.Timestamp) -> pd.DataFrame:
    def of(column: str, primitive: object, kind: str = "purchase") -> ft.AggregationFeature:
        return ft.Feature(company[kind].ww[column], parent_dataframe_name="customers", primitive=primitive)

    month = ft.Feature(company["purchase"].ww["day"], primitive=p.Month)
    definitions = {
        "recency_days": of("day", p.TimeSinceLast("days")),
        "tenure_days": of("day", p.TimeSinceFirst("days")),
        "lines": of("row", p.Count),
        "spend": of("amount", p.Sum),
        "line_max": of("amount", p.Max),
        "line_mean": of("amount", p.Mean),
        "order_days": of("day", p.NUniqueDays),
        "order_months": of("day", p.NUniqueMonths),
        "month_entropy": ft.Feature(month, parent_dataframe_name="customers", primitive=p.Entropy),
        "items": of("item", p.NumUnique),
        "top_item": of("item", p.NMostCommonFrequency(1)),
        "item_entropy": of("item", p.Entropy),
        "returns": of("row", p.Count, "return"),
    }
    rows = _matrix(company, definitions, cutoff, None)
    rows["top_item_share"] = rows["top_item"].astype(float) / rows["lines"]
    for w in WINDOWS:
        within = {f"{name}_{w}d": definitions[name] for name in ("lines", "spend", "line_max", "order_days")}
        rows = rows.join(_matrix(company, within, cutoff, ft.Timedelta(w, "d")))
    return rows


def _matrix(
    company: ft.EntitySet, definitions: dict[str, ft.FeatureBase], cutoff: pd.Timestamp, window: ft.Timedelta | None
) -> pd.DataFrame:
    """The features of every customer from rows before the cutoff."""
    rows = ft.calculate_feature_matrix(
        [definition.rename(name) for name, definition in definitions.items()],
        company,
        cutoff_time=cutoff,
        training_window=window,
        include_cutoff_time=False,
    )
    return pd.DataFrame(rows)
