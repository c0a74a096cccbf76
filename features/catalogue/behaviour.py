"""How a customer behaves: how often, how regularly, how lately, by what way, and what it brings back."""

from __future__ import annotations

from features.spec import AnyFeature, Combined, Feature, kinds

PURCHASES = kinds("purchase")
RETURNS = kinds("return")
VISITS = kinds("visit")
FAMILY = "behavioural"

RHYTHM: tuple[AnyFeature, ...] = (
    Feature(
        "orders", op="nunique", by="ref", kinds=PURCHASES, family=FAMILY, unit="orders",
        doc="Orders ever placed: distinct order numbers, or days with a purchase where orders have no number.",
    ),
    Feature(
        "order_days", op="active_days", kinds=PURCHASES, family=FAMILY, unit="days",
        doc="Days with at least one purchase; one less is x of the BTYD models.",
    ),
    Feature(
        "order_months", op="active_months", kinds=PURCHASES, family=FAMILY, unit="months",
        doc="Calendar months with at least one purchase, each year's counted.",
    ),
    Feature(
        "recency_days", op="days_since_last", kinds=PURCHASES, family=FAMILY, unit="days",
        doc="Days since the last purchase; null before the first.",
    ),
    Feature(
        "tenure_days", op="days_since_first", kinds=PURCHASES, family=FAMILY, unit="days",
        doc="Days since the first purchase, T of the BTYD models; null before it.",
    ),
    Feature(
        "gap_mean", op="gap_mean", kinds=PURCHASES, family=FAMILY, unit="days",
        doc="Mean days between purchases; null below two days with a purchase.",
    ),
    Feature(
        "gap_median", op="gap_median", kinds=PURCHASES, family=FAMILY, unit="days",
        doc="Median days between purchases; null below two days with a purchase.",
    ),
    Feature(
        "gap_max", op="gap_max", kinds=PURCHASES, family=FAMILY, unit="days",
        doc="Longest silence between two purchases; null below two days with a purchase.",
    ),
    Feature(
        "gap_std", op="gap_std", kinds=PURCHASES, family=FAMILY, unit="days",
        doc="Standard deviation of the days between purchases; null below two days with a purchase.",
    ),
    Feature(
        "gap_cv", op="gap_cv", kinds=PURCHASES, family=FAMILY, unit="1",
        doc="Irregularity of buying: standard deviation of the gaps over their mean; null below two gaps.",
    ),
    Feature(
        "burstiness", op="burstiness", kinds=PURCHASES, family=FAMILY, unit="1",
        doc="−1 buys like a clock, 0 at random, 1 all at once (Goh & Barabási 2008, eq. 1); null below two gaps.",
    ),
    Combined(
        "silence_ratio", op="ratio", of=("recency_days", "gap_mean"), family=FAMILY, unit="1",
        doc="Days since the last purchase over the customer's own mean gap: above 1 it is late.",
    ),
    Combined(
        "orders_per_active_month", op="ratio", of=("orders", "order_months"), family=FAMILY, unit="orders",
        doc="Orders per calendar month that has any; null before the first.",
    ),
    Feature(
        "silence_broken_90d", op="silence_before", kinds=PURCHASES, days=90, family=FAMILY, unit="days",
        doc="Days of silence that the first purchase of the last 90 days ended; null without one, or one before it.",
    ),
)  # fmt: skip

SEASON: tuple[AnyFeature, ...] = (
    Feature(
        "recurring_months", op="recurring_months", kinds=PURCHASES, family=FAMILY, unit="months",
        doc="Calendar months (1 to 12) in which the customer bought in two different years or more.",
    ),
    Feature(
        "calendar_months", op="nunique", by="month", kinds=PURCHASES, family=FAMILY, unit="months",
        doc="Calendar months (1 to 12) in which the customer ever bought.",
    ),
    Combined(
        "recurring_month_share", op="ratio", of=("recurring_months", "calendar_months"), family=FAMILY, unit="1",
        doc="Year-over-year recurrence: share of its calendar months in which the customer bought in several years.",
    ),
    Feature(
        "top_month_share", op="top_share", by="month", kinds=PURCHASES, family=FAMILY, unit="1",
        doc="Share of all purchase lines in the busiest calendar month; 1/12 is even, 1 is one month only.",
    ),
    Feature(
        "top_quarter_share", op="top_share", by="quarter", kinds=PURCHASES, family=FAMILY, unit="1",
        doc="Share of all purchase lines in the busiest quarter of the year; 1/4 is even, 1 is one quarter only.",
    ),
    Feature(
        "month_entropy", op="entropy", by="month", kinds=PURCHASES, family=FAMILY, unit="nats",
        doc="Spread of purchase lines over the calendar months; 0 is one month only, 2.48 is even.",
    ),
    Feature(
        "top_weekday_share", op="top_share", by="weekday", kinds=PURCHASES, family=FAMILY, unit="1",
        doc="Share of all purchase lines on the busiest weekday.",
    ),
    Feature(
        "weekend_share", op="share", by="weekend", kinds=PURCHASES, family=FAMILY, unit="1",
        doc="Share of all purchase lines on Saturdays and Sundays.",
    ),
    Feature(
        "night_share", op="share", by="night", kinds=PURCHASES, family=FAMILY, unit="1",
        doc="Share of purchase lines in the company's night hours, among those with a time of day; null without.",
    ),
)  # fmt: skip

WINDOWS: tuple[AnyFeature, ...] = tuple(
    Feature(
        f"orders_{days}d", op="nunique", by="ref", kinds=PURCHASES, days=days, family=FAMILY, unit="orders",
        doc=f"Orders of the last {days} days.",
    )
    for days in (7, 30, 90, 180, 365)
)  # fmt: skip

TREND: tuple[AnyFeature, ...] = (
    Feature(
        "orders_prev_90d", op="nunique", by="ref", kinds=PURCHASES, days=90, skip=90, family=FAMILY, unit="orders",
        doc="Orders of the 90 days before the last 90.",
    ),
    Feature(
        "orders_prev_365d", op="nunique", by="ref", kinds=PURCHASES, days=365, skip=365, family=FAMILY, unit="orders",
        doc="Orders of the year before the last 365 days.",
    ),
    Feature(
        "orders_same_90d_last_year", op="nunique", by="ref", kinds=PURCHASES, days=90, skip=275, family=FAMILY,
        unit="orders", doc="Orders of the 90 days that begin one year before as_of.",
    ),
    Combined(
        "orders_trend_90d", op="ratio", of=("orders_90d", "orders_prev_90d"), family=FAMILY, unit="1",
        doc="Orders of the last 90 days over those of the 90 days before; null without the latter.",
    ),
    Combined(
        "orders_trend_365d", op="ratio", of=("orders_365d", "orders_prev_365d"), family=FAMILY, unit="1",
        doc="Orders of the last 365 days over those of the year before; null without the latter.",
    ),
)  # fmt: skip

WAYS: tuple[AnyFeature, ...] = (
    Feature(
        "channels", op="nunique", by="channel", kinds=PURCHASES, family=FAMILY, unit="channels",
        doc="Different channels ever bought through.",
    ),
    Feature(
        "top_channel_share", op="top_share", by="channel", kinds=PURCHASES, family=FAMILY, unit="1",
        doc="Share of purchase lines through the most used channel; null without channels.",
    ),
    Feature(
        "channel_entropy", op="entropy", by="channel", kinds=PURCHASES, family=FAMILY, unit="nats",
        doc="Channel mix: spread of purchase lines over channels; 0 is a single one, null without channels.",
    ),
    Feature(
        "visits_7d", op="count", kinds=VISITS, days=7, family=FAMILY, unit="visits", doc="Visits of the last 7 days.",
    ),
    Feature(
        "visits_30d", op="count", kinds=VISITS, days=30, family=FAMILY, unit="visits",
        doc="Visits of the last 30 days.",
    ),
    Feature(
        "visits_90d", op="count", kinds=VISITS, days=90, family=FAMILY, unit="visits",
        doc="Visits of the last 90 days.",
    ),
    Feature(
        "visit_recency_days", op="days_since_last", kinds=VISITS, family=FAMILY, unit="days",
        doc="Days since the last visit; null before the first.",
    ),
)  # fmt: skip

RETURN_HABIT: tuple[AnyFeature, ...] = (
    Feature(
        "returns", op="nunique", by="ref", kinds=RETURNS, family=FAMILY, unit="returns",
        doc="Returns ever made: distinct numbers, or days where returns have none.",
    ),
    Feature(
        "returns_365d", op="nunique", by="ref", kinds=RETURNS, days=365, family=FAMILY, unit="returns",
        doc="Returns of the last 365 days.",
    ),
    Combined(
        "returns_per_order", op="ratio", of=("returns", "orders"), family=FAMILY, unit="1",
        doc="Share of returns: returns over orders; null before the first order.",
    ),
)  # fmt: skip

BEHAVIOUR: tuple[AnyFeature, ...] = (*RHYTHM, *SEASON, *WINDOWS, *TREND, *WAYS, *RETURN_HABIT)
