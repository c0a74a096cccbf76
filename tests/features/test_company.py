"""What a source file says of the company reaches its features."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.catalogue import NAMES, PROGRAM
from features.company import Company
from features.errors import InputError
from features.online import Event, feature_row
from features.tables.sources import load_source
from tests.histories import AS_OF, customer

SOURCE = """
name: bank
title: A bank
decimals: 2
tables:
- {gives: events, name: t, files: [t.csv], customer: c, time: {column: d}, kind: transfer_in}
"""
WATCHED = "monitoring: {reporting_threshold: 10000, just_below: 0.1, round_to: 1000, high_risk_countries: [XX]}\n"
SHARES = ("structuring_share_180d", "round_share_180d", "high_risk_country_share")


def company(folder: Path, text: str) -> Company:
    """The company of a source file, as it comes back from JSON."""
    (folder / "bank.yaml").write_text(text, encoding="utf-8")
    found = load_source(str(folder / "bank.yaml")).company()
    assert Company.from_json(found.model_dump(mode="json")) == found
    return found


def shares(of: Company) -> list[float]:
    """Of four transfers: one just below the threshold, two round, and half of the money with a high-risk country."""
    transfers = [(999_999, "XX"), (1_000_000, "YY"), (100_000, "XX"), (99_999, "YY")]
    events = [
        Event(datetime(2021, 6, day, 12, tzinfo=UTC), "transfer_in", amount=amount, country=country)
        for day, (amount, country) in enumerate(transfers, 1)
    ]
    row = dict(zip(NAMES, feature_row(PROGRAM, customer(1), events, AS_OF, of), strict=True))
    return [row[name] for name in SHARES]


def test_what_is_watched_is_in_the_features(tmp_path: Path) -> None:
    """Thresholds in the source's major unit, amounts in minor units."""
    watched = company(tmp_path, SOURCE + WATCHED)
    assert watched.just_below == (900_000, 1_000_000) and watched.round_to == 100_000
    assert shares(watched) == [0.25, 0.5, 1_099_999 / 2_199_998]


def test_what_is_not_said_is_null(tmp_path: Path) -> None:
    """A share that cannot be known is null, not 0."""
    assert shares(company(tmp_path, SOURCE)) == pytest.approx([float("nan")] * 3, nan_ok=True)


def test_a_threshold_of_nothing_is_refused(tmp_path: Path) -> None:
    """With its place in the file."""
    with pytest.raises(InputError, match="monitoring"):
        company(tmp_path, SOURCE + "monitoring: {reporting_threshold: 0}\n")
