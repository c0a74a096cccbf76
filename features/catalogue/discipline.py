"""How a customer keeps to what was agreed: how late it pays, and what of it is overdue.

An invoice is its `invoice_due` events, found by their ref, and so are the payments that settle it. Only invoices that
have fallen due count, in the window of their due day; one still open is late up to as_of, so that the worst payers
are not the ones left out.
"""

from __future__ import annotations

from features.spec import AnyFeature, Combined, Feature, kinds

INVOICES = kinds("invoice_due", "payment")
BILLED = kinds("invoice_due")
PAYMENTS = kinds("payment")
FAMILY = "discipline"
UNIT = "minor currency units"

DISCIPLINE: tuple[AnyFeature, ...] = (
    Feature(
        "days_late_mean", op="days_late_mean", kinds=INVOICES, family=FAMILY, unit="days",
        doc="Mean days late of all invoices that fell due, 0 for one paid in full in time; null without one.",
    ),
    Feature(
        "days_late_mean_365d", op="days_late_mean", kinds=INVOICES, days=365, family=FAMILY, unit="days",
        doc="Mean days late of the invoices that fell due in the last 365 days; null without one.",
    ),
    Feature(
        "days_late_max", op="days_late_max", kinds=INVOICES, family=FAMILY, unit="days",
        doc="Most days late of any invoice that fell due; null without one.",
    ),
    Feature(
        "days_late_max_365d", op="days_late_max", kinds=INVOICES, days=365, family=FAMILY, unit="days",
        doc="Most days late of the invoices that fell due in the last 365 days; null without one.",
    ),
    Feature(
        "late_share", op="late_share", kinds=INVOICES, family=FAMILY, unit="1",
        doc="Share of the invoices that fell due that were or are late; null without one.",
    ),
    Feature(
        "late_share_180d", op="late_share", kinds=INVOICES, days=180, family=FAMILY, unit="1",
        doc="Share late of the invoices that fell due in the last 180 days; null without one.",
    ),
    Feature(
        "overdue_balance", op="overdue_balance", kinds=INVOICES, family=FAMILY, unit=UNIT, empty=0,
        doc="Amount that has fallen due and is not paid.",
    ),
    Feature(
        "overdue_days_max", op="overdue_days_max", kinds=INVOICES, family=FAMILY, unit="days", empty=0,
        doc="Days since the oldest open invoice fell due; 0 without one.",
    ),
    Feature(
        "invoices_365d", op="nunique", by="ref", kinds=BILLED, days=365, family=FAMILY, unit="invoices",
        doc="Invoices of the last 365 days.",
    ),
    Feature(
        "billed_365d", op="sum", column="amount", kinds=BILLED, days=365, family=FAMILY, unit=UNIT, empty=0,
        doc="Amount billed in the last 365 days.",
    ),
    Feature(
        "paid_365d", op="sum", column="amount", kinds=PAYMENTS, days=365, family=FAMILY, unit=UNIT, empty=0,
        doc="Amount paid in the last 365 days.",
    ),
    Combined(
        "paid_share_365d", op="ratio", of=("paid_365d", "billed_365d"), family=FAMILY, unit="1",
        doc="Amount paid over amount billed in the last 365 days; null without an invoice.",
    ),
    Feature(
        "payment_recency_days", op="days_since_last", kinds=PAYMENTS, family=FAMILY, unit="days",
        doc="Days since the last payment; null before the first.",
    ),
)  # fmt: skip
