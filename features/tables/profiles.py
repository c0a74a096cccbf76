"""What the sample company asks of a customer at the start: where from, by what papers, who owns it, what it has.

Launderers have a riskier answer somewhat more often than others, so that it says something and proves nothing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.tables.people import FORMS

COUNTRIES = {"DE": 0.93, "AT": 0.02, "NL": 0.015, "PL": 0.015, "FR": 0.01, "TR": 0.006, "AE": 0.002, "MM": 0.002}
"""Of residence or registration, each with its share; the riskier ones last."""

RISKY_COUNTRIES = ("TR", "AE", "MM")
CASH = {"retail": (0.1, 0.5), "hospitality": (0.05, 0.3), "construction": (0.4, 0.9), "services": (0.5, 0.9)}
"""Industry → shares of firms with no cash, and with no or little; the others are as OTHER_CASH."""

OTHER_CASH = (0.7, 0.97)
TENDENCY = 0.3
"""Share of a launderer's answers that are drawn among the riskier ones."""

Mask = NDArray[np.bool_]


def profiles(customers: pd.DataFrame, names: NDArray[np.str_], guilty: Mask, rng: np.random.Generator) -> pd.DataFrame:
    """country, onboarding, id_document, ownership_layers, pep, cash_share, assets (whole EUR), legal_form.

    customers: type and industry of each, shape (customers,), empty where it has none; names: theirs, as the company has
    them; guilty: launders. ownership_layers and legal_form are of businesses only, empty for consumers.
    """
    business = (customers["type"] == "business").to_numpy()
    n = len(customers)

    def answers(shares: dict[str, float], risky: tuple[str, ...]) -> NDArray[np.str_]:
        usual = rng.choice(list(shares), n, p=list(shares.values()))
        return np.where(guilty & (rng.random(n) < TENDENCY), rng.choice(risky, n), usual)

    papers = answers({"identity card": 0.75, "passport": 0.22, "none": 0.03}, ("passport", "none"))
    extract = answers({"register extract": 0.94, "none": 0.06}, ("none",))
    layers = np.minimum(rng.geometric(0.65, n) - 1 + 2 * (guilty & (rng.random(n) < TENDENCY)), 4)
    return pd.DataFrame(
        {
            "country": answers(COUNTRIES, RISKY_COUNTRIES),
            "onboarding": answers({"in person": 0.6, "video": 0.28, "agent": 0.12}, ("video", "agent")),
            "id_document": np.where(business, extract, papers),
            "ownership_layers": np.where(business, layers.astype(str), ""),
            "pep": np.where(rng.random(n) < np.where(guilty, 0.03, 0.004), "yes", "no"),
            "cash_share": _cash_share(customers["industry"].to_numpy(), guilty, rng),
            "assets": np.round(np.exp(rng.normal(np.where(business, 12.3, 10.8), 1.2, n)), -3).astype(np.int64),
            "legal_form": np.where(business, _legal_forms(names, rng), ""),
        }
    )


def _cash_share(industry: NDArray[np.str_], guilty: Mask, rng: np.random.Generator) -> NDArray[np.str_]:
    """none, low or high."""
    none, low = np.array([CASH.get(each, OTHER_CASH) for each in industry]).T
    drawn = rng.random(industry.size)
    usual = np.where(drawn < none, "none", np.where(drawn < low, "low", "high"))
    return np.where(guilty & (rng.random(industry.size) < TENDENCY), "high", usual)


def _legal_forms(names: NDArray[np.str_], rng: np.random.Generator) -> NDArray[np.str_]:
    """The form that a firm's name ends with, the longest that fits; one at random where it names none."""
    longest = sorted(FORMS, key=len, reverse=True)
    named = [next((form for form in longest if name.upper().endswith(f" {form.upper()}")), "") for name in names]
    found = np.array(named)
    return np.where(found == "", rng.choice(FORMS, names.size), found)
