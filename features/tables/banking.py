"""The payment accounts of the sample company's customers, as its systems would export them: transfers and compliance.

Ordinary life and launderers on one ledger, the countries of the partners outside, and the two tables of truth. Each
part draws from a random stream of its own; the customers' orders are not touched.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.tables.clientele import Clientele, in_time
from features.tables.flows import Holders, draw_holders, ordinary
from features.tables.launderers import Planted, laundered, noted, plant, truth

HOME = "DE"
ABROAD = {"NL": 0.2, "AT": 0.2, "FR": 0.15, "PL": 0.15, "CH": 0.13, "TR": 0.1, "AE": 0.04, "MM": 0.02, "IR": 0.01}
"""Where partners outside have their bank, of those who have it abroad; made up to 1."""

SHARE_ABROAD = 0.07
RISKY, RISKY_SHARE = ("CY", "AE", "TR", "MM", "IR"), 0.25
"""Where partners in laundering more often have theirs, and how many of them."""

FIRST_PARTNER = 50_000
"""Number of the first partner outside."""


@dataclass(frozen=True)
class Banking:
    """transfers: transfer_no, booked_at, payer, payee (parties, see `flows`), partner (number of the side outside, −1
    without one), amount, channel, country, in order of time; compliance, launderers: see `launderers`; guilty: shape
    (customers,)."""

    transfers: pd.DataFrame
    compliance: pd.DataFrame
    launderers: pd.DataFrame
    guilty: NDArray[np.bool_]


def banking(clients: Clientele, industry: NDArray[np.str_], able: NDArray[np.bool_], seed: int) -> Banking:
    """All movements on payment accounts. industry (customers,): empty for consumers; able: who may be a launderer.

    Same arguments, same rows.
    """
    streams = [np.random.default_rng([seed, 50 + i]) for i in range(6)]
    holders = draw_holders(clients, industry, streams[0])
    planted = plant(holders, able, clients.days, streams[1])
    moves = laundered(ordinary(clients, holders, streams[2]), planted, streams[3])
    countries = _countries(holders, planted, streams[4])
    guilty = truth(planted)
    mask = np.zeros(able.size, bool)
    mask[guilty["customer"]] = True
    return Banking(_ledger(clients, moves, countries), noted(clients, planted, streams[5]), guilty, mask)


def _countries(holders: Holders, planted: list[Planted], rng: np.random.Generator) -> NDArray[np.str_]:
    """Of every party, shape (parties,): the company's own country for its customers."""
    n, parties = holders.opened.size, holders.parties
    shares = np.array(list(ABROAD.values()))
    abroad = rng.choice(list(ABROAD), parties, p=shares / shares.sum())
    found = np.where(rng.random(parties) < SHARE_ABROAD, abroad, HOME)
    for each in planted:
        used = each.case.outside
        risky = rng.choice(RISKY, used.size)
        chosen = np.full(used.size, each.typology.abroad) | (rng.random(used.size) < RISKY_SHARE)
        found[used] = np.where(chosen, risky, found[used])
    found[:n] = HOME
    return found


def _ledger(clients: Clientele, moves: pd.DataFrame, countries: NDArray[np.str_]) -> pd.DataFrame:
    """The moves in order of time, numbered, with the partner outside and its country."""
    n = clients.business.size
    outer = moves[["payer", "payee"]].to_numpy().max(axis=1)  # partners outside come after all customers
    partner = np.where(outer >= n, FIRST_PARTNER + outer - n, -1)
    rows = moves.rename(columns={"minute": "booked_at"}).assign(partner=partner, country=countries[outer])
    rows["customer"] = moves["payer"]  # to order what happens in the same minute
    found = in_time(clients, rows, "booked_at", ("transfer_no", 5_000_000))
    return found[["transfer_no", "booked_at", "payer", "payee", "partner", "amount", "channel", "country"]]
