"""Payment accounts that the sample company keeps for some of its customers, and the ordinary money on them.

Wages and standing orders, suppliers and clients, many small payers of a shop and the cash of its till, trade that goes
both ways, agents who pass on what they collect, refunds, a house sold: so that fan-in, short cycles, pass-through, cash
just below 10,000 EUR and accounts that wake are there and innocent. A relation is a row: who pays whom, how often, how
much; its movements are drawn from it.

Parties are numbers: below `n` the customers by position, from `n` on partners outside, NOBODY for cash.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.tables.clientele import DAY, Clientele

NOBODY = -1
PARTNERS = 8
"""Outside partners to every customer of the company."""

HOLDERS = {True: 0.56, False: 0.24}
"""Share of the businesses, and of the consumers, with a payment account."""

TILLS = ("retail", "hospitality")
"""Industries that take cash."""

STAYS = 200
"""Days for which an account is kept after its holder's last order."""

REFUNDED, WINDFALLS, SLEEPERS, SLEEP = 0.02, 0.04, 0.06, 220
"""Share of movements that come back; of consumers who once get a large sum and spend it; of accounts that once sleep,
and for how many days."""

MOVES = ["payer", "payee", "minute", "amount", "channel"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Holders:
    """Who has a payment account. position, shape (holders,): customers, ascending; the rest of shape (customers,):
    opened, closed in days after the first, equal where there is no account; till: takes cash."""

    position: Ints
    opened: Floats
    closed: Floats
    business: NDArray[np.bool_]
    till: NDArray[np.bool_]

    @property
    def parties(self) -> int:
        """Customers and outside partners."""
        return self.opened.size * (1 + PARTNERS)

    def those(self, which: NDArray[np.bool_]) -> Ints:
        """The holders among the customers of a mask."""
        return self.position[which[self.position]]


def draw_holders(clients: Clientele, industry: NDArray[np.str_], rng: np.random.Generator) -> Holders:
    """Accounts are opened in the first months, and closed some time after the last order."""
    n = clients.business.size
    has = rng.random(n) < np.where(clients.business, HOLDERS[True], HOLDERS[False])
    opened = np.maximum(clients.joined + rng.exponential(25, n), 0)
    closed = np.minimum(clients.left + STAYS, clients.days)
    closed = np.where(has, np.maximum(opened, closed), opened)
    return Holders(np.flatnonzero(closed > opened), opened, closed, clients.business, np.isin(industry, TILLS))


def ordinary(clients: Clientele, holders: Holders, rng: np.random.Generator) -> pd.DataFrame:
    """MOVES of ordinary life, in no order; minute: after the first day; money is EUR."""
    relations = pd.concat([*_households(holders, rng), *_firms(holders, rng), *_tills(holders, rng)])
    moves = _drawn(clients, holders, relations, rng)
    moves = pd.concat([moves, _passed_on(holders, moves, rng), _windfalls(clients, holders, rng)])
    moves = pd.concat([moves, _refunds(clients, moves, rng)], ignore_index=True)
    moves = moves.astype({"payer": np.int64, "payee": np.int64, "minute": np.int64})  # also where a part is empty
    return awake(moves, *_sleep(clients, holders, rng))


def awake(moves: pd.DataFrame, sleeper: Ints, begin: Floats, days: Floats) -> pd.DataFrame:
    """The moves without those of accounts that sleep: `sleeper` from day `begin` for `days`, shape (sleepers,) each."""
    from_, until = np.full((2, int(moves[["payer", "payee"]].to_numpy().max(initial=0)) + 2), np.inf)
    from_[sleeper], until[sleeper] = begin * DAY, (begin + days) * DAY
    asleep = np.zeros(len(moves), bool)
    for side in ("payer", "payee"):  # NOBODY is the last place, which never sleeps
        who, minute = moves[side].to_numpy(), moves["minute"].to_numpy()
        asleep |= (minute >= from_[who]) & (minute < until[who])
    return moves[~asleep]


def _relations(
    owner: Ints, other: Ints, out: bool, a_month: float, amount: Floats, spread: float, channel: str, even: bool = False
) -> pd.DataFrame:
    """Relations of each owner with its `other`. even: once a month; amount: the median; spread: of its logarithm."""
    payer, payee = (owner, other) if out else (other, owner)
    columns = {"payer": payer, "payee": payee, "a_month": a_month, "amount": amount, "spread": spread}
    return pd.DataFrame({**columns, "channel": channel, "even": even})


def _others(holders: Holders, count: int, inside: Ints, share: float, rng: np.random.Generator) -> Ints:
    """`count` parties: this share of them customers out of `inside`, the others outside."""
    outside = rng.integers(holders.opened.size, holders.parties, count)
    known = rng.random(count) < (share if inside.size else 0.0)
    return np.where(known, rng.choice(inside, count) if inside.size else outside, outside)


def _households(holders: Holders, rng: np.random.Generator) -> list[pd.DataFrame]:
    """Wages in; rent and the like, shopping and cash out."""
    homes, firms = holders.those(~holders.business), holders.those(holders.business)
    paid = homes[rng.random(homes.size) < 0.7]
    rents, shops = (np.repeat(homes, rng.poisson(mean, homes.size)) for mean in (0.9, 3.0))
    drawn = homes[rng.random(homes.size) < 0.3]
    wage, rent = np.exp(rng.normal(7.7, 0.35, paid.size)), np.exp(rng.normal(5.4, 1.0, rents.size)).round(-1) + 10.0
    return [
        _relations(paid, _others(holders, paid.size, firms, 0.15, rng), False, 1, wage, 0.02, "transfer", True),
        _relations(rents, _others(holders, rents.size, firms, 0.05, rng), True, 1, rent, 0.0, "transfer", True),
        _relations(
            shops, _others(holders, shops.size, holders.those(holders.till), 0.4, rng), True, 0.3,
            np.exp(rng.normal(3.8, 0.6, shops.size)), 0.5, "card",
        ),
        _relations(drawn, np.full(drawn.size, NOBODY), True, 0.7, np.full(drawn.size, 150.0), 0.5, "cash"),
    ]  # fmt: skip


def _firms(holders: Holders, rng: np.random.Generator) -> list[pd.DataFrame]:
    """Suppliers, clients and wages; and pairs of firms of which each sells to the other."""
    firms, homes = holders.those(holders.business), holders.those(~holders.business)
    buys, sells, pays = (np.repeat(firms, rng.poisson(mean, firms.size)) for mean in (2.6, 3.4, 0.9))
    bought, sold = (np.exp(rng.normal(6.9, 0.9, who.size)) for who in (buys, sells))
    wages = np.exp(rng.normal(7.7, 0.3, pays.size))
    pair = rng.permutation(firms)[: firms.size // 2 * 2].reshape(-1, 2)[: firms.size // 3]
    traded = np.exp(rng.normal(7.2, 0.8, len(pair)))
    return [
        _relations(buys, _others(holders, buys.size, firms, 0.25, rng), True, 0.5, bought, 0.5, "transfer"),
        _relations(sells, _others(holders, sells.size, firms, 0.25, rng), False, 0.4, sold, 0.5, "transfer"),
        _relations(pays, _others(holders, pays.size, homes, 0.2, rng), True, 1, wages, 0.03, "transfer", True),
        *(_relations(pair[:, i], pair[:, 1 - i], True, 0.4, traded, 0.4, "transfer") for i in (0, 1)),
    ]


def _tills(holders: Holders, rng: np.random.Generator) -> list[pd.DataFrame]:
    """Many small payers, and what the till took in cash: of a few firms close to 10,000 EUR each time."""
    tills = holders.those(holders.till)
    served = np.repeat(tills, rng.negative_binomial(2, 2 / (2 + 12), tills.size))
    usual = np.where(rng.random(tills.size) < 0.08, 8_800, np.exp(rng.normal(7.6, 0.5, tills.size)))
    small = np.exp(rng.normal(4.2, 0.7, served.size))
    return [
        _relations(served, _others(holders, served.size, tills, 0.0, rng), False, 0.2, small, 0.5, "card"),
        _relations(tills, np.full(tills.size, NOBODY), False, 2.0, usual, 0.15, "cash"),
    ]


def _drawn(clients: Clientele, holders: Holders, relations: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The movements of relations while the accounts of both sides are open: on a day of the month, or at random."""
    n = holders.opened.size
    sides = [relations[side].to_numpy() for side in ("payer", "payee")]
    inside = [(who >= 0) & (who < n) for who in sides]
    begin = np.max([np.where(own, holders.opened[who % n], 0) for who, own in zip(sides, inside, strict=True)], axis=0)
    end = np.min(
        [np.where(own, holders.closed[who % n], np.inf) for who, own in zip(sides, inside, strict=True)], axis=0
    )
    months = np.where(sides[0] == sides[1], 0, np.maximum(end - begin, 0) / 30.4375)
    even = relations["even"].to_numpy()
    expected = relations["a_month"].to_numpy() * months
    count = np.where(even, np.floor(expected), rng.poisson(expected)).astype(np.int64)
    at = np.repeat(np.arange(len(relations)), count)
    turn = np.arange(at.size) - np.repeat(np.cumsum(count) - count, count)
    day = begin[at] + np.where(even[at], turn + 0.5, rng.random(at.size) * months[at]) * 30.4375
    columns = relations.iloc[at]
    amount = columns["amount"].to_numpy() * np.exp(columns["spread"].to_numpy() * rng.normal(0, 1, at.size))
    amount = np.where((amount > 2_000) & (rng.random(at.size) < 0.08), np.round(amount, -3), np.round(amount, 2))
    minute = timed(clients, day, columns["channel"].to_numpy() == "card", rng)
    return columns.assign(minute=minute, amount=np.maximum(amount, 1))[MOVES]


def timed(clients: Clientele, day: Floats, any_hour: NDArray[np.bool_], rng: np.random.Generator) -> Ints:
    """A minute of each day: in working hours, or at any hour but the small ones."""
    whole = np.floor(day).astype(np.int64)
    late = any_hour | (rng.random(day.size) < 0.12)  # ordered from home
    return np.where(late, whole * DAY + rng.integers(7 * 60, 24 * 60, day.size), clients.office(whole, rng))


def _passed_on(holders: Holders, moves: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Agents pay on most of what they collect, within a week, to their principal."""
    firms = holders.those(holders.business & ~holders.till)
    agents = rng.choice(firms, firms.size // 25, replace=False) if firms.size else firms
    client = pd.Series(rng.integers(holders.opened.size, holders.parties, agents.size), index=agents)
    got = moves[moves["payee"].isin(agents)]
    days = rng.integers(1, 6, len(got))
    to = got["payee"].map(client).to_numpy()
    passed = got.assign(payer=got["payee"], payee=to, minute=got["minute"] + days * DAY)
    return passed.assign(amount=(got["amount"] * rng.uniform(0.85, 0.97, len(got))).round(2), channel="transfer")


def _windfalls(clients: Clientele, holders: Holders, rng: np.random.Generator) -> pd.DataFrame:
    """A house sold, an estate: a large round sum in, most of it out again within days."""
    homes = holders.those(~holders.business)
    lucky = homes[rng.random(homes.size) < WINDFALLS]
    day = rng.uniform(holders.opened[lucky], holders.closed[lucky])
    sums = np.round(np.exp(rng.normal(10.2, 0.6, lucky.size)), -3)
    from_, to = rng.integers(holders.opened.size, holders.parties, (2, lucky.size))
    came = {"payer": from_, "payee": lucky, "minute": timed(clients, day, np.zeros(lucky.size, bool), rng)}
    went = {"payer": lucky, "payee": to, "minute": came["minute"] + rng.integers(1, 10, lucky.size) * DAY}
    spent = np.round(sums * rng.uniform(0.6, 0.98, lucky.size), -2)
    both = [pd.DataFrame({**came, "amount": sums}), pd.DataFrame({**went, "amount": spent})]
    return pd.concat(both).assign(channel="transfer")


def _refunds(clients: Clientele, moves: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Some of what was paid comes back within three weeks, whole or in part."""
    back = moves[(moves["channel"] != "cash") & (rng.random(len(moves)) < REFUNDED)]
    share = np.where(rng.random(len(back)) < 0.6, 1.0, rng.uniform(0.1, 0.9, len(back)))
    minute = clients.office(back["minute"].to_numpy() // DAY + rng.integers(2, 21, len(back)), rng)
    amount = np.maximum((back["amount"] * share).round(2), 0.01)
    return back.assign(payer=back["payee"], payee=back["payer"], minute=minute, amount=amount, channel="transfer")


def _sleep(clients: Clientele, holders: Holders, rng: np.random.Generator) -> tuple[Ints, Floats, Floats]:
    who = holders.position[rng.random(holders.position.size) < SLEEPERS]
    return who, rng.uniform(30, clients.days - SLEEP, who.size), np.full(who.size, float(SLEEP))
