"""What a customer wants: what it buys and asks for, and what it says when it is asked, refuses or complains."""

from __future__ import annotations

from features.spec import AnyFeature, Combined, Feature, kinds

PURCHASES = kinds("purchase")
SALES = kinds("purchase", "return")
QUOTES = kinds("quote")
COMPLAINTS = kinds("complaint")
SERVICE = kinds("service_request")
SURVEYS = kinds("survey")
CAMPAIGNS = kinds("campaign")
RESPONSES = kinds("campaign_response")
FAMILY = "demand"

BREADTH: tuple[AnyFeature, ...] = (
    Feature("lines", op="count", kinds=PURCHASES, family=FAMILY, unit="lines", doc="Purchase lines ever."),
    Combined(
        "lines_per_order", op="ratio", of=("lines", "orders"), family=FAMILY, unit="lines",
        doc="Mean lines of an order; null before the first.",
    ),
    Feature(
        "items", op="nunique", by="item", kinds=PURCHASES, family=FAMILY, unit="items",
        doc="Different items ever bought.",
    ),
    Feature(
        "items_90d", op="nunique", by="item", kinds=PURCHASES, days=90, family=FAMILY, unit="items",
        doc="Different items bought in the last 90 days.",
    ),
    Feature(
        "top_item_share", op="top_share", by="item", kinds=PURCHASES, family=FAMILY, unit="1",
        doc="Share of purchase lines of the item bought most often; null without item codes.",
    ),
    Feature(
        "item_entropy", op="entropy", by="item", kinds=PURCHASES, family=FAMILY, unit="nats",
        doc="Spread of purchase lines over items; 0 is a single item, null without item codes.",
    ),
    Feature(
        "quantity_365d", op="sum", column="quantity", kinds=SALES, days=365, family=FAMILY, unit="units", empty=0,
        doc="Quantity bought in the last 365 days, returns counted against; null without quantities.",
    ),
    Feature(
        "quantity_prev_365d", op="sum", column="quantity", kinds=SALES, days=365, skip=365, family=FAMILY,
        unit="units", empty=0, doc="Quantity of the year before the last 365 days, returns counted against.",
    ),
    Combined(
        "quantity_trend_365d", op="ratio", of=("quantity_365d", "quantity_prev_365d"), family=FAMILY, unit="1",
        doc="Quantity of the last 365 days over that of the year before; null without the latter.",
    ),
)  # fmt: skip

REQUESTS: tuple[AnyFeature, ...] = (
    Feature(
        "quotes_90d", op="count", kinds=QUOTES, days=90, family=FAMILY, unit="quotes",
        doc="Quotes asked for in the last 90 days.",
    ),
    Feature(
        "quotes_365d", op="count", kinds=QUOTES, days=365, family=FAMILY, unit="quotes",
        doc="Quotes asked for in the last 365 days.",
    ),
    Feature(
        "quote_recency_days", op="days_since_last", kinds=QUOTES, family=FAMILY, unit="days",
        doc="Days since the last quote; null before the first.",
    ),
    Combined(
        "orders_per_quote_365d", op="ratio", of=("orders_365d", "quotes_365d"), family=FAMILY, unit="1",
        doc="Orders over quotes of the last 365 days; null without a quote.",
    ),
    Feature(
        "service_requests_365d", op="count", kinds=SERVICE, days=365, family=FAMILY, unit="requests",
        doc="Service requests of the last 365 days.",
    ),
    Combined(
        "service_requests_per_order_365d", op="ratio", of=("service_requests_365d", "orders_365d"), family=FAMILY,
        unit="1", doc="Service request rate: requests over orders of the last 365 days; null without an order.",
    ),
)  # fmt: skip

FEEDBACK: tuple[AnyFeature, ...] = (
    Feature(
        "complaints", op="count", kinds=COMPLAINTS, family=FAMILY, unit="complaints", doc="Complaints ever made.",
    ),
    Feature(
        "complaints_closed", op="count", kinds=kinds("complaint_closed"), family=FAMILY, unit="complaints",
        doc="Complaints ever closed.",
    ),
    Combined(
        "complaints_open", op="difference", of=("complaints", "complaints_closed"), family=FAMILY, unit="complaints",
        doc="Complaints made minus complaints closed.",
    ),
    Feature(
        "complaints_365d", op="count", kinds=COMPLAINTS, days=365, family=FAMILY, unit="complaints",
        doc="Complaints of the last 365 days.",
    ),
    Combined(
        "complaints_per_order_365d", op="ratio", of=("complaints_365d", "orders_365d"), family=FAMILY, unit="1",
        doc="Complaint rate: complaints over orders of the last 365 days; null without an order.",
    ),
    Feature(
        "complaint_recency_days", op="days_since_last", kinds=COMPLAINTS, family=FAMILY, unit="days",
        doc="Days since the last complaint; null before the first.",
    ),
    Feature(
        "refusals_365d", op="count", kinds=kinds("refusal"), days=365, family=FAMILY, unit="refusals",
        doc="Offers refused in the last 365 days.",
    ),
    Feature(
        "interest_90d", op="count", kinds=kinds("visit", "quote", "service_request", "survey", "campaign_response"),
        days=90, family=FAMILY, unit="signs",
        doc="Signs of interest in the last 90 days: visits, quotes, service requests, survey answers, responses.",
    ),
    Feature(
        "survey_mean_365d", op="mean", column="score", kinds=SURVEYS, days=365, family=FAMILY, unit="score",
        doc="Mean survey score of the last 365 days; null without an answer.",
    ),
    Feature(
        "survey_min_365d", op="min", column="score", kinds=SURVEYS, days=365, family=FAMILY, unit="score",
        doc="Lowest survey score of the last 365 days; null without an answer.",
    ),
    Feature(
        "campaigns_180d", op="count", kinds=CAMPAIGNS, days=180, family=FAMILY, unit="campaigns",
        doc="Campaigns addressed to the customer in the last 180 days.",
    ),
    Feature(
        "campaign_responses_180d", op="count", kinds=RESPONSES, days=180, family=FAMILY, unit="responses",
        doc="Responses to campaigns in the last 180 days.",
    ),
    Combined(
        "campaign_response_rate_180d", op="ratio", of=("campaign_responses_180d", "campaigns_180d"), family=FAMILY,
        unit="1", doc="Responses over campaigns of the last 180 days; null without a campaign.",
    ),
)  # fmt: skip

DEMAND: tuple[AnyFeature, ...] = (*BREADTH, *REQUESTS, *FEEDBACK)
