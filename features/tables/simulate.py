"""A company to try everything on: its customers, items, orders, returns and visits over 36 months, from a seed.

The customers are drawn so that what models look for is there to be found: purchase rates are gamma distributed and
spend is log-normal (both heavy-tailed, business customers above consumers); customers come over time and lapse at
random; some buy regularly, some by season, some seldom; visits announce purchases; a few lines are dirty, as real
exports are; some have a second number; a few strong ones break off. Firms get invoices (`billing`), some customers have
a payment account (`banking`). Each table draws from a random stream of its own,
so that adding one leaves the others as they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.tables.banking import banking
from features.tables.billing import billing
from features.tables.breaks import STRONG_RATE, Breaks, lost, plan_breaks, truth, without
from features.tables.clientele import Clientele
from features.tables.dealings import dealings
from features.tables.exported import FIRST_DAY, dates, exported, numbered, paid, stamps, transferred
from features.tables.people import Accounts, contacts, plan_accounts, refusals
from features.tables.profiles import profiles
from features.workspace import staged

DAYS = 1096
"""36 months: 2023-11-01 to 2026-10-31."""

MONTH_LEVEL = np.array([0.80, 0.82, 0.95, 0.97, 1.00, 0.95, 0.85, 0.80, 1.05, 1.10, 1.35, 1.45])
"""The company's own season, January first."""

SEASONS = ((11, 12), (3, 4), (5, 6, 7), (9, 10))
"""The months in which a seasonal customer buys."""

CATEGORIES = ("tools", "fittings", "paint", "garden", "lighting", "safety", "storage", "cleaning")
INDUSTRIES = ("construction", "retail", "hospitality", "manufacturing", "public sector", "services")
REGIONS = ("north", "east", "south", "west", "centre")
ITEMS = 400

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _People:
    """One row per customer, shape (customers,) each."""

    business: NDArray[np.bool_]
    joined: Floats  # days after FIRST_DAY; negative: before the data begin
    left: Floats  # the day after which the customer buys no more
    rate: Floats  # orders per day while active
    regularity: NDArray[np.int64]  # 1: as it happens; 4: at nearly even intervals
    season: NDArray[np.int64]  # position in SEASONS; −1: none
    basket: Floats  # mean lines per order
    price_level: Floats
    web_share: Floats
    return_rate: Floats


def simulate(folder: Path, customers: int = 2_000, seed: int = 7, breaks: float = 0.0) -> None:
    """Write the company's raw tables, as its own systems would export them, into `folder` (all or nothing).

    customers.csv, items.csv, orders.csv (a row per line), returns.csv, visits.csv, the tables of `dealings`,
    invoices.csv, payments.csv, transfers.csv, compliance.csv; and, what the company does not know,
    truth/same_customer.csv: which numbers are one customer's; truth/breaks.csv: who suddenly orders less, from when on,
    and who lapsed; truth/payers.csv: who is or will be in trouble, from when on; truth/launderers.csv: who launders
    money, how and when. breaks: of the strong customers who break. Same arguments, same bytes.
    """
    people = _people(customers, np.random.default_rng([seed, 1]))
    orders = _orders(people, np.random.default_rng([seed, 2]))
    items = _items(np.random.default_rng([seed, 3]))
    lines = _lines(people, orders, items, np.random.default_rng([seed, 4]))
    accounts = plan_accounts(orders, customers, np.random.default_rng([seed, 9]))
    lines["account"] = accounts.of(lines["customer"].to_numpy(), lines["minute"].to_numpy())
    known = contacts(people.business, accounts, np.random.default_rng([seed, 10]))
    known = known.join(refusals(accounts, np.random.default_rng([seed, 11])))
    mail = known["no_marketing"].to_numpy()[:customers] == "no"
    clients = Clientele(people.business, mail, people.joined, people.left, FIRST_DAY, DAYS)
    broken = _breaks(people, breaks, np.random.default_rng([seed, 12]))
    base = _customer_table(people, accounts, np.random.default_rng([seed, 5]))
    gone = 100_000 + np.flatnonzero(lost(broken, orders, np.random.default_rng([seed, 13])))
    bank = banking(clients, base["industry"].to_numpy()[:customers].astype(str), accounts.second < 0, seed)
    tables = {
        "customers": base.join(known).join(_profiles(base, known, bank.guilty, accounts, seed)),
        "items": items[["item", "description", "category"]],
        "returns": _returns(people, lines, np.random.default_rng([seed, 6])),
        "visits": _visits(people, orders, accounts, broken, np.random.default_rng([seed, 7])),
        "orders": _with_dirt(_order_table(lines), np.random.default_rng([seed, 8])),
        "truth/same_customer": _same_customer(accounts),
        **{name: exported(table, accounts) for name, table in dealings(clients, lines, seed).items()},
        "truth/breaks": _changes(people, broken, accounts),
        **_billed(clients, lines[~lines["order"].isin(gone)], accounts, seed),
        "transfers": transferred(bank.transfers, accounts),
        "compliance": exported(bank.compliance, accounts),
        "truth/launderers": exported(bank.launderers, accounts),
    }
    tables = without(tables, gone)
    with staged(folder) as new:
        (new / "truth").mkdir()
        for name, table in tables.items():
            table.to_csv(new / f"{name}.csv", index=False, lineterminator="\n")


def _people(n: int, rng: np.random.Generator) -> _People:
    business = rng.random(n) < 0.35
    joined = np.where(rng.random(n) < 0.45, rng.uniform(-400, 0, n), rng.uniform(0, DAYS - 20, n))
    lifetime = rng.exponential(np.where(business, 1_100, 600)) * rng.gamma(2.0, 0.5, n)
    rate = np.where(business, rng.gamma(1.1, 1 / 28, n), rng.gamma(0.8, 1 / 70, n)) + 1 / 500
    season = np.where(rng.random(n) < 0.15, rng.integers(0, len(SEASONS), n), -1)
    return _People(
        business=business,
        joined=joined,
        left=joined + lifetime,
        rate=rate,
        regularity=np.where(business & (rng.random(n) < 0.6), 4, 1),
        season=season,
        basket=1 + rng.gamma(1.5, np.where(business, 2.2, 0.9)),
        price_level=np.exp(rng.normal(np.where(business, 0.7, 0.0), np.where(business, 0.6, 0.5))),
        web_share=rng.beta(2, np.where(business, 3, 1.2)),
        return_rate=rng.beta(1, 24, n),
    )


def _orders(people: _People, rng: np.random.Generator) -> pd.DataFrame:
    """customer, minute (after the start of FIRST_DAY) of every order, in order of time."""
    level = MONTH_LEVEL[_month_of(np.arange(DAYS)) - 1]
    customer, day = [], []
    for i in range(people.rate.size):
        in_season = level.copy()
        if people.season[i] >= 0:
            in_season = np.where(np.isin(_month_of(np.arange(DAYS)), SEASONS[people.season[i]]), 4.5, 0.06)
        k = people.regularity[i]
        start, end = max(people.joined[i], 0.0), min(people.left[i], DAYS - 1)
        if start >= end:
            continue
        # A renewal process in operational time: the clock runs faster in season.
        clock = np.concatenate([[0.0], np.cumsum(in_season)])
        begin, stop = np.interp([start, end], np.arange(DAYS + 1), clock)
        count = int((stop - begin) * people.rate[i] * 1.5 + 30)
        beats = begin + np.cumsum(rng.gamma(k, 1 / (k * people.rate[i]), count))
        if people.joined[i] >= 0:
            beats = np.concatenate([[begin], beats])
        days = np.interp(beats[beats < stop], clock, np.arange(DAYS + 1)).astype(int)
        customer.append(np.full(days.size, i))
        day.append(days)
    orders = pd.DataFrame({"customer": np.concatenate(customer), "day": np.concatenate(day)})
    weekend = (orders["day"] + FIRST_DAY.weekday()) % 7 >= 5
    keep = ~weekend | (rng.random(len(orders)) < np.where(people.business[orders["customer"]], 0.05, 0.8))
    orders = orders[keep]
    hour = np.clip(rng.normal(13, 3.5, len(orders)), 6, 22.9)
    orders["minute"] = orders["day"] * 1440 + (hour * 60).astype(int)
    return orders.sort_values(["minute", "customer"], kind="stable", ignore_index=True)


def _items(rng: np.random.Generator) -> pd.DataFrame:
    category = np.sort(rng.integers(0, len(CATEGORIES), ITEMS))
    price = np.round(np.exp(rng.normal(2.6, 0.9, ITEMS)), 2) + 0.5
    return pd.DataFrame(
        {
            "item": [f"{CATEGORIES[c][:2].upper()}{i:04d}" for i, c in enumerate(category)],
            "description": [f"{CATEGORIES[c]} no. {i}" for i, c in enumerate(category)],
            "category": [CATEGORIES[c] for c in category],
            "price": price,
            "cost": np.round(price * rng.uniform(0.45, 0.8, ITEMS), 2),
        }
    )


def _lines(people: _People, orders: pd.DataFrame, items: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Order lines: order (number), customer, minute, item, quantity, price, cost, channel."""
    basket = people.basket[orders["customer"]]
    size = 1 + rng.poisson(basket - 1)
    at = np.repeat(np.arange(len(orders)), size)
    customer = orders["customer"].to_numpy()[at]
    favourite = (customer * 7919) % ITEMS  # each customer's taste: popular items, shifted to its own corner
    item = (np.minimum(rng.zipf(1.35, at.size), ITEMS) - 1 + favourite) % ITEMS
    quantity = 1 + rng.poisson(np.where(people.business[customer], 4.0, 0.7) * np.sqrt(people.price_level[customer]))
    web = rng.random(len(orders)) < people.web_share[orders["customer"]]
    other = np.where(people.business[orders["customer"]], "representative", "shop")
    lines = pd.DataFrame(
        {
            "order": 100_000 + at,
            "customer": customer,
            "minute": orders["minute"].to_numpy()[at],
            "item": items["item"].to_numpy()[item],
            "quantity": quantity,
            "price": np.round(items["price"].to_numpy()[item] * (0.8 + 0.2 * people.price_level[customer]), 2),
            "cost": np.round(items["cost"].to_numpy()[item] * quantity, 2),
            "channel": np.where(web, "web", other)[at],
        }
    )
    return lines.groupby(["order", "item"], as_index=False, sort=False).first()


def _order_table(lines: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "order_no": lines["order"],
            "customer_no": numbered(lines["account"].to_numpy()),
            "ordered_at": stamps(lines["minute"].to_numpy()),
            "item": lines["item"],
            "quantity": lines["quantity"],
            "unit_price": lines["price"],
            "goods_cost": lines["cost"],
            "channel": lines["channel"],
        }
    )


def _returns(people: _People, lines: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A line comes back, whole or in part, one to three weeks later."""
    back = lines[rng.random(len(lines)) < people.return_rate[lines["customer"]]].copy()
    back["minute"] += rng.integers(1 * 1440, 21 * 1440, len(back))
    back["share"] = np.where(back["quantity"] > 1, rng.uniform(0, 1, len(back)), 1.0)
    back = back[back["minute"] < DAYS * 1440].sort_values("minute", kind="stable")
    quantity = np.maximum(np.round(back["quantity"] * back["share"]), 1).astype(int)
    return pd.DataFrame(
        {
            "return_no": np.arange(500_000, 500_000 + len(back)),
            "order_no": back["order"],
            "customer_no": numbered(back["account"].to_numpy()),
            "returned_at": stamps(back["minute"].to_numpy()),
            "item": back["item"],
            "quantity": quantity,
            "unit_price": back["price"],
            "goods_cost": np.round(back["cost"] / back["quantity"] * quantity, 2),
        }
    )


def _visits(
    people: _People, orders: pd.DataFrame, accounts: Accounts, broken: Breaks, rng: np.random.Generator
) -> pd.DataFrame:
    """Visits to the web shop: some shortly before orders, some for nothing, some by people who never buy."""
    before = orders.loc[np.repeat(np.arange(len(orders)), rng.poisson(0.9, len(orders)))]
    lead = before["minute"] - (rng.exponential(6 * 1440, len(before))).astype(int)
    idle = rng.poisson(4, people.rate.size)
    start = np.repeat(np.maximum(people.joined, 0), idle)
    end = np.repeat(np.clip(people.left + 60, 30, DAYS), idle)
    idle_minute = (start + rng.random(start.size) * np.maximum(end - start, 1)) * 1440
    customer = np.concatenate([before["customer"], np.repeat(np.arange(people.rate.size), idle)])
    minute = np.concatenate([lead, idle_minute]).astype(int)
    visits = pd.DataFrame({"customer": customer, "minute": minute, "pages": 1 + rng.geometric(0.25, customer.size)})
    visits = visits[visits["minute"].between(0, DAYS * 1440 - 1)].sort_values(["minute", "customer"], kind="stable")
    visits = visits[~lost(broken, visits, rng)]
    return pd.DataFrame(
        {
            "customer_no": numbered(accounts.of(visits["customer"].to_numpy(), visits["minute"].to_numpy())),
            "visited_at": stamps(visits["minute"].to_numpy()),
            "pages": visits["pages"],
        }
    )


def _customer_table(people: _People, accounts: Accounts, rng: np.random.Generator) -> pd.DataFrame:
    """A row per number; who comes back under a second one signs up again."""
    n = people.rate.size
    since = np.maximum(people.joined, -400).astype(int) - rng.integers(0, 5, n)
    table = pd.DataFrame(
        {
            "customer_no": numbered(np.arange(n)),
            "type": np.where(people.business, "business", "consumer"),
            "industry": np.where(people.business, rng.choice(INDUSTRIES, n), ""),
            "region": rng.choice(REGIONS, n, p=[0.3, 0.15, 0.25, 0.2, 0.1]),
            "settlement": np.where(rng.random(n) < 0.7, "urban", "rural"),
            "signed_up": dates(np.minimum(since, DAYS - 1)),
        }
    )
    owners = accounts.owners
    numbers = numbered(accounts.second[owners])
    again = table.loc[owners].assign(customer_no=numbers, signed_up=dates(accounts.since[owners] // 1440))
    return pd.concat([table, again], ignore_index=True)


def _profiles(
    base: pd.DataFrame, known: pd.DataFrame, guilty: NDArray[np.bool_], accounts: Accounts, seed: int
) -> pd.DataFrame:
    """What every number's owner was asked at the start: under a second number, it answers the same."""
    n = guilty.size
    names = known["name"].to_numpy()[:n].astype(str)
    found = profiles(base[:n], names, guilty, np.random.default_rng([seed, 60]))
    return pd.concat([found, found.loc[accounts.owners]], ignore_index=True)


def _billed(clients: Clientele, lines: pd.DataFrame, accounts: Accounts, seed: int) -> dict[str, pd.DataFrame]:
    """The tables of `billing`; a payment goes under the number to which its invoice was written."""
    drawn = billing(clients, lines, seed)
    found = {name: exported(table, accounts) for name, table in drawn.items()}
    return found | {"payments": paid(drawn["payments"], found["invoices"], accounts)}


def _same_customer(accounts: Accounts) -> pd.DataFrame:
    owners = accounts.owners
    return pd.DataFrame({"customer_no": numbered(accounts.second[owners]), "same_as": numbered(owners)})


def _breaks(people: _People, share: float, rng: np.random.Generator) -> Breaks:
    strong = people.business & (people.rate >= STRONG_RATE)
    return plan_breaks(strong, people.joined, people.left, DAYS, share, rng)


def _changes(people: _People, broken: Breaks, accounts: Accounts) -> pd.DataFrame:
    """Who broke off or lapsed, under the number it had that day."""
    found = truth(broken, people.joined, people.left, DAYS)
    numbers = numbered(accounts.of(found["customer"].to_numpy(), found["day"].to_numpy() * 1440))
    days = dates(found["day"].to_numpy())
    return pd.DataFrame({"customer_no": numbers, "broke_on": days, "factor": found["factor"], "kind": found["kind"]})


def _with_dirt(orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """What exports look like: lines without a customer, lines that were sent twice, lines without a price."""
    nobody = rng.random(len(orders)) < 0.004
    orders.loc[nobody, "customer_no"] = ""
    prices = orders["unit_price"].map("{:.2f}".format)
    orders["unit_price"] = prices.mask(pd.Series(rng.random(len(orders)) < 0.0005), "")
    twice = orders[rng.random(len(orders)) < 0.002]
    return pd.concat([orders, twice]).sort_index(kind="stable")


def _month_of(day: NDArray[np.int64]) -> NDArray[np.int64]:
    """Month (1–12) of a number of days after FIRST_DAY."""
    return (np.datetime64(FIRST_DAY) + day).astype("datetime64[M]").astype(np.int64) % 12 + 1
