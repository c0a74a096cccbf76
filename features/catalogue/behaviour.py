"""How a customer behaves: how often, how regularly, how lately, through what, and what it looks at."""

from __future__ import annotations

from features.spec import AnyFeature, Combined, Feature, kinds

PURCHASES = kinds("purchase")
RETURNS = kinds("return")
VISITS = kinds("visit")

RHYTHM = (
    Feature(
        "orders", op="nunique", by="ref", kinds=PURCHASES, family="behavioural", unit="orders",
        doc="Orders ever placed: distinct order numbers, or days with a purchase where orders have no number.",
    ),
    Feature(
        "order_days", op="active_days", kinds=PURCHASES, family="behavioural", unit="days",
        doc="Days with at least one purchase; one less is x of the BTYD models.",
    ),
    Feature(
        "order_months", op="active_months", kinds=PURCHASES, family="behavioural", unit="months",
        doc="Calendar months with at least one purchase.",
    ),
    Feature(
        "recency_days", op="days_since_last", kinds=PURCHASES, family="behavioural", unit="days",
        doc="Days since the last purchase; null before the first.",
    ),
    Feature(
        "tenure_days", op="days_since_first", kinds=PURCHASES, family="behavioural", unit="days",
        doc="Days since the first purchase, T of the BTYD models; null before it.",
    ),
    Feature(
        "gap_mean", op="gap_mean", kinds=PURCHASES, family="behavioural", unit="days",
        doc="Mean days between purchases; null below two days with a purchase.",
    ),
    Feature(
        "gap_median", op="gap_median", kinds=PURCHASES, family="behavioural", unit="days",
        doc="Median days between purchases; null below two days with a purchase.",
    ),
    Feature(
        "gap_max", op="gap_max", kinds=PURCHASES, family="behavioural", unit="days",
        doc="Longest silence between two purchases; null below two days with a purchase.",
    ),
    Feature(
        "gap_std", op="gap_std", kinds=PURCHASES, family="behavioural", unit="days",
        doc="Standard deviation of the days between purchases; null below two days with a purchase.",
    ),
    Feature(
        "gap_cv", op="gap_cv", kinds=PURCHASES, family="behavioural", unit="1",
        doc="Irregularity of buying: standard deviation of the gaps over their mean; null below two gaps.",
    ),
    Feature(
        "recurring_months", op="recurring_months", kinds=PURCHASES, family="behavioural", unit="months",
        doc="Calendar months (1 to 12) in which the customer bought in two different years or more.",
    ),
    Feature(
        "top_month_share", op="top_share", by="month", kinds=PURCHASES, family="behavioural", unit="1",
        doc="Share of all purchase lines in the busiest calendar month; 1/12 is even, 1 is one month only.",
    ),
    Feature(
        "month_entropy", op="entropy", by="month", kinds=PURCHASES, family="behavioural", unit="nats",
        doc="Spread of purchase lines over the calendar months; 0 is one month only, 2.48 is even.",
    ),
    Feature(
        "top_weekday_share", op="top_share", by="weekday", kinds=PURCHASES, family="behavioural", unit="1",
        doc="Share of all purchase lines on the busiest weekday.",
    ),
)  # fmt: skip

WINDOWS: tuple[AnyFeature, ...] = tuple(
    Feature(
        f"orders_{days}d", op="nunique", by="ref", kinds=PURCHASES, days=days, family="behavioural", unit="orders",
        doc=f"Orders of the last {days} days.",
    )
    for days in (7, 30, 90, 180, 365)
)  # fmt: skip

TREND = (
    Feature(
        "orders_prev_90d", op="nunique", by="ref", kinds=PURCHASES, days=90, skip=90,
        family="behavioural", unit="orders", doc="Orders of the 90 days before the last 90.",
    ),
    Feature(
        "orders_same_90d_last_year", op="nunique", by="ref", kinds=PURCHASES, days=90, skip=275,
        family="behavioural", unit="orders", doc="Orders of the 90 days that begin one year before as_of.",
    ),
    Combined(
        "orders_trend_90d", op="ratio", of=("orders_90d", "orders_prev_90d"), family="behavioural", unit="1",
        doc="Orders of the last 90 days over those of the 90 days before; null without the latter.",
    ),
    Combined(
        "silence_ratio", op="ratio", of=("recency_days", "gap_mean"), family="behavioural", unit="1",
        doc="Days since the last purchase over the customer's own mean gap: above 1 it is late.",
    ),
    Combined(
        "orders_per_active_month", op="ratio", of=("orders", "order_months"), family="behavioural", unit="orders",
        doc="Orders per calendar month that has any.",
    ),
)  # fmt: skip

BREADTH = (
    Feature(
        "lines", op="count", kinds=PURCHASES, family="behavioural", unit="lines", doc="Purchase lines ever.",
    ),
    Combined(
        "lines_per_order", op="ratio", of=("lines", "orders"), family="behavioural", unit="lines",
        doc="Mean lines of an order; null before the first.",
    ),
    Feature(
        "items", op="nunique", by="item", kinds=PURCHASES, family="behavioural", unit="items",
        doc="Different items ever bought.",
    ),
    Feature(
        "items_90d", op="nunique", by="item", kinds=PURCHASES, days=90, family="behavioural", unit="items",
        doc="Different items bought in the last 90 days.",
    ),
    Feature(
        "item_entropy", op="entropy", by="item", kinds=PURCHASES, family="behavioural", unit="nats",
        doc="Spread of purchase lines over items; 0 is a single item, null without item codes.",
    ),
    Feature(
        "channels", op="nunique", by="channel", kinds=PURCHASES, family="behavioural", unit="channels",
        doc="Different channels ever bought through.",
    ),
    Feature(
        "top_channel_share", op="top_share", by="channel", kinds=PURCHASES, family="behavioural", unit="1",
        doc="Share of purchase lines through the most used channel; null without channels.",
    ),
)  # fmt: skip

RETURN_HABIT = (
    Feature(
        "returns", op="nunique", by="ref", kinds=RETURNS, family="behavioural", unit="returns",
        doc="Returns ever made: distinct numbers, or days where returns have none.",
    ),
    Feature(
        "returns_365d", op="nunique", by="ref", kinds=RETURNS, days=365, family="behavioural", unit="returns",
        doc="Returns of the last 365 days.",
    ),
    Combined(
        "returns_per_order", op="ratio", of=("returns", "orders"), family="behavioural", unit="1",
        doc="Returns over orders; null before the first order.",
    ),
)  # fmt: skip

INTEREST = (
    Feature(
        "visits_7d", op="count", kinds=VISITS, days=7, family="behavioural", unit="visits",
        doc="Visits of the last 7 days.",
    ),
    Feature(
        "visits_30d", op="count", kinds=VISITS, days=30, family="behavioural", unit="visits",
        doc="Visits of the last 30 days.",
    ),
    Feature(
        "visits_90d", op="count", kinds=VISITS, days=90, family="behavioural", unit="visits",
        doc="Visits of the last 90 days.",
    ),
    Feature(
        "visit_recency_days", op="days_since_last", kinds=VISITS, family="behavioural", unit="days",
        doc="Days since the last visit; null before the first.",
    ),
)  # fmt: skip

BEHAVIOUR: tuple[AnyFeature, ...] = (*RHYTHM, *WINDOWS, *TREND, *BREADTH, *RETURN_HABIT, *INTEREST)
