"""pandas: typed columns once, then grouped aggregates only, no Python code per customer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.peers import NAMES, WINDOWS

STRINGS = ["customer_id", "kind", "item"]
COLUMNS = [*STRINGS, "day", "known_at", "known_until", "amount"]
EPOCH = date(1970, 1, 1).toordinal()
FOREVER = 2**31 - 1


def features(events: Path, as_ofs: Sequence[date], out: Path, threads: int) -> None:
    """Write one file per date into `out`."""
    table = pq.read_table(events, columns=COLUMNS, read_dictionary=STRINGS, use_threads=threads > 1)
    customers, lines = _base(table)
    for as_of in as_ofs:
        rows = _rows(lines, as_of.toordinal() - EPOCH)
        days = np.full(len(rows), as_of, "datetime64[D]")
        columns = [pa.array(rows[name], pa.float64(), from_pandas=True) for name in NAMES]
        own = [customers.take(pa.array(rows.index)), pa.array(days)]
        pq.write_table(pa.table([*own, *columns], ["customer_id", "as_of", *NAMES]), out / f"{as_of}.parquet")


def _base(table: pa.Table) -> tuple[pa.Array, pd.DataFrame]:
    """The customers' pseudonyms, and the events as numbers; one is visible at a date when seen < date <= until."""
    codes = {name: table[name].unify_dictionaries().combine_chunks() for name in STRINGS}
    day = table["day"].cast(pa.int32()).to_numpy()
    known = table["known_at"].cast(pa.timestamp("us")).to_numpy().astype("datetime64[D]").astype(np.int32)
    until = table["known_until"].cast(pa.timestamp("us")).to_numpy().astype("datetime64[D]")
    kinds = codes["kind"].dictionary.to_pylist()
    kind = codes["kind"].indices.to_numpy()
    lines = pd.DataFrame(
        {
            "c": codes["customer_id"].indices.to_numpy(),
            "day": day,
            "seen": np.maximum(day, known),
            "until": np.where(np.isnat(until), FOREVER, until.astype(np.int64)),
            "bought": kind == kinds.index("purchase"),
            "returned": kind == kinds.index("return"),
            "amount": table["amount"].fill_null(0).to_numpy(),
            "item": codes["item"].indices.fill_null(-1).to_numpy(),
        }
    )
    return codes["customer_id"].dictionary, lines


def _rows(lines: pd.DataFrame, today: int) -> pd.DataFrame:
    visible = lines[(lines["seen"] < today) & (lines["until"] >= today)]
    bought = visible[visible["bought"]]
    rows = pd.DataFrame(index=np.sort(visible["c"].unique()))
    rows["returns"] = visible.groupby("c")["returned"].sum()
    amounts = bought.groupby("c")["amount"]
    rows["line_std"] = amounts.std(ddof=0)
    daily = bought.groupby(["c", "day"])["amount"].agg(["size", "sum", "max"]).reset_index()
    for part in (_windows(daily, today), _calendar(daily), _gaps(daily), _assortment(bought)):
        rows = rows.join(part)
    never = [n for n in NAMES if n.startswith(("lines", "spend", "order_", "items", "returns"))]
    rows[never] = rows[never].fillna(0)
    return rows


def _windows(daily: pd.DataFrame, today: int) -> pd.DataFrame:
    whole = daily.groupby("c").agg(
        first=("day", "min"),
        last=("day", "max"),
        n=("size", "sum"),
        total=("sum", "sum"),
        top=("max", "max"),
        order_days=("day", "size"),
    )
    rows = pd.DataFrame(
        {
            "recency_days": today - whole["last"],
            "tenure_days": today - whole["first"],
            "lines": whole["n"],
            "spend": whole["total"],
            "line_max": whole["top"],
            "line_mean": whole["total"] / whole["n"],
            "order_days": whole["order_days"],
        }
    )
    before = daily[(daily["day"] >= today - 180) & (daily["day"] < today - 90)]
    rows["spend_prev_90d"] = before.groupby("c")["sum"].sum()
    recent = daily
    for w in sorted(WINDOWS, reverse=True):
        recent = recent[recent["day"] >= today - w]
        within = recent.groupby("c")
        rows[f"lines_{w}d"], rows[f"spend_{w}d"] = within["size"].sum(), within["sum"].sum()
        rows[f"line_max_{w}d"], rows[f"order_days_{w}d"] = within["max"].max(), within.size()
    return rows


def _calendar(daily: pd.DataFrame) -> pd.DataFrame:
    month = daily["day"].to_numpy().astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    monthly = daily.assign(month=month).groupby(["c", "month"])[["size", "sum"]].sum().reset_index()
    monthly["month"] %= 12
    pooled = monthly.groupby(["c", "month"])[["size", "sum"]].sum().reset_index()
    quarterly = pooled.groupby(["c", pooled["month"] // 3])["sum"].sum()
    top, total = quarterly.groupby("c").max(), quarterly.groupby("c").sum()
    return pd.DataFrame(
        {
            "order_months": monthly.groupby("c").size(),
            "month_entropy": _entropy(pooled["c"], pooled["size"]),
            "top_quarter_share": (top / total).where(total > 0),
        }
    )


def _gaps(daily: pd.DataFrame) -> pd.DataFrame:
    """`daily` is sorted by customer and day."""
    gap = daily["day"].diff()[daily["c"] == daily["c"].shift()]
    gaps = gap.groupby(daily["c"])
    rows = pd.DataFrame({"gap_mean": gaps.mean(), "gap_std": gaps.std(ddof=0), "gap_median": gaps.median()})
    rows["gap_cv"] = (rows["gap_std"] / rows["gap_mean"]).where(gaps.size() > 1)
    return rows


def _assortment(bought: pd.DataFrame) -> pd.DataFrame:
    counts = bought[bought["item"] >= 0].groupby(["c", "item"], sort=False).size().rename("n").reset_index()
    items = counts.groupby("c")["n"]
    return pd.DataFrame(
        {
            "items": items.size(),
            "top_item_share": items.max() / items.sum(),
            "item_entropy": _entropy(counts["c"], counts["n"]),
        }
    )


def _entropy(customer: pd.Series, n: pd.Series) -> pd.Series:
    """ln N − Σ n ln n / N per customer."""
    total = n.groupby(customer).sum()
    return (np.log(total) - (n * np.log(n)).groupby(customer).sum() / total).clip(lower=0)
