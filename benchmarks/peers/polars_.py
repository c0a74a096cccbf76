"""Polars: typed columns once, then a lazy query per date. POLARS_MAX_THREADS says how many threads, not `threads`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from benchmarks.peers import NAMES, WINDOWS

FOREVER = date(9999, 12, 31)


@dataclass(frozen=True)
class _Base:
    """Events as numbers: an event is visible at a date when seen < date <= until."""

    customers: pl.DataFrame  # c, customer_id
    days: pl.DataFrame  # c, day, seen, until: purchase lines added up
    items: pl.DataFrame  # c, item_no, seen, until: a row per purchase line
    others: pl.DataFrame  # c, returned, seen, until: events that are no purchases


def features(events: Path, as_ofs: Sequence[date], out: Path, threads: int) -> None:
    """Write one file per date into `out`."""
    base = _base(events, as_ofs)
    for as_of in as_ofs:
        rows = _rows(base, as_of).join(base.customers.lazy(), on="c")
        typed = rows.select("customer_id", pl.lit(as_of).alias("as_of"), *(pl.col(n).cast(pl.Float64) for n in NAMES))
        typed.collect().write_parquet(out / f"{as_of}.parquet")


def _base(events: Path, as_ofs: Sequence[date]) -> _Base:
    read = pl.scan_parquet(events)
    customers = read.select(pl.col("customer_id").unique()).with_row_index("c").collect()
    items = read.select(pl.col("item").drop_nulls().unique()).with_row_index("item_no").collect()
    lines = (
        read.filter(pl.col("day") < max(as_ofs))
        .join(customers.lazy(), on="customer_id")
        .join(items.lazy(), on="item", how="left")
        .select(
            "c",
            "day",
            pl.max_horizontal("day", pl.col("known_at").dt.date()).alias("seen"),
            pl.col("known_until").dt.date().fill_null(FOREVER).alias("until"),
            (pl.col("kind") == "purchase").alias("bought"),
            (pl.col("kind") == "return").alias("returned"),
            "amount",
            "item_no",
        )
        .collect()
        .lazy()
    )
    bought = lines.filter("bought")
    days = bought.group_by("c", "day", "seen", "until").agg(
        pl.len().cast(pl.Int64).alias("n"),
        pl.col("amount").sum().alias("total"),
        pl.col("amount").max().alias("top"),
        (pl.col("amount") ** 2).sum().alias("squares"),
    )
    return _Base(
        customers,
        days.collect(),
        bought.filter(pl.col("item_no").is_not_null()).select("c", "item_no", "seen", "until").collect(),
        lines.filter(~pl.col("bought")).select("c", "returned", "seen", "until").collect(),
    )


def _rows(base: _Base, as_of: date) -> pl.LazyFrame:
    visible = (pl.col("seen") < as_of) & (pl.col("until") >= as_of)
    days, items, others = (table.lazy().filter(visible) for table in (base.days, base.items, base.others))
    daily = days.group_by("c", "day").agg(pl.col("n", "total", "squares").sum(), pl.col("top").max())
    rows = _windows(daily, as_of)
    for part in (_calendar(daily), _gaps(daily), _assortment(items)):
        rows = rows.join(part, on="c", how="left")
    returns = others.group_by("c").agg(pl.col("returned").sum().alias("returns"))
    rows = rows.join(returns, on="c", how="full", coalesce=True)
    never = [n for n in NAMES if n.startswith(("lines", "spend", "order_", "items", "returns"))]
    return rows.with_columns(pl.col(never).fill_null(0))


def _windows(daily: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    days_ago = (pl.lit(as_of) - pl.col("day")).dt.total_days()
    aged = (
        daily.with_columns(days_ago.alias("days_ago"))
        .group_by("c", pl.sum_horizontal(pl.col("days_ago") > w for w in WINDOWS).alias("age"))
        .agg(
            pl.col("days_ago").min().alias("recency_days"),
            pl.col("days_ago").max().alias("tenure_days"),
            pl.col("n", "total", "squares").sum(),
            pl.col("top").max(),
            pl.len().cast(pl.Int64).alias("days"),
        )
    )
    n, total, age = pl.col("n"), pl.col("total"), pl.col("age")
    wide = pl.Int128
    deviation = (n.cast(wide) * pl.col("squares").cast(wide) - total.cast(wide) ** 2).cast(pl.Float64).sqrt() / n
    windows = [
        expression
        for i, w in enumerate(WINDOWS)
        for expression in (
            n.filter(age <= i).sum().alias(f"lines_{w}d"),
            total.filter(age <= i).sum().alias(f"spend_{w}d"),
            pl.col("top").filter(age <= i).max().alias(f"line_max_{w}d"),
            pl.col("days").filter(age <= i).sum().alias(f"order_days_{w}d"),
        )
    ]
    return (
        aged.group_by("c")
        .agg(
            pl.col("recency_days").min(),
            pl.col("tenure_days").max(),
            pl.col("n", "total", "squares").sum(),
            pl.col("top").max().alias("line_max"),
            pl.col("days").sum().alias("order_days"),
            total.filter(age == 3).sum().alias("spend_prev_90d"),
            *windows,
        )
        .with_columns(
            n.alias("lines"), total.alias("spend"), (total / n).alias("line_mean"), deviation.alias("line_std")
        )
        .drop("n", "total", "squares")
    )


def _calendar(daily: pl.LazyFrame) -> pl.LazyFrame:
    month = pl.col("day").dt.year() * 12 + pl.col("day").dt.month() - 1
    monthly = daily.group_by("c", month.alias("month")).agg(pl.col("n", "total").sum())
    pooled = monthly.group_by("c", pl.col("month") % 12).agg(pl.len().alias("months"), pl.col("n", "total").sum())
    quarter, total = pl.col("month") // 3, pl.col("total")
    return (
        pooled.group_by("c")
        .agg(
            pl.col("months").sum().alias("order_months"),
            _entropy().alias("month_entropy"),
            total.sum(),
            *(total.filter(quarter == q).sum().alias(f"q{q}") for q in range(4)),
        )
        .with_columns(
            pl.when(total > 0).then(pl.max_horizontal("q0", "q1", "q2", "q3") / total).alias("top_quarter_share")
        )
        .select("c", "order_months", "month_entropy", "top_quarter_share")
    )


def _gaps(daily: pl.LazyFrame) -> pl.LazyFrame:
    gap = pl.col("gap")
    return (
        daily.select("c", "day")
        .sort("c", "day")
        .select(
            "c", pl.col("day").diff().dt.total_days().alias("gap"), (pl.col("c") == pl.col("c").shift()).alias("same")
        )
        .filter("same")
        .group_by("c")
        .agg(gap.mean().alias("gap_mean"), gap.std(ddof=0).alias("gap_std"), gap.median().alias("gap_median"), pl.len())
        .with_columns(pl.when(pl.col("len") > 1).then(pl.col("gap_std") / pl.col("gap_mean")).alias("gap_cv"))
        .drop("len")
    )


def _assortment(items: pl.LazyFrame) -> pl.LazyFrame:
    n = pl.col("n")
    return (
        items.group_by("c", "item_no")
        .agg(pl.len().alias("n"))
        .group_by("c")
        .agg(
            pl.len().alias("items"),
            (n.max() / n.sum()).alias("top_item_share"),
            _entropy().alias("item_entropy"),
        )
    )


def _entropy() -> pl.Expr:
    """ln N − Σ n ln n / N of the column n."""
    n = pl.col("n")
    return (n.sum().log() - (n * n.log()).sum() / n.sum()).clip(lower_bound=0)
