"""What may speak of credit trouble or of laundering: money coming in and going on, and what a company noted.

Typologies: fan-in and fan-out, pass-through, structuring below a reporting threshold, round amounts, high-risk
countries, a dormant account that wakes. What each condition means for a company is in `features.company.Company`;
where the company does not say, the feature is null.
"""

from __future__ import annotations

from features.spec import AnyFeature, Combined, Feature, kinds

IN = kinds("transfer_in")
OUT = kinds("transfer_out")
TRANSFERS = IN | OUT
FAMILY = "risk"
UNIT = "minor currency units"

FLOWS: tuple[AnyFeature, ...] = (
    *(
        Feature(
            f"{name}_{days}d", op="sum", column="amount", kinds=kind, days=days, family=FAMILY, unit=UNIT, empty=0,
            doc=f"Amount transferred {way} in the last {days} days.",
        )
        for name, kind, way in (("received", IN, "in"), ("sent", OUT, "out"))
        for days in (7, 30, 365)
    ),
    *(
        Combined(
            f"pass_through_{days}d", op="overlap", of=(f"received_{days}d", f"sent_{days}d"), family=FAMILY, unit="1",
            doc=f"The smaller over the larger of what came in and went out in {days} days: near 1 it passed through.",
        )
        for days in (7, 30)
    ),
    Combined(
        "received_burst", op="ratio", of=("received_7d", "received_365d"), family=FAMILY, unit="1",
        doc="Share of the last 365 days' incoming amount that came in the last 7; null without any.",
    ),
    Feature(
        "transfers_30d", op="count", kinds=TRANSFERS, days=30, family=FAMILY, unit="transfers",
        doc="Transfers in and out of the last 30 days.",
    ),
    Feature(
        "transfer_max_365d", op="max", column="amount", kinds=TRANSFERS, days=365, family=FAMILY, unit=UNIT,
        doc="Largest transfer of the last 365 days; null without one.",
    ),
)  # fmt: skip

PARTNERS: tuple[AnyFeature, ...] = (
    *(
        Feature(
            f"{name}_{days}d", op="nunique", by="counterparty", kinds=kind, days=days, family=FAMILY, unit="partners",
            doc=f"Different partners {way} in the last {days} days.",
        )
        for name, kind, way in (("fan_in", IN, "money came from"), ("fan_out", OUT, "money went to"))
        for days in (7, 30, 180)
    ),
    Feature(
        "top_sender_share", op="top_share", by="counterparty", column="amount", kinds=IN, family=FAMILY, unit="1",
        doc="Share of all money received that came from the largest sender; null without senders.",
    ),
    Feature(
        "top_receiver_share", op="top_share", by="counterparty", column="amount", kinds=OUT, family=FAMILY, unit="1",
        doc="Share of all money sent that went to the largest receiver; null without receivers.",
    ),
    Feature(
        "countries_365d", op="nunique", by="country", kinds=TRANSFERS, days=365, family=FAMILY, unit="countries",
        doc="Different countries of the transfers of the last 365 days.",
    ),
)  # fmt: skip

CONDITIONS: tuple[AnyFeature, ...] = (
    Feature(
        "structuring_share_180d", op="share", by="just_below", kinds=TRANSFERS, days=180, family=FAMILY, unit="1",
        doc="Share of the transfers of 180 days just below the reporting threshold; null without a threshold.",
    ),
    Feature(
        "round_share_180d", op="share", by="round", kinds=TRANSFERS, days=180, family=FAMILY, unit="1",
        doc="Share of the transfers of 180 days of a round amount; null where the company names no round amount.",
    ),
    Feature(
        "high_risk_country_share", op="share", by="high_risk", column="amount", kinds=TRANSFERS, family=FAMILY,
        unit="1", doc="Share of all amounts transferred from or to high-risk countries; null where none is named.",
    ),
    Feature(
        "night_transfer_share_180d", op="share", by="night", kinds=TRANSFERS, days=180, family=FAMILY, unit="1",
        doc="Share of the transfers of 180 days in the night hours, among those with a time of day; null without.",
    ),
    Feature(
        "dormancy_broken_30d", op="silence_before", kinds=TRANSFERS, days=30, family=FAMILY, unit="days",
        doc="Dormant, then active: days of silence that the first transfer of the last 30 days ended; null without.",
    ),
)  # fmt: skip

NOTED: tuple[AnyFeature, ...] = (
    Feature(
        "list_hits", op="count", kinds=kinds("list_hit"), family=FAMILY, unit="hits",
        doc="Hits on a monitoring list, ever.",
    ),
    Feature(
        "suspicious_reports_365d", op="count", kinds=kinds("suspicious_report"), days=365, family=FAMILY,
        unit="reports", doc="Suspicious reports of the last 365 days.",
    ),
    Feature(
        "due_diligence_refused", op="count", kinds=kinds("due_diligence_refused"), family=FAMILY, unit="refusals",
        doc="Refusals of due diligence, ever.",
    ),
    Feature(
        "contact_changes_90d", op="count", kinds=kinds("contact_changed"), days=90, family=FAMILY, unit="changes",
        doc="Changes of the contact person in the last 90 days.",
    ),
)  # fmt: skip

RISK: tuple[AnyFeature, ...] = (*FLOWS, *PARTNERS, *CONDITIONS, *NOTED)
