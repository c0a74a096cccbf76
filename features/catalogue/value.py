"""What a customer is worth: spend, margin, and how both move. Amounts are minor units, returns counted against.

An amount is null where there were purchases of which none says an amount, 0 where there were no purchases.
"""

from __future__ import annotations

from features.spec import AnyFeature, Combined, Feature, kinds

PURCHASES = kinds("purchase")
RETURNS = kinds("return")
SALES = PURCHASES | RETURNS
SERVICE = kinds("service_cost")
FAMILY = "value"
UNIT = "minor currency units"

SPEND: tuple[AnyFeature, ...] = (
    Feature(
        "spend", op="sum", column="amount", kinds=SALES, family=FAMILY, unit=UNIT, empty=0,
        doc="Net spend ever: purchases minus returns.",
    ),
    *(
        Feature(
            f"spend_{days}d", op="sum", column="amount", kinds=SALES, days=days, family=FAMILY, unit=UNIT, empty=0,
            doc=f"Net spend of the last {days} days: purchases minus returns.",
        )
        for days in (7, 30, 90, 180, 365)
    ),
    Feature(
        "spend_prev_90d", op="sum", column="amount", kinds=SALES, days=90, skip=90, family=FAMILY, unit=UNIT, empty=0,
        doc="Net spend of the 90 days before the last 90.",
    ),
    Feature(
        "spend_prev_365d", op="sum", column="amount", kinds=SALES, days=365, skip=365, family=FAMILY, unit=UNIT,
        empty=0, doc="Net spend of the year before the last 365 days.",
    ),
    Feature(
        "spend_same_90d_last_year", op="sum", column="amount", kinds=SALES, days=90, skip=275, family=FAMILY,
        unit=UNIT, empty=0, doc="Net spend of the 90 days that begin one year before as_of.",
    ),
    Combined(
        "spend_trend_90d", op="ratio", of=("spend_90d", "spend_prev_90d"), family=FAMILY, unit="1",
        doc="Net spend of the last 90 days over that of the 90 days before; null without the latter.",
    ),
    Combined(
        "spend_trend_365d", op="ratio", of=("spend_365d", "spend_prev_365d"), family=FAMILY, unit="1",
        doc="Net spend of the last 365 days over that of the year before; null without the latter.",
    ),
)  # fmt: skip

SIZE: tuple[AnyFeature, ...] = (
    Combined(
        "spend_per_order", op="ratio", of=("spend", "orders"), family=FAMILY, unit=UNIT,
        doc="Net spend per order; null before the first.",
    ),
    Combined(
        "spend_per_order_day", op="ratio", of=("spend", "order_days"), family=FAMILY, unit=UNIT,
        doc="Net spend per day with a purchase; m of the gamma-gamma model.",
    ),
    Feature(
        "line_mean", op="mean", column="amount", kinds=PURCHASES, family=FAMILY, unit=UNIT,
        doc="Mean amount of a purchase line; null without amounts.",
    ),
    Feature(
        "line_max", op="max", column="amount", kinds=PURCHASES, family=FAMILY, unit=UNIT,
        doc="Largest purchase line ever; null without amounts.",
    ),
    Feature(
        "line_min", op="min", column="amount", kinds=PURCHASES, family=FAMILY, unit=UNIT,
        doc="Smallest purchase line ever; null without amounts.",
    ),
    Feature(
        "line_max_365d", op="max", column="amount", kinds=PURCHASES, days=365, family=FAMILY, unit=UNIT,
        doc="Largest purchase line of the last 365 days; null without amounts.",
    ),
    Feature(
        "line_std", op="std", column="amount", kinds=PURCHASES, family=FAMILY, unit=UNIT,
        doc="Standard deviation of the purchase lines' amounts; null without amounts.",
    ),
    Feature(
        "top_item_spend_share", op="top_share", by="item", column="amount", kinds=PURCHASES, family=FAMILY, unit="1",
        doc="Share of the spend on the item most spent on; null without item codes.",
    ),
    Feature(
        "top_month_spend_share", op="top_share", by="month", column="amount", kinds=PURCHASES, family=FAMILY, unit="1",
        doc="Share of the spend in the calendar month most spent in.",
    ),
)  # fmt: skip

LOSS: tuple[AnyFeature, ...] = (
    Feature(
        "bought", op="sum", column="amount", kinds=PURCHASES, family=FAMILY, unit=UNIT, empty=0,
        doc="Amount ever bought, returns not counted against.",
    ),
    Feature(
        "returned", op="sum", column="amount", kinds=RETURNS, family=FAMILY, unit=UNIT, empty=0,
        doc="Amount ever returned, as a number of 0 or less.",
    ),
    Combined(
        "kept_share", op="ratio", of=("spend", "bought"), family=FAMILY, unit="1",
        doc="Net spend over amount bought: 1 is nothing returned; null before the first purchase with an amount.",
    ),
    Feature(
        "cost_365d", op="complete_sum", column="cost", kinds=SALES, days=365, family=FAMILY, unit=UNIT, empty=0,
        doc="Cost of the goods of the last 365 days, returns counted against; null where any line's is unknown.",
    ),
    Combined(
        "margin_365d", op="difference", of=("spend_365d", "cost_365d"), family=FAMILY, unit=UNIT,
        doc="Net spend minus cost of the goods of the last 365 days; null where any cost is unknown.",
    ),
    Feature(
        "service_cost_365d", op="sum", column="cost", kinds=SERVICE, days=365, family=FAMILY, unit=UNIT, empty=0,
        doc="Cost of serving the customer in the last 365 days.",
    ),
    Combined(
        "profit_365d", op="difference", of=("margin_365d", "service_cost_365d"), family=FAMILY, unit=UNIT,
        doc="Margin minus cost of service of the last 365 days; null where either is unknown.",
    ),
)  # fmt: skip

VALUE: tuple[AnyFeature, ...] = (*SPEND, *SIZE, *LOSS)
