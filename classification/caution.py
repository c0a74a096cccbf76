"""What a grading should not be believed in, because the data are too short for it."""

from __future__ import annotations

from datetime import date

from classification.scheme import Scheme

SEASON_FACTS = frozenset({"recurring_months", "recurring_month_share"})
YEARS_FOR_SEASONS = 3
"""In two years a month can recur once, which chance does too."""


def cautions(scheme: Scheme, first_day: date, as_of: date) -> list[str]:
    """A sentence for each dimension that looks further back than the data go; first_day: of the data."""
    years = (as_of - first_day).days / 365.25
    if years >= YEARS_FOR_SEASONS:
        return []
    return [
        f"{name}: the data cover {years:.1f} years; seasonal buying is sure from {YEARS_FOR_SEASONS} years on, for in "
        "two a month can recur but once."
        for name, dimension in scheme.dimensions.items()
        if dimension.rule.facts & SEASON_FACTS
    ]
