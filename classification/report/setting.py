"""What a report must know beside the months, and how it says classes, amounts and shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from classification.scheme import Scheme


@dataclass(frozen=True)
class Setting:
    """title: of the company's data; decimals: of the currency; potential_days: how far ahead `potential` looks; names:
    dimension → class → what a person calls it, where the scheme does not know, as of learned segments."""

    title: str
    currency: str
    decimals: int
    scheme: Scheme
    potential_days: int
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def named(self, dimension: str, class_: str) -> str:
        """A class with its name, as in `A key customer`."""
        if not class_:
            return "no class"
        found = self.scheme.dimensions.get(dimension)
        name = self.names.get(dimension, {}).get(class_) or (found.name_of(class_) if found else "")
        return f"{class_} {name}".strip()

    def major(self, minor: float) -> float:
        """An amount in major units."""
        return float(minor) / 10.0**self.decimals

    def whole(self, minor: float, digits: int = 0) -> str:
        """An amount in major units, for a column whose head has the currency."""
        return f"{self.major(minor):,.{digits}f}"

    def amount(self, minor: float, digits: int = 0) -> str:
        """An amount in major units with its currency."""
        return f"{self.whole(minor, digits)} {self.currency}"


def month_said(name: str, short: bool = False) -> str:
    """A month as people write it: October 2026, or Oct 2026."""
    first = date.fromisoformat(f"{name}-01")
    return f"{first:%b %Y}" if short else f"{first:%B %Y}"


def share(part: float, whole: float) -> str:
    """A share in per cent; a dash of nothing."""
    return f"{part / whole:.1%}" if whole else "–"


def signed(number: int) -> str:
    """A difference with its sign."""
    return f"+{number:,}" if number > 0 else f"−{-number:,}" if number < 0 else "0"
